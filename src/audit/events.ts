/** Reading the audit log of a tenant, newest first, across its monthly Ledgers. */
import { base64url } from "jose";
import * as z from "zod";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { EventFilter } from "./event-filter.ts";
import type { AuditEvent } from "./event.ts";
import { ledgerNameOfMonth, monthBefore, monthOf, type Month } from "./object-names.ts";

export interface EventPage {
  readonly events: AuditEvent[];
  /** Cursor of the next page. A page may be short, or empty, and still have a next one. */
  readonly next: string | undefined;
}

/** The month in which this log was invented: no tenant has an older one, and no reader is sent through empty months. */
const firstMonth: Month = "2026-11";

/** Where the next page starts. It names no tenant: that one comes from whoever authenticated the reader. */
const cursorSchema = z.strictObject({
  month: z.string().regex(/^\d{4}-(?:0[1-9]|1[0-2])$/),
  /** Absent at the start of a month. */
  before_seq: z.int().positive().optional(),
});
type Cursor = z.infer<typeof cursorSchema>;

/**
 * One page. It asks at most `limits.ledgersPerPage_count` Ledgers and goes back at most `limits.ledgerMonths_count` months.
 * @param tenant from the admission of the reader, never from the request
 * @param now milliseconds since the Unix epoch
 * @returns `invalid_field` for a cursor that is none
 */
export async function queryEvents(
  bindings: Env,
  tenant: string,
  filter: EventFilter,
  now: number,
): Promise<Result<EventPage, Failure>> {
  const { cursor: encoded, limit, ...conditions } = filter;
  const newest = monthOf(Math.min(filter.to ?? now, now));
  const oldest = oldestMonth(filter.from, now);
  const cursor = encoded === undefined ? { month: newest } : parseCursor(encoded);
  if (cursor === undefined || cursor.month > newest) {
    return err(failure("invalid_field", "cursor is not one that this log gave out", { reason: "cursor_invalid" }));
  }

  const events: AuditEvent[] = [];
  let at: Cursor | undefined = cursor.month < oldest ? undefined : cursor;
  for (let asked = 0; at !== undefined && asked < limits.ledgersPerPage_count; asked += 1) {
    const ledger = bindings.LEDGER.get(bindings.LEDGER.idFromName(ledgerNameOfMonth(tenant, at.month)));
    const page = await ledger.query({ ...conditions, before_seq: at.before_seq, limit: limit - events.length });
    events.push(...page.events);
    at = page.next === undefined ? startOfMonthBefore(at.month, oldest) : { month: at.month, before_seq: page.next };
    if (events.length >= limit) break;
  }
  return ok({ events, next: at === undefined ? undefined : base64url.encode(JSON.stringify(at)) });
}

function oldestMonth(from: number | undefined, now: number): Month {
  let oldest = monthOf(now);
  for (let months = 1; months < limits.ledgerMonths_count; months += 1) oldest = monthBefore(oldest);
  if (oldest < firstMonth) oldest = firstMonth;
  if (from === undefined) return oldest;
  // An outcome stands in the month of its request, which may be the month before its own time.
  const wanted = monthOf(Math.max(0, from - limits.ledgerLate_ms));
  return wanted > oldest ? wanted : oldest;
}

function startOfMonthBefore(month: Month, oldest: Month): Cursor | undefined {
  const before = monthBefore(month);
  return before < oldest ? undefined : { month: before };
}

function parseCursor(encoded: string): Cursor | undefined {
  try {
    return cursorSchema.safeParse(JSON.parse(new TextDecoder().decode(base64url.decode(encoded)))).data;
  } catch {
    return undefined;
  }
}
