/** An event is cut rather than lost: a Queue message has a largest size, and texts of clients have none. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { boundedText } from "./bounded-text.ts";
import { auditEvent, type AuditEvent } from "./event.ts";

const cut = "…";

/**
 * The event with every text within its bound and the whole within `limits.auditEvent_bytes`: lists that make it too large
 * are replaced by a marker. The event of nearly every call needs nothing of that and is returned as it is.
 * @returns `audit_unavailable` with reason `event_invalid` for what the Ledger could not read: a call that cannot be recorded
 *   is refused
 */
export function fitEvent(event: AuditEvent): Result<AuditEvent, Failure> {
  if (!isWithinBounds(event)) {
    const parsed = auditEvent.safeParse(boundTexts(event));
    if (!parsed.success) return err(failure("audit_unavailable", undefined, { reason: "event_invalid" }));
    return ok(fitSize(parsed.data));
  }
  return ok(fitSize(event));
}

function fitSize(event: AuditEvent): AuditEvent {
  const json = JSON.stringify(event);
  return fits(json) ? event : withoutLists(event, json.length);
}

const isBounded = (text: string): boolean => text.length <= limits.auditText_chars && text.isWellFormed();

/** Bounded texts and whole numbers: what the types of an event leave open. A schema for each event would cost more than the call. */
function isWithinBounds(value: unknown): boolean {
  if (typeof value === "string") return isBounded(value);
  if (typeof value === "number") return Number.isSafeInteger(value);
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isWithinBounds);
  return Object.entries(value).every(([name, member]) => isBounded(name) && isWithinBounds(member));
}

function boundTexts(value: unknown): unknown {
  if (typeof value === "string") return boundedText(value);
  if (Array.isArray(value)) return value.map(boundTexts);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      member === undefined ? [] : [[boundedText(name) ?? "", boundTexts(member)] as const],
    ),
  );
}

/** A UTF-16 unit is at most three bytes, so most events need no counting. */
const fits = (json: string): boolean =>
  json.length * 3 <= limits.auditEvent_bytes || new TextEncoder().encode(json).length <= limits.auditEvent_bytes;

/** Without its lists an event is a few dozen bounded texts: a third of the limit at most. */
function withoutLists(event: AuditEvent, size_chars: number): AuditEvent {
  switch (event.type) {
    case "mcp.request":
      return {
        ...event,
        request: { ...event.request, arguments: { [cut]: { type: "dropped", size_chars, hmac: "" } } },
      };
    case "mcp.response":
      return { ...event, upstreams: { [cut]: "dropped" } };
    case "admin.change":
      return { ...event, fields: [cut] };
    case "auth.activity":
    case "auth.failed":
      return event;
  }
}
