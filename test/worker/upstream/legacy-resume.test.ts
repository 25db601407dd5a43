/** SEP-1699: an answer on a stream that breaks off is fetched from where it broke, after the time that the server asks for. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { openChannel } from "../gateway/channel.ts";
import { legacyUpstream, type LegacyOptions } from "../gateway/legacy-upstream.ts";
import { createHop, events, request, callOf, sentBy, textOf, type Hop, type Read } from "./upstream-support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

let hop: Hop;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  hop = await createHop({ clock });
});

const prime = (id: string, retry_ms?: number): string =>
  `id: ${id}\n${retry_ms === undefined ? "" : `retry: ${retry_ms}\n`}data: \n\n`;
const progress = `data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params: {} })}\n\n`;
const answer = `data: ${JSON.stringify({ jsonrpc: "2.0", id: 7, result: { content: [] } })}\n\n`;
const serve = (first: () => Response, listen?: LegacyOptions["listen"]): void =>
  hop.serve(legacyUpstream({ sessions: ["one"], ...(listen === undefined ? {} : { listen }) }, first));

/** Runs the request; each pause of the given length is waited for and passed. */
async function run(...pauses_ms: number[]): Promise<Read> {
  const read = request(hop, hop.context());
  for (const pause_ms of pauses_ms) {
    await clock.asleep(pause_ms);
    clock.advance(pause_ms);
  }
  return read;
}
const gets = () => sentBy(hop, "GET").map(({ headers }) => headers.get("last-event-id"));

describe("SEP-1699: a stream that ends before the answer", () => {
  it("SEP-1699: is taken up again with the last event id, in the session, after the time that the server asks for", async () => {
    serve(
      () => events(prime("e1", 543), progress),
      () => events(prime("e2"), progress, answer),
    );
    const read = await run(543);
    expect(read.answer.ok).toBe(true);
    expect(read.messages).toHaveLength(2);
    expect(gets()).toEqual(["e1"]);
    const { headers } = sentBy(hop, "GET")[0] ?? {};
    expect(headers?.get("mcp-session-id")).toBe("one");
    expect(headers?.get("mcp-protocol-version")).toBe("2025-11-25");
    expect(headers?.get("accept")).toBe("text/event-stream");
    expect(sentBy(hop, "tools/call")).toHaveLength(1);
  });

  it("SEP-1699: and once more from where the second one ended, which may say another time", async () => {
    let opened = 0;
    serve(
      () => events(prime("e1", 543)),
      () => (++opened === 1 ? events("id: e2\n\n", "retry: 654\n\n") : events(answer)),
    );
    expect((await run(543, 654)).answer.ok).toBe(true);
    expect(gets()).toEqual(["e1", "e2"]);
  });

  it("SEP-1699: and also when it breaks", async () => {
    serve(
      () => {
        const text = new TextEncoder().encode(prime("e1", 543));
        let pulled = 0;
        const body = new ReadableStream<Uint8Array>({
          pull: (controller) => (pulled++ === 0 ? controller.enqueue(text) : controller.error(new Error("reset"))),
        });
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      },
      () => events(answer),
    );
    expect((await run(543)).answer.ok).toBe(true);
  });

  it.each([
    [undefined, limits.streamRetry_ms],
    [0, limits.streamRetry_ms_min],
    [86_400_000, limits.streamRetry_ms_max],
  ])("SEP-1699: retry %s is waited for with %i ms", async (retry_ms, pause_ms) => {
    serve(
      () => events(prime("e1", retry_ms)),
      () => events(answer),
    );
    const read = request(hop, hop.context());
    await clock.asleep(pause_ms);
    clock.advance(pause_ms - 1);
    await hop.settle();
    expect(gets()).toEqual([]);
    clock.advance(1);
    expect((await read).answer.ok).toBe(true);
  });

  it("SEP-1699: a GET that does not get through is tried again", async () => {
    let opened = 0;
    serve(
      () => events(prime("e1", 543)),
      () => {
        if (++opened === 1) throw new TypeError("connection refused");
        return events(answer);
      },
    );
    expect((await run(543, 543)).answer.ok).toBe(true);
  });
});

describe("SEP-1699: a stream that cannot be taken up again", () => {
  it.each([
    ["without an event id", progress],
    ["with an id that no header can carry", prime("ä")],
    ["with an id over its bound", prime("x".repeat(limits.eventId_chars + 1))],
  ])("SEP-1699: %s is a failure, and the call is not sent again", async (_case, text) => {
    serve(() => events(text));
    expect(textOf(await run())).toBe("upstream_invalid stream_ended");
    expect(gets()).toEqual([]);
    expect(sentBy(hop, "tools/call")).toHaveLength(1);
  });

  it.each([400, 404, 405, 500])("SEP-1699: when GET is answered with %i", async (status) => {
    serve(
      () => events(prime("e1", 543)),
      () => new Response(null, { status }),
    );
    expect(textOf(await run(543))).toBe("upstream_invalid stream_ended");
    expect(sentBy(hop, "tools/call")).toHaveLength(1);
    expect(sentBy(hop, "initialize")).toHaveLength(1);
  });

  it("SEP-1699: over and over ends at the bound", async () => {
    serve(
      () => events(prime("e1", 543)),
      () => events(prime("e1")),
    );
    const read = await run(...Array.from({ length: limits.streamReconnects_count }, () => 543));
    expect(textOf(read)).toBe("upstream_invalid stream_ended");
    expect(gets()).toHaveLength(limits.streamReconnects_count);
  });

  it("SEP-1699: is not waited for past the end of the call", async () => {
    serve(() => events(prime("e1", 5_000)));
    const { answer: answered } = await request(hop, hop.context(), callOf({ total_ms: 5_000 }));
    expect(answered).toMatchObject({ ok: false, error: { reason: "stream_ended" } });
    expect(gets()).toEqual([]);
  });

  it("SEP-1699: is given up when the client cancels in the pause", async () => {
    serve(() => events(prime("e1", 543)));
    const cancelling = new AbortController();
    const read = request(hop, hop.context({ signal: cancelling.signal }));
    await clock.asleep(543);
    cancelling.abort();
    expect(textOf(await read)).toBe("cancelled cancelled_by_caller");
    expect(gets()).toEqual([]);
    expect(sentBy(hop, "notifications/cancelled")).toHaveLength(1);
  });

  it("SEP-1699: is a failure from a server of 2026-07-28, which has no such thing", async () => {
    hop.serve((seen) => {
      const { id, method } = seen.message;
      if (method !== "server/discover") return events(prime("e1"));
      return Response.json({
        jsonrpc: "2.0",
        id,
        result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} } },
      });
    });
    const read = await request(hop, hop.context({ era: "modern", owner: "principal:agent" }));
    expect(textOf(read)).toBe("upstream_invalid stream_ended");
    expect(gets()).toEqual([]);
  });
});

it("SEP-1699: what the server asks on the resumed stream reaches the client", async () => {
  const asked = { jsonrpc: "2.0", id: "q", method: "roots/list" };
  serve(
    () => events(prime("e1", 543)),
    (seen) => {
      const channel = openChannel(seen);
      channel.send(asked);
      channel.write(answer);
      return channel.response;
    },
  );
  expect((await run(543)).messages).toMatchObject([{ kind: "ask", id: "q" }]);
});
