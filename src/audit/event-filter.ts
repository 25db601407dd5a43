/** What a reader of the log may ask for, as it comes in a query string. */
import * as z from "zod";
import { limits } from "../limits.ts";
import { auditEvent, requestEvent, responseEvent } from "./event.ts";

const exact = z.string().min(1).max(limits.auditText_chars);

/** Milliseconds since the Unix epoch, or a time with its offset (RFC 3339). */
const time = z.union([
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);

export const eventFilterSchema = z.strictObject({
  type: z.enum(auditEvent.options.map((option) => option.shape.type.value)).optional(),
  user: exact.optional(),
  agent: exact.optional(),
  /** Slug of an upstream server. */
  server: exact.optional(),
  /** Tool, prompt, resource or task, by the upstream's own name. */
  tool: exact.optional(),
  method: exact.optional(),
  decision: requestEvent.shape.decision.shape.effect.optional(),
  /** Of calls: the status. */
  outcome: z.union([responseEvent.shape.outcome.shape.status, z.literal("refused")]).optional(),
  from: time.optional(),
  to: time.optional(),
  /** Free text: all words must occur, each at the start of a word. */
  q: z.string().min(1).max(limits.searchText_chars).optional(),
  cursor: z.string().min(1).max(128).optional(),
  limit: z.coerce.number().int().min(1).max(limits.eventsPage_count_max).default(limits.eventsPage_count),
});

export type EventFilter = z.output<typeof eventFilterSchema>;
