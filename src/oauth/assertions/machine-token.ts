/** A token for a client itself, whichever way it proved who it is. */
import type { Visit } from "../../login/index.ts";
import type { Result } from "../../ports.ts";
import type { OAuthError } from "../oauth-error.ts";
import type { OAuthClient, TokenAnswer } from "../types.ts";
import { issueToken, refuseToken } from "./issue.ts";
import { defaultResource, readResource, readScope } from "./target.ts";

/**
 * @param client may use the grant type
 * @param issued_at before anything was read that the token rests on
 */
export async function issueMachineToken(
  visit: Visit,
  client: OAuthClient,
  parameters: URLSearchParams,
  issued_at: number,
): Promise<Result<TokenAnswer, OAuthError>> {
  const resource = readResource(visit, parameters);
  if (!resource.ok) return refuseToken(visit, client, resource.error);
  const scope = readScope(parameters);
  if (!scope.ok) return refuseToken(visit, client, scope.error);
  const subject = {
    client_id: client.id,
    resource: resource.value ?? defaultResource(visit),
    scope: scope.value,
    user: undefined,
    grant_id: undefined,
  };
  return issueToken(visit, client, subject, issued_at);
}
