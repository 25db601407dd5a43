/**
 * Verifies access tokens on a snapshot, without storage. A signature is checked once for each token and isolate; what can change
 * is checked at each use.
 */
import { compactVerify, errors } from "jose";
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Json, type Result } from "../../ports.ts";
import { sha256 } from "../../sha256.ts";
import { holderOf, type Snapshot } from "../../tenant/index.ts";
import { livingKey, verificationKey } from "../keys/verification-key.ts";
import { accessClaims, headerSchema, wireSchema, type AccessClaims } from "./access-claims.ts";

/** Stable; for events and log. Callers get the same answer for each of them. */
export type TokenRefusal =
  | "token_malformed"
  | "token_key_unknown"
  | "token_signature"
  | "token_expired"
  | "token_early"
  | "token_issuer"
  | "token_audience"
  | "token_revoked";

/** By tenant and SHA-256 of the token: of a good token nothing is kept that could be presented. */
const verified = new BoundedMap<AccessClaims>(limits.verifiedTokens_count);

const form = /^(?<header>[A-Za-z0-9_-]+)\.(?<payload>[A-Za-z0-9_-]+)\.(?<signature>[A-Za-z0-9_-]{86})$/;

/**
 * @param origin the issuer
 * @param resource URL of the endpoint that the token is presented to; must be its audience exactly
 * @param now milliseconds since the Unix epoch
 * @see RFC 9068 section 4, RFC 8725 section 3
 */
export async function verifyAccessToken(
  snapshot: Snapshot,
  origin: string,
  resource: string,
  token: string,
  now: number,
): Promise<Result<AccessClaims, TokenRefusal>> {
  const claims = await readAccessToken(snapshot, origin, token, now);
  return claims.ok && claims.value.audience !== resource ? err("token_audience") : claims;
}

/** The same for whoever is not the audience: the revocation endpoint. */
export async function readAccessToken(
  snapshot: Snapshot,
  origin: string,
  token: string,
  now: number,
): Promise<Result<AccessClaims, TokenRefusal>> {
  if (token.length > limits.jwt_chars) return err("token_malformed");
  const name = `${snapshot.tenant}:${await sha256(token)}`;
  const known = verified.get(name);
  const claims = known === undefined ? await checkSignature(snapshot, token, now) : ok(known);
  if (!claims.ok) return claims;
  const refusal = checkUse(snapshot, origin, claims.value, now);
  if (refusal !== undefined) return err(refusal);
  if (known === undefined) verified.set(name, claims.value);
  return claims;
}

/** Whether nothing has ended the token before its time: for streams, which may outlive it. */
export function isStanding(snapshot: Snapshot, claims: Standing, now: number): boolean {
  if (livingKey(snapshot, claims.kid, now) === undefined) return false;
  const { issued_at, grant_id, user_id, client_id } = claims;
  if (issued_at <= snapshot.revokedBefore) return false;
  const subjects = [`client:${client_id}`, `holder:${holderOf(user_id ?? client_id, client_id)}`];
  if (grant_id !== undefined) subjects.push(`grant:${grant_id}`);
  if (user_id !== undefined) subjects.push(`user:${user_id}`);
  return subjects.every((subject) => issued_at > (snapshot.revocations.get(subject) ?? -Infinity));
}

export interface Standing {
  readonly kid: string;
  /** Milliseconds since the Unix epoch. */
  readonly issued_at: number;
  readonly client_id: string;
  readonly grant_id: string | undefined;
  readonly user_id: string | undefined;
}

function checkUse(snapshot: Snapshot, origin: string, claims: AccessClaims, now: number): TokenRefusal | undefined {
  if (livingKey(snapshot, claims.kid, now) === undefined) return "token_key_unknown";
  if (claims.issuer !== origin) return "token_issuer";
  if (claims.expires_at <= now) return "token_expired";
  if (claims.issued_at - limits.tokenEarly_ms > now) return "token_early";
  const { kid, issued_at, client_id, grant_id, user } = claims;
  return isStanding(snapshot, { kid, issued_at, client_id, grant_id, user_id: user?.id }, now)
    ? undefined
    : "token_revoked";
}

async function checkSignature(
  snapshot: Snapshot,
  token: string,
  now: number,
): Promise<Result<AccessClaims, TokenRefusal>> {
  const { header: protectedHeader = "", payload = "", signature = "" } = form.exec(token)?.groups ?? {};
  // One spelling of each signature only: the last character of 64 bytes has four spare bits.
  if (!/[AQgw]$/.test(signature)) return err("token_malformed");
  const header = headerSchema.safeParse(parsed(protectedHeader));
  if (!header.success) return err("token_malformed");
  const found = livingKey(snapshot, header.data.kid, now);
  if (found === undefined) return err("token_key_unknown");
  try {
    await compactVerify(token, await verificationKey(snapshot, found), { algorithms: ["ES256"] });
  } catch (cause) {
    if (cause instanceof errors.JOSEError) return err("token_signature");
    throw cause;
  }
  const wire = wireSchema.safeParse(parsed(payload));
  return wire.success ? ok(accessClaims(found.kid, wire.data)) : err("token_malformed");
}

/** JSON of a part, or undefined for what is none. */
function parsed(part: string): Json | undefined {
  try {
    const bytes = Uint8Array.fromBase64(part, { alphabet: "base64url" });
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)) as Json;
  } catch {
    return undefined;
  }
}
