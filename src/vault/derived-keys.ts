/**
 * One key for each use, purpose and tenant, derived from the key ring by HKDF-SHA-256 (RFC 5869). What was made for one
 * purpose or tenant cannot be opened for another, because the key is another.
 */
import { BoundedMap } from "../bounded-map.ts";
import { limits } from "../limits.ts";
import { lengthPrefixed } from "./encoding.ts";
import type { KeyRing } from "./keyring.ts";

export type KeyUse = "seal" | "handle" | "digest";

/** Resolves to undefined when the ring has no such key id. */
export type DeriveKey = (kid: string, use: KeyUse, purpose: string, tenant: string) => Promise<CryptoKey | undefined>;

const version = "gatehouse.v1";
const algorithms = {
  seal: { name: "AES-GCM", length: 256, usages: ["encrypt", "decrypt"] },
  handle: { name: "AES-GCM", length: 256, usages: ["encrypt", "decrypt"] },
  digest: { name: "HMAC", hash: "SHA-256", length: 256, usages: ["sign"] },
} as const;

export async function createDerivedKeys(ring: KeyRing): Promise<DeriveKey> {
  const roots = new Map<string, CryptoKey>();
  for (const entry of ring.all) roots.set(entry.kid, await entry.import());
  // Holds keys, not promises: a promise of one request must not be awaited by another.
  const cache = new BoundedMap<CryptoKey>(limits.derivedKeys_count);

  return async function deriveKey(kid, use, purpose, tenant) {
    const label = JSON.stringify([kid, use, purpose, tenant]);
    const cached = cache.get(label);
    if (cached !== undefined) return cached;
    const root = roots.get(kid);
    if (root === undefined) return undefined;
    const { usages, ...algorithm } = algorithms[use];
    // The root is uniformly random, so HKDF needs no salt (RFC 5869 section 3.1).
    const derivation = {
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(0),
      info: lengthPrefixed([version, use, purpose, tenant]),
    };
    const key = await crypto.subtle.deriveKey(derivation, root, algorithm, false, [...usages]);
    cache.set(label, key);
    return key;
  };
}
