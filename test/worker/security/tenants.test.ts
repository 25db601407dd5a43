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
const ids = { server: "", client: "", token: "", administrator: "" };
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
});

/** A right body for each route that takes one: what is refused is refused for the id alone. */
const bodies: Readonly<Record<string, unknown>> = {
  "server.update": { name: "taken" },
  "client.update": { name: "taken" },
  "client_token.create": {},
  "client_token.rotate": {},
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
        .replace(":tokenId", path.startsWith("/tokens") ? ids.administrator : ids.token)
        .replace(":id", path.startsWith("/servers") ? ids.server : ids.client);
      const body = method === "POST" || method === "PATCH" ? (bodies[route.action] ?? {}) : undefined;
      const foreign = await b.api(method, filled, body);
      expect([foreign.status, await dumpDatabase()]).toEqual([404, before]);
      // The same words as for an id that exists nowhere.
      const nowhere = await b.api(method, filled.replace(/[0-9a-f]{12}(?=\/|$)/, "000000000000"), body);
      expect([nowhere.status, await nowhere.text()]).toEqual([404, await foreign.text()]);
    },
  );

  it("TN-04: no list shows them", async () => {
    for (const path of ["/servers", "/clients", "/tokens"]) {
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
