/** What a token is asked for. */
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import { parseResource, resourceOf } from "../resource.ts";
import { requiredScope } from "../tokens/access-claims.ts";

/** @see RFC 6749 section 3.3 */
const scopeTokens = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/**
 * The one resource that is asked for, one of ours.
 * @returns undefined where none is named
 * @see RFC 8707 section 2
 */
export function readResource({ tenant }: Visit, parameters: URLSearchParams): Result<string | undefined, OAuthError> {
  const [resource, another] = parameters.getAll("resource");
  if (resource === undefined) return ok(undefined);
  if (another !== undefined)
    return err(oauthError("invalid_target", "Ask for one resource at a time", "resource_many"));
  if (parseResource(tenant.origin, resource) !== undefined) return ok(resource);
  return err(oauthError("invalid_target", "The resource is not one of this server", "resource_unknown"));
}

/** Where nothing is named: the endpoint of all servers. */
export const defaultResource = ({ tenant }: Visit): string => resourceOf(tenant.origin);

/** There is one scope; others are dropped, and the answer says what is granted. */
export function readScope(parameters: URLSearchParams): Result<string, OAuthError> {
  const scope = (parameters.get("scope") ?? "").trim();
  if (scope.length <= limits.authorizationParameter_chars && (scope === "" || scopeTokens.test(scope))) {
    return ok(requiredScope);
  }
  return err(oauthError("invalid_scope", "scope is not a list of scopes", "scope_malformed"));
}
