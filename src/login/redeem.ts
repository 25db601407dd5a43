/** From the code to tokens and verified claims. */
import * as client from "openid-client";
import * as z from "zod";
import { err, ok, type Result } from "../ports.ts";
import type { Tokens } from "../vault/index.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { verifyIdToken, type IdToken } from "./id-token.ts";
import type { StoredProvider } from "./providers.ts";
import { openRelyingParty, redirectUri, type RelyingParty } from "./relying-party.ts";
import type { Pending } from "./sign-ins.ts";
import { withUserInfo } from "./user-info.ts";
import type { VerifiedClaims } from "./identity.ts";
import type { Visit } from "./visit.ts";

export interface Redeemed {
  readonly id_token: IdToken;
  /** Those of the ID token, and of the userinfo endpoint where they were missing. */
  readonly claims: VerifiedClaims;
  readonly credential: Tokens;
  /** As granted; null when the provider did not say. */
  readonly scope: string | null;
}

/**
 * Redeems the code. The library makes the request and checks issuer, audience, authorized party, nonce and form; the signature and
 * the times are checked by `verifyIdToken`.
 * @see OpenID Connect Core 1.0 sections 3.1.3 and 5.3
 */
export async function redeemCode(
  visit: Visit,
  provider: StoredProvider,
  metadata: ProviderMetadata,
  answer: { readonly query: string; readonly state: string; readonly pending: Pending },
): Promise<Result<Redeemed, SignInFailure>> {
  const party = await openRelyingParty(visit, provider, metadata);
  if (!party.ok) return party;
  const { state, pending } = answer;
  const current = new URL(redirectUri(visit, provider));
  current.search = answer.query;
  let tokens: Awaited<ReturnType<typeof client.authorizationCodeGrant>>;
  try {
    tokens = await client.authorizationCodeGrant(party.value.configuration, current, {
      expectedState: state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.verifier,
      // Makes `auth_time` mandatory; how old it may be is checked against the time of the request.
      ...(pending.needs_auth_time ? { maxAge: 0 } : {}),
    });
  } catch (thrown) {
    return err(refusal(visit, provider, party.value, pending, thrown));
  }
  const verified = await verifyIdToken(visit, provider, metadata, tokens.id_token ?? "", pending);
  if (!verified.ok) return verified;
  const claims = await withUserInfo(visit, provider, party.value, tokens.access_token, verified.value);
  if (!claims.ok) return claims;
  const expires_at = visit.platform.ports.clock.now() + Math.floor(tokens.expires_in ?? NaN) * 1000;
  return ok({
    id_token: verified.value,
    claims: claims.value,
    credential: {
      kind: "tokens",
      access_token: tokens.access_token,
      ...(tokens.refresh_token === undefined ? {} : { refresh_token: tokens.refresh_token }),
      ...(tokens.id_token === undefined ? {} : { id_token: tokens.id_token }),
      expires_at: Number.isSafeInteger(expires_at) ? expires_at : null,
    },
    scope: tokens.scope ?? null,
  });
}

/** The library's complaint about a claim, two causes deep. */
const complaintSchema = z.object({
  cause: z.object({
    cause: z.object({ claim: z.string().optional(), claims: z.record(z.string(), z.unknown()).optional() }),
  }),
});

/** Errors of the library by class and code; its messages are not for us, and may quote tokens. */
function refusal(
  visit: Visit,
  provider: StoredProvider,
  party: RelyingParty,
  pending: Pending,
  thrown: unknown,
): SignInFailure {
  const fields = { tenant: visit.tenant.id, provider: provider.id };
  const network = party.networkFailure();
  if (network !== undefined) {
    const reason = network.reason ?? network.code;
    visit.platform.log("warn", "The token endpoint of an identity provider could not be asked", { ...fields, reason });
    return "provider_unreachable";
  }
  if (thrown instanceof client.ResponseBodyError) {
    visit.platform.log("warn", "The token endpoint of an identity provider refused", {
      ...fields,
      reason: thrown.error,
    });
    if (thrown.error === "invalid_grant") return "code_refused";
    return thrown.error === "invalid_client" || thrown.error === "unauthorized_client"
      ? "client_refused"
      : "provider_error";
  }
  if (!(thrown instanceof client.ClientError)) throw thrown;
  visit.platform.log("warn", "The answer of a token endpoint is not good", { ...fields, reason: thrown.code });
  const complaint = complaintSchema.safeParse(thrown);
  const { claim, claims } = complaint.success ? complaint.data.cause.cause : {};
  if (claim === "nonce" || (claims !== undefined && claims["nonce"] === undefined)) return "nonce_mismatch";
  if (pending.needs_auth_time && claims !== undefined && claims["auth_time"] === undefined)
    return "authentication_too_old";
  return thrown.code === "OAUTH_RESPONSE_IS_NOT_CONFORM" || thrown.code === "OAUTH_RESPONSE_IS_NOT_JSON"
    ? "provider_error"
    : "id_token_invalid";
}
