/** Optimistic concurrency: two administrators never overwrite each other unseen. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";

/** A strong validator from the version of the row. @see RFC 9110 section 8.8.3 */
export const etagOf = (updated_at: number): string => `"${updated_at.toString(36)}"`;

const changed = (): Failure =>
  failure("precondition_failed", "The resource has changed. Read it again and repeat the request with its new ETag.", {
    reason: "if_match",
  });

/** @see RFC 9110 section 13.1.1: strong comparison, so a weak tag never matches */
export function checkIfMatch(ifMatch: string | undefined, updated_at: number): Result<void, Failure> {
  if (ifMatch === undefined || ifMatch.trim() === "*") return ok(undefined);
  const tags = ifMatch.split(",").map((tag) => tag.trim());
  return tags.includes(etagOf(updated_at)) ? ok(undefined) : err(changed());
}

/** The row changed between our read and our write. */
export function lostRace(ifMatch: string | undefined): Failure {
  if (ifMatch !== undefined) return changed();
  return failure("conflict", "The resource changed at the same time. Read it again and repeat the request.", {
    reason: "concurrent_change",
  });
}
