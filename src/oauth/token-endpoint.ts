/**
 * The token endpoint.
 * @see RFC 6749 section 3.2, OAuth 2.1 section 3.2
 */
import { isDatabaseFailure } from "../db/index.ts";
import type { Visit } from "../login/index.ts";
import { err, type Result } from "../ports.ts";
import { clientCredentialsGrant, jwtBearerGrant } from "./assertions/index.ts";
import { authenticateClient } from "./clients/index.ts";
import { unavailable } from "./grants/answer-grant.ts";
import { redeemCode } from "./grants/redeem-code.ts";
import { refreshGrant } from "./grants/refresh.ts";
import { oauthError, toOAuthResponse, uncached, type OAuthError } from "./oauth-error.ts";
import { readForm, refuseMethod } from "./tokens/form.ts";
import type { GrantType, OAuthClient, TokenAnswer } from "./types.ts";

type Answer = Promise<Result<TokenAnswer, OAuthError>>;
type ByClient = (visit: Visit, client: OAuthClient, parameters: URLSearchParams) => Answer;

/** What an authenticated client may ask for. The JWT bearer grant is apart: its assertion may be all the authentication. */
const byClient = {
  authorization_code: redeemCode,
  refresh_token: refreshGrant,
  client_credentials: clientCredentialsGrant,
} satisfies Partial<Record<GrantType, ByClient>>;

const isByClient = (type: string): type is keyof typeof byClient => Object.hasOwn(byClient, type);

export async function handleToken(visit: Visit, request: Request): Promise<Response> {
  const unfit = refuseMethod(request);
  if (unfit !== undefined) return unfit;
  const answered = await withDatabase(() => answerToken(visit, request));
  if (!answered.ok) return toOAuthResponse(answered.error);
  return Response.json(answered.value, { headers: uncached });
}

/** A database that does not answer is told from a bug: clients come again. */
export async function withDatabase<T>(work: () => Promise<Result<T, OAuthError>>): Promise<Result<T, OAuthError>> {
  try {
    return await work();
  } catch (cause) {
    if (!isDatabaseFailure(cause)) throw cause;
    return err(unavailable("database"));
  }
}

async function answerToken(visit: Visit, request: Request): Answer {
  const form = await readForm(visit, request);
  if (!form.ok) return form;
  const parameters = form.value;
  const type = parameters.get("grant_type");
  if (type === null) return err(oauthError("invalid_request", "grant_type is missing", "parameter_missing"));
  if (type === "urn:ietf:params:oauth:grant-type:jwt-bearer") return jwtBearerGrant(visit, request.headers, parameters);
  if (!isByClient(type)) {
    return err(oauthError("unsupported_grant_type", "This grant type is not known here", "grant_type_unknown"));
  }
  const client = await authenticateClient(visit, request.headers, parameters);
  if (!client.ok) return client;
  if (!client.value.grant_types.has(type)) {
    return err(oauthError("unauthorized_client", "This client may not use this grant type", "grant_type_not_allowed"));
  }
  return byClient[type](visit, client.value, parameters);
}
