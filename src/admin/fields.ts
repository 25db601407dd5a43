/** Schemas of members that several resources share. */
import * as z from "zod";
import { limits } from "../limits.ts";

const day_ms = 24 * 60 * 60 * 1000;

/** A name for people: one line. */
export const nameSchema = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u, "no control characters");

export const descriptionSchema = z.string().max(1000);

export const idSchema = z.uuid();

export const timeSchema = z.int().nonnegative().describe("Milliseconds since the Unix epoch");

/** Kept apart in the log and in URLs: whole days are what people set, milliseconds are what is stored. */
export const expiryMembers = {
  expires_in_days: z
    .int()
    .min(1)
    .max(limits.tokenLife_ms_max / day_ms)
    .optional(),
  expires_at: timeSchema.optional(),
};

interface ExpiryWish {
  readonly expires_in_days?: number | undefined;
  readonly expires_at?: number | undefined;
}

/**
 * When a new token ends.
 * @param life_ms where the request names no time
 * @returns milliseconds since the Unix epoch, or what is wrong with the wish
 */
export function expiryOf(wish: ExpiryWish, now: number, life_ms: number): number | { readonly problem: string } {
  if (wish.expires_at === undefined) {
    return now + (wish.expires_in_days === undefined ? life_ms : wish.expires_in_days * day_ms);
  }
  if (wish.expires_in_days !== undefined) return { problem: "give expires_at or expires_in_days, not both" };
  if (wish.expires_at <= now) return { problem: "must be in the future" };
  if (wish.expires_at > now + limits.tokenLife_ms_max) {
    return { problem: `must be within ${limits.tokenLife_ms_max / day_ms} days` };
  }
  return wish.expires_at;
}
