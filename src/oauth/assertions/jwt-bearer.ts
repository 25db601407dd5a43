/**
 * The grant by an assertion that somebody else signed: a workload's token, which stands for a client, or an identity provider's word
 * on one of its people.
 * @see RFC 7523 section 2.1
 */
import type { Visit } from "../../login/index.ts";
import type { Result } from "../../ports.ts";
import { peekJwt } from "../../trust/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import type { TokenAnswer } from "../types.ts";
import { idJagGrant, idJagType } from "./id-jag.ts";
import { invalidGrant, refuseUnknown } from "./issue.ts";
import { workloadGrant } from "./workload.ts";

const missing = oauthError("invalid_request", "assertion is missing", "assertion_missing");

/** @param headers of the request: clients that authenticate may do so in them */
export async function jwtBearerGrant(
  visit: Visit,
  headers: Headers,
  parameters: URLSearchParams,
): Promise<Result<TokenAnswer, OAuthError>> {
  const [assertion, another] = parameters.getAll("assertion");
  if (assertion === undefined || another !== undefined) return refuseUnknown(visit, missing);
  const peeked = peekJwt(assertion);
  if (peeked?.issuer === undefined) return refuseUnknown(visit, invalidGrant("assertion_malformed"));
  const asked = { headers, parameters, assertion, issuer: peeked.issuer };
  return peeked.typ === idJagType ? idJagGrant(visit, asked) : workloadGrant(visit, asked, peeked.unverified);
}
