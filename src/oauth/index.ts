/** The authorization server for AI clients. */
export {
  agentsRepository,
  noteAgent,
  noteBlocked,
  sumUses,
  type Agent,
  type AgentPosition,
  type AgentUse,
} from "./agents/index.ts";
export * from "./assertions/index.ts";
export * from "./authorization/index.ts";
export * from "./clients/index.ts";
export { approve, decline, rememberedConsent, type Approved } from "./consent/approve.ts";
export { offeredServers } from "./consent/offered.ts";
export { Grant } from "./grants/grant-object.ts";
export { grantsRepository, type GrantFilter, type StoredGrant } from "./grants/grant-rows.ts";
export { revokeGrants, type GrantSelection } from "./grants/revoke-grants.ts";
export { setGrantServers } from "./grants/set-servers.ts";
export { sweepGrants } from "./grants/sweep.ts";
export { jwksDocument, keepSigningKeys } from "./keys/signing-key.ts";
export { authorizationServerMetadata, protectedResourceMetadata } from "./metadata.ts";
export * from "./oauth-error.ts";
export * from "./redirects/index.ts";
export { handleRegister } from "./register-endpoint.ts";
export { parseResource, resourceOf } from "./resource.ts";
export { handleRevoke } from "./revoke-endpoint.ts";
export { stopReasons, type StopReason } from "./stop.ts";
export { handleToken } from "./token-endpoint.ts";
export { requiredScope, type AccessClaims } from "./tokens/access-claims.ts";
export { signCallerAssertion, type CallerAssertion } from "./tokens/caller-assertion.ts";
export { mintAccessToken } from "./tokens/mint.ts";
export { isTakenClient } from "./tokens/taken-client.ts";
export { isStanding, verifyAccessToken, type TokenRefusal } from "./tokens/verify.ts";
export type * from "./types.ts";
