/**
 * Identity assertions (ID-JAG): the organisation's identity provider decided that this client may act for this person, so nobody is
 * asked in a browser. What the person may reach is still for our rules to say.
 * @see MCP extension "Enterprise-Managed Authorization"; draft-ietf-oauth-identity-assertion-authz-grant
 */
import { openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { admitUser, providersRepository, type StoredProvider, type Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { discover, verifyForeignJwt, type ForeignClaims, type JwtFailure } from "../../trust/index.ts";
import { authenticateClient } from "../clients/index.ts";
import { offeredServers } from "../consent/offered.ts";
import type { OAuthError } from "../oauth-error.ts";
import type { OAuthClient, TokenAnswer } from "../types.ts";
import { useAssertionOnce } from "../use-assertion.ts";
import { jwtBearer, type AssertionRequest } from "./asked.ts";
import { checkIdJag } from "./id-jag-claims.ts";
import { heldOff, refuseAssertion } from "./hold-off.ts";
import {
  invalidGrant,
  isProven,
  issuerUnavailable,
  issueToken,
  notRegistered,
  refuseToken,
  refuseUnknown,
  type About,
} from "./issue.ts";
import { defaultResource, readResource, readScope } from "./target.ts";

export const idJagType = "oauth-id-jag+jwt";

export async function idJagGrant(visit: Visit, asked: AssertionRequest): Promise<Result<TokenAnswer, OAuthError>> {
  const issued_at = visit.platform.ports.clock.now();
  const { headers, parameters } = asked;
  const authenticated = await authenticateClient(visit, headers, parameters);
  // That counted the failure already.
  if (!authenticated.ok) return authenticated;
  const client = authenticated.value;
  const refuse = async (error: OAuthError, about?: About): Promise<Result<never, OAuthError>> =>
    isProven(client) || about?.provider !== undefined
      ? refuseToken(visit, client, error, about)
      : refuseAssertion(visit, asked.issuer, error);
  const held = isProven(client) ? undefined : await heldOff(visit, asked.issuer);
  if (held !== undefined) return refuseUnknown(visit, held);
  if (!mayAssert(client)) return refuse(notRegistered);
  const requested = readResource(visit, parameters);
  if (!requested.ok) return refuse(requested.error);
  const scope = readScope(parameters);
  if (!scope.ok) return refuse(scope.error);
  const verified = await verifyIdJag(visit, asked);
  if (!verified.ok) return refuse(verified.error);
  const { provider, claims } = verified.value;
  const target = checkIdJag(claims, visit.tenant.origin, client.id, requested.value);
  if (!target.ok) return refuse(invalidGrant(target.error), { provider: provider.id });
  const resource = target.value.resource ?? defaultResource(visit);
  const about = { provider: provider.id, resource };
  if (!(await useAssertionOnce(visit, "id_jag", claims))) return refuse(invalidGrant("jti_used"), about);
  const admitted = await admitUser(visit, provider, claims.all, "assertion");
  if (!admitted.ok) return refuse(invalidGrant(admitted.error), about);
  const user = admitted.value;
  const servers = offeredServers(visit, { client, user, resource }).map(({ id }) => id);
  if (servers.length === 0) return refuse(invalidGrant("policy_no_server"), { ...about, user });
  const { id, email, email_verified, groups, role } = user;
  const subject = {
    client_id: client.id,
    resource,
    scope: scope.value,
    user: { id, email, email_verified, groups, role, servers },
    grant_id: undefined,
  };
  return issueToken(visit, client, subject, issued_at, provider.id);
}

/** A client whose document says who it is needs no registration; one that registered itself is nobody in particular. */
function mayAssert({ kind, grant_types }: OAuthClient): boolean {
  if (kind === "document") return true;
  return kind === "registered" && grant_types.has(jwtBearer);
}

/** Only of a provider that an administrator trusts for this, which is more than trusting it for sign-in. */
async function verifyIdJag(
  visit: Visit,
  { assertion, issuer }: AssertionRequest,
): Promise<Result<{ provider: StoredProvider; claims: ForeignClaims }, OAuthError>> {
  const database = openDatabase(visit.platform.bindings.DB);
  const provider = await providersRepository(database, visit.tenant.id).byIssuer(issuer);
  if (provider?.enabled !== true || !provider.options.id_jag) return err(invalidGrant("id_jag_issuer"));
  const discovered = await discover(visit, provider.issuer);
  if (!discovered.ok) return err(refusalOf(discovered.error));
  const { signing_algorithms } = provider.options;
  const verified = await verifyForeignJwt(visit, assertion, {
    issuer: provider.issuer,
    audience: visit.tenant.origin,
    keys: { jwks_uri: discovered.value.jwks_uri },
    ...(signing_algorithms === undefined ? {} : { algorithms: signing_algorithms }),
    typ: idJagType,
    life_ms_max: limits.idJagLife_ms_max,
    requires: ["sub", "iat", "jti", "client_id"],
  });
  return verified.ok ? ok({ provider, claims: verified.value }) : err(refusalOf(verified.error));
}

const refusalOf = ({ reason, transient }: JwtFailure): OAuthError =>
  transient ? issuerUnavailable(reason) : invalidGrant(reason);
