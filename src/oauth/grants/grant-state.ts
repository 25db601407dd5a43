/**
 * What may happen once to a grant, as pure functions of its state: redeeming its code, and rotating each of its refresh tokens.
 * Whoever calls has opened a sealed handle of ours, so the generation and the nonce are genuine.
 */
import { limits } from "../../limits.ts";

export interface NewGrant {
  readonly code_nonce: string;
  /** S256 of the verifier. */
  readonly code_challenge: string;
  /** All times in milliseconds since the Unix epoch. */
  readonly code_expires_at: number;
}

/** One refresh token: its place in the line, and what tells it from others that were prepared for the same place. */
export interface Generation {
  readonly generation: number;
  readonly nonce: string;
}

export interface Successor {
  readonly nonce: string;
  /** Sealed, and kept for `limits.refreshGrace_ms`. */
  readonly sealed: string;
}

export type GrantState =
  | ({ readonly phase: "open" } & NewGrant)
  | {
      readonly phase: "redeemed";
      readonly code_nonce: string;
      /** When nobody has come back for it. */
      readonly ends_at: number;
      /** Null where the client gets no refresh tokens. */
      readonly current: Generation | null;
      /** The refresh token before it, while it may be asked for again. */
      readonly previous: (Generation & { readonly rotated_at: number; readonly sealed: string }) | null;
    }
  /** Nothing works any more. */
  | { readonly phase: "ended" };

export interface Redemption {
  readonly code_nonce: string;
  /** S256 of the verifier that the client sent. */
  readonly code_challenge: string;
  /** Nonce of the first refresh token; null where the client gets none. */
  readonly refresh_nonce: string | null;
  readonly ends_at: number;
}

export type Redeemed = "redeemed" | "replayed" | "expired" | "wrong_verifier" | "unknown" | "ended";

export interface Rotation extends Generation {
  readonly successor: Successor;
  readonly ends_at: number;
}

export type Rotated =
  | { readonly kind: "rotated" }
  /** The answer with the successor was lost: here it is again. */
  | { readonly kind: "repeated"; readonly sealed: string }
  | { readonly kind: "reused" | "expired" | "unknown" | "ended" };

export interface Step<T> {
  /** Absent where nothing changes. */
  readonly state?: GrantState;
  readonly outcome: T;
}

export const firstGeneration = 1;

/** @see RFC 6749 section 4.1.2: a code that comes twice ends what it gave */
export function redeem(state: GrantState, redemption: Redemption, now: number): Step<Redeemed> {
  if (state.phase === "ended") return { outcome: "ended" };
  if (state.code_nonce !== redemption.code_nonce) return { outcome: "unknown" };
  // The same presentation again: its nonce was given to nobody, so the answer to its Worker was lost on the way.
  if (isAsked(state, redemption.refresh_nonce)) return { outcome: "redeemed" };
  if (state.phase === "redeemed") return { state: { phase: "ended" }, outcome: "replayed" };
  if (now >= state.code_expires_at) return { outcome: "expired" };
  // Who has the code and not the verifier has stolen it, and does not get a second guess.
  if (state.code_challenge !== redemption.code_challenge)
    return { state: { phase: "ended" }, outcome: "wrong_verifier" };
  const { code_nonce, refresh_nonce, ends_at } = redemption;
  const current = refresh_nonce === null ? null : { generation: firstGeneration, nonce: refresh_nonce };
  return { state: { phase: "redeemed", code_nonce, ends_at, current, previous: null }, outcome: "redeemed" };
}

/** @see RFC 9700 section 4.14.2 */
export function rotate(state: GrantState, rotation: Rotation, now: number): Step<Rotated> {
  if (state.phase === "ended") return { outcome: { kind: "ended" } };
  if (state.phase === "open" || state.current === null) return { outcome: { kind: "unknown" } };
  if (now >= state.ends_at) return { outcome: { kind: "expired" } };
  const { current, previous } = state;
  const { generation, nonce, successor, ends_at } = rotation;
  if (current.nonce === successor.nonce) return { outcome: { kind: "rotated" } };
  if (isSame(current, rotation)) {
    return {
      state: {
        ...state,
        ends_at,
        current: { generation: generation + 1, nonce: successor.nonce },
        previous: { generation, nonce, rotated_at: now, sealed: successor.sealed },
      },
      outcome: { kind: "rotated" },
    };
  }
  // Prepared for this place in the line and never given to anybody.
  if (generation >= current.generation) return { outcome: { kind: "unknown" } };
  const isRetry = previous !== null && isSame(previous, rotation) && now - previous.rotated_at < limits.refreshGrace_ms;
  if (isRetry) return { outcome: { kind: "repeated", sealed: previous.sealed } };
  return { state: { phase: "ended" }, outcome: { kind: "reused" } };
}

const isAsked = (state: GrantState, refresh_nonce: string | null): boolean =>
  state.phase === "redeemed" && refresh_nonce !== null && state.current?.nonce === refresh_nonce;

const isSame = (one: Generation, other: Generation): boolean =>
  one.generation === other.generation && one.nonce === other.nonce;

/** When the object has nothing left to refuse that would not be refused without it. */
export function forgottenAt(state: GrantState, now: number): number {
  if (state.phase === "redeemed") return state.ends_at;
  // As long as the request that it was made from could be approved again, or its code presented.
  const code_ms = limits.authorizationRequest_ms + limits.authorizationCode_ms;
  return (state.phase === "open" ? state.code_expires_at : now) + code_ms;
}
