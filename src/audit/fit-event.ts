/** An event is cut rather than lost: a Queue message has a largest size, and texts of clients have none. */
import { limits } from "../limits.ts";
import { boundedText } from "./bounded-text.ts";
import type { AuditEvent } from "./event.ts";

const cut = "…";

/**
 * The event with every text within its bound and the whole within `limits.auditEvent_bytes`: lists that make it too large
 * are replaced by a marker. The event of nearly every call is returned as it is.
 */
export function fitEvent(event: AuditEvent): AuditEvent {
  const bounded = hasBoundedTexts(event) ? event : (boundTexts(event) as AuditEvent);
  const json = JSON.stringify(bounded);
  return fits(json) ? bounded : withoutLists(bounded, json.length);
}

const isBounded = (text: string): boolean => text.length <= limits.auditText_chars && text.isWellFormed();

function hasBoundedTexts(value: unknown): boolean {
  if (typeof value === "string") return isBounded(value);
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(hasBoundedTexts);
  return Object.entries(value).every(([name, member]) => isBounded(name) && hasBoundedTexts(member));
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
    case "auth.failed":
      return event;
  }
}
