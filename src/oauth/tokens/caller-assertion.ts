/** Who calls, signed for an upstream server: verifiable with the keys at `/oauth/jwks.json`. */
import { SignJWT } from "jose";
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import type { Platform } from "../../platform.ts";
import type { Snapshot, TenantHost } from "../../tenant/index.ts";
import type { Vault } from "../../vault/index.ts";
import { signingKey, type SigningKey } from "../keys/signing-key.ts";

/**
 * A type of its own, so that nobody who checks types takes an assertion for an access token, nor the other way round.
 * @see RFC 8725 section 3.11
 */
export const callerAssertionType = "gatehouse-caller+jwt";

export interface CallerAssertion {
  /** Whom it is for: the server's URL without its query, or what an administrator configured. */
  readonly audience: string;
  readonly client_id: string;
  /** Undefined where a client acts for itself: then it is the subject. With a verified address, or none. */
  readonly user?: { readonly id: string; readonly email?: string } | undefined;
}

interface Signer {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly snapshot: Snapshot;
  readonly vault: Vault;
}

const keys = new BoundedMap<{ readonly key: SigningKey; readonly until: number }>(limits.signingKeys_count);

/** Another key makes another version of the snapshot, so a call need not ask the database for it. */
async function keyOf(signer: Signer): Promise<SigningKey> {
  const { platform, tenant, snapshot } = signer;
  const now = platform.ports.clock.now();
  const name = `${tenant.id}:${snapshot.version}`;
  const known = keys.get(name);
  if (known !== undefined && known.until > now && known.until - now <= limits.credentialCache_ms) return known.key;
  const key = await signingKey(signer);
  keys.set(name, { key, until: now + limits.credentialCache_ms });
  return key;
}

/**
 * @returns a JWS that is good for `limits.callerAssertion_ms`, each with an id of its own
 * @throws when D1 fails, or when the signing key does not open
 * @see RFC 7519 section 4.1; RFC 8693 section 4.3 (`client_id`)
 */
export async function signCallerAssertion(
  signer: Signer,
  { audience, client_id, user }: CallerAssertion,
): Promise<string> {
  const { platform, tenant } = signer;
  const { kid, key } = await keyOf(signer);
  const now = platform.ports.clock.now();
  const claims = {
    iss: tenant.origin,
    aud: audience,
    sub: user?.id ?? client_id,
    client_id,
    ...(user?.email === undefined ? {} : { email: user.email, email_verified: true }),
    jti: platform.ports.random.uuid(),
    iat: Math.floor(now / 1000),
    exp: Math.floor((now + limits.callerAssertion_ms) / 1000),
  };
  return new SignJWT(claims).setProtectedHeader({ alg: "ES256", typ: callerAssertionType, kid }).sign(key);
}
