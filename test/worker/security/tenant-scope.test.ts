import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { schema, sources } from "./sources.ts";
import { modernPost } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream } from "./support.ts";

interface Statement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** D1 that remembers every statement with its values. */
function recordingDatabase(statements: Statement[]): D1Database {
  return new Proxy(env.DB, {
    get(database, property) {
      const member: unknown = Reflect.get(database, property);
      if (property !== "prepare") return typeof member === "function" ? (member.bind(database) as unknown) : member;
      return (sql: string) => {
        const prepared = database.prepare(sql);
        const bind = prepared.bind.bind(prepared);
        prepared.bind = (...values: unknown[]) => {
          statements.push({ sql, values });
          return bind(...values);
        };
        return prepared;
      };
    },
  });
}

const statements: Statement[] = [];
let tenantId = "";

/** Every route of the admin API that reaches D1, and the data path. */
beforeAll(async () => {
  const world = await createWorld({ bindings: { DB: recordingDatabase(statements) } });
  const { harness, tenant } = world;
  harness.serve("up.upstream.test", echoUpstream());
  const server = await tenant.addServer("up", {
    authentication: { type: "bearer" },
    credential: { type: "bearer", token: "canary" },
  });
  const client = await tenant.addClient(["up"]);
  tenantId = harness.events[0]?.tenant ?? "";
  for (const path of ["/servers", "/clients", "/tokens", "/settings", `/clients/${client.id}/tokens`])
    await tenant.api("GET", path);
  for (const path of ["/servers", "/clients", "/tokens", `/clients/${client.id}/tokens`]) {
    const page = await (await tenant.api("GET", `${path}?limit=1`)).json<{ next: string | null }>();
    if (page.next !== null) await tenant.api("GET", `${path}?limit=1&cursor=${page.next}`);
  }
  await tenant.api("GET", `/servers/${server}`);
  await tenant.api("PATCH", `/servers/${server}`, { name: "renamed" });
  await tenant.api("PATCH", `/clients/${client.id}`, { name: "renamed", servers: ["up"] });
  await tenant.api("PATCH", "/settings", { audit_strict: true });
  await tenant.api("POST", "/clients", { name: "keyed", servers: [] }, { "idempotency-key": "k" });
  await tenant.api("POST", "/clients", { name: "keyed", servers: [] }, { "idempotency-key": "k" });
  const rotated = await tenant.api("POST", `/clients/${client.id}/tokens/${client.token_id}/rotate`, {
    overlap_seconds: 0,
  });
  const { id, token } = await rotated.json<{ id: string; token: string }>();
  await ask(harness, "https://a.gw.test/mcp/up", modernPost("tools/call", { name: "echo", arguments: {} }, { token }));
  await tenant.api("DELETE", `/clients/${client.id}/tokens/${id}`);
  const second = await (await tenant.api("POST", "/tokens", { name: "second" })).json<{ id: string }>();
  await tenant.api("DELETE", `/tokens/${second.id}`);
  await tenant.api("DELETE", `/servers/${server}`);
  await tenant.api("DELETE", `/clients/${client.id}`);
});

/** The tables that a statement reads or writes, with what restricts each to one tenant. */
const scoped = /"tenant_id" = \?|"tenants"\."id" = \?|insert into "\w+" \((?:"tenant_id"|"id", "initialised_at")/i;

describe("statements to D1", () => {
  it("TN-06: the flow under test reaches every table with every verb that the program uses", () => {
    const verbs = new Set(
      statements.map(({ sql }) =>
        /^\s*(insert into|update|delete from|select[^]*?from) "(\w+)"/i
          .exec(sql)
          ?.slice(1)
          .join(" ")
          .replace(/select[^]*?from/i, "select"),
      ),
    );
    for (const one of [
      ...[
        "insert into tenants",
        "update tenants",
        "select tenants",
        "select servers",
        "insert into servers",
        "update servers",
      ],
      ...["delete from servers", "select clients", "insert into clients", "update clients", "delete from clients"],
      ...["select tokens", "insert into tokens", "update tokens", "delete from tokens"],
      ...[
        "insert into idempotency_keys",
        "select idempotency_keys",
        "update idempotency_keys",
        "delete from idempotency_keys",
      ],
    ]) {
      expect([...verbs]).toContain(one);
    }
  });

  it("TN-06: each names the tenant in its text", () => {
    expect(statements.filter(({ sql }) => !scoped.test(sql)).map(({ sql }) => sql)).toEqual([]);
  });

  it("TN-06: each binds this tenant's id, and no other's", () => {
    const unbound = statements.filter(({ values }) => !values.includes(tenantId)).map(({ sql }) => sql);
    expect([tenantId.startsWith("a-"), unbound]).toEqual([true, []]);
  });

  it("TN-06: every selection from a table has its own condition on the tenant", () => {
    // Sub-selections and joins: as many conditions on a tenant as tables that are read.
    const short = statements.filter(({ sql }) => {
      const read = sql.match(/\bfrom "(?:servers|clients|tokens|idempotency_keys|tenants)"/gi)?.length ?? 0;
      const conditions = sql.match(/"tenant_id" = \?|"tenants"\."id" = \?/gi)?.length ?? 0;
      // The rows to sweep are chosen by a selection that is counted; what deletes them names them by number.
      const swept = /^delete from "(\w+)" where rowid in \(select rowid from "\1"/i.test(sql) ? 1 : 0;
      return conditions < read - swept;
    });
    expect(short.map(({ sql }) => sql)).toEqual([]);
  });

  it("TN-06: no source writes SQL to D1 by hand", () => {
    const byHand = Object.entries(sources).filter(([, text]) =>
      /\bDB\.(?:prepare|exec|batch|withSession)\b|sql\.raw\(|database\.run\(/.test(text),
    );
    expect(byHand.map(([path]) => path)).toEqual([]);
    expect(Object.keys(sources).length).toBeGreaterThan(80);
  });

  it("TN-06: the tenant leads every key, but for the hash of a token, which no two tenants can share", () => {
    const unique = [
      ...schema.matchAll(/PRIMARY KEY\s*\(([^)]*)\)|CREATE UNIQUE INDEX `?(\w+)`? ON `?\w+`? \(([^)]*)\)/g),
    ];
    const keys = unique.map(([, primary, name, columns]) => [
      name ?? "primary",
      (primary ?? columns ?? "").replaceAll("`", "").split(",")[0],
    ]);
    expect(keys.length).toBeGreaterThanOrEqual(6);
    expect(keys.filter(([, first]) => first !== "tenant_id")).toEqual([["tokens_hash", "hash"]]);
  });
});
