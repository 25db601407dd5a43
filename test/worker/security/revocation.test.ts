import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { modernPost } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream, type World } from "./support.ts";

const origin = "https://a.gw.test";
let world: World;
let serverId: string;
let client: { id: string; token: string; token_id: string };

beforeEach(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  serverId = await world.tenant.addServer("up");
  client = await world.tenant.addClient(["up"]);
});

const call = async (token = client.token): Promise<number> => {
  const init = modernPost("tools/call", { name: "echo", arguments: {} }, { token });
  return (await ask(world.harness, `${origin}/mcp/up`, init)).status;
};

/**
 * A change that another isolate made: D1 is written and the Tenant object told, but this isolate's memory is not touched. It
 * is what the admin API does elsewhere.
 */
async function changedElsewhere(sql: string, ...values: unknown[]): Promise<void> {
  await env.DB.prepare(sql)
    .bind(...values)
    .run();
  const tenant = await env.DB.prepare("SELECT tenant_id FROM clients WHERE id = ?")
    .bind(client.id)
    .first<string>("tenant_id");
  await env.TENANT.getByName(tenant ?? "").announce();
}

const changes: readonly (readonly [string, status: number, () => Promise<void>])[] = [
  ["a revoked token", 401, () => changedElsewhere("UPDATE tokens SET revoked_at = 1 WHERE id = ?", client.token_id)],
  ["a deleted token", 401, () => changedElsewhere("DELETE FROM tokens WHERE id = ?", client.token_id)],
  [
    "a client that is switched off",
    401,
    () => changedElsewhere("UPDATE clients SET enabled = 0 WHERE id = ?", client.id),
  ],
  [
    "a server taken off the list",
    404,
    () => changedElsewhere("UPDATE clients SET servers = '[]' WHERE id = ?", client.id),
  ],
  [
    "a server that is switched off",
    404,
    () => changedElsewhere("UPDATE servers SET enabled = 0 WHERE id = ?", serverId),
  ],
  ["a server that is deleted", 404, () => changedElsewhere("DELETE FROM servers WHERE id = ?", serverId)],
];

describe("a change that another isolate made, with a warm snapshot", () => {
  it.each(changes.slice(0, 2))("TK-18: %s is refused with %i after two seconds", async (_name, status, change) => {
    expect(await call()).toBe(200);
    await change();
    world.clock.advance(2_000);
    const calls = world.harness.seen.length;
    expect(await call()).toBe(status);
    expect(world.harness.seen.length).toBe(calls);
  });

  it.each(changes.slice(2, 4))("PL-07: %s is refused with %i after two seconds", async (_name, status, change) => {
    expect(await call()).toBe(200);
    await change();
    world.clock.advance(2_000);
    const calls = world.harness.seen.length;
    expect(await call()).toBe(status);
    expect(world.harness.seen.length).toBe(calls);
  });

  it.each(changes.slice(4))("P11: %s is refused with %i after two seconds", async (_name, status, change) => {
    expect(await call()).toBe(200);
    await change();
    world.clock.advance(2_000);
    const calls = world.harness.seen.length;
    expect(await call()).toBe(status);
    expect(world.harness.seen.length).toBe(calls);
  });

  it.each(changes)("A9: %s is refused with %i by the second call under steady load", async (_name, status, change) => {
    expect(await call()).toBe(200);
    await change();
    // The refresh behind the first answer finds the change, so nobody waits and the next call is decided on it.
    world.clock.advance(1_000);
    await call();
    expect(await call()).toBe(status);
  });

  it("TK-18: KV that still remembers the token does not matter", async () => {
    await env.CACHE.put(`token:${client.token}`, JSON.stringify({ client_id: client.id, live: true }));
    await changedElsewhere("UPDATE tokens SET revoked_at = 1 WHERE id = ?", client.token_id);
    world.clock.advance(2_000);
    expect(await call()).toBe(401);
  });
});

describe("a token of its own", () => {
  it("A9: revoked here is refused at once", async () => {
    expect(await call()).toBe(200);
    await world.tenant.api("DELETE", `/clients/${client.id}/tokens/${client.token_id}`);
    expect(await call()).toBe(401);
  });

  it("A9: expires to the millisecond, with a warm snapshot", async () => {
    const expires_at = world.clock.now() + 1_500;
    const made = await world.tenant.api("POST", `/clients/${client.id}/tokens`, { expires_at });
    const { token } = await made.json<{ token: string }>();
    expect(await call(token)).toBe(200);
    world.clock.advance(1_499);
    expect(await call(token)).toBe(200);
    world.clock.advance(1);
    expect(await call(token)).toBe(401);
  });

  it("A9: rotated works beside the old one, which ends with the overlap", async () => {
    const path = `/clients/${client.id}/tokens/${client.token_id}/rotate`;
    const rotated = await world.tenant.api("POST", path, { overlap_seconds: 60 });
    const { token } = await rotated.json<{ token: string }>();
    expect([await call(), await call(token)]).toEqual([200, 200]);
    world.clock.advance(59_999);
    expect([await call(), await call(token)]).toEqual([200, 200]);
    world.clock.advance(1);
    expect([await call(), await call(token)]).toEqual([401, 200]);
  });

  it("A9: rotated without overlap ends at once", async () => {
    const path = `/clients/${client.id}/tokens/${client.token_id}/rotate`;
    const rotated = await world.tenant.api("POST", path, { overlap_seconds: 0 });
    const { token } = await rotated.json<{ token: string }>();
    expect([await call(), await call(token)]).toEqual([401, 200]);
  });

  it("TK-31: is in the one answer that must not be stored", async () => {
    const made = await world.tenant.api("POST", `/clients/${client.id}/tokens`, {});
    expect(made.headers.get("cache-control")).toBe("no-store");
  });
});

describe("a permission that changes between the list and the call", () => {
  const list = async (): Promise<string> =>
    (await ask(world.harness, `${origin}/mcp`, modernPost("tools/list", {}, { token: client.token }))).text;

  it("PL-08: is decided at the call", async () => {
    expect(await list()).toContain("up__echo");
    await world.tenant.api("PATCH", `/clients/${client.id}`, { servers: [] });
    const calls = world.harness.seen.length;
    const init = modernPost("tools/call", { name: "up__echo", arguments: {} }, { token: client.token });
    const { text } = await ask(world.harness, `${origin}/mcp`, init);
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32602, message: "Unknown tool: up__echo" } });
    expect(world.harness.seen.length).toBe(calls);
  });

  it("PL-08: granted between the list and the call, it is granted at the call", async () => {
    await world.tenant.api("PATCH", `/clients/${client.id}`, { servers: [] });
    expect(await list()).not.toContain("up__echo");
    await world.tenant.api("PATCH", `/clients/${client.id}`, { servers: ["up"] });
    expect(await call()).toBe(200);
  });

  it("PL-08: a server that comes back under the slug of an old one is not on the old one's lists", async () => {
    await world.tenant.api("DELETE", `/servers/${serverId}`);
    await world.tenant.addServer("up");
    const calls = world.harness.seen.length;
    expect(await call()).toBe(404);
    expect(world.harness.seen.length).toBe(calls);
  });
});
