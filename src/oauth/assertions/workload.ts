/**
 * Workload identity: a token that a CI system or a cluster gave to what runs there stands for a registered client, without a secret.
 * It may be presented for as long as it lives: a cluster gives a job one for an hour, and what it gets here lives ten minutes.
 * @see RFC 7523 section 2.1; MCP extension "Workload Identity Federation"
 */
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { ok, type JsonObject, type Result } from "../../ports.ts";
import { discover, verifyForeignJwt, type ForeignClaims, type JwtFailure } from "../../trust/index.ts";
import { authenticateClient, findClient } from "../clients/index.ts";
import type { OAuthError } from "../oauth-error.ts";
import { ourNames } from "../our-names.ts";
import type { TokenAnswer, Workload } from "../types.ts";
import { jwtBearer, presentsCredentials, type AssertionRequest } from "./asked.ts";
import { heldOff, refuseAssertion } from "./hold-off.ts";
import { invalidGrant, issuerUnavailable, notRegistered, refuseToken, refuseUnknown } from "./issue.ts";
import { issueMachineToken } from "./machine-token.ts";
import { findWorkloadClient } from "./workload-clients.ts";

/** @param unverified claims of the assertion */
export async function workloadGrant(
  visit: Visit,
  asked: AssertionRequest,
  unverified: JsonObject,
): Promise<Result<TokenAnswer, OAuthError>> {
  const issued_at = visit.platform.ports.clock.now();
  const { parameters, assertion, issuer } = asked;
  const isNobody = !presentsCredentials(asked);
  const refuse = (error: OAuthError): Promise<Result<never, OAuthError>> | Result<never, OAuthError> =>
    isNobody ? refuseAssertion(visit, issuer, error) : refuseUnknown(visit, error);
  const held = isNobody ? await heldOff(visit, issuer) : undefined;
  if (held !== undefined) return refuseUnknown(visit, held);
  const named = await namedClient(visit, asked);
  if (!named.ok) return named;
  const match = await findWorkloadClient(visit, issuer, unverified, named.value);
  if (!match.ok) return refuse(invalidGrant(match.error));
  const { client_id, workload } = match.value;
  const verified = await verifyWorkload(visit, assertion, workload);
  if (!verified.ok) {
    const { reason, transient } = verified.error;
    return refuse(transient ? issuerUnavailable(reason) : invalidGrant(reason));
  }
  const found = await findClient(visit, client_id);
  if (!found.ok) return refuse(invalidGrant("client_unknown"));
  const client = found.value;
  if (!client.grant_types.has(jwtBearer)) return refuseToken(visit, client, notRegistered);
  return issueMachineToken(visit, client, parameters, issued_at);
}

/** The client of the request: the one that authenticates, or the one that is named, or none. */
async function namedClient(visit: Visit, asked: AssertionRequest): Promise<Result<string | undefined, OAuthError>> {
  const { headers, parameters } = asked;
  if (!presentsCredentials(asked)) return ok(parameters.get("client_id") ?? undefined);
  const client = await authenticateClient(visit, headers, parameters);
  return client.ok ? ok(client.value.id) : client;
}

async function verifyWorkload(
  visit: Visit,
  assertion: string,
  { issuer, jwks_uri, audience }: Workload,
): Promise<Result<ForeignClaims, JwtFailure>> {
  const keys = jwks_uri === undefined ? await discover(visit, issuer) : ok({ jwks_uri });
  if (!keys.ok) return keys;
  return verifyForeignJwt(visit, assertion, {
    issuer,
    audience: audience ?? ourNames(visit.tenant),
    keys: { jwks_uri: keys.value.jwks_uri },
    life_ms_max: limits.workloadLife_ms_max,
    requires: ["sub"],
  });
}
