/** Texts of others, made to fit an event. */
import { limits } from "../limits.ts";

const marker = "…";

/**
 * A text of at most `limits.auditText_chars` UTF-16 units, well-formed, ending in `…` when it was cut; undefined for what
 * is neither text, number nor boolean.
 */
export function boundedText(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") return undefined;
  if (value.length <= limits.auditText_chars) return value.toWellFormed();
  const cut = value.slice(0, limits.auditText_chars - marker.length);
  // Half of a surrogate pair at the cut would become a replacement character that nobody wrote.
  const whole = /[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut;
  return whole.toWellFormed() + marker;
}
