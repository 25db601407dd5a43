/** What passes between a client of 2025 and a server of 2025 while a call runs: questions, answers, cancellation, and the rest. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel } from "./channel.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  calls,
  createHarness,
  eventually,
  freshKeys,
  modernUpstream,
  objectAt,
  responseEvents,
  sent,
  setUp,
  type Harness,
  type Seen,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let ids: string[];
let token: string;
let channel: Promise<Channel>;
let opened: (channel: Channel) => void;

const everything = { sampling: {}, elicitation: {}, roots: { listChanged: true } };
const form = { message: "Who are you?", requestedSchema: { type: "object", properties: {} } };

beforeEach(async () => {
  harness = createHarness({ bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  ids = [await tenant.addServer("old"), await tenant.addServer("other")];
  ({ token } = await tenant.addClient(ids));
  ({ promise: channel, resolve: opened } = Promise.withResolvers<Channel>());
  for (const slug of ["old", "other"]) {
    harness.serve(
      `${slug}.upstream.test`,
      legacyUpstream({ sessions: ["s-1", "s-2", "s-3"] }, (seen) => {
        if (seen.message["method"] !== "tools/call") return {};
        const made = openChannel(seen);
        opened(made);
        return made.response;
      }),
    );
  }
});

const begin = (path = "/mcp", capabilities: JsonObject = everything): Promise<LegacyClient> =>
  LegacyClient.begin(harness, tenant.origin + path, { token, capabilities });

const question = (id: string | number, method: string, params?: JsonObject): JsonObject => ({
  jsonrpc: "2.0",
  id,
  method,
  ...(params === undefined ? {} : { params }),
});

/** What the server got as answer to its request. */
async function answerTo(id: string | number): Promise<JsonObject> {
  const isAnswer = ({ message }: Seen): boolean => message["id"] === id && message["method"] === undefined;
  return (await eventually(() => harness.seen.find(isAnswer))).message;
}

const done = (id: string | number): JsonObject => ({ jsonrpc: "2.0", id, result: { content: [] } });

/** A call whose server has said `first` by now: with that its stream begins. */
async function calling(client: LegacyClient, first: JsonObject, id: string | number = 7, params: JsonObject = {}) {
  const starting = client.stream("tools/call", { name: "old__tool", ...params }, id);
  const upstream = await channel;
  upstream.send(first);
  return { ...(await starting), upstream };
}

const logged = (data: number): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", logger: "db", data },
});

describe("a server's question", () => {
  it.each([
    ["elicitation/create", form, { action: "accept", content: { name: "x" } }],
    [
      "elicitation/create",
      { mode: "url", message: "m", url: "https://x.test/", elicitationId: "e" },
      { action: "accept" },
    ],
    ["sampling/createMessage", { messages: [], maxTokens: 1 }, { role: "assistant", content: [], model: "m" }],
    ["roots/list", undefined, { roots: [{ uri: "file:///a" }] }],
  ])("F3: %s goes to the client and its answer to the server", async (method, params, result) => {
    const client = await begin("/mcp", { ...everything, elicitation: { form: {}, url: {} } });
    const call = await calling(client, question("own id", method, params));
    const asked = await call.events.next();
    expect(asked).toMatchObject({ method, ...(params === undefined ? {} : { params }) });
    expect(asked?.["id"]).not.toBe("own id");
    expect((await client.post({ jsonrpc: "2.0", id: asked?.["id"] ?? null, result })).status).toBe(202);
    expect(await answerTo("own id")).toEqual({ jsonrpc: "2.0", id: "own id", result });
    call.upstream.send(done(7));
    expect(await call.events.next()).toEqual(done(7));
    await call.settle();
    expect(responseEvents(harness).at(-1)).toMatchObject({ outcome: { status: "ok" }, asked: [method] });
  });

  it("F3: gets the client's error", async () => {
    const client = await begin();
    const call = await calling(client, question(1, "elicitation/create", form));
    const asked = await call.events.next();
    await client.post({ jsonrpc: "2.0", id: asked?.["id"] ?? null, error: { code: -1, message: "no" } });
    expect(await answerTo(1)).toMatchObject({ error: { code: -1, message: "no" } });
    call.upstream.send(done(7));
    expect(await call.events.next()).toEqual(done(7));
    await call.settle();
  });

  it.each([
    ["elicitation/create", form],
    ["sampling/createMessage", { messages: [], maxTokens: 1 }],
    ["roots/list", {}],
  ])("MC-28: %s does not reach a client that did not declare it", async (method, params) => {
    const client = await begin("/mcp", {});
    const call = await calling(client, question(1, method, params));
    const { upstream } = call;
    const answered = call.events.next();
    expect(await answerTo(1)).toMatchObject({ error: { code: -32601 } });
    upstream.send(done(7));
    expect(await answered).toEqual(done(7));
    await call.settle();
  });

  it("MC-28: declares to the server what the client declared, and no more", async () => {
    const client = await begin("/mcp", { sampling: {}, tasks: { list: {} }, experimental: { x: {} } });
    const call = await calling(client, done(7));
    await call.events.next();
    await call.settle();
    const told = sent(harness, "initialize").map(({ message }) => objectAt(message["params"], "capabilities"));
    expect(told).toContainEqual({ sampling: {} });
    expect(told).not.toContainEqual(expect.objectContaining({ tasks: {} }));
  });

  it("MC-34: is answered by no other session of the same client", async () => {
    const client = await begin();
    const other = await begin();
    const call = await calling(client, question(1, "roots/list"));
    const { upstream } = call;
    const asked = await call.events.next();
    await other.post({ jsonrpc: "2.0", id: asked?.["id"] ?? null, result: { roots: [{ uri: "file:///stolen" }] } });
    await client.post({ jsonrpc: "2.0", id: asked?.["id"] ?? null, result: { roots: [] } });
    expect(await answerTo(1)).toEqual({ jsonrpc: "2.0", id: 1, result: { roots: [] } });
    upstream.send(done(7));
    await call.events.next();
    await call.settle();
  });

  it("MC-37: carries a progress token of this hop, and progress goes back under the server's own", async () => {
    const client = await begin();
    const call = await calling(
      client,
      question(1, "sampling/createMessage", { messages: [], _meta: { progressToken: "mine" } }),
    );
    const { upstream } = call;
    const asked = await call.events.next();
    const passed = objectAt(objectAt(asked, "params"), "_meta")["progressToken"];
    expect(passed).not.toBe("mine");
    await client.notify("notifications/progress", { progressToken: passed ?? null, progress: 0.5 });
    const progress = await eventually(() => sent(harness, "notifications/progress")[0]);
    expect(progress.message["params"]).toEqual({ progressToken: "mine", progress: 0.5 });
    upstream.send(done(7));
    await call.events.next();
    await call.settle();
  });

  it("F3: can be taken back by the server", async () => {
    const client = await begin();
    const call = await calling(client, question(1, "roots/list"));
    const { upstream } = call;
    const asked = await call.events.next();
    upstream.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1, reason: "late" } });
    expect(await call.events.next()).toEqual({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: asked?.["id"], reason: "late" },
    });
    upstream.send(done(7));
    await call.events.next();
    await call.settle();
  });

  it("F4: of a server of 2026-07-28 ends the call with the reason", async () => {
    const id = await tenant.addServer("new");
    ({ token } = await tenant.addClient([id]));
    harness.serve(
      "new.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/call"
          ? { resultType: "input_required", inputRequests: { a: { method: "roots/list" } } }
          : { tools: [] },
      ),
    );
    const client = await begin("/mcp/new");
    const called = await client.request("tools/call", { name: "ask" });
    expect([called.status, objectAt(called.message, "error")["code"]]).toEqual([200, -32603]);
    expect(called.text).toContain("2026-07-28");
  });
});

describe("a call", () => {
  it("MC-36: is cancelled by a notification, at its own server and nowhere else", async () => {
    const client = await begin();
    const call = await calling(client, logged(1), "mine");
    const { upstream } = call;
    await call.events.next();
    await client.notify("notifications/cancelled", { requestId: "another" });
    await client.notify("notifications/cancelled", { requestId: "mine", reason: "enough" });
    await upstream.closed;
    await call.events.next();
    await call.settle();
    const cancelled = sent(harness, "notifications/cancelled").map(({ message }) => message["params"]);
    expect(cancelled).toMatchObject([{ requestId: "mine" }]);
  });

  it("MC-35: does not start under an id that is running", async () => {
    const client = await begin();
    const call = await calling(client, logged(1));
    const { upstream } = call;
    await call.events.next();
    const second = await client.request("tools/call", { name: "old__slow" }, 7);
    expect(objectAt(second.message, "error")["code"]).toBe(-32600);
    upstream.send(done(7));
    await call.events.next();
    await call.events.next();
    await call.settle();
    expect(sent(harness, "tools/call")).toHaveLength(1);
    expect(calls(harness).length).toBeGreaterThan(0);
  });

  it("F3: passes progress and log messages on, the latter under the server's name", async () => {
    const client = await begin();
    const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "p", progress: 1 } };
    const call = await calling(client, progress, 7, { _meta: { progressToken: "p" } });
    const { upstream } = call;
    upstream.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "q", progress: 1 } });
    upstream.send(logged(1));
    expect(await call.events.next()).toMatchObject({ params: { progressToken: "p" } });
    expect(await call.events.next()).toMatchObject({ params: { logger: "old/db" } });
    upstream.send(done(7));
    expect(await call.events.next()).toEqual(done(7));
    await call.settle();
  });

  it("F3: goes on when its client loses the connection, which gets the rest when it comes back", async () => {
    const client = await begin();
    const call = await calling(client, logged(1));
    const { upstream } = call;
    const priming = await call.events.raw();
    expect(priming).toMatch(/^id: \S+\ndata:\n\n$/);
    const first = await call.events.raw();
    const last_id = /^id: (?<id>\S+)$/m.exec(first ?? "")?.groups?.["id"] ?? "";
    await call.events.cancel();
    upstream.send(logged(2));
    upstream.send(done(7));
    await call.settle();
    const again = await client.get({ "last-event-id": last_id });
    expect(await again.events.next()).toMatchObject({ params: { data: 2 } });
    expect(await again.events.next()).toEqual(done(7));
    expect(await again.events.next()).toBeUndefined();
    await again.settle();
    expect(sent(harness, "tools/call")).toHaveLength(1);
    expect(sent(harness, "notifications/cancelled")).toHaveLength(0);
  });

  it("MC-33: is not resumed by another session that knows the event id", async () => {
    const client = await begin();
    const thief = await begin();
    const call = await calling(client, logged(1));
    const { upstream } = call;
    const last_id = /^id: (?<id>\S+)$/m.exec((await call.events.raw()) ?? "")?.groups?.["id"] ?? "";
    await call.events.cancel();
    upstream.send(done(7));
    await call.settle();
    const stolen = await thief.get({ "last-event-id": last_id });
    expect(await stolen.events.next()).toBeUndefined();
    await stolen.settle();
  });
});
