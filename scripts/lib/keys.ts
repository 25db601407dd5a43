/** Random secrets for local runs. */
import { randomBytes } from "node:crypto";

/** A key-encryption key as GATEHOUSE_KEYS wants it. */
export const newKey = (kid = "local"): string => `${kid}:${randomBytes(32).toString("base64url")}`;

/** A set-up secret of 43 characters. */
export const newSecret = (): string => randomBytes(32).toString("base64url");
