import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createRecorder, outboxName, type Recorder } from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import { idAt, outbox, requestAt, responseTo, start, testClock, WatchedQueue, withFaults } from "./support.ts";

const recorder = (queue: WatchedQueue, namespace = env.OUTBOX, clock = testClock()): Recorder =>
  createRecorder({ queue: queue.binding, outbox: namespace, clock });

async function pending(tenant: string): Promise<number> {
  const shards = Array.from({ length: limits.outboxShards_count }, (_, shard) => outbox(outboxName(tenant, shard)));
  const all = await Promise.all(shards.map((shard) => shard.status()));
  return all.reduce((sum, status) => sum + status.pending, 0);
}

/** A namespace whose objects throw or never answer. */
const broken = (put: () => Promise<{ accepted: boolean }>): typeof env.OUTBOX =>
  withFaults(env.OUTBOX, { get: () => ({ put }) });
const throws = (): Promise<never> => Promise.reject(new Error("Network connection lost."));
const stalls = (): Promise<never> => new Promise(() => undefined);

describe("S5 hand-over", () => {
  it("S5: an event that the Queue takes is durable and rests in no Outbox", async () => {
    const queue = new WatchedQueue();
    const event = requestAt(start, { tenant: "r1" });
    expect(await recorder(queue).record(event)).toEqual({ ok: true, value: undefined });
    expect(queue.sent).toEqual([event]);
    expect(await pending("r1")).toBe(0);
  });

  it.each(["Too Many Requests", "Storage Limit Exceeded", "Unknown Internal Error (15000)"])(
    "AU-04: an event that the Queue refuses with %j rests in an Outbox",
    async (message) => {
      const tenant = `r2-${message.length}`;
      const queue = new WatchedQueue();
      queue.fault = new Error(message);
      expect((await recorder(queue).record(requestAt(start, { tenant }))).ok).toBe(true);
      expect(await pending(tenant)).toBe(1);
    },
  );

  it("AU-04: an event that the Queue neither takes nor refuses goes to an Outbox in time", async () => {
    const clock = testClock();
    const queue = new WatchedQueue();
    const stalled = { ...queue, binding: withFaults(queue.binding, { send: stalls }) };
    const recorded = createRecorder({ queue: stalled.binding, outbox: env.OUTBOX, clock }).record(
      requestAt(start, { tenant: "r3" }),
    );
    await clock.advance(limits.auditHandOver_ms);
    expect((await recorded).ok).toBe(true);
    expect(await pending("r3")).toBe(1);
  });

  it("AU-01: when Queue and Outbox throw, the failure is audit_unavailable", async () => {
    const queue = new WatchedQueue();
    queue.fault = new Error("down");
    expect(await recorder(queue, broken(throws)).record(requestAt(start))).toEqual({
      ok: false,
      error: { code: "audit_unavailable", reason: "outbox_unreachable" },
    });
  });

  it("AU-01: when the Outbox is full, the failure is audit_unavailable", async () => {
    const queue = new WatchedQueue();
    queue.fault = new Error("down");
    const full = broken(() => Promise.resolve({ accepted: false }));
    expect(await recorder(queue, full).record(requestAt(start))).toEqual({
      ok: false,
      error: { code: "audit_unavailable", reason: "outbox_full" },
    });
  });

  it("AU-01: when the Outbox stalls, the failure comes in time", async () => {
    const clock = testClock();
    const queue = new WatchedQueue();
    queue.fault = new Error("down");
    const recorded = recorder(queue, broken(stalls), clock).record(requestAt(start));
    // The Queue's refusal takes a few turns before the wait for the Outbox begins.
    for (let turn = 0; turn < 20; turn += 1) await clock.advance(limits.auditHandOver_ms);
    expect(await recorded).toMatchObject({ ok: false, error: { reason: "outbox_unreachable" } });
  });

  it("S5: what the Ledger could not read is refused, since it would be lost", async () => {
    const queue = new WatchedQueue();
    const wrong = { ...requestAt(start), time: start + 0.5 };
    expect(await recorder(queue).record(wrong)).toMatchObject({ ok: false, error: { reason: "event_invalid" } });
    expect(queue.sent).toEqual([]);
  });

  it("AU-04: an event with too many upstreams is cut and fits a Queue message", async () => {
    const queue = new WatchedQueue();
    const upstreams = Object.fromEntries(
      Array.from({ length: 400 }, (_, at) => [`server-${at}`, "\u20ac".repeat(400)]),
    );
    const event = responseTo(requestAt(start), { upstreams });
    expect((await recorder(queue).record(event)).ok).toBe(true);
    expect(queue.sent).toEqual([{ ...event, upstreams: { "…": "dropped" } }]);
  });

  it("AU-04: an event with too many arguments keeps everything else", async () => {
    const queue = new WatchedQueue();
    const one = { type: "string", size_chars: 9, hmac: "h".repeat(200) };
    const args = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`argument-${at}`, one]));
    const event = requestAt(start, { request: { size_bytes: 1, token_weight: 1, arguments: args } });
    expect((await recorder(queue).record(event)).ok).toBe(true);
    const marker = { "…": { type: "dropped", size_chars: JSON.stringify(event).length, hmac: "" } };
    expect(queue.sent).toEqual([{ ...event, request: { ...event.request, arguments: marker } }]);
  });

  it("AU-04: the largest event fits a Queue message, whatever its texts", async () => {
    const queue = new WatchedQueue();
    const text = "\u0001".repeat(5_000);
    const fields = Array.from({ length: 2_000 }, () => text);
    const actor = { user: text, agent: text, client_name: text };
    const event = { type: "admin.change", id: idAt(start), tenant: "a", time: start, actor, action: text } as const;
    await recorder(queue).record({ ...event, resource: text, resource_id: text, fields, outcome: "ok", reason: text });
    expect(new TextEncoder().encode(JSON.stringify(queue.sent)).length).toBeLessThanOrEqual(limits.auditEvent_bytes);
    expect(queue.sent.length).toBe(1);
  });

  it("AU-13: a name of a megabyte with half a character is cut, with a marker", async () => {
    const queue = new WatchedQueue();
    const event = requestAt(start, { actor: { client_name: `\ud800${"x".repeat(1_000_000)}` } });
    await recorder(queue).record(event);
    expect(queue.sent[0]?.actor.client_name).toBe(`\ufffd${"x".repeat(limits.auditText_chars - 2)}…`);
  });
});
