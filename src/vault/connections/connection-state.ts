/** What is decided about one connection, as pure steps: which revision is the newest, who may renew it, and when not to. */
import * as z from "zod";
import { limits } from "../../limits.ts";

export const connectionStateSchema = z.strictObject({
  /** The newest revision that is known to have been stored, or more: a row below it is a copy of old times. */
  epoch: z.int().nonnegative(),
  /** The newest revision that was given out to be sealed for: none is given twice. */
  issued: z.int().nonnegative(),
  lease: z
    .strictObject({
      name: z.string(),
      /** That its holder seals for. */
      revision: z.int(),
      /** On the object's own clock. */
      until: z.int(),
    })
    .nullable(),
  /** After a renewal that failed and left everything as it was. On the caller's clock. */
  rest: z.strictObject({ until: z.int(), reason: z.string() }).nullable(),
  /** When a token was last renewed because a server refused it. On the caller's clock. */
  forced_at: z.int().nullable(),
});

export type ConnectionState = z.infer<typeof connectionStateSchema>;

export const newState: ConnectionState = { epoch: 0, issued: 0, lease: null, rest: null, forced_at: null };

export interface ConnectionClaim {
  /** Of the row that the claimer read; null when there is none, or none that will do. */
  readonly revision: number | null;
  /** `forced`: before its time, since a server refused the token. */
  readonly want: "nothing" | "renewal" | "forced";
  /** Name of the lease, if the claimer gets it. */
  readonly lease: string;
  /** Of the claimer: milliseconds since the Unix epoch. */
  readonly now: number;
}

export type Claimed =
  /** The row is the newest there is. */
  | { readonly kind: "current" }
  /** The row is older than this revision. The claimer reads again: what is older even then was put back by somebody. */
  | { readonly kind: "stale"; readonly epoch: number }
  /** The claimer alone renews, seals for this revision, and settles. */
  | { readonly kind: "renew"; readonly revision: number }
  /** Somebody else had the lease: the claimer reads again. */
  | { readonly kind: "settled" }
  /** Nobody may renew now. */
  | { readonly kind: "resting"; readonly reason: string; readonly retry_at: number }
  /** A server refused the token although it was renewed for that a moment ago. */
  | { readonly kind: "forced_lately" };

export type Outcome =
  | { readonly kind: "stored"; readonly revision: number; readonly forced: boolean; readonly now: number }
  | { readonly kind: "failed"; readonly reason: string; readonly retry_at: number }
  /** There is nothing to remember: the row tells all. */
  | { readonly kind: "released" };

export interface Step<T> {
  /** Undefined: it stays as it is. */
  readonly state?: ConnectionState;
  readonly outcome: T;
}

/** Undefined as outcome: a lease is out, and the claimer waits. @param clock_now of the object */
export function claimed(state: ConnectionState, claim: ConnectionClaim, clock_now: number): Step<Claimed | undefined> {
  const { revision, want, lease, now } = claim;
  if (revision !== null && revision < state.epoch) return { outcome: { kind: "stale", epoch: state.epoch } };
  const seen = revision === null ? state : raised(state, revision);
  const moved = seen === state ? {} : { state: seen };
  if (want === "nothing") return { ...moved, outcome: { kind: "current" } };
  if (state.lease !== null && isLeased(state, clock_now)) {
    // It is the claimer's own: the answer that gave it was lost on its way.
    const isOwn = state.lease.name === lease;
    return { ...moved, outcome: isOwn ? { kind: "renew", revision: state.lease.revision } : undefined };
  }
  if (seen.rest !== null && isWithin(now, seen.rest.until, limits.renewPause_ms_max)) {
    return { ...moved, outcome: { kind: "resting", reason: seen.rest.reason, retry_at: seen.rest.until } };
  }
  if (want === "forced" && seen.forced_at !== null && isLately(now, seen.forced_at)) {
    return { ...moved, outcome: { kind: "forced_lately" } };
  }
  const { state: issued, outcome: next } = issue(seen, 0);
  return {
    state: { ...issued, lease: { name: lease, revision: next, until: clock_now + limits.renewLease_ms } },
    outcome: { kind: "renew", revision: next },
  };
}

/** A revision that nothing was ever sealed for. @param seen the newest in the rows */
export function issue(state: ConnectionState, seen: number): { state: ConnectionState; outcome: number } {
  const outcome = Math.max(state.issued, state.epoch, seen) + 1;
  return { state: { ...state, issued: outcome }, outcome };
}

/**
 * The holder is about to do what must happen once: from now on it has the lease for its whole time, also if that was over while nobody
 * else wanted it. @returns undefined when the lease is another's, or nobody's
 */
export function held(state: ConnectionState, lease: string, clock_now: number): ConnectionState | undefined {
  if (state.lease?.name !== lease) return undefined;
  return { ...state, lease: { ...state.lease, until: clock_now + limits.renewLease_ms } };
}

/** A late one tells what it did as well, but ends no lease of another. */
export function settled(state: ConnectionState, lease: string, outcome: Outcome): ConnectionState {
  const isHolder = state.lease?.name === lease;
  const freed = isHolder ? { ...state, lease: null } : state;
  if (outcome.kind === "stored") {
    return {
      ...raised(freed, outcome.revision),
      rest: null,
      forced_at: outcome.forced ? outcome.now : freed.forced_at,
    };
  }
  if (outcome.kind === "failed" && isHolder) {
    return { ...freed, rest: { until: outcome.retry_at, reason: outcome.reason } };
  }
  return freed;
}

/** A new link: what was before it does not count any more. */
export function linked(state: ConnectionState, revision: number): ConnectionState {
  return { ...raised(state, revision), rest: null, forced_at: null };
}

/** Undefined: somebody is renewing just now, and what they bring must not be lost. */
export function retired(state: ConnectionState, revision: number, clock_now: number): ConnectionState | undefined {
  // Whoever had a lease and is late must not use what is being revoked.
  return isLeased(state, clock_now) ? undefined : { ...ended(state, revision), lease: null };
}

/** From now on a row of this revision is one of old times. */
export function ended(state: ConnectionState, revision: number): ConnectionState {
  return { ...raised(state, revision + 1), rest: null, forced_at: null };
}

export const isLeased = ({ lease }: ConnectionState, clock_now: number): boolean =>
  lease !== null && isWithin(clock_now, lease.until, limits.renewLease_ms);

/** Before that time, and no longer before it than it can have been set: a clock that was ahead then does not count (FT-12). */
const isWithin = (now: number, until: number, longest_ms: number): boolean => now < until && until - now <= longest_ms;

/** Clocks of two isolates differ by little; one that was ahead by more than the pause itself does not count (FT-12). */
const isLately = (now: number, forced_at: number): boolean => Math.abs(now - forced_at) < limits.forcedRenewal_ms;

function raised(state: ConnectionState, revision: number): ConnectionState {
  if (revision <= state.epoch) return state;
  return { ...state, epoch: revision, issued: Math.max(state.issued, revision) };
}
