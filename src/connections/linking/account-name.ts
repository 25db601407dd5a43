/** What a person may call one of several accounts. */
import * as z from "zod";
import { limits } from "../../limits.ts";

export const defaultAccount = "default";

/** Of tokens that Gatehouse gets by itself, which nobody links: `service` and `header:{name}`. */
const isOwn = (account: string): boolean => account === "service" || account.startsWith("header:");

/** Letters and digits of any script, and what stands in e-mail addresses. No colon: the names of our own have one. */
export const accountNameSchema = z
  .string()
  .trim()
  .normalize("NFC")
  .max(limits.accountName_chars)
  .regex(/^[\p{L}\p{N}](?:[\p{L}\p{M}\p{N} ._@+-]*[\p{L}\p{M}\p{N}])?$/u)
  .refine((account) => !isOwn(account));

/** Whether a person made it, and so may see and end it. */
export function isPersonsOwn({ target, account }: { readonly target: string; readonly account: string }): boolean {
  return target !== "idp" && !isOwn(account);
}
