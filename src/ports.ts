/**
 * The four things that make a run unrepeatable, as ports: time, chance, the network and storage. Everything else in
 * the program is a function of its input, so that a seeded simulator can stand in their place.
 */

/** Wall time and waiting. Tests and the simulator bring a virtual one. */
export interface Clock {
  /** Milliseconds since the Unix epoch. Stands still between I/O on Cloudflare: never a measure of CPU time. */
  now(): number;
  /** Resolves after `duration_ms`, or at once when `signal` aborts. Never rejects. */
  sleep(duration_ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** `length` bytes from a cryptographically secure source. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** UUID version 7 (RFC 9562 section 5.7): orders by time. */
  uuid(): string;
}

/** The network as the platform gives it. Only `egress/` calls it. */
export type Network = (request: Request) => Promise<Response>;

/** What outlives the answer: the platform keeps the invocation until the promise settles (at most 30 s after it). */
export type WaitUntil = (promise: Promise<unknown>) => void;

export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
}

/** A value or the failure that is expected in its place. Thrown errors are bugs. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
export const err = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [member: string]: Json;
}
