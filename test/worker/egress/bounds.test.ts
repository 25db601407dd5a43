import { describe, expect, it, vi } from "vitest";
import { createSafeFetch, EgressAbort, type SafeRequest, type SafeResponse } from "../../../src/egress/index.ts";
import type { Failure } from "../../../src/errors.ts";
import { bytes, policy, request, settle, upstream, Wire, type Upstream } from "./fakes.ts";

interface Call {
  readonly wire: Wire;
  readonly body: Upstream;
  readonly answer: SafeResponse;
}

async function call(
  body: Upstream,
  more: Partial<SafeRequest> = {},
  headers: Record<string, string> = {},
): Promise<Call> {
  const wire = new Wire(async () => new Response(body.stream, { headers }));
  const answer = await createSafeFetch(wire.ports, policy)(request(more));
  if (!answer.ok) throw new Error(`no answer: ${answer.error.reason}`);
  return { wire, body, answer: answer.value };
}

function stream(answer: SafeResponse): ReadableStream<Uint8Array> {
  if (answer.body === null) throw new Error("no body");
  return answer.body;
}

/** Reads to the end. */
async function drain(answer: SafeResponse): Promise<{ read_bytes: number; failed: Failure | undefined }> {
  const reader = stream(answer).getReader();
  let read_bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { read_bytes, failed: undefined };
      read_bytes += value.byteLength;
    }
  } catch (thrown) {
    if (!(thrown instanceof EgressAbort)) throw thrown;
    return { read_bytes, failed: thrown.failure };
  }
}

const endless = (): Upstream => upstream(() => bytes(100));
const sse = { "content-type": "text/event-stream; charset=utf-8" };

describe("bytes", () => {
  it("RX-06: a text is cut at its cap and the upstream is told", async () => {
    const { answer, body, wire } = await call(endless());
    expect(await answer.text()).toMatchObject({ error: { code: "upstream_too_large" } });
    expect(body.cancelled).toBe(true);
    expect(body.pulls_count).toBe(11);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-06: a stream is cut at its cap", async () => {
    const { answer, body } = await call(endless());
    expect(await drain(answer)).toMatchObject({ read_bytes: 1_000, failed: { code: "upstream_too_large" } });
    expect(body.cancelled).toBe(true);
  });

  it("RX-06: a body of exactly the cap is whole", async () => {
    const { answer, wire } = await call(upstream((pull) => (pull <= 10 ? bytes(100) : "end")));
    expect(await answer.text()).toEqual({ ok: true, value: "a".repeat(1_000) });
    // The timer is left to the end of the invocation: when it rings, it finds nothing to do.
    await wire.clock.advance(3_600_000);
    expect(wire.clock.timers_count).toBe(0);
    expect(wire.requests[0]?.signal.aborted).toBe(false);
  });

  it("RX-06: an announced length above the cap is refused unread", async () => {
    const body = endless();
    const wire = new Wire(async () => new Response(body.stream, { headers: { "content-length": "1001" } }));
    const answer = await createSafeFetch(wire.ports, policy)(request());
    expect(answer).toMatchObject({ error: { code: "upstream_too_large" } });
    expect(body).toMatchObject({ pulls_count: 0, cancelled: true });
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-06: an announced length that is a lie does not lift the cap of a stream", async () => {
    const { answer } = await call(endless(), {}, { "content-length": "10" });
    expect(await drain(answer)).toMatchObject({ read_bytes: 1_000, failed: { code: "upstream_too_large" } });
  });

  it("RX-06: an announced length that is a lie does not lift the cap of a text", async () => {
    const body = upstream((pull) => (pull <= 20 ? bytes(100) : "end"));
    const { answer } = await call(body, {}, { "content-length": "10" });
    expect(await answer.text()).toMatchObject({ error: { code: "upstream_too_large" } });
  });

  it("RX-05: the announced length of a compressed body does not stand for what it decompresses to", async () => {
    const { answer, body } = await call(
      upstream((pull) => (pull <= 20 ? bytes(100) : "end")),
      {},
      { "content-length": "10", "content-encoding": "gzip" },
    );
    expect(await answer.text()).toMatchObject({ error: { code: "upstream_too_large" } });
    expect(body.pulls_count).toBe(11);
  });

  it("RX-01: an event stream has its own cap", async () => {
    const { answer, body } = await call(endless(), {}, sse);
    expect(await drain(answer)).toMatchObject({ read_bytes: 4_000, failed: { code: "upstream_too_large" } });
    expect(body.cancelled).toBe(true);
  });

  it("RX-05: what is counted is what a bomb decompresses to", async () => {
    const bomb = new Response(bytes(5_000_000)).body?.pipeThrough(new CompressionStream("gzip"));
    const compressed = await new Response(bomb).arrayBuffer();
    expect(compressed.byteLength).toBeLessThan(10_000);
    const decoded = new Response(compressed).body?.pipeThrough(new DecompressionStream("gzip"));
    const wire = new Wire(async () => new Response(decoded ?? null, { headers: { "content-encoding": "gzip" } }));
    const answer = await createSafeFetch(wire.ports, policy)(request({ body_bytes: 100_000 }));
    expect(answer.ok && (await answer.value.text())).toMatchObject({ error: { code: "upstream_too_large" } });
  });

  it("SS-18: an auxiliary document is cut at the cap that its reader sets", async () => {
    const { answer } = await call(endless(), { body_bytes: 64 * 1024, total_ms: 5_000 });
    expect(await drain(answer)).toMatchObject({ failed: { code: "upstream_too_large" } });
  });
});

describe("time", () => {
  it("RX-08: an upstream that never answers is given up after the silence that is allowed", async () => {
    const wire = new Wire(() => new Promise(() => undefined));
    const asked = createSafeFetch(wire.ports, policy)(request());
    await wire.clock.advance(999);
    expect(wire.clock.timers_count).toBe(1);
    await wire.clock.advance(1);
    expect(await asked).toMatchObject({ error: { code: "upstream_timeout", reason: "idle_timeout" } });
    expect(wire.requests[0]?.signal.aborted).toBe(true);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-08: the body of an answer that comes too late is cancelled", async () => {
    const body = endless();
    const late = Promise.withResolvers<Response>();
    const wire = new Wire(() => late.promise);
    const asked = createSafeFetch(wire.ports, policy)(request());
    await wire.clock.advance(1_000);
    late.resolve(new Response(body.stream));
    await asked;
    await settle();
    expect(body.cancelled).toBe(true);
  });

  it("RX-08: silence in the middle of a text ends it", async () => {
    const { answer, body, wire } = await call(upstream((pull) => (pull === 1 ? bytes(1) : "silence")));
    const text = answer.text();
    await wire.clock.advance(1_000);
    expect(await text).toMatchObject({ error: { code: "upstream_timeout", reason: "idle_timeout" } });
    expect(body.cancelled).toBe(true);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-08: silence in a text of announced length ends it", async () => {
    const { answer, wire } = await call(
      upstream((pull) => (pull === 1 ? bytes(1) : "silence")),
      {},
      { "content-length": "2" },
    );
    const text = answer.text();
    await wire.clock.advance(1_000);
    expect(await text).toMatchObject({ error: { code: "upstream_timeout", reason: "idle_timeout" } });
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-08: silence in the middle of a stream errors it", async () => {
    const { answer, body, wire } = await call(upstream((pull) => (pull === 1 ? bytes(1) : "silence")));
    const drained = drain(answer);
    await wire.clock.advance(1_000);
    expect(await drained).toMatchObject({ read_bytes: 1, failed: { reason: "idle_timeout" } });
    expect(body.cancelled).toBe(true);
  });

  it("RX-08: a silence is measured from its own begin", async () => {
    const { answer, wire } = await call(upstream((pull) => (pull === 1 ? bytes(1) : "silence")));
    const reader = stream(answer).getReader();
    await wire.clock.advance(600);
    await reader.read();
    let failed: unknown;
    reader.read().catch((thrown: unknown) => (failed = thrown));
    await wire.clock.advance(999);
    expect(failed).toBeUndefined();
    await wire.clock.advance(1);
    expect(failed).toBeInstanceOf(EgressAbort);
  });

  it("RX-08: one byte in each second does not outlive the total", async () => {
    const wire = new Wire(async () => new Response(slow.readable));
    const slow = new TransformStream<Uint8Array, Uint8Array>();
    const writer = slow.writable.getWriter();
    const answer = await createSafeFetch(wire.ports, policy)(request());
    const drained = answer.ok ? drain(answer.value) : undefined;
    for (let second = 0; second < 10; second += 1) {
      await wire.clock.advance(999);
      writer.write(bytes(1)).catch(() => undefined);
      await settle();
    }
    await wire.clock.advance(10);
    expect(await drained).toMatchObject({ failed: { code: "upstream_timeout", reason: "total_timeout" } });
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-08: an answer that nobody reads is given up at the total, not before", async () => {
    const { answer, body, wire } = await call(endless());
    await wire.clock.advance(9_999);
    expect(body.cancelled).toBe(false);
    await wire.clock.advance(1);
    await settle();
    expect(body.cancelled).toBe(true);
    expect(await answer.text()).toMatchObject({ error: { reason: "total_timeout" } });
  });

  it("FT-15: a clock that jumps back delays the end of a silence by one more at most", async () => {
    const { answer, wire } = await call(upstream(() => "silence"));
    const text = answer.text();
    await wire.clock.advance(500);
    wire.clock.jump(-300_000);
    await wire.clock.advance(1_500);
    expect(await text).toMatchObject({ error: { reason: "idle_timeout" } });
  });
});

describe("RX-10: backpressure", () => {
  it("RX-10: the upstream is read only as far as the reader reads", async () => {
    const { answer, body } = await call(endless(), {}, sse);
    await settle();
    expect(body.pulls_count).toBe(0);
    const reader = stream(answer).getReader();
    await reader.read();
    await reader.read();
    await settle();
    expect(body.pulls_count).toBe(2);
  });

  it("RX-10: a reader that is slow is not taken for a silent upstream", async () => {
    const { answer, wire } = await call(endless(), {}, sse);
    const reader = stream(answer).getReader();
    await reader.read();
    await wire.clock.advance(9_000);
    expect((await reader.read()).done).toBe(false);
  });

  it("RX-10: a stream that is not being read is errored at the total, so that its reader learns of it", async () => {
    const { answer, body, wire } = await call(endless(), {}, sse);
    const reader = stream(answer).getReader();
    await reader.read();
    let failed: unknown;
    reader.closed.catch((thrown: unknown) => (failed = thrown));
    await wire.clock.advance(10_000);
    expect(failed).toBeInstanceOf(EgressAbort);
    expect(body.cancelled).toBe(true);
  });
});

describe("RX-11: a caller that leaves", () => {
  it("RX-11: cancelling the stream closes the upstream", async () => {
    const { answer, body, wire } = await call(endless(), {}, sse);
    const reader = stream(answer).getReader();
    await reader.read();
    await reader.cancel("client left");
    expect(body.cancelled).toBe(true);
    expect(wire.requests[0]?.signal.aborted).toBe(true);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-11: the caller's signal ends a request without an answer", async () => {
    const caller = new AbortController();
    const wire = new Wire(() => new Promise(() => undefined));
    const asked = createSafeFetch(wire.ports, policy)(request({ signal: caller.signal }));
    caller.abort();
    expect(await asked).toMatchObject({ error: { code: "cancelled" } });
    expect(wire.requests[0]?.signal.aborted).toBe(true);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-11: the caller's signal ends a stream", async () => {
    const caller = new AbortController();
    const { answer, body } = await call(
      upstream(() => "silence"),
      { signal: caller.signal },
      sse,
    );
    const drained = drain(answer);
    await settle();
    caller.abort();
    expect(await drained).toMatchObject({ failed: { code: "cancelled" } });
    expect(body.cancelled).toBe(true);
  });

  it("RX-11: a caller that left before sends nothing", async () => {
    const wire = new Wire(async () => new Response("unexpected"));
    const answer = await createSafeFetch(wire.ports, policy)(request({ signal: AbortSignal.abort() }));
    expect(answer).toMatchObject({ error: { code: "cancelled" } });
    expect(wire.requests).toEqual([]);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-11: discarding closes the upstream, and whoever still reads does not take the part for the whole", async () => {
    const { answer, body, wire } = await call(endless(), {}, sse);
    const drained = stream(answer).getReader();
    await drained.read();
    await answer.discard();
    await expect(drained.read()).rejects.toBeInstanceOf(EgressAbort);
    expect(body.cancelled).toBe(true);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("RX-11: an exchange that is over leaves no listener on a signal that outlives it", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const { answer } = await call(
      upstream(() => "end"),
      { signal },
    );
    await answer.text();
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });

  it("RX-11: a body is taken once", async () => {
    const { answer } = await call(upstream(() => "end"));
    await answer.text();
    await expect(answer.text()).rejects.toThrow("taken already");
  });
});
