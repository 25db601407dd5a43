import { base64url } from "jose";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  eventFilterSchema,
  ledgerName,
  outboxName,
  queryEvents,
  type AuditEvent,
  type EventPage,
} from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import { ids, ledgerAt, requestAt, responseTo, start, withFaults } from "./support.ts";

const month = (count: number): number => Date.UTC(2090, 10 - count, 15);

async function page(tenant: string, query: Record<string, string> = {}, bindings = env): Promise<EventPage> {
  const result = await queryEvents(bindings, tenant, eventFilterSchema.parse(query), start);
  if (!result.ok) throw new Error(result.error.code);
  return result.value;
}

async function allPages(
  tenant: string,
  query: Record<string, string> = {},
): Promise<{ events: AuditEvent[]; pages: number }> {
  const events: AuditEvent[] = [];
  let cursor: string | undefined;
  for (let pages = 1; ; pages += 1) {
    const next = await page(tenant, cursor === undefined ? query : { ...query, cursor });
    events.push(...next.events);
    if (next.next === undefined) return { events, pages };
    cursor = next.next;
  }
}

const cursorOf = (value: unknown): string => base64url.encode(JSON.stringify(value));

describe("S3 reading across months", () => {
  it("S3: pages walk from the newest month to the oldest, each event once", async () => {
    const stored = [0, 1, 4, 23].flatMap((count) => {
      const one = requestAt(month(count), { tenant: "m1" });
      const two = requestAt(month(count) + 1, { tenant: "m1" });
      return [two, one];
    });
    for (const event of stored.toReversed()) await ledgerAt(event.time, "m1").append([event]);
    const { events } = await allPages("m1", { limit: "3" });
    expect(ids(events)).toEqual(ids(stored));
  });

  it("S3: what is older than the log reaches back is not read", async () => {
    const old = requestAt(month(limits.ledgerMonths_count), { tenant: "m2" });
    await ledgerAt(old.time, "m2").append([old]);
    const { events, pages } = await allPages("m2");
    expect([events, pages]).toEqual([[], limits.ledgerMonths_count / limits.ledgersPerPage_count]);
  });

  it("S3: one page asks at most three Ledgers", async () => {
    const asked: string[] = [];
    const LEDGER = withFaults(env.LEDGER, {
      idFromName: (name: string) => {
        asked.push(name);
        return env.LEDGER.idFromName(name);
      },
    });
    await page("m3", {}, { ...env, LEDGER });
    expect(asked).toEqual([0, 1, 2].map((count) => ledgerName("m3", month(count))));
  });

  it("S3: with a start time only the months that can hold such events are asked", async () => {
    const { pages } = await allPages("m4", { from: String(start) });
    expect(pages).toBe(1);
  });

  it("S3: an outcome that falls into the month after its request is found by its time", async () => {
    const time = Date.UTC(2090, 10, 1) - 5;
    const request = requestAt(time, { tenant: "m5" });
    const response = responseTo(request);
    await ledgerAt(time, "m5").append([request, response]);
    const { events } = await allPages("m5", { from: new Date(Date.UTC(2090, 10, 1)).toISOString() });
    expect(ids(events)).toEqual([response.id]);
  });

  it("TN-10: a reader sees its own tenant's events only, whatever the cursor", async () => {
    const event = requestAt(start, { tenant: "m6" });
    await ledgerAt(start, "m6").append([event]);
    expect((await page("m7", { cursor: cursorOf({ month: "2090-11", before_seq: 100 }) })).events).toEqual([]);
    expect(ids((await page("m6", { cursor: cursorOf({ month: "2090-11", before_seq: 100 }) })).events)).toEqual([
      event.id,
    ]);
  });

  it.each([
    ["no base64url", "???"],
    ["no JSON", base64url.encode("x")],
    ["another value", cursorOf(["2090-11"])],
    ["a month that is none", cursorOf({ month: "2090-13" })],
    ["a month with more behind it", cursorOf({ month: "2090-11:x" })],
    ["a month to come", cursorOf({ month: "2090-12" })],
    ["a negative position", cursorOf({ month: "2090-11", before_seq: -1 })],
    ["a tenant", cursorOf({ month: "2090-11", tenant: "b" })],
  ])("S3: a cursor that is %s is refused", async (_what, cursor) => {
    const result = await queryEvents(env, "m8", eventFilterSchema.parse({ cursor }), start);
    expect(result).toMatchObject({ ok: false, error: { code: "invalid_field", reason: "cursor_invalid" } });
  });

  it("S3: a cursor that grew older than the log reaches back ends the list", async () => {
    expect(await page("m9", { cursor: cursorOf({ month: "2020-01" }) })).toEqual({ events: [], next: undefined });
  });
});

describe("S3 filters", () => {
  it("S3: times are milliseconds or RFC 3339", () => {
    const { from, to } = eventFilterSchema.parse({ from: String(start), to: "2090-11-21T13:00:00+01:00" });
    expect([from, to]).toEqual([start, start]);
  });

  it("S3: a page has a size when none is asked for", () => {
    expect(eventFilterSchema.parse({})).toEqual({ limit: limits.eventsPage_count });
  });

  it.each([
    ["an unknown name", { tenant: "b" }],
    ["an unknown type", { type: "x" }],
    ["an unknown outcome", { outcome: "x" }],
    ["a time without offset", { from: "2090-11-21T13:00:00" }],
    ["an empty limit", { limit: "" }],
    ["a limit of 0", { limit: "0" }],
    ["a limit past the bound", { limit: String(limits.eventsPage_count_max + 1) }],
    ["a long search text", { q: "x".repeat(limits.searchText_chars + 1) }],
  ])("S3: %s is refused", (_what, query) => {
    expect(eventFilterSchema.safeParse(query).success).toBe(false);
  });
});

describe("TN-10 names of objects", () => {
  it("TN-10: no tenant's name leads to another tenant's object", () => {
    const names = [outboxName("a:1", 1), outboxName("a", 1), ledgerName("a:2090-11", start), ledgerName("a", start)];
    expect(names).toEqual(["3:a:1:1", "1:a:1", "9:a:2090-11:2090-11", "1:a:2090-11"]);
  });
});
