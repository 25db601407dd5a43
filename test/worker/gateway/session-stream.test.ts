/** The stream of a session: what it tells, what it asks, and everything that ends it. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel } from "./channel.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  createHarness,
  eventually,
  freshKeys,
  modernUpstream,
  objectAt,
  requestEvents,
  responseEvents,
  sent,
  setUp,
  type Harness,
  type Seen,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let clock: VirtualClock;
let ids: string[];
let agent: { id: string; token: string; token_id: string };
let channels: Map<string, PromiseWithResolvers<Channel>>;

const subscriptionId = "io.modelcontextprotocol/subscriptionId";
const changed = (list: string): JsonObject => ({ jsonrpc: "2.0", method: `notifications/${list}/list_changed` });
const updated = (uri: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/resources/updated",
  params: { uri },
});

const opening = (slug: string): PromiseWithResolvers<Channel> => {
  const known = channels.get(slug) ?? Promise.withResolvers<Channel>();
  channels.set(slug, known);
  return known;
};
const channel = (slug: string): Promise<Channel> => opening(slug).promise;

function open(slug: string, seen: Seen): Channel {
  const made = openChannel(seen);
  opening(slug).resolve(made);
  return made;
}

const listChanged = { listChanged: true };
const resources = { subscribe: true, listChanged: true };

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  channels = new Map();
  ids = [await tenant.addServer("old"), await tenant.addServer("new")];
  agent = await tenant.addClient(ids);
  const old = legacyUpstream(
    { sessions: ["s-1", "s-2", "s-3"], capabilities: { tools: listChanged, resources, logging: {} } },
    () => ({ tools: [] }),
  );
  harness.serve("old.upstream.test", (seen) => (seen.method === "GET" ? open("old", seen).response : old(seen)));
  harness.serve("new.upstream.test", async (seen) => {
    if (seen.message["method"] === "server/discover") {
      const capabilities = { tools: listChanged, resources };
      const result = { supportedVersions: ["2026-07-28"], capabilities, ttlMs: 0, cacheScope: "private" };
      return Response.json({ jsonrpc: "2.0", id: seen.message["id"], result: { resultType: "complete", ...result } });
    }
    if (seen.message["method"] !== "subscriptions/listen") return modernUpstream(() => ({ tools: [] }))(seen);
    const made = open("new", seen);
    const { notifications } = objectAt(seen.message, "params");
    made.send({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: { [subscriptionId]: seen.message["id"] ?? null }, notifications: notifications ?? {} },
    });
    return made.response;
  });
});

const begin = (path = "/mcp", capabilities: JsonObject = {}): Promise<LegacyClient> =>
  LegacyClient.begin(harness, tenant.origin + path, { token: agent.token, capabilities, version: "2025-06-18" });

async function close(stream: Awaited<ReturnType<LegacyClient["get"]>>): Promise<void> {
  await stream.events.cancel();
  await stream.settle();
}

describe("what comes through", () => {
  it("F3: a changed list of a server of either era", async () => {
    const client = await begin();
    const stream = await client.get();
    (await channel("old")).send(changed("tools"));
    expect(await stream.events.next()).toEqual(changed("tools"));
    (await channel("new")).send({ ...changed("resources"), params: { _meta: { [subscriptionId]: 1 } } });
    expect(await stream.events.next()).toEqual(changed("resources"));
    await close(stream);
  });

  it("F3: many changes of one list within a second as two: the first and the last", async () => {
    const client = await begin();
    const stream = await client.get();
    const upstream = await channel("old");
    for (let count = 0; count < 20; count += 1) upstream.send(changed("tools"));
    expect(await stream.events.next()).toEqual(changed("tools"));
    await upstream.read;
    clock.advance(limits.listChanged_ms);
    expect(await stream.events.next()).toEqual(changed("tools"));
    upstream.send(updated("mem://end"));
    expect(await stream.events.next()).toMatchObject({ method: "notifications/resources/updated" });
    await close(stream);
  });

  it("F3: an update of a resource, under the URI by which the client reads it", async () => {
    const client = await begin();
    const stream = await client.get();
    (await channel("old")).send(updated("mem://x"));
    expect(await stream.events.next()).toEqual(updated("gatehouse://old/mem://x"));
    await close(stream);
  });

  it("F2: an update of a resource on the transparent endpoint, as it came", async () => {
    const client = await begin("/mcp/old");
    const stream = await client.get();
    (await channel("old")).send(updated("mem://x"));
    expect(await stream.events.next()).toEqual(updated("mem://x"));
    await close(stream);
  });

  it("F3: a question outside of a call, and the answer back", async () => {
    const client = await begin("/mcp/old", { roots: {} });
    const stream = await client.get();
    (await channel("old")).send({ jsonrpc: "2.0", id: 5, method: "roots/list" });
    const asked = await stream.events.next();
    expect(asked).toMatchObject({ method: "roots/list" });
    await client.post({ jsonrpc: "2.0", id: asked?.["id"] ?? null, result: { roots: [] } });
    const answer = await eventually(() => harness.seen.find(({ message }) => message["id"] === 5));
    expect(answer.message).toEqual({
      jsonrpc: "2.0",
      id: 5,
      result: { roots: [] },
    });
    await close(stream);
  });

  it("S1: is recorded as a request with its outcome", async () => {
    const client = await begin();
    const stream = await client.get();
    await channel("old");
    await close(stream);
    expect(requestEvents(harness).at(-1)?.target.method).toBe("GET");
    expect(responseEvents(harness).at(-1)?.outcome.status).toBe("cancelled");
  });
});

describe("subscriptions", () => {
  it("F3: to a resource of a server of 2025 go to that server", async () => {
    const client = await begin();
    const answered = await client.request("resources/subscribe", { uri: "gatehouse://old/mem://x" });
    expect(answered.message).toMatchObject({ result: {} });
    expect(sent(harness, "resources/subscribe").map(({ message }) => message["params"])).toEqual([{ uri: "mem://x" }]);
    await client.request("resources/unsubscribe", { uri: "gatehouse://old/mem://x" });
    expect(sent(harness, "resources/unsubscribe")).toHaveLength(1);
  });

  it("F3: to a resource of a server of 2026-07-28 are listened for", async () => {
    const client = await begin();
    const stream = await client.get();
    await channel("new");
    channels.delete("new");
    expect((await client.request("resources/subscribe", { uri: "gatehouse://new/mem://y" })).message["result"]).toEqual(
      {},
    );
    (await channel("new")).send({ ...updated("mem://y"), params: { uri: "mem://y", _meta: { [subscriptionId]: 1 } } });
    expect(await stream.events.next()).toMatchObject(updated("gatehouse://new/mem://y"));
    const filters = sent(harness, "subscriptions/listen").map(
      ({ message }) => objectAt(message, "params")["notifications"],
    );
    expect(filters.at(-1)).toMatchObject({ resourceSubscriptions: ["mem://y"] });
    await close(stream);
  });

  it("MC-40: to a resource of a server that the client may not use is one of no resource", async () => {
    await tenant.addServer("hidden");
    const client = await begin();
    const refused = await client.request("resources/subscribe", { uri: "gatehouse://hidden/mem://x" });
    const unknown = await client.request("resources/subscribe", { uri: "gatehouse://nowhere/mem://x" });
    expect(objectAt(refused.message, "error")["code"]).toBe(-32002);
    expect(refused.text.replace("hidden", "")).toBe(unknown.text.replace("nowhere", "").replace('"id":3', '"id":2'));
  });
});

describe("the end", () => {
  it("F7: of the session ends it", async () => {
    const client = await begin("/mcp/old");
    const stream = await client.get();
    const upstream = await channel("old");
    expect(await client.delete()).toBe(204);
    expect(await stream.events.next()).toBeUndefined();
    await upstream.closed;
    await stream.settle();
  });

  it("F7: a second stream of the session takes the place of the first", async () => {
    const client = await begin("/mcp/old");
    const first = await client.get();
    await channel("old");
    channels.delete("old");
    const second = await client.get();
    expect(await first.events.next()).toBeUndefined();
    (await channel("old")).send(updated("mem://x"));
    expect(await second.events.next()).toEqual(updated("mem://x"));
    await first.settle();
    await close(second);
  });

  it("P11: of the client's token ends it within two seconds", async () => {
    const client = await begin("/mcp/old");
    const watching = clock.anew(limits.streamRecheck_ms);
    const stream = await client.get();
    const upstream = await channel("old");
    await watching;
    await tenant.api("DELETE", `/clients/${agent.id}/tokens/${agent.token_id}`);
    const ended = stream.events.next();
    for (let waited_ms = 0; waited_ms < 2_000; waited_ms += limits.streamRecheck_ms) {
      clock.advance(limits.streamRecheck_ms);
      await Promise.race([upstream.closed, clock.anew(limits.streamRecheck_ms)]);
    }
    clock.advance(limits.listenTick_ms);
    expect(await ended).toBeUndefined();
    await upstream.closed;
    await stream.settle();
  });

  it("F6: of one server's stream leaves the others", async () => {
    const client = await begin();
    const stream = await client.get();
    (await channel("new")).end();
    (await channel("old")).send(updated("mem://x"));
    expect(await stream.events.next()).toEqual(updated("gatehouse://old/mem://x"));
    await close(stream);
  });
});
