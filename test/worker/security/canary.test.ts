import { createMessageBatch, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { consumeAudit, ledgerName, outboxName, type AuditEvent } from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import {
  modernPost,
  modernUpstream,
  setUp,
  setupSecret,
  type Harness,
  type Tenant,
  type Upstream,
} from "../gateway/support.ts";
import {
  answeredText,
  dumpDatabase,
  faultyDatabase,
  secretsIn,
  virtualHarness,
  type FaultyDatabase,
  type VirtualClock,
} from "./support.ts";

/** One secret of each kind that the program ever holds. None is a word of another, and none looks like what redaction knows. */
const planted = {
  bearer: "canary-bearer-7Qp2Lm9Xz4",
  password: "canary-password+/ 8Rk1Vn6Ty3=",
  headerKey: "canary-header-key-5Wd0Bs2Hc8",
  queryKey: "canary-query-key&=?-3Jf6Gu1Pa9",
  customHeader: "canary-custom-one-4Ze7Mo5Kx2",
  customHeaderTwo: "canary-custom-two-9Yi3Nt8Lq6",
  argument: "canary-argument-2Cv4Dw7Eb1",
  nestedArgument: "canary-nested-argument-6Ah9Fs3Ug5",
  uriQuery: "canary-uri-query-1Or8Ij4Kb7",
  keyEncryptionKey: "test:" + new Uint8Array(32).fill(7).toBase64({ alphabet: "base64url", omitPadding: true }),
  setupSecret,
} as const;

const origin = "https://a.gw.test";
const slugs = ["bearer", "basic", "header", "query", "custom"] as const;

let clock: VirtualClock;
let harness: Harness;
let database: FaultyDatabase;
let tenant: Tenant;
/** `outbox`: the Queue fails as well. */
let fault: "none" | "kv" | "queue" | "outbox" = "none";
/** What the Queue took. */
const events: AuditEvent[] = [];
/** Everything that left the Worker towards callers and the console. */
const answers: string[] = [];
const lines: string[] = [];
/** Secrets that the run itself makes. Each may stand in the one answer that shows it. */
const issued: string[] = [];

const levels = ["log", "debug", "info", "warn", "error", "trace"] as const;

/** The binding, which fails while the fault is one of these, with an error that quotes what it was handed. */
const failing = <T extends object>(binding: T, kinds: readonly (typeof fault)[], methods: readonly string[]): T =>
  new Proxy(binding, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]): unknown => {
        const name = String(property);
        if (kinds.includes(fault) && methods.includes(name)) throw new Error(`failed: ${JSON.stringify(parameters)}`);
        if (name === "send") events.push(parameters[0] as AuditEvent);
        return Reflect.apply(member, target, parameters);
      };
    },
  });

/** What an upstream may do; several of them repeat what they were sent. */
const behaviours: Readonly<Record<string, Upstream>> = {
  works: () => new Response(null),
  "refuses the credential": (seen) => new Response(JSON.stringify([...seen.headers]) + seen.url, { status: 401 }),
  "forbids it": (seen) =>
    new Response(seen.url, { status: 403, headers: { "www-authenticate": `Bearer realm="${seen.url}"` } }),
  "breaks with what it was sent": (seen) =>
    new Response(`<html>${seen.url} ${seen.headers.get("authorization")}`, { status: 500 }),
  "redirects with what it was sent": (seen) =>
    new Response(null, {
      status: 307,
      headers: { location: `${seen.url}&again=${seen.headers.get("authorization")}` },
    }),
  "answers no JSON": (seen) =>
    new Response(`{"${seen.headers.get("authorization")}`, { headers: { "content-type": "application/json" } }),
  "answers another type": (seen) => new Response(seen.url, { headers: { "content-type": "text/plain" } }),
  "answers another id": (seen) => Response.json({ jsonrpc: "2.0", id: `other ${seen.url}`, result: {} }),
  "cuts its stream": () => new Response("data: {", { headers: { "content-type": "text/event-stream" } }),
  "cannot be reached": (seen) => {
    throw new TypeError(`connect ECONNREFUSED ${seen.url} ${seen.headers.get("authorization")}`);
  },
  "limits the rate": (seen) => new Response(seen.url, { status: 429, headers: { "retry-after": "1" } }),
};

let behaviour = "works";

beforeAll(async () => {
  for (const level of levels) {
    vi.spyOn(console, level).mockImplementation(
      (...parameters: unknown[]) => void lines.push(parameters.map(String).join(" ")),
    );
  }
  database = faultyDatabase();
  ({ clock, harness } = virtualHarness({
    bindings: {
      DB: database.DB,
      AUDIT: failing(env.AUDIT, ["queue", "outbox"], ["send"]),
      CACHE: failing(env.CACHE, ["kv"], ["get", "put", "delete"]),
      OUTBOX: failing(env.OUTBOX, ["outbox"], ["get"]),
    },
  }));
  tenant = await setUp(harness, origin);
  issued.push(tenant.administrator);
  await register();
  await run();
}, 120_000);

afterAll(() => {
  vi.restoreAllMocks();
});

async function register(): Promise<void> {
  const server = async (
    slug: string,
    authentication: Record<string, unknown>,
    credential: Record<string, unknown>,
  ): Promise<void> => {
    const type = authentication["type"];
    await tenant.addServer(slug, { authentication, credential: { type, ...credential } } as Parameters<
      Tenant["addServer"]
    >[1]);
    harness.serve(`${slug}.upstream.test`, (seen) => {
      if (behaviour !== "works") return behaviours[behaviour]?.(seen) ?? new Response();
      return modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools: [] } : { content: [] }))(
        seen,
      );
    });
  };
  await server("bearer", { type: "bearer" }, { token: planted.bearer });
  await server("basic", { type: "basic", username: "user" }, { password: planted.password });
  await server("header", { type: "api_key_header", header: "X-Key" }, { key: planted.headerKey });
  await server("query", { type: "api_key_query", parameter: "key" }, { key: planted.queryKey });
  await server(
    "custom",
    { type: "headers", headers: ["X-One", "X-Two"] },
    { values: [planted.customHeader, planted.customHeaderTwo] },
  );
}

async function send(path: string, init: RequestInit): Promise<string> {
  const response = await harness.fetch(origin + path, init);
  const text = await response.text();
  answers.push(answeredText({ status: response.status, headers: response.headers, text }));
  return text;
}

async function callAll(token: string): Promise<void> {
  const parameters = {
    name: "echo",
    arguments: { value: planted.argument, deep: [{ password: planted.nestedArgument }] },
  };
  for (const slug of slugs) {
    await send(`/mcp/${slug}`, modernPost("tools/call", parameters, { token }));
    await send("/mcp", modernPost("tools/call", { ...parameters, name: `${slug}__echo` }, { token }));
    await send(
      "/mcp",
      modernPost(
        "resources/read",
        { uri: `gatehouse://${slug}/https://x.test/a?token=${planted.uriQuery}` },
        { token },
      ),
    );
  }
  await send("/mcp", modernPost("tools/list", {}, { token }));
  await send("/mcp", modernPost("tools/call", { ...parameters, name: "unknown" }, { token }));
  await send("/mcp", { ...modernPost("tools/call", parameters, { token }), body: `{"a": "${planted.argument}` });
}

/** Every flow, then every flow with everything failing in turn. */
async function run(): Promise<void> {
  const client = await tenant.addClient([...slugs]);
  issued.push(client.token);
  for (behaviour of Object.keys(behaviours)) {
    await callAll(client.token);
    // Verdicts, indexes and credentials are asked for anew.
    clock.advance(limits.eraVerdict_ms);
  }
  behaviour = "works";
  for (fault of ["kv", "queue", "outbox"] as const) await callAll(client.token);
  fault = "none";
  await administer(client);
  const credentials = [client.token, tenant.administrator, setupSecret];
  for (const credential of credentials) {
    await send("/mcp", { method: "POST", headers: { authorization: `Bearer ${credential} ${credential}` } });
    await send(`/mcp?access_token=${credential}`, { method: "POST" });
    await send("/api/v1/servers", { headers: { authorization: `Basic ${credential}` } });
    await send(`/api/v1/servers/${credential}`, { headers: { authorization: `Bearer ${tenant.administrator}` } });
  }
  await send("/api/v1/setup", post({ secret: setupSecret }));
  await send("/api/v1/setup", post({ secret: `${setupSecret}x` }));
  for (const kind of ["before", "after"] as const) {
    const quoted = `D1_ERROR: near "${planted.bearer}": params: ${Object.values(planted).join()}`;
    Object.assign(database, { fault: kind, message: quoted });
    await administer(client);
    clock.advance(limits.snapshotLife_ms);
    await callAll(client.token);
    database.fault = "none";
  }
}

const post = (body: unknown, method = "POST"): RequestInit => ({
  method,
  headers: { "content-type": "application/json", authorization: `Bearer ${tenant.administrator}` },
  body: JSON.stringify(body),
});

async function administer(client: { id: string; token_id: string }): Promise<void> {
  const credential = { type: "bearer", token: planted.bearer };
  await send(
    "/api/v1/servers",
    post({ slug: "bearer", url: "https://x.test/mcp", authentication: { type: "bearer" }, credential }),
  );
  await send("/api/v1/servers", post({ slug: "x", url: `https://u:${planted.bearer}@x.test/mcp` }));
  await send(
    "/api/v1/servers",
    post({ slug: "x", url: "https://x.test/mcp", authentication: { type: "basic", username: "u" }, credential }),
  );
  await send(
    "/api/v1/servers",
    post({
      slug: planted.bearer,
      url: planted.queryKey,
      name: `${planted.headerKey}\n`,
      credential: { type: planted.bearer },
    }),
  );
  for (const path of ["servers", "clients", "tokens", "settings", "events?limit=500", `clients/${client.id}/tokens`]) {
    await send(`/api/v1/${path}`, { headers: { authorization: `Bearer ${tenant.administrator}` } });
  }
  const listed = await harness.fetch(`${origin}/api/v1/servers`, {
    headers: { authorization: `Bearer ${tenant.administrator}` },
  });
  const { items = [] } = await listed.json<{ items?: { id: string; slug: string }[] }>();
  for (const { id, slug } of items) {
    if (slug === "bearer") await send(`/api/v1/servers/${id}`, post({ credential }, "PATCH"));
    await send(`/api/v1/servers/${id}`, { headers: { authorization: `Bearer ${tenant.administrator}` } });
  }
  const shown = await harness.fetch(`${origin}/api/v1/clients/${client.id}/tokens`, {
    ...post({}),
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${tenant.administrator}`,
      "idempotency-key": "token",
    },
  });
  const { token } = await shown.json<{ token?: string }>();
  if (token !== undefined) issued.push(token);
}

/** Every table of a Durable Object, as text. */
const dumpObject = (stub: DurableObjectStub): Promise<string> =>
  runInDurableObject(stub, (_instance, state) => {
    const { sql } = state.storage;
    const tables = sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '_cf_%'")
      .toArray();
    return JSON.stringify(
      tables.map(({ name }) => sql.exec(`SELECT * FROM "${name}"`).toArray()),
      (_key, value: unknown) => (value instanceof ArrayBuffer ? new TextDecoder("latin1").decode(value) : value),
    );
  });

const secrets = (): string[] => [...Object.values(planted), ...issued];

describe("after every flow and every error path", () => {
  it("AU-20: the run went through all of it", () => {
    const sent = harness.seen.map(({ url, headers }) => url + JSON.stringify([...headers])).join();
    for (const secret of [planted.bearer, planted.headerKey, planted.customHeader, planted.customHeaderTwo])
      expect(sent).toContain(secret);
    expect(sent).toContain(btoa(`user:${planted.password}`));
    expect(
      new URL(harness.seen.find(({ url }) => url.includes("query.upstream"))?.url ?? "").searchParams.get("key"),
    ).toBe(planted.queryKey);
    expect(JSON.stringify(harness.seen.map(({ text }) => text))).toContain(planted.nestedArgument);
    expect([answers.length > 250, lines.length > 10, events.length > 400, issued.length >= 3]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it("AU-20: no secret is in any answer", () => {
    const leaks = answers.flatMap((answer) => secretsIn(answer, secrets()).map((secret) => `${secret} in ${answer}`));
    expect(leaks).toEqual([]);
  });

  it("AU-20: no secret is in any line of the console", () => {
    expect(lines.flatMap((line) => secretsIn(line, secrets()).map((secret) => `${secret} in ${line}`))).toEqual([]);
  });

  it("AU-21: each line is one JSON object, and none shows a request, a response or an error whole", () => {
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.any(String) as string,
        message: expect.any(String) as string,
      });
      expect(line).not.toMatch(/\n|\[object |"stack"|at file:/);
    }
  });

  it("AU-20: no secret is in any event that was handed over", () => {
    expect(events.flatMap((event) => secretsIn(JSON.stringify(event), secrets()))).toEqual([]);
  });

  it("VT-13: the key of a query string is in no event, line or answer, and neither is the URL that holds it", () => {
    const all = [...answers, ...lines, JSON.stringify(events)].join("\n");
    expect(secretsIn(all, [planted.queryKey])).toEqual([]);
    expect(all).not.toContain("query.upstream.test/mcp?");
  });

  it("VT-09: the key-encryption key is in no event, line, answer or table", async () => {
    const key = planted.keyEncryptionKey.slice("test:".length);
    const bytes = Uint8Array.fromBase64(key, { alphabet: "base64url" });
    const forms = [key, bytes.toBase64(), bytes.toHex(), bytes.join(",")];
    const all = [...answers, ...lines, JSON.stringify(events), await dumpDatabase()].join("\n");
    expect(forms.filter((form) => all.includes(form))).toEqual([]);
  });

  it("VT-07: no secret is in D1", async () => {
    const dumped = await dumpDatabase();
    expect(dumped).toContain("ciphertext");
    expect(secretsIn(dumped, secrets())).toEqual([]);
  });

  it("VT-07: no secret is in KV", async () => {
    const { keys } = await env.CACHE.list();
    const values = await Promise.all(keys.map(async ({ name }) => `${name} ${await env.CACHE.get(name)}`));
    expect(keys.length).toBeGreaterThan(0);
    expect(secretsIn(values.join("\n"), secrets())).toEqual([]);
  });

  it("VT-07: no secret is in a Ledger or an Outbox", async () => {
    const [first] = events;
    if (first === undefined) throw new Error("Nothing was recorded.");
    const messages = events.map((body) => ({ id: body.id, timestamp: new Date(), attempts: 1, body }));
    for (let at = 0; at < messages.length; at += 100) {
      await consumeAudit(createMessageBatch("gatehouse-audit", messages.slice(at, at + 100)), env);
    }
    const stored = await dumpObject(env.LEDGER.getByName(ledgerName(first.tenant, first.time)));
    await env.OUTBOX.getByName(outboxName(first.tenant, 0)).put(events);
    const waiting = await dumpObject(env.OUTBOX.getByName(outboxName(first.tenant, 0)));
    expect([stored.length > 100_000, waiting.length > 100_000]).toEqual([true, true]);
    expect(secretsIn(stored + waiting, secrets())).toEqual([]);
  });

  it("AU-16: argument values are there as digests, with type and size", () => {
    const digested = events.flatMap((event) =>
      event.type === "mcp.request" && event.request.arguments !== undefined ? [event.request.arguments] : [],
    );
    expect(digested.length).toBeGreaterThan(50);
    for (const one of digested) {
      expect(one["value"]).toMatchObject({ type: "string", hmac: expect.stringMatching(/^test:[\w-]{22}$/) as string });
    }
  });
});
