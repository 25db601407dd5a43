/** Answers that are wrong, too much, too late or not for us: each is an error of one call, and nothing more. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel } from "../gateway/channel.ts";
import { legacyUpstream } from "../gateway/legacy-upstream.ts";
import {
  ask,
  createHarness,
  freshKeys,
  meta,
  modernUpstream,
  responseEvents,
  sent,
  setUp,
  sse,
  type Asked,
  type Harness,
  type Seen,
  type Tenant,
} from "../gateway/support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  ({ token } = await tenant.addClient([await tenant.addServer("up")]));
});

const serve = (answer: (seen: Seen) => Response | Promise<Response>): void =>
  harness.serve(
    "up.upstream.test",
    modernUpstream((seen) => (seen.message["method"] === "tools/list" ? { tools: [] } : answer(seen))),
  );
const call = (): Promise<Asked> => {
  const params = { name: "run", _meta: meta({}, { progressToken: "t" }) };
  return ask(harness, `${tenant.origin}/mcp/up`, "tools/call", params, { token });
};

const headersOf = (type: string): ResponseInit => ({ headers: { "content-type": type } });
const json = headersOf("application/json");
const events = headersOf("text/event-stream");
const good = (id: unknown): JsonObject => ({
  jsonrpc: "2.0",
  id: id as number,
  result: { resultType: "complete", content: [{ type: "text", text: "mine" }] },
});
const progress: JsonObject = {
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken: "t", progress: 1 },
};

async function failsWith(reason: string): Promise<Asked> {
  const answered = await call();
  expect(answered.status).toBe(200);
  expect(answered.message).toMatchObject({ jsonrpc: "2.0", id: 1, error: { code: -32603 } });
  expect(answered.headers.has("www-authenticate")).toBe(false);
  expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason });
  expect(sent(harness, "tools/call")).toHaveLength(1);
  return answered;
}

describe("an answer with the wrong status", () => {
  it.each([201, 202, 204, 409, 429, 500, 502, 503])("F9: %i is an error of the call, never a 5xx", async (status) => {
    serve(() => new Response(status === 204 ? null : "secret text", { status }));
    expect((await failsWith(`upstream_http_${status}`)).text).not.toContain("secret text");
  });

  it.each([301, 302, 303, 307, 308])("F9: the redirect %i is not followed", async (status) => {
    serve(() => new Response(null, { status, headers: { location: "https://elsewhere.test/mcp" } }));
    await failsWith("redirect");
    expect(harness.seen.map(({ url }) => new URL(url).hostname)).not.toContain("elsewhere.test");
  });

  it.each([401, 403])("UP-18: %i is never ours, and the call is not repeated", async (status) => {
    const challenge = { "www-authenticate": 'Bearer resource_metadata="https://evil.test/"' };
    serve(() => new Response("no", { status, headers: challenge }));
    const answered = await failsWith(`upstream_http_${status}`);
    expect(answered.text).not.toContain("evil.test");
  });
});

describe("an answer that is none", () => {
  it.each([
    ["HTML", () => new Response("<html>", headersOf("text/html")), "upstream_http_200"],
    ["no type", () => new Response(new Uint8Array([123, 125])), "upstream_http_200"],
    ["half a message", () => new Response('{"jsonrpc":"2.0",', json), "answer_mismatch"],
    ["a batch", () => Response.json([good(1)]), "answer_mismatch"],
    ["another version", () => Response.json({ ...good(1), jsonrpc: "1.0" }), "answer_mismatch"],
    ["a result that is no object", () => Response.json({ jsonrpc: "2.0", id: 1, result: "x" }), "answer_mismatch"],
    ["result and error", () => Response.json({ ...good(1), error: { code: 1, message: "" } }), "answer_mismatch"],
    [
      "an error without code",
      () => Response.json({ jsonrpc: "2.0", id: 1, error: { message: "" } }),
      "answer_mismatch",
    ],
    ["bytes that are no UTF-8", () => new Response(new Uint8Array([0x7b, 0xff, 0x7d]), json), "response_not_utf8"],
    ["an empty body", () => new Response("", json), "answer_mismatch"],
    ["a stream without an answer", () => sse(progress), "stream_ended"],
    ["an empty stream", () => new Response("", events), "stream_ended"],
  ] as const)("RX-07: %s", async (_case, answer, reason) => {
    serve(answer);
    const params = { name: "run" };
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", params, { token });
    expect(answered).toMatchObject({ status: 200, message: { id: 1, error: { code: -32603 } } });
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason });
  });
});

describe("an answer that is not for this request", () => {
  it.each([2, "1", null])("RX-07: with the id %j is not delivered", async (id) => {
    serve(() => Response.json(good(id)));
    expect((await failsWith("answer_mismatch")).text).not.toContain("mine");
  });

  it("RX-07: on a stream is dropped, and the right one is awaited", async () => {
    serve(() => sse({ ...good(2), result: { content: [], marker: "foreign" } }, { ...good("1"), result: {} }, good(1)));
    const answered = await call();
    expect(answered.message).toEqual(good(1));
    expect(answered.text).not.toContain("foreign");
  });

  it("RX-07: a second answer is dropped", async () => {
    serve(() => sse(progress, good(1), { ...good(1), result: { marker: "second" } }, progress));
    const answered = await call();
    expect(answered.messages).toEqual([progress, good(1)]);
  });

  it("RX-07: a request of a modern server is dropped", async () => {
    serve(() => sse({ jsonrpc: "2.0", id: 5, method: "sampling/createMessage", params: {} }, good(1)));
    const answered = await call();
    expect(answered.message).toEqual(good(1));
    expect(answered.text).not.toContain("sampling");
    expect(harness.seen.filter(({ message }) => message["method"] === undefined)).toEqual([]);
  });

  it("RX-07: events that are no messages are dropped", async () => {
    serve(
      () =>
        new Response(`data: hello\n\ndata: {}\n\ndata: [1]\n\nevent: x\ndata: ${JSON.stringify(good(1))}\n\n`, events),
    );
    expect((await call()).message).toEqual(good(1));
  });

  it("RX-07: an error without an id, in the one answer to the one request, is that request's", async () => {
    serve(() => Response.json({ jsonrpc: "2.0", id: null, error: { code: -32603, message: "no" } }, { status: 400 }));
    expect((await call()).message).toEqual({ jsonrpc: "2.0", id: 1, error: { code: -32603, message: "no" } });
  });
});

describe("an answer that is too much", () => {
  it("RX-06: a body over its cap", async () => {
    serve(() => new Response(endless("x".repeat(65_536)), json));
    await failsWith("response_too_large");
  });

  it("RX-06: a body whose announced length is over its cap is not read", async () => {
    const length = String(limits.upstreamResponse_bytes + 1);
    serve(() => new Response("{}", { headers: { "content-type": "application/json", "content-length": length } }));
    await failsWith("response_too_large");
  });

  it("TL-19: embedded content over the cap", async () => {
    const blob = "A".repeat(limits.upstreamResponse_bytes);
    serve(() =>
      Response.json({ ...good(1), result: { content: [{ type: "resource", resource: { uri: "a:b", blob } }] } }),
    );
    await failsWith("response_too_large");
  });

  it("RX-01: a stream without end", async () => {
    serve(() => new Response(endless(`: ${"x".repeat(65_533)}\n`), events));
    await failsWith("response_too_large");
  });

  it("RX-02: an event over its cap", async () => {
    serve(() => new Response(endless("x".repeat(65_536)), events));
    await failsWith("sse_event");
  });

  const endless = (text: string): ReadableStream<Uint8Array> => {
    const chunk = new TextEncoder().encode(text);
    return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
  };
});

describe("an answer that is too late", () => {
  it("RX-08: no byte at all", async () => {
    serve(() => new Promise(() => undefined));
    const failing = failsWith("idle_timeout");
    await inFlight();
    clock.advance(limits.upstreamIdle_ms);
    await failing;
  });

  it("RX-08: silence after the first byte", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serve((seen) => {
      const channel = openChannel(seen);
      channel.write(": hi\n\n");
      resolve(channel);
      return channel.response;
    });
    const failing = failsWith("idle_timeout");
    await (
      await opened
    ).read;
    clock.advance(limits.upstreamIdle_ms);
    await failing;
  });

  it("F4: a legacy server is told that nobody waits any longer", async () => {
    harness.serve(
      "up.upstream.test",
      legacyUpstream({ sessions: ["s"] }, () => new Promise<Response>(() => undefined)),
    );
    const failing = failsWith("idle_timeout");
    await inFlight();
    clock.advance(limits.upstreamIdle_ms);
    await failing;
    expect(sent(harness, "notifications/cancelled")).toMatchObject([
      { message: { params: { requestId: sent(harness, "tools/call")[0]?.message["id"] } } },
    ]);
  });

  async function inFlight(): Promise<void> {
    while (sent(harness, "tools/call").length === 0) await scheduler.wait(0);
    await clock.asleep(limits.upstreamIdle_ms);
  }
});
