import { createMessageBatch } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { consumeAudit } from "../../../src/audit/index.ts";
import { routes } from "../../../src/admin/routes.ts";
import { modernPost, setUp, type Tenant } from "../gateway/support.ts";
import { ask, createWorld, dumpDatabase, echoUpstream, type World } from "./support.ts";
import { table } from "./routes.ts";

let world: World;
let a: Tenant;
let b: Tenant;
const ids = {
  ...{ server: "", client: "", token: "", secret: "", administrator: "", provider: "", redirect: "" },
  credential: "",
  connection: crypto.randomUUID(),
  user: crypto.randomUUID(),
  grant: crypto.randomUUID(),
  agent: btoa("marker-of-a-agent").replaceAll("=", ""),
};
let aToken: string;

beforeAll(async () => {
  world = await createWorld();
  world.harness.serve("same.upstream.test", echoUpstream());
  a = world.tenant;
  b = await setUp(world.harness, "https://b.gw.test");
  ids.server = await a.addServer("same", { name: "marker-of-a" });
  const client = await a.addClient(["same"]);
  ids.client = client.id;
  ids.token = client.token_id;
  aToken = client.token;
  const made = await a.api("POST", "/tokens", { name: "second" });
  ids.administrator = (await made.json<{ id: string }>()).id;
  const create = async (path: string, body: unknown): Promise<string> =>
    (await (await a.api("POST", path, body)).json<{ id: string }>()).id;
  ids.secret = await create(`/clients/${client.id}/secrets`, {});
  ids.redirect = await create("/redirect-uris", { uri: "https://marker-of-a.test/cb" });
  const roles = { member: { everyone: true } };
  const provider = {
    kind: "generic",
    name: "marker-of-a",
    issuer: "https://idp.test",
    client_id: "c",
    options: { roles },
  };
  ids.provider = await create("/identity-providers", provider);
  ids.credential = await create("/credentials", { name: "marker-of-a", holder: "organisation", value: "secret" });
  await people(await tenantOf(client.id));
});

/** A tenant's own name in the database; each test has its own. */
async function tenantOf(client_id: string): Promise<string> {
  const row = await env.DB.prepare("SELECT tenant_id FROM clients WHERE id = ?")
    .bind(client_id)
    .first<{ tenant_id: string }>();
  return row?.tenant_id ?? "";
}

/** A person, what they allowed, and the agent that they allowed it: nobody makes these through the API. */
async function people(tenant: string): Promise<void> {
  const insert = (sql: string, ...values: unknown[]) => env.DB.prepare(sql).bind(tenant, ...values);
  await env.DB.batch([
    insert(
      `INSERT INTO users (tenant_id, id, provider_id, issuer, subject, email_verified, role, groups, enabled, created_at, last_sign_in_at, updated_at)
       VALUES (?, ?, ?, 'https://idp.test', 'marker-of-a', 0, 'member', '[]', 1, 1, 1, 1)`,
      ids.user,
      ids.provider,
    ),
    insert(
      `INSERT INTO grants (tenant_id, id, user_id, client_id, client_name, redirect_uri, resource, scope, servers, source, created_at, redeemed_at, expires_at)
       VALUES (?, ?, ?, 'marker-of-a-agent', 'x', 'https://x.test', 'https://a.gw.test/mcp', 'mcp', '[]', '{}', 1, 1, 9999999999999)`,
      ids.grant,
      ids.user,
    ),
    insert(
      `INSERT INTO connections (tenant_id, id, user_id, target, account, is_default, state, credential, issuer, token_endpoint,
         client_id, fit, step_ups, revision, tries, created_at, updated_at)
       VALUES (?, ?, ?, 'idp', 'marker-of-a', 1, 'linked', '{}', '', '', '', '', 0, 1, 0, 1, 1)`,
      ids.connection,
      ids.user,
    ),
    insert(
      `INSERT INTO agents (tenant_id, id, kind, name, first_seen_at, last_seen_at) VALUES (?, 'marker-of-a-agent', 'dynamic', 'x', 1, 1)`,
    ),
  ]);
}

/** The id that a path means, by its resource. */
const idFor = (path: string): string => {
  const resources = { servers: "server", clients: "client", users: "user", grants: "grant", agents: "agent" } as const;
  const more = {
    "redirect-uris": "redirect",
    "identity-providers": "provider",
    credentials: "credential",
    connections: "connection",
  } as const;
  const name = path.split("/")[1] ?? "";
  const key = ({ ...resources, ...more } as Readonly<Record<string, keyof typeof ids>>)[name];
  if (key === undefined) throw new Error(`This test has no id for ${path}.`);
  return ids[key];
};

/** A right body for each route that takes one: what is refused is refused for the id alone. */
const bodies: Readonly<Record<string, unknown>> = {
  "server.update": { name: "taken" },
  "client.update": { name: "taken" },
  "client_token.create": {},
  "client_token.rotate": {},
  "client_secret.create": {},
  "identity_provider.update": { name: "taken" },
  "user.update": { enabled: false },
  "agent.update": { disabled: true },
  "credential.update": { name: "taken" },
};

const withIds = routes.filter(({ path }) => path.includes(":"));

describe("the ids of one tenant in the admin API of another", () => {
  it("TN-04: every route that takes an id is in this test", () => {
    const paths = new Set(withIds.map(({ path }) => `/api/v1${path}`));
    expect(table.map(({ path }) => path).filter((path) => path.startsWith("/api/v1") && path.includes(":"))).toEqual(
      expect.arrayContaining([...paths]),
    );
    expect(withIds.length).toBeGreaterThanOrEqual(10);
  });

  it.each(withIds.map((route) => [route.method, route.path, route] as const))(
    "TN-04: %s %s does not find them",
    async (method, path, route) => {
      const before = await dumpDatabase();
      const filled = path
        .replace(
          ":tokenId",
          path.startsWith("/tokens") ? ids.administrator : path.includes("/secrets/") ? ids.secret : ids.token,
        )
        .replace(/:id\b/, () => idFor(path));
      const body = method === "POST" || method === "PATCH" ? (bodies[route.action] ?? {}) : undefined;
      const foreign = await b.api(method, filled, body);
      expect([foreign.status, await dumpDatabase()]).toEqual([404, before]);
      // The same words as for an id that exists nowhere.
      const nowhere = await b.api(
        method,
        filled.replace(/[0-9a-f]{12}(?=\/|$)/, "000000000000").replace(ids.agent, btoa("nobody")),
        body,
      );
      expect([nowhere.status, await nowhere.text()]).toEqual([404, await foreign.text()]);
    },
  );

  it("TN-04: no list shows them", async () => {
    const lists = [
      "/servers",
      "/clients",
      "/tokens",
      "/identity-providers",
      "/redirect-uris",
      "/users",
      "/grants",
      "/agents",
    ];
    for (const path of lists) {
      const text = await (await b.api("GET", path)).text();
      for (const id of Object.values(ids)) expect(text).not.toContain(id);
      expect(text).not.toContain("marker-of-a");
    }
  });

  it("TN-04: a server of another tenant cannot be put on an allow-list", async () => {
    const made = await b.api("POST", "/clients", { name: "thief", servers: [ids.server] });
    expect(made.status).toBe(422);
  });
});

describe("the same names in two tenants", () => {
  it("TN-05: a slug that tenant A has is free in tenant B, and leads to B's own server", async () => {
    await b.addServer("same", { url: "https://b.upstream.test/mcp" });
    const { token } = await b.addClient(["same"]);
    world.harness.serve("b.upstream.test", echoUpstream("other"));
    const init = (bearer: string): RequestInit =>
      modernPost("tools/call", { name: "echo", arguments: {} }, { token: bearer });
    const calls = world.harness.seen.length;
    expect((await ask(world.harness, "https://b.gw.test/mcp/same", init(token))).text).toContain("did other");
    expect((await ask(world.harness, "https://a.gw.test/mcp/same", init(aToken))).text).toContain("did echo");
    const hosts = world.harness.seen.slice(calls).map(({ url }) => new URL(url).hostname);
    expect(new Set(hosts)).toEqual(new Set(["b.upstream.test", "same.upstream.test"]));
    expect((await ask(world.harness, "https://b.gw.test/mcp/same", init(aToken))).status).toBe(401);
  });

  it("TN-05: settings and switches of one tenant leave the other alone", async () => {
    await b.api("PATCH", "/settings", { audit_strict: true, allowed_origins: ["https://b.friend.test"] });
    const settings = await (await a.api("GET", "/settings")).json();
    expect(settings).toMatchObject({ audit_strict: false, allowed_origins: [] });
    const headers = { origin: "https://b.friend.test" };
    const init = modernPost("tools/call", { name: "echo", arguments: {} }, { token: aToken, headers });
    expect((await ask(world.harness, "https://a.gw.test/mcp/same", init)).status).toBe(403);
  });

  it("F10: an Idempotency-Key of one tenant replays nothing in the other", async () => {
    const headers = { "idempotency-key": "one-key-for-two-tenants" };
    const body = { name: "agent", servers: [] };
    const made = await a.api("POST", "/clients", body, headers);
    const other = await b.api("POST", "/clients", body, headers);
    expect([made.status, other.status, other.headers.get("idempotent-replayed")]).toEqual([201, 201, null]);
    const [first, second] = [await made.json<{ id: string }>(), await other.json<{ id: string }>()];
    expect(first.id).not.toBe(second.id);
  });
});

describe("the audit logs of two tenants", () => {
  it("TN-17: no event of one tenant is in the other's log", async () => {
    const call = (name: string, token: string): RequestInit =>
      modernPost("tools/call", { name, arguments: {} }, { token });
    const { token: bToken } = await b.addClient(["same"]);
    await ask(world.harness, "https://a.gw.test/mcp/same", call("marker-a", aToken));
    await ask(world.harness, "https://b.gw.test/mcp/same", call("marker-b", bToken));
    await ask(world.harness, "https://b.gw.test/mcp/same", call("marker-b", "unknown-b"));
    const messages = world.harness.events.map((body) => ({ id: body.id, timestamp: new Date(), attempts: 1, body }));
    await consumeAudit(createMessageBatch("gatehouse-audit", messages), env);

    const log = async (tenant: Tenant): Promise<{ tenant: string }[]> => {
      const page = await tenant.api("GET", "/events?limit=500");
      return (await page.json<{ items: { tenant: string }[] }>()).items;
    };
    const [ofA, ofB] = [await log(a), await log(b)];
    expect([JSON.stringify(ofA).includes("marker-a"), JSON.stringify(ofB).includes("marker-b")]).toEqual([true, true]);
    expect([JSON.stringify(ofA).includes("marker-b"), JSON.stringify(ofB).includes("marker-a")]).toEqual([
      false,
      false,
    ]);
    expect(new Set(ofA.map(({ tenant }) => tenant)).size).toBe(1);
    expect(new Set([...ofA, ...ofB].map(({ tenant }) => tenant)).size).toBe(2);
  });

  it.each(["tenant", "tenant_id"])("TN-18: the log of another tenant cannot be asked for by %s", async (parameter) => {
    const other = world.harness.events.find(({ tenant }) => tenant.startsWith("a-"))?.tenant ?? "";
    const page = await b.api("GET", `/events?${parameter}=${other}`);
    expect(page.status).toBe(422);
  });
});
