/** `subscriptions/listen`: what is agreed to, what comes through, and everything that ends it. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { EventReader, openChannel, type Channel } from "./channel.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  freshKeys,
  meta,
  modernPost,
  modernUpstream,
  objectAt,
  requestEvents,
  responseEvents,
  sent,
  setUp,
  type Harness,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let clock: VirtualClock;
let client: { id: string; token: string; token_id: string };
let channels: Map<string, Channel>;
let closing: AbortController;
let serverId: string;

const tasks = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const subscriptionId = "io.modelcontextprotocol/subscriptionId";

/** A server that agrees to everything it is asked for, or to `agreed`. */
function listenable(slug: string, agreed?: JsonObject): void {
  harness.serve(
    `${slug}.upstream.test`,
    modernUpstream((seen) => {
      const { method, params } = seen.message;
      if (method === "tools/list") return { tools: [] };
      if (method === "tools/call") {
        return { resultType: "task", taskId: `${slug}-task`, status: "working", createdAt: "", ttlMs: null };
      }
      const channel = openChannel(seen);
      channels.set(slug, channel);
      const notifications = agreed ?? objectAt(params, "notifications");
      channel.send({
        jsonrpc: "2.0",
        method: "notifications/subscriptions/acknowledged",
        params: { _meta: { [subscriptionId]: seen.message["id"] ?? null }, notifications },
      });
      return channel.response;
    }),
  );
}

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  channels = new Map();
  closing = new AbortController();
  await tenant.addServer("hidden");
  serverId = await tenant.addServer("one");
  client = await tenant.addClient([serverId, await tenant.addServer("two")]);
  for (const slug of ["one", "two", "hidden"]) listenable(slug);
});

async function listen(path: string, notifications: JsonObject, capabilities: JsonObject = {}) {
  const params = { notifications, _meta: meta(capabilities) };
  const init = modernPost("subscriptions/listen", params, { token: client.token, id: "sub-1", signal: closing.signal });
  const { response, settle } = await harness.open(tenant.origin + path, init);
  return { response, settle, events: new EventReader(response) };
}

const channel = (slug: string): Channel => {
  const found = channels.get(slug);
  if (found === undefined) throw new Error(`${slug} is not listened to`);
  return found;
};
const notification = (method: string, params: JsonObject = {}): JsonObject => ({
  jsonrpc: "2.0",
  method,
  params: { _meta: { [subscriptionId]: "the upstream's", "com.example/k": 1 }, ...params },
});
const tagged = { _meta: { [subscriptionId]: "sub-1", "com.example/k": 1 } };
const ended = { jsonrpc: "2.0", id: "sub-1", result: { resultType: "complete", _meta: { [subscriptionId]: "sub-1" } } };
const acknowledged = (notifications: JsonObject): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/subscriptions/acknowledged",
  params: { _meta: { [subscriptionId]: "sub-1" }, notifications },
});

describe("the acknowledgement", () => {
  it("F3: comes first, under the client's subscription, with what the server agreed to", async () => {
    listenable("one", { toolsListChanged: true, resourceSubscriptions: ["file:///a", "file:///never-asked"] });
    const { response, events } = await listen("/mcp/one", {
      toolsListChanged: true,
      promptsListChanged: true,
      resourceSubscriptions: ["file:///a", "file:///b"],
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(await events.next()).toEqual(acknowledged({ toolsListChanged: true, resourceSubscriptions: ["file:///a"] }));
    closing.abort();
  });

  it("MC-38: on the aggregate leaves out what belongs to servers that the client may not see", async () => {
    const { events } = await listen("/mcp", {
      toolsListChanged: true,
      resourceSubscriptions: ["gatehouse://one/file:///a", "gatehouse://hidden/file:///b", "file:///c"],
    });
    expect(await events.next()).toEqual(
      acknowledged({ toolsListChanged: true, resourceSubscriptions: ["gatehouse://one/file:///a"] }),
    );
    expect(channels.has("hidden")).toBe(false);
    const asked = sent(harness, "subscriptions/listen").map(
      ({ message }) => objectAt(message, "params")["notifications"],
    );
    expect(asked).toEqual([
      { toolsListChanged: true, resourceSubscriptions: ["file:///a"] },
      { toolsListChanged: true },
    ]);
    closing.abort();
  });

  it("MC-38: more subscriptions than the bound are refused, and no upstream sees them", async () => {
    const resourceSubscriptions = Array.from(
      { length: limits.listenSubscriptions_count + 1 },
      (_, at) => `file:///${at}`,
    );
    const { response } = await listen("/mcp/one", { resourceSubscriptions });
    expect(response.status).toBe(400);
    expect(harness.seen).toEqual([]);
  });

  it("F4: a legacy server is not acknowledged", async () => {
    harness.serve(
      "one.upstream.test",
      legacyUpstream({}, () => ({})),
    );
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    expect(await events.next()).toEqual(acknowledged({}));
    expect(sent(harness, "subscriptions/listen")).toEqual([]);
    closing.abort();
  });

  it("F6: a server that does not answer holds it up no longer than its deadline", async () => {
    harness.serve(
      "one.upstream.test",
      modernUpstream(() => new Promise(() => undefined)),
    );
    const opening = listen("/mcp", { toolsListChanged: true });
    while (sent(harness, "subscriptions/listen").length < 2) await scheduler.wait(0);
    clock.advance(limits.listPerUpstream_ms);
    const { events } = await opening;
    expect(await events.next()).toEqual(acknowledged({ toolsListChanged: true }));
    closing.abort();
  });

  it("F3: with task handles of the caller only", async () => {
    const { message } = await ask(
      harness,
      `${tenant.origin}/mcp`,
      "tools/call",
      { name: "one__run", _meta: meta(tasks) },
      { token: client.token },
    );
    const handle = String(objectAt(message, "result")["taskId"]);
    const { events } = await listen("/mcp", { taskIds: [handle, "nobody's"] }, tasks);
    expect(await events.next()).toEqual(acknowledged({ taskIds: [handle] }));
    channel("one").send(notification("notifications/tasks", { taskId: "one-task", status: "completed", result: {} }));
    expect(await events.next()).toEqual({
      jsonrpc: "2.0",
      method: "notifications/tasks",
      params: { ...tagged, taskId: handle, status: "completed", result: {} },
    });
    closing.abort();
  });
});

describe("what comes through", () => {
  it("F1: notifications of several servers, under the client's subscription and names", async () => {
    const { events } = await listen("/mcp", {
      toolsListChanged: true,
      resourceSubscriptions: ["gatehouse://one/file:///a", "gatehouse://two/file:///a"],
    });
    await events.next();
    channel("two").send(notification("notifications/tools/list_changed"));
    expect(await events.next()).toEqual({ jsonrpc: "2.0", method: "notifications/tools/list_changed", params: tagged });
    channel("one").send(notification("notifications/resources/updated", { uri: "file:///a" }));
    expect(await events.next()).toMatchObject({ params: { ...tagged, uri: "gatehouse://one/file:///a" } });
    channel("two").send(notification("notifications/resources/updated", { uri: "file:///a/part" }));
    expect(await events.next()).toMatchObject({ params: { ...tagged, uri: "gatehouse://two/file:///a/part" } });
    closing.abort();
  });

  it.each([
    ["a kind of notification", notification("notifications/prompts/list_changed")],
    ["a resource", notification("notifications/resources/updated", { uri: "file:///a" })],
    ["a task", notification("notifications/tasks", { taskId: "t", status: "working" })],
    ["progress", notification("notifications/progress", { progressToken: "t", progress: 1 })],
    ["a log message", notification("notifications/message", { level: "info", data: "x" })],
    ["a request", { ...notification("sampling/createMessage"), id: 5 }],
    ["the end of a subscription", { jsonrpc: "2.0", id: "another", result: { resultType: "complete" } }],
  ])("F3: not %s that nobody asked for", async (_case, message) => {
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    await events.next();
    channel("one").send(message);
    channel("one").send(notification("notifications/tools/list_changed"));
    expect(await events.next()).toMatchObject({ method: "notifications/tools/list_changed" });
    closing.abort();
  });

  /** Lets time pass tick by tick, and waits for what the stream does at each: its own tick, and the question whether it may go on. */
  async function pass(duration_ms: number): Promise<void> {
    for (let passed_ms = 0; passed_ms < duration_ms; passed_ms += limits.listenTick_ms) {
      const next = Promise.all([clock.anew(limits.listenTick_ms), clock.anew(limits.streamRecheck_ms)]);
      clock.advance(limits.listenTick_ms);
      await next;
    }
  }

  it("F3: a comment when nothing came for a while", async () => {
    const ticking = clock.anew(limits.listenTick_ms);
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    await events.raw();
    const comment = events.raw();
    await ticking;
    await pass(limits.listenKeepAlive_ms);
    expect(await comment).toBe(":\n\n");
    closing.abort();
  });

  it("F3: also after a silence that would end a call", async () => {
    const ticking = clock.anew(limits.listenTick_ms);
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    expect(await events.next()).toEqual(acknowledged({ toolsListChanged: true }));
    const changed = events.next();
    await ticking;
    await pass(2 * limits.upstreamIdle_ms);
    channel("one").send(notification("notifications/tools/list_changed"));
    expect(await changed).toMatchObject({ method: "notifications/tools/list_changed" });
    closing.abort();
  });

  it("F3: at once in strict tenants as well", async () => {
    await tenant.api("PATCH", "/settings", { audit_strict: true });
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    expect(await events.next()).toEqual(acknowledged({ toolsListChanged: true }));
    channel("one").send(notification("notifications/tools/list_changed"));
    expect(await events.next()).toMatchObject({ method: "notifications/tools/list_changed" });
    closing.abort();
  });
});

describe("what ends it", () => {
  it("F3: a server that ends its part: gracefully, with a result", async () => {
    const { events, settle } = await listen("/mcp", { toolsListChanged: true });
    await events.next();
    channel("one").send({ jsonrpc: "2.0", id: "sub-1", result: { resultType: "complete" } });
    expect(await events.next()).toEqual(ended);
    expect(await events.next()).toBeUndefined();
    await channel("two").closed;
    await settle();
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "ok" });
  });

  it("F3: a server that breaks off: the same", async () => {
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    await events.next();
    channel("one").end();
    expect(await events.next()).toEqual(ended);
  });

  it("MC-36: the client that closes it: every upstream is let go, and it is recorded as cancelled", async () => {
    const { events, settle } = await listen("/mcp", { toolsListChanged: true });
    await events.next();
    closing.abort();
    await Promise.all([channel("one").closed, channel("two").closed]);
    await settle();
    expect(requestEvents(harness)).toHaveLength(1);
    expect(responseEvents(harness).map(({ outcome }) => outcome)).toEqual([{ status: "cancelled" }]);
  });

  it("F3: its time", async () => {
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    await events.next();
    clock.advance(limits.listen_ms);
    expect(await events.next()).toEqual(ended);
    await channel("one").closed;
  });

  const revocations: Readonly<Record<string, () => Promise<Response>>> = {
    "the token is revoked": () => tenant.api("DELETE", `/clients/${client.id}/tokens/${client.token_id}`),
    "the client is switched off": () => tenant.api("PATCH", `/clients/${client.id}`, { enabled: false }),
    "the server leaves the allow-list": () => tenant.api("PATCH", `/clients/${client.id}`, { servers: ["two"] }),
    "the server is removed": () => tenant.api("DELETE", `/servers/${serverId}`),
  };

  it.each(Object.keys(revocations))("A9: %s: within one check, without a result", async (change) => {
    const { events, settle } = await listen("/mcp/one", { toolsListChanged: true });
    await events.next();
    const changed = await revocations[change]?.();
    expect(changed?.ok).toBe(true);
    const end = events.next();
    await clock.asleep(limits.streamRecheck_ms);
    clock.advance(limits.streamRecheck_ms);
    expect(await end).toBeUndefined();
    await channel("one").closed;
    await settle();
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "interrupted", reason: "no_longer_allowed" });
  });

  it("A9: a change that finds the stream full of messages: none of them goes out any more", async () => {
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    await events.next();
    for (let sent_count = 0; sent_count < 500; sent_count++) {
      channel("one").send(notification("notifications/tools/list_changed"));
    }
    await events.next();
    await tenant.api("PATCH", `/clients/${client.id}`, { enabled: false });
    clock.advance(limits.streamRecheck_ms);
    await channel("one").closed;
    let left_count = 0;
    while ((await events.next()) !== undefined) left_count++;
    expect(left_count).toBeLessThan(10);
  });

  it("A9: a change that another isolate made: within the freshness of the configuration", async () => {
    const { events } = await listen("/mcp/one", { toolsListChanged: true });
    await events.next();
    const id = requestEvents(harness)[0]?.tenant ?? "";
    await env.DB.prepare("UPDATE clients SET enabled = 0 WHERE tenant_id = ?").bind(id).run();
    await env.TENANT.getByName(id).announce();
    const end = events.next();
    let passed_ms = 0;
    let over = false;
    void end.then(() => (over = true));
    for (; !over; passed_ms += limits.streamRecheck_ms) {
      const checked = clock.anew(limits.streamRecheck_ms);
      clock.advance(limits.streamRecheck_ms);
      await Promise.race([checked, end]);
    }
    expect(passed_ms).toBeLessThanOrEqual(limits.streamRecheck_ms + limits.snapshotFresh_ms);
    expect(await end).toBeUndefined();
    await channel("one").closed;
  });
});
