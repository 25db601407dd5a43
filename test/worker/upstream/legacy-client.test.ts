/** What a client of the 2025 revisions gets of its servers: its own ids, bytes, notifications, and what servers ask it. */
import { beforeEach, describe, expect, it } from "vitest";
import { askUpstream, type UpstreamAsk } from "../../../src/upstream/index.ts";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel } from "../gateway/channel.ts";
import { legacyUpstream, type LegacyAnswer, type LegacyOptions } from "../gateway/legacy-upstream.ts";
import { modernUpstream, sse, type Seen } from "../gateway/support.ts";
import {
  callOf,
  clientCapabilities,
  createHop,
  replyTo,
  request,
  sentBy,
  textOf,
  type Hop,
} from "./upstream-support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

let hop: Hop;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  hop = await createHop({ clock });
});

const serve = (answer: (seen: Seen) => LegacyAnswer | Promise<LegacyAnswer>, options: LegacyOptions = {}): void =>
  hop.serve(legacyUpstream({ sessions: ["one"], ...options }, answer));
const done = ({ message }: Seen): JsonObject => ({
  jsonrpc: "2.0",
  id: message["id"] ?? null,
  result: { content: [] },
});
const asking = (id: string | number, method = "sampling/createMessage"): JsonObject => ({
  jsonrpc: "2.0",
  id,
  method,
  params: { _meta: { progressToken: "p" }, a: 1 },
});
const asksIn = (messages: readonly { readonly kind: string }[]): UpstreamAsk[] =>
  messages.filter((message): message is UpstreamAsk => message.kind === "ask");

describe("ids", () => {
  it.each([7, "seven"])(
    "MC-37: request id %j and progress token go through unchanged, and so do the bytes",
    async (id) => {
      const text = `{ "jsonrpc": "2.0", "id": ${JSON.stringify(id)}, "result": { "content": [], "n": 12345678901234567890 } }`;
      const progress =
        '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1 }}';
      serve(() => new Response(`data: ${progress}\n\ndata: ${text}\n\n`, { headers: sse().headers }));
      const params = { name: "run", _meta: { progressToken: "t" } };
      const { messages, answer } = await request(hop, hop.context({ id }), callOf({ params }));
      expect(sentBy(hop, "tools/call")[0]?.message).toMatchObject({ id, params });
      expect(messages).toMatchObject([{ kind: "notification", method: "notifications/progress", text: progress }]);
      expect(answer).toMatchObject({ ok: true, value: { era: "legacy", text } });
    },
  );

  it("MC-37: a request of Gatehouse's own has an id of its own", async () => {
    serve(done);
    const { answer } = await request(hop, hop.context(), callOf({ own: true }));
    expect(sentBy(hop, "tools/call")[0]?.message["id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer).toMatchObject({ ok: true, value: { text: undefined } });
  });

  it("MC-37: so has one whose answer only Gatehouse reads", async () => {
    serve(done);
    const answered = await askUpstream(hop.context(), hop.server, callOf());
    expect(answered.ok).toBe(true);
    expect(sentBy(hop, "tools/call")[0]?.message["id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("MC-37: a client of 2026-07-28 shares a session, so id and token are of this hop", async () => {
    serve(({ message }) => {
      const id = message["id"] ?? null;
      const told = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: id, progress: 1 } };
      return [told, { jsonrpc: "2.0", id, result: {} }];
    });
    const params = { name: "run", _meta: { progressToken: "t" } };
    const context = hop.context({ era: "modern", owner: "principal:agent" });
    const { messages } = await request(hop, context, callOf({ params }));
    expect(sentBy(hop, "tools/call")[0]?.message["id"]).not.toBe(7);
    expect(messages).toMatchObject([{ params: { progressToken: "t", progress: 1 } }]);
  });
});

describe("params", () => {
  it("F4: what 2026-07-28 reserves is taken out, related tasks and everything else stay", async () => {
    serve(done);
    const related = { "io.modelcontextprotocol/related-task": { taskId: "t" }, traceparent: "00-1" };
    const params = { name: "run", task: { ttl: 1 }, "x-vendor": true };
    const _meta = { ...related, "io.modelcontextprotocol/logLevel": "debug" };
    await request(hop, hop.context(), callOf({ params: { ...params, _meta } }));
    expect(sentBy(hop, "tools/call")[0]?.message["params"]).toEqual({ ...params, _meta: related });
    expect(sentBy(hop, "logging/setLevel")).toEqual([]);
  });

  it("F4: a server of 2026-07-28 gets the envelope of Gatehouse, without capabilities of the client", async () => {
    const _meta = { progressToken: "t", "io.modelcontextprotocol/logLevel": "error", "io.modelcontextprotocol/x": 1 };
    hop.serve(async (seen) =>
      seen.message["method"] === "initialize"
        ? new Response(null, { status: 404 })
        : modernUpstream(() => ({ content: [] }))(seen),
    );
    const { answer } = await request(hop, hop.context(), callOf({ params: { name: "run", _meta } }));
    expect(answer).toMatchObject({ ok: true, value: { era: "modern" } });
    expect(sentBy(hop, "tools/call")[0]?.message).toMatchObject({
      id: 7,
      params: {
        name: "run",
        _meta: {
          progressToken: "t",
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "gatehouse" },
          "io.modelcontextprotocol/clientCapabilities": {},
          "io.modelcontextprotocol/logLevel": "error",
        },
      },
    });
    expect(sentBy(hop, "tools/call")[0]?.text).not.toContain("io.modelcontextprotocol/x");
  });
});

describe("notifications", () => {
  it("F4: every one is handed on as it came", async () => {
    const told = [
      { jsonrpc: "2.0", method: "notifications/tools/list_changed" },
      { jsonrpc: "2.0", method: "notifications/message", params: { level: "debug", data: 1 } },
      { jsonrpc: "2.0", method: "notifications/x-vendor", params: {} },
    ];
    serve((seen) => [...told, done(seen)]);
    const { messages } = await request(hop, hop.context());
    expect(messages.map((message) => message.kind === "notification" && JSON.parse(message.text))).toEqual(told);
  });
});

describe("what a server asks", () => {
  it("F4: the client's capabilities are declared to the server", async () => {
    serve(done);
    await request(hop, hop.context());
    expect(sentBy(hop, "initialize")[0]?.message["params"]).toMatchObject({ capabilities: clientCapabilities });
  });

  it.each(["sampling/createMessage", "elicitation/create", "roots/list"])(
    "F4: %s is handed on, its answer goes to the server, and the call goes on",
    async (method) => {
      serve((seen) => [asking("q", method), done(seen)]);
      const answered = await request(hop, hop.context(), callOf(), (ask) => ask.answer({ result: { role: "user" } }));
      expect(asksIn(answered.messages)).toMatchObject([{ id: "q", method, params: { a: 1 } }]);
      expect(replyTo(hop, "q").map(({ message }) => message)).toEqual([
        { jsonrpc: "2.0", id: "q", result: { role: "user" } },
      ]);
      expect(replyTo(hop, "q")[0]?.headers.get("mcp-session-id")).toBe("one");
      expect(answered.answer).toMatchObject({ ok: true, value: { response: { kind: "result" } } });
    },
  );

  it("F4: the client's error goes to the server as well", async () => {
    serve((seen) => [asking(5), done(seen)]);
    const error = { code: -1, message: "User rejected" };
    await request(hop, hop.context(), callOf(), (ask) => ask.answer({ error }));
    expect(replyTo(hop, 5).map(({ message }) => message)).toEqual([{ jsonrpc: "2.0", id: 5, error }]);
  });

  it("F4: only the first answer is sent", async () => {
    serve((seen) => [asking("q"), done(seen)]);
    await request(hop, hop.context(), callOf(), async (ask) => {
      await ask.answer({ result: {} });
      await ask.answer({ result: { second: true } });
    });
    expect(replyTo(hop, "q")).toHaveLength(1);
  });

  it("F4: progress of the client goes to the server", async () => {
    serve((seen) => [asking("q"), done(seen)]);
    await request(hop, hop.context(), callOf(), (ask) => ask.progress({ progressToken: "p", progress: 1 }));
    expect(sentBy(hop, "notifications/progress")[0]?.message["params"]).toEqual({ progressToken: "p", progress: 1 });
  });

  it("F4: an answer that does not reach the server is logged and nothing else", async () => {
    serve((seen) => [asking("q"), done(seen)]);
    const answered = await request(hop, hop.context(), callOf(), async (ask) => {
      hop.serve(() => new Response(null, { status: 403 }));
      await ask.answer({ result: {} });
    });
    expect(answered.answer.ok).toBe(true);
    expect(hop.logged).toContain("The client's answer did not reach the upstream");
  });

  it("F4: a server may be silent while the client thinks about its answer", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serve((seen) => {
      const channel = openChannel(seen);
      channel.send(asking("q"));
      resolve(channel);
      return channel.response;
    });
    const asked = Promise.withResolvers<UpstreamAsk>();
    const answered = request(hop, hop.context(), callOf(), asked.resolve);
    const channel = await opened;
    const ask = await asked.promise;
    await channel.read;
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(limits.upstreamIdle_ms);
      await clock.asleep(limits.upstreamIdle_ms);
    }
    await ask.answer({ result: {} });
    const { id } = sentBy(hop, "tools/call")[0]?.message ?? {};
    channel.send({ jsonrpc: "2.0", id: id ?? null, result: {} });
    expect((await answered).answer.ok).toBe(true);
  });

  it("RX-08: and not longer, once it has the answer", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serve((seen) => {
      const channel = openChannel(seen);
      channel.send(asking("q"));
      resolve(channel);
      return channel.response;
    });
    const asked = Promise.withResolvers<UpstreamAsk>();
    const answered = request(hop, hop.context(), callOf(), asked.resolve);
    const channel = await opened;
    const ask = await asked.promise;
    await channel.read;
    await ask.answer({ result: {} });
    clock.advance(limits.upstreamIdle_ms);
    expect(textOf(await answered)).toBe("upstream_timeout idle_timeout");
  });

  it("RX-01: and not longer, once it took its request back", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serve((seen) => {
      const channel = openChannel(seen);
      channel.send(asking("q"));
      channel.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "q" } });
      resolve(channel);
      return channel.response;
    });
    const answered = request(hop, hop.context());
    const channel = await opened;
    await channel.read;
    await clock.asleep(limits.upstreamIdle_ms);
    clock.advance(limits.upstreamIdle_ms);
    await scheduler.wait(0);
    clock.advance(limits.upstreamIdle_ms);
    expect(textOf(await answered)).toBe("upstream_timeout idle_timeout");
  });

  it.each([
    ["a client of 2026-07-28", { era: "modern", owner: "principal:agent" }, {}],
    ["a client without a session", { owner: undefined }, {}],
    ["a request of Gatehouse's own", {}, { own: true }],
  ] as const)("F4: nothing is handed on to %s: it is refused, and the call ends", async (_who, context, call) => {
    serve((seen) => [asking("q"), done(seen)]);
    const answered = await request(hop, hop.context(context), callOf(call));
    expect(answered.messages).toEqual([]);
    expect(textOf(answered)).toBe("bridge_needed bridge_needed");
    expect(replyTo(hop, "q")[0]?.message).toMatchObject({ error: { code: -32601 } });
    const { id } = sentBy(hop, "tools/call")[0]?.message ?? {};
    expect(sentBy(hop, "notifications/cancelled")[0]?.message["params"]).toEqual({ requestId: id });
  });

  it("RX-07: a flood of them ends the call", async () => {
    const flood = Array.from({ length: limits.upstreamAsks_count + 1 }, (_, at) => asking(`q${at}`));
    serve((seen) => [...flood, done(seen)]);
    const answered = await request(hop, hop.context());
    expect(asksIn(answered.messages)).toHaveLength(limits.upstreamAsks_count);
    expect(textOf(answered)).toBe("upstream_invalid request_flood");
  });

  it("F4: a ping is answered here", async () => {
    serve((seen) => [asking("p", "ping"), done(seen)]);
    const { messages } = await request(hop, hop.context());
    expect(messages).toEqual([]);
    expect(replyTo(hop, "p")[0]?.message).toEqual({ jsonrpc: "2.0", id: "p", result: {} });
  });
});

describe("a request that is cancelled", () => {
  it("F4: the server is told, by the client's own id", async () => {
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    serve((seen) => {
      resolve();
      return openChannel(seen).response;
    });
    const cancelling = new AbortController();
    const answered = request(hop, hop.context({ signal: cancelling.signal }));
    await reached;
    cancelling.abort();
    expect(textOf(await answered)).toMatch(/^cancelled/);
    expect(sentBy(hop, "notifications/cancelled")[0]?.message["params"]).toEqual({ requestId: 7 });
  });
});
