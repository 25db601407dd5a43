/** Gatehouse as OAuth client of the authorization servers of upstreams. */
export { authorizationUrl, type Asked } from "./authorization-url.ts";
export { parseChallenge } from "./challenge.ts";
export { configuredCallback, mixedUpWith } from "./callbacks.ts";
export { clientDocument } from "./client-document.ts";
export { isAboutServer } from "./failures.ts";
export { headerParty } from "./header-party.ts";
export { knownParty, type Held } from "./known-party.ts";
export { resolveParty, serviceParty } from "./resolve-party.ts";
export { revoke } from "./revoke.ts";
export { scopesFor } from "./scopes.ts";
export {
  clientCredentials,
  exchange,
  redeem,
  refresh,
  type AuthorizationAnswer,
  type Exchange,
} from "./token-requests.ts";
