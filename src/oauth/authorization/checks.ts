/**
 * What is asked of an authorization request once it is sure where its answer may go: then each defect is told to the client. Pure; one
 * function for each check, and the table in which they run.
 * @see OAuth 2.1 section 4.1, RFC 7636, RFC 8707, RFC 9207
 */
import { limits } from "../../limits.ts";
import { parseResource, resourceOf } from "../resource.ts";
import { requiredScope } from "../tokens/access-claims.ts";
import type { AuthorizationRequest, OAuthClient } from "../types.ts";

export interface Asked {
  readonly parameters: URLSearchParams;
  readonly client: OAuthClient;
  /** Of the tenant. */
  readonly origin: string;
}

export type AuthorizationErrorCode =
  | "invalid_request"
  | "unauthorized_client"
  | "unsupported_response_type"
  | "invalid_scope"
  | "invalid_target"
  | "request_not_supported"
  | "request_uri_not_supported";

export interface AuthorizationRefusal {
  readonly error: AuthorizationErrorCode;
  /** Public: goes to the client. */
  readonly description: string;
}

/** Read by this server. Others may be there once or often: they mean nothing here. */
const known = [
  "response_type",
  "response_mode",
  "client_id",
  "redirect_uri",
  "state",
  "scope",
  "code_challenge",
  "code_challenge_method",
  "resource",
  "prompt",
  "max_age",
  "nonce",
];
/** RFC 8707 section 2 lets it repeat; how many are taken is the check of the resource. */
const once = known.filter((name) => name !== "resource");

/** base64url of a SHA-256. @see RFC 7636 section 4.2 */
const s256 = /^[A-Za-z0-9_-]{43}$/;
/** @see RFC 6749 section 3.3 */
const scopeTokens = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const prompts: ReadonlySet<string> = new Set(["none", "login", "consent", "select_account"]);
const seconds = /^[0-9]{1,9}$/;

type Broken = (asked: Asked) => boolean;

const isRepeated: Broken = ({ parameters }) => once.some((name) => parameters.getAll(name).length > 1);
const isLong: Broken = ({ parameters }) =>
  known.some((name) => name !== "scope" && (parameters.get(name)?.length ?? 0) > limits.authorizationParameter_chars);
const isStateLong: Broken = ({ parameters }) => (parameters.get("state")?.length ?? 0) > limits.state_chars;
const hasRequest: Broken = ({ parameters }) => parameters.has("request");
const hasRequestUri: Broken = ({ parameters }) => parameters.has("request_uri");
const hasNoResponseType: Broken = ({ parameters }) => (parameters.get("response_type") ?? "") === "";
const isOtherResponseType: Broken = ({ parameters }) => parameters.get("response_type") !== "code";
const isOtherResponseMode: Broken = ({ parameters }) => (parameters.get("response_mode") ?? "query") !== "query";
const mayNotAsk: Broken = ({ client }) => !client.grant_types.has("authorization_code");
const hasNoChallenge: Broken = ({ parameters }) => (parameters.get("code_challenge") ?? "") === "";
const isOtherMethod: Broken = ({ parameters }) => parameters.get("code_challenge_method") !== "S256";
const isNoChallenge: Broken = ({ parameters }) => !s256.test(parameters.get("code_challenge") ?? "");
const hasManyResources: Broken = ({ parameters }) => parameters.getAll("resource").length > 1;
const isNoResource: Broken = ({ parameters, origin }) => {
  const resource = parameters.get("resource");
  return resource !== null && parseResource(origin, resource) === undefined;
};
const isNoScope: Broken = ({ parameters }) => {
  const scope = parameters.get("scope") ?? "";
  return scope.length > limits.authorizationParameter_chars || !scopeTokens.test(scope);
};
const isNoPrompt: Broken = ({ parameters }) => {
  const values = promptsOf(parameters);
  return values.some((value) => !prompts.has(value)) || (values.includes("none") && values.length > 1);
};
const isNoAge: Broken = ({ parameters }) => {
  const max_age = parameters.get("max_age");
  return max_age !== null && !seconds.test(max_age);
};

/** In this order: the first that is broken is the answer. */
// prettier-ignore
const checks: readonly (readonly [Broken, AuthorizationErrorCode, string])[] = [
  [isRepeated,          "invalid_request",           "A parameter is there more than once"],
  [isLong,              "invalid_request",           "A parameter is too long"],
  [isStateLong,         "invalid_request",           "state is too long"],
  [hasRequest,          "request_not_supported",     "request is not supported: send the parameters themselves"],
  [hasRequestUri,       "request_uri_not_supported", "request_uri is not supported: send the parameters themselves"],
  [hasNoResponseType,   "invalid_request",           "response_type is missing: send code"],
  [isOtherResponseType, "unsupported_response_type", "response_type must be code"],
  [isOtherResponseMode, "invalid_request",           "response_mode must be query"],
  [mayNotAsk,           "unauthorized_client",       "This client is not registered for authorization_code"],
  [hasNoChallenge,      "invalid_request",           "code_challenge is missing: PKCE is required"],
  [isOtherMethod,       "invalid_request",           "code_challenge_method must be S256"],
  [isNoChallenge,       "invalid_request",           "code_challenge must be the base64url of a SHA-256, 43 characters"],
  [hasManyResources,    "invalid_target",            "There may be one resource only"],
  [isNoResource,        "invalid_target",            "resource must be the URL of an MCP endpoint of this server"],
  [isNoScope,           "invalid_scope",             "scope is not a list of scopes"],
  [isNoPrompt,          "invalid_request",           "prompt must be none, login or consent"],
  [isNoAge,             "invalid_request",           "max_age must be a number of seconds"],
];

/** @returns the first defect, or undefined */
export function refusalOf(asked: Asked): AuthorizationRefusal | undefined {
  const broken = checks.find(([isBroken]) => isBroken(asked));
  return broken === undefined ? undefined : { error: broken[1], description: broken[2] };
}

const promptsOf = (parameters: URLSearchParams): string[] =>
  (parameters.get("prompt") ?? "").split(" ").filter((value) => value !== "");

/**
 * A sign-in that is asked for anew asks for consent as well, unless that is remembered. Clients of the SDK send `consent` with
 * `offline_access` by rote, each time: there it means no more than that somebody has agreed, and a remembered answer holds.
 * @see OpenID Connect Core 1.0 section 11
 */
function promptOf(parameters: URLSearchParams): AuthorizationRequest["prompt"] {
  const values = promptsOf(parameters);
  if (values.includes("none")) return "none";
  if (values.includes("login") || values.includes("select_account")) return "login";
  const isByRote = (parameters.get("scope") ?? "").split(" ").includes("offline_access");
  return values.includes("consent") && !isByRote ? "consent" : undefined;
}

/**
 * The request of parameters that passed. There is one scope; others, those of OpenID among them, are dropped, and the token answer says
 * what is granted (RFC 6749 section 3.3).
 * @param redirect_uri registered and trusted
 */
export function requestOf(
  { parameters, client, origin }: Asked,
  redirect_uri: string,
  id: string,
  now: number,
): AuthorizationRequest {
  const max_age = parameters.get("max_age");
  return {
    id,
    client_id: client.id,
    redirect_uri,
    state: parameters.get("state") ?? undefined,
    scope: requiredScope,
    resource: parameters.get("resource") ?? resourceOf(origin),
    code_challenge: parameters.get("code_challenge") ?? "",
    prompt: promptOf(parameters),
    max_age: max_age === null ? undefined : Number(max_age),
    requested_at: now,
  };
}

/** The state to answer with: not one that is ambiguous, nor one that is too long to be honest. */
export function echoedState(parameters: URLSearchParams): string | undefined {
  const states = parameters.getAll("state");
  const [state] = states;
  return states.length === 1 && state !== undefined && state.length <= limits.state_chars ? state : undefined;
}
