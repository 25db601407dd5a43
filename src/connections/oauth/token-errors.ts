/** The errors of token endpoints, by what they mean for what is kept. */
import type { JsonObject } from "../../ports.ts";
import { isTransientStatus } from "../../trust/index.ts";
import type { TokenFailure } from "../types.ts";

/**
 * [kind, reason] of each. `dead` are `invalid_grant` and the words that vendors have for the same; everything that a change of
 * configuration, or time, could mend is not.
 * @see RFC 6749 section 5.2; OpenID Connect Core 1.0 section 3.1.2.6
 */
const known: Readonly<Record<string, readonly [kind: TokenFailure["kind"], reason: string]>> = {
  invalid_grant: ["dead", "invalid_grant"],
  invalid_token: ["dead", "invalid_token"],
  // --- GitHub
  bad_refresh_token: ["dead", "invalid_grant"],
  bad_verification_code: ["dead", "invalid_grant"],
  incorrect_client_credentials: ["wrong", "invalid_client"],
  // --- Slack
  invalid_refresh_token: ["dead", "invalid_grant"],
  token_revoked: ["dead", "invalid_grant"],
  token_expired: ["dead", "invalid_grant"],
  account_inactive: ["dead", "invalid_grant"],
  invalid_code: ["dead", "invalid_grant"],
  code_already_used: ["dead", "invalid_grant"],
  bad_client_secret: ["wrong", "invalid_client"],
  invalid_client_id: ["wrong", "invalid_client"],
  ratelimited: ["passing", "token_rate"],
  // --- Entra, when a person has to prove more
  interaction_required: ["dead", "interaction_required"],
  login_required: ["dead", "interaction_required"],
  consent_required: ["dead", "interaction_required"],
  // --- of everybody
  invalid_client: ["wrong", "invalid_client"],
  unauthorized_client: ["wrong", "unauthorized_client"],
  unsupported_grant_type: ["wrong", "unsupported_grant_type"],
  invalid_scope: ["wrong", "invalid_scope"],
  invalid_target: ["wrong", "invalid_target"],
  invalid_request: ["wrong", "invalid_request"],
  access_denied: ["wrong", "access_denied"],
  temporarily_unavailable: ["passing", "token_unavailable"],
  server_error: ["passing", "token_unavailable"],
  slow_down: ["passing", "token_rate"],
};

/**
 * Also of an answer with status 200, as GitHub and Slack give it. While a host is down or overloaded, what its answer says of the grant
 * is not believed.
 * @returns undefined when the answer is no error
 */
export function errorOf(status: number, members: JsonObject): TokenFailure | undefined {
  const { error } = members;
  if (isTransientStatus(status)) return undefined;
  if (typeof error !== "string" || error === "") return undefined;
  const entry = Object.hasOwn(known, error) ? known[error] : undefined;
  const [kind, reason] = entry ?? (["wrong", "token_refused"] as const);
  return { kind, reason };
}
