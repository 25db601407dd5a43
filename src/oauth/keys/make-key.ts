/** A new signing key, as a row: the private half is sealed before it is anywhere. */
import { exportJWK, generateKeyPair } from "jose";
import { limits } from "../../limits.ts";
import type { Ports } from "../../ports.ts";
import { signingKeyBinding, type Vault } from "../../vault/index.ts";
import { publicKeySchema, verifiesUntil, type SigningKeyRow } from "./key-rows.ts";

/**
 * @param active_at when it begins to sign, in milliseconds since the Unix epoch
 * @see RFC 7518 section 3.4 (ES256)
 */
export async function makeSigningKey(
  { clock, random }: Pick<Ports, "clock" | "random">,
  vault: Vault,
  tenant: string,
  active_at: number,
): Promise<SigningKeyRow> {
  const kid = random.uuid();
  const pair = await generateKeyPair("ES256", { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(pair.privateKey);
  const publicKey = publicKeySchema.parse({ kty, crv, x, y, kid, alg: "ES256", use: "sig" });
  const retired_at = active_at + limits.signingKeyActive_ms;
  return {
    tenant_id: tenant,
    kid,
    public_key: JSON.stringify(publicKey),
    private_key: await vault.seal(signingKeyBinding(tenant, kid), JSON.stringify({ kty, crv, x, y, d })),
    created_at: clock.now(),
    active_at,
    retired_at,
    expires_at: verifiesUntil(retired_at),
  };
}
