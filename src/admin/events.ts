/** `/events`: the audit log. Reading it is an act that is recorded itself. */
import * as z from "zod";
import { auditEvent, eventFilterSchema, type EventFilter } from "../audit/index.ts";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { ok, type Result } from "../ports.ts";
import { pageOf, pageSize } from "./page.ts";
import { route, type Call, type Done, type Route } from "./route.ts";

/** As everywhere, a page size out of range is clamped. */
const filterQuery = eventFilterSchema.extend({
  limit: pageSize(limits.eventsPage_count_max).prefault(String(limits.eventsPage_count)),
});

async function list({ admin, query }: Call<EventFilter, unknown>): Promise<Result<Done, Failure>> {
  const found = await admin.queryEvents(query);
  if (!found.ok) return found;
  const { events, next } = found.value;
  // The names of the filters, so that the log shows what kind of search it was.
  const fields = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return ok({ status: 200, body: { items: events, next: next ?? null }, fields });
}

export const eventRoutes: readonly Route[] = [
  route("GET", "/events", "events.read", {
    audited: true,
    has: {
      summary: "Search the audit log, newest first",
      description: "Each reading is recorded as an event of its own.",
      status: 200,
      answer: pageOf(z.union([auditEvent, z.looseObject({ type: z.string() })])),
    },
    query: filterQuery,
    run: list,
  }),
];
