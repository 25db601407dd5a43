/** Random secrets for local runs. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A key-encryption key as GATEHOUSE_KEYS wants it. */
export const newKey = (kid = "local"): string => `${kid}:${randomBytes(32).toString("base64url")}`;

/** A set-up secret of 43 characters. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** The key of this machine, made at the first run and kept: without it, credentials of earlier runs could not be opened. */
export function localKey(file: string): string {
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  mkdirSync(dirname(file), { recursive: true });
  const key = newKey();
  writeFileSync(file, `${key}\n`, { mode: 0o600, flag: "wx" });
  return key;
}
