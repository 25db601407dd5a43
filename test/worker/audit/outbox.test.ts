import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import {
  alarmOf,
  equip,
  idAt,
  ids,
  ledgerAt,
  outbox,
  requestAt,
  start,
  testClock,
  WatchedQueue,
  withFaults,
} from "./support.ts";

const down = new Error("Too Many Requests");
const events = (count: number): ReturnType<typeof requestAt>[] =>
  Array.from({ length: count }, (_, at) => requestAt(start + at));

describe("S5 Outbox", () => {
  it("S5: an alarm hands everything over in batches, and then none is set", async () => {
    const stub = outbox("o1");
    const queue = new WatchedQueue();
    await equip(stub, { clock: testClock(), env: { AUDIT: queue.binding } });
    const put = events(250);
    expect(await stub.put(put)).toEqual({ accepted: true });
    expect(await alarmOf(stub)).toBe(start + limits.outboxRetry_ms);
    await runDurableObjectAlarm(stub);
    expect([ids(queue.sent), queue.batches]).toEqual([ids(put), [100, 100, 50]]);
    expect([await stub.status(), await alarmOf(stub)]).toEqual([{ pending: 0, dead: 0 }, null]);
  });

  it("AU-04: a batch stays under the size that a Queue takes", async () => {
    const stub = outbox("o2");
    const queue = new WatchedQueue();
    await equip(stub, { clock: testClock(), env: { AUDIT: queue.binding } });
    const argument = { type: "string", size_chars: 1, hmac: "h".repeat(200) };
    const args = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`n${at}`, argument]));
    const large = events(10).map((event) => ({ ...event, request: { ...event.request, arguments: args } }));
    await stub.put(large);
    await runDurableObjectAlarm(stub);
    const largest_bytes = JSON.stringify(large[0]).length + 100;
    expect(Math.max(...queue.batches) * largest_bytes).toBeLessThanOrEqual(256_000);
    expect(ids(queue.sent)).toEqual(ids(large));
  });

  it("AU-05: an event that is put twice waits once", async () => {
    const stub = outbox("o3");
    const [event] = events(1);
    if (event === undefined) throw new Error("no event");
    await stub.put([event, event]);
    await stub.put([event]);
    expect(await stub.status()).toEqual({ pending: 1, dead: 0 });
  });

  it("AU-04: while the Queue refuses, nothing leaves and each try waits longer", async () => {
    const stub = outbox("o4");
    const clock = testClock();
    const queue = new WatchedQueue();
    queue.fault = down;
    await equip(stub, { clock, env: { AUDIT: queue.binding } });
    await stub.put(events(3));
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt += 1) {
      await runDurableObjectAlarm(stub);
      const next = (await alarmOf(stub)) ?? Number.NaN;
      waits.push((next - clock.time) / 1000);
      clock.time = next;
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    expect(await stub.status()).toEqual({ pending: 3, dead: 0 });
  });

  it("AU-04: an alarm that comes early does not hurry a Queue that asked for peace", async () => {
    const stub = outbox("o5");
    const clock = testClock();
    const queue = new WatchedQueue();
    queue.fault = down;
    await equip(stub, { clock, env: { AUDIT: queue.binding } });
    await stub.put(events(1));
    await runDurableObjectAlarm(stub);
    queue.fault = undefined;
    await runDurableObjectAlarm(stub);
    expect([queue.sent.length, await alarmOf(stub)]).toEqual([0, start + limits.outboxRetry_ms]);
  });

  it("FT-14: an alarm that fires twice sends once", async () => {
    const stub = outbox("o6");
    const queue = new WatchedQueue();
    await equip(stub, { clock: testClock(), env: { AUDIT: queue.binding } });
    await stub.put(events(2));
    await runDurableObjectAlarm(stub);
    await equip(stub, { clock: testClock() });
    await stub.put([]);
    await runDurableObjectAlarm(stub);
    expect(queue.sent).toHaveLength(2);
  });

  it("FT-14: an alarm that never came is set again by whoever asks for the status", async () => {
    const stub = outbox("o7");
    await equip(stub, { clock: testClock() });
    await stub.put(events(1));
    await runInDurableObject(stub, (_instance, state) => state.storage.deleteAlarm());
    await stub.status();
    expect(await alarmOf(stub)).toBe(start);
  });

  it("FT-07: events survive an eviction and are delivered after it", async () => {
    const stub = outbox("o8");
    const put = events(5);
    await equip(stub, { clock: testClock() });
    await stub.put(put);
    await evictDurableObject(stub);
    expect(await stub.status()).toEqual({ pending: 5, dead: 0 });
    const queue = new WatchedQueue();
    await equip(stub, { clock: testClock(start + limits.outboxRetry_ms), env: { AUDIT: queue.binding } });
    await runDurableObjectAlarm(stub);
    expect(ids(queue.sent)).toEqual(ids(put));
  });

  it("FT-07: the bound counts what was there before an eviction", async () => {
    const stub = outbox("o9");
    await stub.put(events(3));
    await evictDurableObject(stub);
    await equip(stub, { rows_max: 4 });
    expect(await stub.put(events(2))).toEqual({ accepted: false });
  });

  it("FT-21, RX-22: a full Outbox takes none of what does not fit", async () => {
    const stub = outbox("o10");
    await equip(stub, { rows_max: 3 });
    await stub.put(events(2));
    expect([await stub.put(events(2)), await stub.put(events(1)), await stub.status()]).toEqual([
      { accepted: false },
      { accepted: true },
      { pending: 3, dead: 0 },
    ]);
  });

  it("FT-12: what is put while the Queue answers is not lost", async () => {
    const stub = outbox("o11");
    const queue = new WatchedQueue();
    const [first, second] = events(2);
    if (first === undefined || second === undefined) throw new Error("no events");
    let asked = 0;
    const slow = withFaults(queue.binding, {
      sendBatch: async (messages: Iterable<MessageSendRequest>) => {
        asked += 1;
        if (asked === 1) await outbox("o11").put([second]);
        await queue.binding.sendBatch(messages);
      },
    });
    await equip(stub, { clock: testClock(), env: { AUDIT: slow } });
    await stub.put([first]);
    await runDurableObjectAlarm(stub);
    expect(ids(queue.sent)).toEqual([first.id, second.id]);
  });
});

describe("S4 dead letters", () => {
  it("S4: a dead letter that is no event is kept for good", async () => {
    const stub = outbox("d1");
    const clock = testClock();
    await equip(stub, { clock });
    await stub.park([{ id: "m1", body: "{}", reason: "unreadable" }]);
    await equip(stub, { clock: testClock(start + 30 * 86_400_000) });
    await runDurableObjectAlarm(stub);
    expect([await stub.status(), await alarmOf(stub)]).toEqual([{ pending: 0, dead: 1 }, null]);
  });

  it("S4: a dead letter that is an event reaches its Ledger later", async () => {
    const stub = outbox("d2");
    const event = requestAt(start, { tenant: "d2" });
    await equip(stub, { clock: testClock() });
    await stub.park([{ id: event.id, body: JSON.stringify(event), reason: "retries_exhausted" }]);
    expect(await alarmOf(stub)).toBe(start + limits.deadLetterRetry_ms);
    await equip(stub, { clock: testClock(start + limits.deadLetterRetry_ms) });
    await runDurableObjectAlarm(stub);
    const page = await ledgerAt(start, "d2").query({ limit: 10 });
    expect([await stub.status(), ids(page.events)]).toEqual([{ pending: 0, dead: 0 }, [event.id]]);
  });

  it("S4: a dead letter that its Ledger refuses stays for the next try", async () => {
    const stub = outbox("d3");
    const event = requestAt(start);
    const LEDGER = withFaults(env.LEDGER, { get: () => ({ append: () => Promise.reject(down) }) });
    await equip(stub, { clock: testClock() });
    await stub.park([{ id: event.id, body: JSON.stringify(event), reason: "retries_exhausted" }]);
    const later = start + limits.deadLetterRetry_ms;
    await equip(stub, { clock: testClock(later), env: { LEDGER } });
    await runDurableObjectAlarm(stub);
    expect([await stub.status(), await alarmOf(stub)]).toEqual([
      { pending: 0, dead: 1 },
      later + limits.deadLetterRetry_ms,
    ]);
  });

  it("AU-05: a dead letter that is parked twice is kept once", async () => {
    const stub = outbox("d4");
    const letter = { id: idAt(start), body: "x", reason: "unreadable" };
    await stub.park([letter]);
    await stub.park([letter]);
    expect(await stub.status()).toEqual({ pending: 0, dead: 1 });
  });
});
