/**
 * A client that acts for itself.
 * @see RFC 6749 section 4.4; MCP extension "OAuth Client Credentials"
 */
import type { Visit } from "../../login/index.ts";
import type { Result } from "../../ports.ts";
import type { OAuthError } from "../oauth-error.ts";
import type { OAuthClient, TokenAnswer } from "../types.ts";
import { isProven, notRegistered, refuseToken, refuseUnknown } from "./issue.ts";
import { issueMachineToken } from "./machine-token.ts";

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
  return issueMachineToken(visit, client, parameters, issued_at);
}
