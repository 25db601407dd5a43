import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditEvent, Ledger } from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import { alarmOf, equip, idAt, ids, ledgerAt, requestAt, responseTo, start, testClock } from "./support.ts";

/** Any UTF-16 unit, half surrogate pairs included. */
const utf16 = fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code));

const sequence = (stub: DurableObjectStub<Ledger>): Promise<{ seq: number; id: string }[]> =>
  runInDurableObject(stub, (_instance, state) =>
    state.storage.sql.exec<{ seq: number; id: string }>("SELECT seq, id FROM events ORDER BY seq").toArray(),
  );

const admin = (tenant: string, time: number): AuditEvent => ({
  type: "admin.change",
  id: idAt(time),
  tenant,
  time,
  actor: { user: "alice@example.com", agent: "administrator:t1" },
  action: "update",
  resource: "servers",
  resource_id: "github",
  fields: ["timeout_ms"],
  outcome: "ok",
});

describe("AU-05 and AU-06 ingestion", () => {
  it("AU-05: an event that is delivered again is stored once, and the sequence has no gap", async () => {
    const stub = ledgerAt(start, "l1");
    const [one, two] = [requestAt(start, { tenant: "l1" }), admin("l1", start)];
    await stub.append([one, one]);
    await stub.append([one, two, one]);
    await stub.append([two]);
    const three = responseTo(one);
    await stub.append([three]);
    expect(await sequence(stub)).toEqual([one, two, three].map(({ id }, at) => ({ seq: at + 1, id })));
  });

  it("AU-18: a clock that jumps back changes neither the order of arrival nor the times that are kept", async () => {
    const stub = ledgerAt(start, "l18");
    const [first, earlier] = [admin("l18", start), admin("l18", start - 3_600_000)];
    await stub.append([first]);
    await stub.append([earlier]);
    expect(await sequence(stub)).toEqual([first, earlier].map(({ id }, at) => ({ seq: at + 1, id })));
    const { events } = await stub.query({ limit: 10 });
    expect(events.map(({ time }) => time)).toEqual([earlier.time, first.time]);
  });

  it("AU-05, AU-06: any order with any repetition stores the same events", async () => {
    let run = 0;
    const deliveries = fc.array(fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(deliveries, async (batches) => {
        const tenant = `shuffle-${run++}`;
        const stub = ledgerAt(start, tenant);
        await equip(stub, { clock: testClock() });
        const requests = [0, 1, 2].map((at) => requestAt(start + at, { tenant }));
        const all: AuditEvent[] = requests.flatMap((request) => [request, responseTo(request)]);
        const batchOf = (picked: number[]): AuditEvent[] => all.filter((_event, at) => picked.includes(at)).reverse();
        for (const picked of batches) await stub.append(batchOf(picked));
        const expected = new Set(ids(batches.flatMap(batchOf)));
        const stored = await sequence(stub);
        expect(stored.map(({ seq }) => seq)).toEqual([...expected].map((_id, at) => at + 1));
        expect(new Set(ids(stored))).toEqual(expected);
        const open = requests.filter(
          (request) => expected.has(request.id) && !expected.has(ids(all)[all.indexOf(request) + 1] ?? ""),
        );
        expect(await stub.status()).toEqual({ stored: expected.size, open: open.length });
      }),
      { numRuns: 25 },
    );
  });

  it("AU-05: an eviction forgets neither the ids nor the sequence", async () => {
    const stub = ledgerAt(start, "l2");
    const [one, two] = [admin("l2", start), admin("l2", start)];
    await stub.append([one]);
    await evictDurableObject(stub);
    await stub.append([one, two]);
    expect(await sequence(stub)).toEqual([one, two].map(({ id }, at) => ({ seq: at + 1, id })));
  });

  it.each([
    ["tenant", requestAt(start, { tenant: "l4" })],
    ["month", requestAt(start + 31 * 86_400_000, { tenant: "l3" })],
  ])("TN-10: an event of another %s is refused and nothing is stored", async (_what, event) => {
    const stub = ledgerAt(start, "l3");
    const attempt = runInDurableObject(stub, async (instance: Ledger) => instance.append([admin("l3", start), event]));
    await expect(attempt).rejects.toThrow("another tenant or month");
    expect(await stub.status()).toEqual({ stored: 0, open: 0 });
  });

  it("AU-06: an outcome stands with its request when a month ends between them", async () => {
    const time = Date.UTC(2090, 11, 1) - 10;
    const request = requestAt(time, { tenant: "l5" });
    const response = responseTo(request, { time: time + 60_000, id: idAt(time + 60_000) });
    const stub = ledgerAt(time, "l5");
    await stub.append([request, response]);
    expect(await stub.status()).toEqual({ stored: 2, open: 0 });
  });

  it("R7: reading a month that has no events creates nothing", async () => {
    const stub = ledgerAt(0, "l6");
    expect(await stub.query({ limit: 10 })).toEqual({ events: [], next: undefined });
    const tables = await runInDurableObject(stub, (_instance, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

describe("S5 outcomes", () => {
  const overdue = (request: { deadline: number }): number => request.deadline + limits.outcomeGrace_ms;

  it("S5: a request without an outcome gets one that says unknown", async () => {
    const stub = ledgerAt(start, "s1");
    const request = requestAt(start, { tenant: "s1" });
    await equip(stub, { clock: testClock() });
    await stub.append([request]);
    expect(await alarmOf(stub)).toBe(overdue(request));
    await equip(stub, { clock: testClock(overdue(request)) });
    await runDurableObjectAlarm(stub);
    const { events } = await stub.query({ limit: 10, type: "mcp.response" });
    expect(events).toMatchObject([
      { request_id: request.id, outcome: { status: "unknown", reason: "outcome_overdue" }, time: overdue(request) },
    ]);
    expect([await stub.status(), await alarmOf(stub)]).toEqual([{ stored: 2, open: 0 }, null]);
  });

  it("S5: before its time no request gets one", async () => {
    const stub = ledgerAt(start, "s2");
    const request = requestAt(start, { tenant: "s2" });
    await equip(stub, { clock: testClock() });
    await stub.append([request]);
    await equip(stub, { clock: testClock(overdue(request) - 1) });
    await runDurableObjectAlarm(stub);
    expect([await stub.status(), await alarmOf(stub)]).toEqual([{ stored: 1, open: 1 }, overdue(request)]);
  });

  it("FT-14: a sweep that is repeated after a crash writes the same event", async () => {
    const stub = ledgerAt(start, "s3");
    const request = requestAt(start, { tenant: "s3" });
    await equip(stub, { clock: testClock() });
    await stub.append([request]);
    await equip(stub, { clock: testClock(overdue(request)) });
    await runDurableObjectAlarm(stub);
    await runInDurableObject(stub, (_instance, state) => {
      state.storage.sql.exec("INSERT INTO open_requests VALUES (?, ?)", request.id, request.deadline);
    });
    await stub.status();
    await runDurableObjectAlarm(stub);
    expect(await sequence(stub)).toHaveLength(2);
  });

  it("FT-14: an alarm that is an hour late sweeps, one that never came is set again", async () => {
    const stub = ledgerAt(start, "s4");
    const request = requestAt(start, { tenant: "s4" });
    await equip(stub, { clock: testClock() });
    await stub.append([request]);
    await runInDurableObject(stub, (_instance, state) => state.storage.deleteAlarm());
    await equip(stub, { clock: testClock(start + 3_600_000) });
    await stub.status();
    expect(await alarmOf(stub)).toBe(start + 3_600_000);
    await runDurableObjectAlarm(stub);
    expect(await stub.status()).toEqual({ stored: 2, open: 0 });
  });

  it("S5: more overdue requests than one alarm takes are all swept", async () => {
    const stub = ledgerAt(start, "s5");
    const count = limits.outcomesPerAlarm_count + 20;
    await equip(stub, { clock: testClock() });
    await stub.append(Array.from({ length: count }, () => requestAt(start, { tenant: "s5" })));
    await equip(stub, { clock: testClock(start + 3_600_000) });
    await runDurableObjectAlarm(stub);
    expect(await stub.status()).toEqual({ stored: 2 * count - 20, open: 20 });
    await runDurableObjectAlarm(stub);
    expect(await stub.status()).toEqual({ stored: 2 * count, open: 0 });
  });

  it("FT-12: an outcome that comes after the sweep is stored and shown in place of unknown", async () => {
    const stub = ledgerAt(start, "s6");
    const request = requestAt(start, { tenant: "s6" });
    await equip(stub, { clock: testClock() });
    await stub.append([request]);
    await equip(stub, { clock: testClock(overdue(request)) });
    await runDurableObjectAlarm(stub);
    const late = responseTo(request);
    await stub.append([late]);
    expect(ids((await stub.query({ limit: 10, type: "mcp.response" })).events)).toEqual([late.id]);
    expect(await stub.status()).toEqual({ stored: 3, open: 0 });
  });

  it("FT-12: an outcome that comes before its request leaves nothing open", async () => {
    const stub = ledgerAt(start, "s7");
    const request = requestAt(start, { tenant: "s7" });
    await stub.append([responseTo(request)]);
    await stub.append([request]);
    expect(await stub.status()).toEqual({ stored: 2, open: 0 });
  });
});

describe("S3 queries", async () => {
  const tenant = "q";
  const stub = ledgerAt(start, tenant);
  const allowed = requestAt(start, { tenant, actor: { user: "bob", agent: "client-2" } });
  const answered = responseTo(allowed, { outcome: { status: "tool_error" } });
  const denied = requestAt(start + 1000, {
    tenant,
    target: { method: "prompts/get", endpoint: "/mcp", server: "slack", name: 'say "hi" NOT now' },
    decision: { effect: "deny", policy: "none", reason: "no_rule" },
    source: {},
  });
  const changed = admin(tenant, start + 2000);
  await equip(stub, { clock: testClock() });
  await stub.append([allowed, answered, denied, changed]);

  it("S3: events come newest first, page by page", async () => {
    const first = await stub.query({ limit: 3 });
    expect([ids(first.events), first.next]).toEqual([ids([changed, denied, answered]), 2]);
    const second = await stub.query({ limit: 3, before_seq: first.next });
    expect([ids(second.events), second.next]).toEqual([[allowed.id], undefined]);
  });

  it("S3: a stored event comes back as it was", async () => {
    expect((await stub.query({ limit: 1, q: allowed.id, type: "mcp.request" })).events).toEqual([allowed]);
  });

  it.each([
    ["type", { type: "admin.change" }, [changed]],
    ["user", { user: "bob" }, [answered, allowed]],
    ["agent", { agent: "client-1" }, [denied]],
    ["server", { server: "slack" }, [denied]],
    ["tool", { tool: "search_code" }, [answered, allowed]],
    ["method", { method: "prompts/get" }, [denied]],
    ["decision", { decision: "deny" }, [denied]],
    ["outcome", { outcome: "tool_error" }, [answered]],
    ["from", { from: start + 1000 }, [changed, denied]],
    ["to", { to: start + 50 }, [answered, allowed]],
    ["several at once", { server: "github", outcome: "tool_error" }, [answered]],
    ["a beginning of a word", { q: "searc" }, [answered, allowed]],
    ["words in any order", { q: "code SEARCH" }, [answered, allowed]],
    ["words of which one is missing", { q: "search nowhere" }, []],
    ["an operator as a word", { q: "now NOT" }, [denied]],
    ["an operator alone", { q: "OR" }, []],
    ["a column filter", { q: "text:search" }, []],
    ["a quote", { q: '"hi"' }, [denied]],
    ["a mail address", { q: "alice@example.com" }, [changed]],
    ["a field of a change", { q: "timeout_ms" }, [changed]],
    ["no word", { q: "  " }, []],
    ["SQL", { user: "' OR 1=1 --" }, []],
  ])("S3: the filter %s", async (_what, filter, expected) => {
    expect(ids((await stub.query({ limit: 10, ...filter })).events)).toEqual(ids(expected));
  });

  it("AD-09: no text that is searched for is read as a search expression", async () => {
    const text = fc.oneof(
      fc.string({ unit: utf16 }),
      fc
        .array(
          fc.constantFrom('"', "*", "(", ")", "^", ":", "-", "+", "NEAR", "AND", "OR", "NOT", "{", "}", "\0", "a", " "),
          {
            maxLength: 12,
          },
        )
        .map((parts) => parts.join("")),
    );
    // Inside the object, so that a run costs a query and not a round trip.
    await runInDurableObject(stub, (instance: Ledger) =>
      fc.assert(
        fc.asyncProperty(text, async (q) => {
          await instance.query({ limit: 10, q });
        }),
        { numRuns: 200 },
      ),
    );
  });
});
