/** What no schema of one member can see: whether the members of a server's configuration fit each other. */
import type { Failure } from "../errors.ts";
import {
  canonicalHeader,
  headersSet,
  inboundHeadersProblem,
  isPersonal,
  type Authentication,
} from "../registry/index.ts";
import { checkCredential } from "./server-credential-checks.ts";
import { checkHeaderSecrets } from "./server-header-checks.ts";
import type { ServerWish } from "./server-wish.ts";
import { invalidField } from "./validation.ts";

/** @returns undefined when it is fulfilled */
type Check = (wish: ServerWish) => Failure | undefined;

// prettier-ignore
const checks: readonly Check[] = [
  checkPassthrough,
  checkPeople,
  checkUsername,
  checkOAuth,
  checkClientCredentials,
  checkHeaderNames,
  checkCredential,
  checkHeaderSecrets,
  checkInboundHeaders,
];

export function checkFit(wish: ServerWish): Failure | undefined {
  for (const check of checks) {
    const misfit = check(wish);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

function checkPassthrough({ authentication, agent_authentication }: ServerWish): Failure | undefined {
  if (authentication.type !== "passthrough" || agent_authentication.type === "passthrough") return undefined;
  return invalidField(
    "authentication.type",
    "passthrough sends the caller's own credential, which only agent_authentication passthrough lets in: set that as well",
  );
}

/** Machine clients call for nobody, so what belongs to a person could never be had for them. */
function checkPeople({ authentication, outbound_headers, agent_authentication }: ServerWish): Failure | undefined {
  if (agent_authentication.type !== "machine") return undefined;
  const nobody = "needs a person, and agent_authentication machine takes none: choose any or interactive there";
  if (isPersonal(authentication)) {
    return invalidField(authentication.type === "oauth" ? "authentication.type" : "authentication.holder", nobody);
  }
  const at = outbound_headers.findIndex(({ source }) => personalSources.has(source));
  return at < 0 ? undefined : invalidField(`outbound_headers.${at}.source`, nobody);
}

const personalSources: ReadonlySet<string> = new Set(["caller_token", "on_behalf_of", "caller_identity"]);

function checkUsername({ authentication }: ServerWish): Failure | undefined {
  if (authentication.type !== "basic" || authentication.holder === "user") return undefined;
  if (authentication.username !== undefined) return undefined;
  return invalidField("authentication.username", "is needed where the organisation has one credential for everybody");
}

/** What Gatehouse sets itself in an authorization request (RFC 6749, 7636, 8707, 9101, OpenID Connect Core). */
const ownParameters: ReadonlySet<string> = new Set([
  "client_id",
  "client_secret",
  "code_challenge",
  "code_challenge_method",
  "redirect_uri",
  "request",
  "request_uri",
  "resource",
  "response_mode",
  "response_type",
  "scope",
  "state",
]);

function checkOAuth({ authentication }: ServerWish): Failure | undefined {
  if (authentication.type !== "oauth") return undefined;
  const { endpoints, client_id, client_authentication, shared_callback, parameters = {} } = authentication;
  const byHand = "is needed: only a client that was registered by hand";
  if (client_id === undefined && endpoints !== undefined) {
    return invalidField("authentication.client_id", `${byHand} can be used with endpoints`);
  }
  if (client_id === undefined && client_authentication !== undefined) {
    return invalidField("authentication.client_id", `${byHand} can have a client_authentication`);
  }
  if (client_id === undefined && shared_callback === true) {
    return invalidField("authentication.client_id", `${byHand} can be shared by servers`);
  }
  const own = Object.keys(parameters).find((name) => ownParameters.has(name));
  return own === undefined ? undefined : invalidField(`authentication.parameters.${own}`, "is set by Gatehouse");
}

function checkClientCredentials({ authentication }: ServerWish): Failure | undefined {
  if (authentication.type !== "client_credentials") return undefined;
  if (authentication.issuer === undefined || authentication.token_endpoint === undefined) return undefined;
  return invalidField("authentication.token_endpoint", "give issuer or token_endpoint, not both");
}

/** HD-06: of two values for one header, servers take this or that one. */
function checkHeaderNames(wish: ServerWish): Failure | undefined {
  const { authentication, outbound_headers } = wish;
  const own = headersSet({ authentication, outbound_headers: [] });
  if (new Set(own).size !== own.length) return invalidField("authentication.headers", "names a header twice");
  const taken = new Set([...own, ...passedOn(authentication)]);
  for (const [at, { name }] of outbound_headers.entries()) {
    const canonical = canonicalHeader(name);
    if (taken.has(canonical)) {
      return invalidField(`outbound_headers.${at}.name`, "is set already, by authentication or another header");
    }
    taken.add(canonical);
  }
  return undefined;
}

const passedOn = ({ type }: Authentication): readonly string[] => (type === "passthrough" ? ["authorization"] : []);

function checkInboundHeaders({ inbound_headers }: ServerWish): Failure | undefined {
  const problem = inboundHeadersProblem(inbound_headers);
  return problem === undefined ? undefined : invalidField("inbound_headers.forward", problem);
}
