/** Failures of the token, revocation and registration endpoints, and the one way they are answered. */

const status = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  access_denied: 403,
  slow_down: 429,
  temporarily_unavailable: 503,
  server_error: 500,
} as const;

export type OAuthErrorCode = keyof typeof status;

/** `description` is public and says what to do; `reason` is stable, for log and events only. */
export interface OAuthError {
  readonly error: OAuthErrorCode;
  readonly description: string;
  readonly reason: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function oauthError(
  error: OAuthErrorCode,
  description: string,
  reason: string,
  headers?: Readonly<Record<string, string>>,
): OAuthError {
  return { error, description, reason, ...(headers === undefined ? {} : { headers }) };
}

/** RFC 6749 section 5.1: nothing of the token endpoint is cached, whatever it says. */
export const uncached = {
  "cache-control": "no-store",
  pragma: "no-cache",
  "x-content-type-options": "nosniff",
} as const;

/** @see RFC 6749 section 5.2, RFC 7591 section 3.2.2 */
export function toOAuthResponse({ error, description, headers }: OAuthError): Response {
  // The characters that section 5.2 allows in a description.
  const error_description = description.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'");
  return Response.json({ error, error_description }, { status: status[error], headers: { ...uncached, ...headers } });
}
