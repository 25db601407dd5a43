/** Public keys of a snapshot, ready to verify with. */
import { importJWK } from "jose";
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import type { Snapshot, VerificationKey } from "../../tenant/index.ts";

const imported = new BoundedMap<{ readonly from: VerificationKey["jwk"]; readonly key: CryptoKey }>(
  limits.signingKeys_count,
);

/** @returns undefined where the tenant has no such key, or it verifies no more */
export function livingKey(snapshot: Snapshot, kid: string, now: number): VerificationKey | undefined {
  const found = snapshot.verificationKeys.get(kid);
  return found === undefined || found.expires_at <= now ? undefined : found;
}

/** @throws when the row holds no ES256 key: it is ours, so that is a bug */
export async function verificationKey(snapshot: Snapshot, { kid, jwk }: VerificationKey): Promise<CryptoKey> {
  const name = `${snapshot.tenant}:${kid}`;
  const known = imported.get(name);
  if (known !== undefined && known.from["x"] === jwk["x"] && known.from["y"] === jwk["y"]) return known.key;
  const key = await importJWK({ kty: "EC", crv: "P-256", x: jwk["x"] ?? "", y: jwk["y"] ?? "" }, "ES256");
  if (key instanceof Uint8Array) throw new Error("A verification key is symmetric.");
  imported.set(name, { from: jwk, key });
  return key;
}
