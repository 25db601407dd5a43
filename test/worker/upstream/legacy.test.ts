/** Servers of the 2025 revisions behind a client of 2026-07-28: their sessions, and what they ask in the middle of a call. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream, type LegacyAnswer, type LegacyOptions } from "../gateway/legacy-upstream.ts";
import {
  ask,
  createHarness,
  meta,
  objectAt,
  responseEvents,
  sent,
  setUp,
  sse,
  type Asked,
  type Harness,
  type Seen,
  type Tenant,
} from "../gateway/support.ts";

let harness: Harness;
let tenant: Tenant;
let serverId: string;
let token: string;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  serverId = await tenant.addServer("up");
  ({ token } = await tenant.addClient([serverId]));
});

const serve = (options: LegacyOptions, answer: (seen: Seen) => LegacyAnswer | Promise<LegacyAnswer>): void =>
  harness.serve("up.upstream.test", legacyUpstream(options, answer));
const call = (more: { token?: string; params?: JsonObject } = {}): Promise<Asked> =>
  ask(
    harness,
    `${tenant.origin}/mcp/up`,
    "tools/call",
    { name: "run", ...more.params },
    { token: more.token ?? token },
  );
const sessionsOf = (method: string): (string | null)[] =>
  sent(harness, method).map(({ headers }) => headers.get("mcp-session-id"));
const done = ({ message }: Seen): JsonObject => ({
  jsonrpc: "2.0",
  id: message["id"] ?? null,
  result: { content: [] },
});

describe("a session", () => {
  it("F4: is opened once for a principal, said to be initialized, and used by its calls", async () => {
    serve({ sessions: ["one", "two"] }, () => ({ content: [] }));
    await call();
    await call();
    expect(sent(harness, "initialize")).toHaveLength(1);
    expect(sessionsOf("notifications/initialized")).toEqual(["one"]);
    expect(sessionsOf("tools/call")).toEqual(["one", "one"]);
  });

  it("RX-19: is never another principal's", async () => {
    serve({ sessions: ["one", "two"] }, () => ({ content: [] }));
    const other = await tenant.addClient([serverId]);
    await call();
    await call({ token: other.token });
    await call();
    expect(sessionsOf("tools/call")).toEqual(["one", "two", "one"]);
  });

  it("F4: declares nothing that would need the bridge between the eras", async () => {
    serve({}, () => ({ content: [] }));
    await call({ params: { _meta: meta({ sampling: {}, elicitation: {}, roots: {} }) } });
    expect(sent(harness, "initialize")[0]?.message["params"]).toMatchObject({
      protocolVersion: "2025-11-25",
      capabilities: {},
    });
  });

  it.each([
    ["2025-03-26", null],
    ["2024-11-05", null],
    ["2025-06-18", "2025-06-18"],
    ["2025-11-25", "2025-11-25"],
  ] as const)("F4: of %s has its version in the header as that revision asks", async (version, header) => {
    serve({ version }, () => ({ content: [] }));
    await call();
    expect(sent(harness, "initialize")[0]?.headers.get("mcp-protocol-version")).toBeNull();
    expect(sent(harness, "tools/call")[0]?.headers.get("mcp-protocol-version")).toBe(header);
  });

  it("F4: in a version that nobody asked for is refused, and no call is made", async () => {
    serve({ version: "1999-01-01" as "2025-03-26" }, () => ({ content: [] }));
    expect((await call()).message).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("protocol_version");
    expect(sent(harness, "tools/call")).toEqual([]);
  });

  it("F4: gets params without what 2026-07-28 reserves, and with everything else", async () => {
    serve({}, () => ({ content: [] }));
    const _meta = meta({}, { traceparent: "00-1", "com.example/a": 1 });
    await call({ params: { arguments: { a: 1 }, "x-vendor": true, _meta } });
    expect(sent(harness, "tools/call")[0]?.message["params"]).toEqual({
      name: "run",
      arguments: { a: 1 },
      "x-vendor": true,
      _meta: { traceparent: "00-1", "com.example/a": 1 },
    });
    expect([...(sent(harness, "tools/call")[0]?.headers.keys() ?? [])]).not.toContain("mcp-method");
  });
});

describe("a session that the server lost", () => {
  it.each([
    ["404", () => new Response(null, { status: 404 })],
    [
      "404 with JSON",
      () => Response.json({ jsonrpc: "2.0", id: null, error: { code: -32001, message: "x" } }, { status: 404 }),
    ],
    ["400 with text", () => new Response("No valid session ID provided", { status: 400 })],
    [
      "400 with the SDK's error",
      () => Response.json({ jsonrpc: "2.0", id: null, error: { code: -32000, message: "x" } }, { status: 400 }),
    ],
  ] as const)("F4: is renewed after %s, and the call, which did not run, is sent once more", async (_case, lost) => {
    serve({ sessions: ["one", "two"] }, ({ headers }) =>
      headers.get("mcp-session-id") === "one" ? lost() : { content: [{ type: "text", text: "ok" }] },
    );
    expect((await call()).message).toMatchObject({ result: { content: [{ text: "ok" }] } });
    expect(sessionsOf("tools/call")).toEqual(["one", "two"]);
    await call();
    expect(sessionsOf("tools/call")).toEqual(["one", "two", "two"]);
  });

  it("F4: is renewed once, not for ever", async () => {
    serve({ sessions: ["one", "two", "three"] }, () => new Response(null, { status: 404 }));
    expect((await call()).message).toMatchObject({ error: { code: -32603 } });
    expect(sessionsOf("tools/call")).toEqual(["one", "two"]);
  });

  it("F4: an error of the tool with status 400 is no lost session", async () => {
    const error = { code: -32602, message: "bad arguments" };
    serve({ sessions: ["one"] }, ({ message }) =>
      Response.json({ jsonrpc: "2.0", id: message["id"], error }, { status: 400 }),
    );
    expect((await call()).message).toMatchObject({ error });
    expect(sent(harness, "tools/call")).toHaveLength(1);
  });
});

describe("what a server asks in the middle of a call", () => {
  it("F4: a ping is answered, and the call goes on", async () => {
    serve({ sessions: ["one"] }, (seen) => [{ jsonrpc: "2.0", id: "p1", method: "ping" }, done(seen)]);
    expect((await call()).message).toMatchObject({ id: 1, result: { content: [] } });
    expect(replyTo("p1")?.message).toEqual({ jsonrpc: "2.0", id: "p1", result: {} });
    expect(replyTo("p1")?.headers.get("mcp-session-id")).toBe("one");
  });

  it("RX-07: a flood of pings ends the call, and is not answered", async () => {
    const pings = Array.from({ length: 100 }, (_, at) => ({ jsonrpc: "2.0", id: `p${at}`, method: "ping" }));
    serve({ sessions: ["one"] }, (seen) => [...pings, done(seen)]);
    expect((await call()).message).toMatchObject({ id: 1, error: { code: -32603 } });
    expect(replyTo("p0")).toBeDefined();
    expect(replyTo("p50")).toBeUndefined();
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "request_flood" });
  });

  it.each(["sampling/createMessage", "elicitation/create", "roots/list"])(
    "F4: %s is refused, the call is cancelled upstream and ends with an error that says why",
    async (method) => {
      serve({ sessions: ["one"] }, (seen) => [{ jsonrpc: "2.0", id: 99, method, params: {} }, done(seen)]);
      const { status, message } = await call();
      expect(status).toBe(200);
      expect(message).toMatchObject({ id: 1, error: { code: -32603, message: expect.stringContaining(method) } });
      expect(replyTo(99)?.message).toMatchObject({ error: { code: -32601 } });
      expect(cancelled()).toEqual([sent(harness, "tools/call")[0]?.message["id"]]);
      expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "bridge_needed" });
    },
  );

  it("F4: a URL that the user should open first is an error that says so", async () => {
    serve({}, () => ({ error: { code: -32042, message: "Sign in", data: { elicitations: [] } } }));
    expect((await call()).message).toMatchObject({
      error: { code: -32603, message: expect.stringContaining("action of the user") },
    });
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("url_elicitation");
  });

  it("F4: notifications that belong to no request are dropped", async () => {
    serve({}, (seen) => [{ jsonrpc: "2.0", method: "notifications/tools/list_changed" }, done(seen)]);
    const answered = await call();
    expect(answered.text).not.toContain("list_changed");
    expect(answered.message).toMatchObject({ result: { content: [] } });
  });

  const replyTo = (id: string | number): Seen | undefined =>
    harness.seen.find(({ message }) => message["id"] === id && message["method"] === undefined);
  const cancelled = (): unknown[] =>
    sent(harness, "notifications/cancelled").map(({ message }) => objectAt(message, "params")["requestId"]);
});

describe("an answer of 2025 as one of 2026", () => {
  it("F4: a resource that is not there is -32602", async () => {
    serve({}, () => ({ error: { code: -32002, message: "not found", data: { uri: "file:///a" } } }));
    const { message } = await ask(
      harness,
      `${tenant.origin}/mcp/up`,
      "resources/read",
      { uri: "file:///a" },
      { token },
    );
    expect(message).toMatchObject({ error: { code: -32602, message: "not found", data: { uri: "file:///a" } } });
  });

  it.each([-32000, -32001, -32050])("F4: %i, which 2026-07-28 reserves, is -32603", async (code) => {
    serve({}, () => ({ error: { code, message: "x" } }));
    expect((await call()).message).toMatchObject({ error: { code: -32603, message: "x" } });
  });

  it.each([-32602, -32603, 7])("F4: %i stays as it is", async (code) => {
    serve({}, () => ({ error: { code, message: "x", data: [1] } }));
    expect((await call()).message).toMatchObject({ error: { code, message: "x", data: [1] } });
  });

  it.each(["task", "input_required"])("F4: no member of it makes it a result of type %s", async (resultType) => {
    serve({}, () => ({ resultType, taskId: "t", requestState: "s", content: [] }));
    expect((await call()).message["result"]).toEqual({
      resultType: "complete",
      taskId: "t",
      requestState: "s",
      content: [],
    });
  });

  it("F4: lists are private and not to be kept, which they cannot say themselves", async () => {
    serve({}, () => ({ tools: [] }));
    const { message } = await ask(harness, `${tenant.origin}/mcp/up`, "tools/list", {}, { token });
    expect(message["result"]).toEqual({ tools: [], resultType: "complete", ttlMs: 0, cacheScope: "private" });
  });

  it("F9: numbers keep their text though the message is written anew", async () => {
    serve({}, ({ message }) =>
      sse0(`{"jsonrpc":"2.0","id":${JSON.stringify(message["id"])},"result":{"content":[],"n":12345678901234567890}}`),
    );
    expect((await call()).text).toContain('"n":12345678901234567890');
  });

  const sse0 = (text: string): Response => new Response(`data: ${text}\n\n`, { headers: sse().headers });
});
