/** Why there is no token. */
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, type Result } from "../../ports.ts";
import { transientCodes } from "../../trust/index.ts";
import type { TokenFailure } from "../types.ts";

type Failed = Result<never, TokenFailure>;

/** The configuration is: ours, or that of those we talk to. */
export const wrong = (reason: string): Failed => err({ kind: "wrong", reason });

export const dead = (reason: string): Failed => err({ kind: "dead", reason });

export const passing = (reason: string, retry_at?: number): Failed =>
  err({ kind: "passing", reason, ...(retry_at === undefined ? {} : { retry_at }) });

/**
 * What the way out says of a request that got no answer.
 * @param what of which request: `token`, `metadata`, `registration`, and `resource` where the server itself was asked
 */
export function unanswered(what: string, { code, reason }: Failure): Failed {
  const told = `${what}_${reason ?? code}`;
  return transientCodes.has(code) ? passing(told) : wrong(told);
}

/** Whether what failed is what the server says of itself, and not its provider. */
export const isAboutServer = (reason: string): boolean => reason.startsWith("resource_");

/**
 * @returns milliseconds since the Unix epoch; undefined when the answer does not say
 * @see RFC 9110 section 10.2.3
 */
export function retryAt(headers: Headers, now: number): number | undefined {
  const value = headers.get("retry-after")?.trim() ?? "";
  const until = /^\d{1,9}$/.test(value) ? now + Number(value) * 1000 : Date.parse(value);
  if (!Number.isFinite(until) || until <= now) return undefined;
  return Math.min(until, now + limits.renewPause_ms_max);
}
