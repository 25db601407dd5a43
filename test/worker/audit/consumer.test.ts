import { createExecutionContext, createMessageBatch, getQueueResult, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import {
  consumeAudit,
  consumeDeadLetters,
  createRecorder,
  outboxName,
  wakeAudit,
  wakeUnreadable,
  type AuditEvent,
} from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import {
  equip,
  ids,
  ledgerAt,
  outbox,
  requestAt,
  responseTo,
  start,
  testClock,
  WatchedQueue,
  withFaults,
} from "./support.ts";

type Consume = (batch: MessageBatch, bindings: Env) => Promise<unknown>;

/** What the Queue is told of each message, by the index of the body. */
async function consume(
  handler: Consume,
  bodies: readonly unknown[],
  bindings: Env = env,
): Promise<{ acked: number[]; retried: number[] }> {
  const messages = bodies.map((body, at) => ({ id: String(at), timestamp: start, attempts: 1, body }));
  const batch = createMessageBatch("gatehouse-audit", messages);
  const context = createExecutionContext();
  await handler(batch, bindings);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, context);
  return { acked: explicitAcks.map(Number).sort(), retried: retryMessages.map(({ msgId }) => Number(msgId)).sort() };
}

const stored = async (tenant: string): Promise<string[]> =>
  ids((await ledgerAt(start, tenant).query({ limit: 500 })).events);

describe("S4 consumer", () => {
  it("S4: each event reaches the Ledger of its tenant and month", async () => {
    const one = requestAt(start, { tenant: "c1" });
    const two = requestAt(start, { tenant: "c2" });
    const older = requestAt(Date.UTC(2090, 9, 1), { tenant: "c1" });
    expect(await consume(consumeAudit, [one, two, older])).toEqual({ acked: [0, 1, 2], retried: [] });
    expect([await stored("c1"), await stored("c2")]).toEqual([[one.id], [two.id]]);
    expect(ids((await ledgerAt(older.time, "c1").query({ limit: 10 })).events)).toEqual([older.id]);
  });

  it("FT-12: a Ledger that fails holds up its own messages only", async () => {
    const one = requestAt(start, { tenant: "c3" });
    const two = requestAt(start, { tenant: "c4" });
    const broken = env.LEDGER.idFromName("2:c4:2090-11");
    const LEDGER = withFaults(env.LEDGER, {
      get: (id: DurableObjectId) =>
        id.equals(broken) ? { append: () => Promise.reject(new Error("overloaded")) } : env.LEDGER.get(id),
    });
    expect(await consume(consumeAudit, [one, two, one], { ...env, LEDGER })).toEqual({ acked: [0, 2], retried: [1] });
    expect([await stored("c3"), await stored("c4")]).toEqual([[one.id], []]);
  });

  it.each([
    ["null", null],
    ["a text", "x"],
    ["an event of an unknown type", { ...requestAt(start), type: "mcp.other" }],
    ["an event without a tenant", { ...requestAt(start), tenant: undefined }],
    ["an event with a long text", { ...requestAt(start), tenant: "x".repeat(limits.auditText_chars + 1) }],
  ])("S4: %s is parked and acknowledged, and its neighbour is stored", async (_what, body) => {
    const before = await wakeUnreadable(env);
    const event = requestAt(start, { tenant: "c5" });
    expect(await consume(consumeAudit, [body, event])).toEqual({ acked: [0, 1], retried: [] });
    expect(await stored("c5")).toContain(event.id);
    // Message ids repeat between these tests, so the shard may hold this id already: it is there, once.
    expect((await wakeUnreadable(env)).dead).toBe(Math.max(before.dead, 1));
  });

  it("S4: while no Outbox can keep it, an unreadable message stays in the Queue", async () => {
    const OUTBOX = withFaults(env.OUTBOX, { get: () => ({ park: () => Promise.resolve({ accepted: false }) }) });
    expect(await consume(consumeAudit, ["x"], { ...env, OUTBOX })).toEqual({ acked: [], retried: [0] });
  });

  it("S4: dead letters are kept with their tenant and acknowledged", async () => {
    const event = requestAt(start, { tenant: "c6" });
    expect(await consume(consumeDeadLetters, [event, event])).toEqual({ acked: [0, 1], retried: [] });
    expect(await wakeAudit(env, "c6", start)).toEqual({ pending: 0, dead: 1, stored: 0, open: 0 });
  });

  it("S4: a dead letter that cannot be kept stays in its Queue", async () => {
    const OUTBOX = withFaults(env.OUTBOX, { get: () => ({ park: () => Promise.reject(new Error("down")) }) });
    expect(await consume(consumeDeadLetters, [requestAt(start)], { ...env, OUTBOX })).toEqual({
      acked: [],
      retried: [0],
    });
  });
});

describe("S5 balance", () => {
  it("AU-11: everything that was recorded is stored or pending, at each checkpoint", async () => {
    const tenant = "balance";
    const clock = testClock();
    const queue = new WatchedQueue();
    const recorder = createRecorder({ queue: queue.binding, outbox: env.OUTBOX, clock });
    let sent = 0;
    let consumed = 0;
    const check = async (): Promise<void> => {
      const { pending, dead, stored: delivered } = await wakeAudit(env, tenant, start);
      expect(delivered + pending + dead + (queue.sent.length - consumed)).toBe(sent);
    };
    for (let round = 0; round < 6; round += 1) {
      queue.fault = round % 2 === 0 ? undefined : new Error("Too Many Requests");
      for (let call = 0; call < 5; call += 1) {
        const request = requestAt(start + sent, { tenant });
        expect((await recorder.record(request)).ok).toBe(true);
        expect((await recorder.record(responseTo(request))).ok).toBe(true);
        sent += 2;
      }
      await check();
      const batch: AuditEvent[] = queue.sent.slice(consumed);
      await consume(consumeAudit, [...batch, ...batch.slice(0, 3)]);
      consumed = queue.sent.length;
      await check();
    }
    queue.fault = undefined;
    for (let shard = 0; shard < limits.outboxShards_count; shard += 1) {
      const stub = outbox(outboxName(tenant, shard));
      await equip(stub, { env: { AUDIT: queue.binding } });
      await runDurableObjectAlarm(stub);
    }
    await consume(consumeAudit, queue.sent.slice(consumed));
    expect(await wakeAudit(env, tenant, start)).toEqual({ pending: 0, dead: 0, stored: sent, open: 0 });
  });

  it("S1: an event goes through the platform's Queue into the Ledger", async () => {
    const tenant = "real-queue";
    const recorder = createRecorder({ queue: env.AUDIT, outbox: env.OUTBOX, clock: testClock() });
    const request = requestAt(start, { tenant });
    const response = responseTo(request);
    await recorder.record(request);
    await recorder.record(response);
    // The Queue gathers messages for up to a second of real time (wrangler.toml).
    await vi.waitFor(
      async () => expect((await stored(tenant)).toSorted()).toEqual([request.id, response.id].toSorted()),
      8_000,
    );
    expect((await ledgerAt(start, tenant).query({ limit: 1, type: "mcp.request" })).events).toEqual([request]);
  }, 15_000);
});
