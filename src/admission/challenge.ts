/** The 401 that tells a client where to find out how to get a token, and the 403 that tells it which scope to ask for. */
import { failure, type ErrorCode, type Failure } from "../errors.ts";
import { requiredScope } from "../oauth/index.ts";

/** Where the metadata of an MCP endpoint is: RFC 9728 section 3.1 puts the well-known part before the path. */
export function metadataUrl(origin: string, path: string): string {
  return `${origin}/.well-known/oauth-protected-resource${path}`;
}

/** Admission fails for lack of scope, or because the credential is missing or not good. @see RFC 6750 section 3.1 */
const errors: ReadonlyMap<ErrorCode, string | undefined> = new Map([
  ["unauthenticated", undefined],
  ["invalid_token", "invalid_token"],
  ["forbidden", "insufficient_scope"],
]);

/**
 * The challenge for what is not a token of ours: where ours come from would lead its sender astray. It has no `error` where nothing
 * was sent.
 */
export const foreignChallenge = (error?: "invalid_token"): Readonly<Record<string, string>> => ({
  "www-authenticate": error === undefined ? "Bearer" : `Bearer error="${error}"`,
});

/**
 * Adds the challenge to a failed admission that has none of its own. It is the same for every well-formed server name, so it tells nothing about
 * which servers exist.
 * @param path of the MCP endpoint, `/mcp` or `/mcp/{slug}`
 * @see RFC 9728 section 5.1, RFC 6750 section 3: no `error` when no credential was sent
 */
export function withChallenge(failed: Failure, origin: string, path: string): Failure {
  const isAnswered = !errors.has(failed.code) || failed.headers?.["www-authenticate"] !== undefined;
  if (isAnswered) return failed;
  const error = errors.get(failed.code);
  const challenge =
    `Bearer resource_metadata="${metadataUrl(origin, path)}", scope="${requiredScope}"` +
    (error === undefined ? "" : `, error="${error}"`);
  return failure(failed.code, failed.detail, {
    ...(failed.reason === undefined ? {} : { reason: failed.reason }),
    headers: { ...failed.headers, "www-authenticate": challenge },
  });
}
