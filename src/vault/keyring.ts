/**
 * The key-encryption keys of the deployment. Their bytes stay inside this file: what leaves it is a CryptoKey that cannot
 * be exported, so neither a log line nor `JSON.stringify` can show one.
 */
import { base64url } from "jose";
import { err, ok, type Result } from "../ports.ts";

const key_bytes = 32;
const word = /^(?<kid>[A-Za-z0-9._-]{1,32}):(?<key>[A-Za-z0-9_-]{43})$/;

export class KeyEntry {
  readonly kid: string;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(kid: string, bytes: Uint8Array<ArrayBuffer>) {
    this.kid = kid;
    this.#bytes = bytes;
  }

  /** The key as input of HKDF. Nothing is encrypted under it directly: each use has its own derived key. */
  import(): Promise<CryptoKey> {
    return crypto.subtle.importKey("raw", this.#bytes, "HKDF", false, ["deriveKey"]);
  }

  equals(other: KeyEntry): boolean {
    return crypto.subtle.timingSafeEqual(this.#bytes, other.#bytes);
  }

  /** A key whose bytes are all the same was typed, not drawn. */
  isUniform(): boolean {
    return this.#bytes.every((byte) => byte === this.#bytes[0]);
  }
}

export interface KeyRing {
  /** Seals; the others only open. */
  readonly current: KeyEntry;
  readonly all: readonly KeyEntry[];
}

/**
 * `kid:base64url` words separated by white space, the current key first. Never makes a key up: a missing or weak one
 * leaves the deployment sealed.
 * @returns the ring, or a sentence that names the variable and what to do, never a value
 */
export function parseKeyRing(text: string): Result<KeyRing, string> {
  const all: KeyEntry[] = [];
  for (const entry of text.split(/\s+/).filter((part) => part !== "")) {
    const { kid, key } = word.exec(entry)?.groups ?? {};
    const bytes = key === undefined ? undefined : decode(key);
    if (kid === undefined || bytes === undefined) {
      return err("GATEHOUSE_KEYS must hold `id:key` words separated by spaces, each key 32 random bytes in base64url.");
    }
    const added = new KeyEntry(kid, bytes);
    if (all.some((known) => known.kid === kid)) return err("GATEHOUSE_KEYS names a key id twice.");
    if (all.some((known) => known.equals(added))) return err("GATEHOUSE_KEYS holds the same key twice.");
    if (added.isUniform() && !kid.startsWith("test")) {
      return err("GATEHOUSE_KEYS holds a key that is not random. Make each with `openssl rand`.");
    }
    all.push(added);
  }
  const [current] = all;
  if (current === undefined) {
    return err("GATEHOUSE_KEYS is missing. Set it to `id:key`, the key being 32 random bytes in base64url.");
  }
  return ok({ current, all });
}

/** 43 characters carry 258 bits: the two spare ones must be zero, or one key could be written in four ways. */
function decode(key: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(base64url.decode(key));
  return bytes.length === key_bytes && base64url.encode(bytes) === key ? bytes : undefined;
}
