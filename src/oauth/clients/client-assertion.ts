/**
 * A client that signs for itself (`private_key_jwt`).
 * @see RFC 7523 sections 2.2 and 3; OpenID Connect Core section 9
 */
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { peekJwt, verifyForeignJwt, type ForeignClaims, type KeySource } from "../../trust/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import type { OAuthClient } from "../types.ts";
import { ourNames } from "../our-names.ts";
import { useAssertionOnce } from "../use-assertion.ts";

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** Of the first, clients say nothing or the plain type; the second is that of draft-ietf-oauth-rfc7523bis. */
const types = [undefined, "jwt", "client-authentication+jwt"];

const refused = (reason: string): OAuthError =>
  oauthError("invalid_client", "The client could not be authenticated", reason);

/** The client that a client assertion names, unverified: where the request has no `client_id`. @see RFC 7521 section 4.2 */
export function assertedClientId(parameters: URLSearchParams): string | undefined {
  return peekJwt(parameters.get("client_assertion") ?? "")?.subject;
}

/**
 * Whether the client's own key signed this, for us, just now and for the first time.
 * @returns `invalid_client`, or `temporarily_unavailable` when its keys cannot be had
 */
export async function verifyClientAssertion(
  visit: Visit,
  client: OAuthClient,
  parameters: URLSearchParams,
): Promise<Result<void, OAuthError>> {
  if (parameters.get("client_assertion_type") !== assertionType) return err(refused("client_assertion_type"));
  const keys = keySourceOf(client);
  if (keys === undefined) return err(refused("client_keys_missing"));
  const verified = await verifyForeignJwt(visit, parameters.get("client_assertion") ?? "", {
    issuer: client.id,
    audience: ourNames(visit.tenant),
    keys,
    typ: types,
    life_ms_max: limits.clientAssertionLife_ms_max,
    requires: ["sub", "jti"],
  });
  if (!verified.ok) {
    const { reason, transient } = verified.error;
    return err(transient ? keysUnavailable(reason) : refused(reason));
  }
  const broken = misuse(client, verified.value);
  if (broken !== undefined) return err(refused(broken));
  return (await useAssertionOnce(visit, "client_assertion", verified.value)) ? ok(undefined) : err(refused("jti_used"));
}

/** Only of registered clients an administrator named the URL. */
function keySourceOf({ keys, kind }: OAuthClient): KeySource | undefined {
  if (keys?.jwks !== undefined) return { jwks: keys.jwks };
  if (keys?.jwks_uri === undefined) return undefined;
  return { jwks_uri: keys.jwks_uri, kind: kind === "registered" ? "jwks" : "client_keys" };
}

/** An assertion for several recipients could be passed on by any of them. @see draft-ietf-oauth-rfc7523bis section 4 */
function misuse({ id }: OAuthClient, { sub, aud }: ForeignClaims): string | undefined {
  if (sub !== id) return "client_assertion_subject";
  return aud.length === 1 ? undefined : "jwt_audience_many";
}

const keysUnavailable = (reason: string): OAuthError =>
  oauthError("temporarily_unavailable", "The keys of the client cannot be fetched now: try again", reason, {
    "retry-after": "10",
  });
