/**
 * A client that acts for itself.
 * @see RFC 6749 section 4.4; MCP extension "OAuth Client Credentials"
 */
import type { Visit } from "../../login/index.ts";
import type { Result } from "../../ports.ts";
import type { OAuthError } from "../oauth-error.ts";
import type { OAuthClient, TokenAnswer } from "../types.ts";
import { isProven, issueToken, notRegistered, refuseToken, refuseUnknown } from "./issue.ts";
import { defaultResource, readResource, readScope } from "./target.ts";

/** @param client authenticated */
export async function clientCredentialsGrant(
  visit: Visit,
  client: OAuthClient,
  parameters: URLSearchParams,
): Promise<Result<TokenAnswer, OAuthError>> {
  const issued_at = visit.platform.ports.clock.now();
  // Who proved nothing would get a machine's rights for naming it.
  if (!isProven(client)) return refuseUnknown(visit, notRegistered);
  if (client.kind !== "registered" || !client.grant_types.has("client_credentials")) {
    return refuseToken(visit, client, notRegistered);
  }
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
