/** Claims that the ID token leaves out: many providers give those of `profile` and `email` at this endpoint only. */
import * as client from "openid-client";
import { err, ok, type Result } from "../ports.ts";
import type { SignInFailure } from "./failures.ts";
import type { IdToken } from "./id-token.ts";
import { groupsClaimOf, type VerifiedClaims } from "./identity.ts";
import type { StoredProvider } from "./providers.ts";
import type { RelyingParty } from "./relying-party.ts";
import { namedGroups } from "./roles.ts";
import type { Visit } from "./visit.ts";

/**
 * Completes the claims of an ID token. What the token says is not overruled. An address and what vouches for it are of one document:
 * with an address of the endpoint, the token's `email_verified` and `xms_edov` would be of another one, and count for nothing.
 * @returns `userinfo_mismatch` when the answer speaks of somebody else
 * @see OpenID Connect Core 1.0 section 5.3.2: "The sub Claim in the UserInfo Response MUST be verified to exactly match"
 */
export async function withUserInfo(
  visit: Visit,
  provider: StoredProvider,
  party: RelyingParty,
  access_token: string,
  { subject, claims }: IdToken,
): Promise<Result<VerifiedClaims, SignInFailure>> {
  const { userinfo_endpoint } = party.configuration.serverMetadata();
  const groups = groupsClaimOf(provider);
  const needsGroups = claims[groups] === undefined && claims["_claim_names"] === undefined;
  const needed = {
    email: claims["email"] === undefined,
    name: claims["name"] === undefined,
    groups: needsGroups && namedGroups(provider.options, visit.snapshot).size > 0,
  };
  if (userinfo_endpoint === undefined || !Object.values(needed).includes(true)) return ok(claims);
  let told: VerifiedClaims;
  try {
    told = await client.fetchUserInfo(party.configuration, access_token, subject);
  } catch (thrown) {
    const reason = party.networkFailure()?.reason ?? codeOf(thrown);
    const fields = { tenant: visit.tenant.id, provider: provider.id, reason };
    visit.platform.log("warn", "The userinfo endpoint of an identity provider gave no good answer", fields);
    if (party.networkFailure() !== undefined) return err("provider_unreachable");
    return err(reason === "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED" ? "userinfo_mismatch" : "provider_error");
  }
  const taken = (wanted: boolean, ...names: string[]): VerifiedClaims =>
    Object.fromEntries(
      names.flatMap((name) => (wanted && Object.hasOwn(told, name) ? [[name, told[name]] as const] : [])),
    );
  return ok({
    ...claims,
    ...(needed.email && Object.hasOwn(told, "email") ? addressOf(told) : {}),
    ...taken(needed.name, "name"),
    ...taken(needed.groups, groups, "_claim_names", "hasgroups"),
  });
}

const addressOf = ({ email, email_verified, xms_edov }: VerifiedClaims): VerifiedClaims => ({
  email,
  email_verified,
  xms_edov,
});

/** @throws what is no complaint of the library */
function codeOf(thrown: unknown): string | undefined {
  if (thrown instanceof client.ClientError) return thrown.code;
  if (thrown instanceof client.WWWAuthenticateChallengeError) return thrown.code;
  if (thrown instanceof client.ResponseBodyError) return thrown.code;
  throw thrown;
}
