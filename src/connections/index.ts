/** Connections: credentials at other systems, how they are got, kept alive and ended. */
export { endings, type EndingsBase } from "./endings.ts";

export { fitOf, fitOfCredential } from "./fit.ts";
export { idpToken } from "./idp.ts";
export { liveCredential } from "./live.ts";
export * from "./linking/index.ts";
export * from "./oauth/index.ts";
export { noteAccepted, registrationGone } from "./remarks.ts";
export { connectionStates, stateOf, type ConnectionState } from "./state.ts";
export { stepUp } from "./step-up.ts";
export {
  credentialTarget,
  openStoredCredential,
  sealStoredCredential,
  storedCredentialsRepository,
  type CredentialChanges,
  type StoredCredential,
} from "./stored-credentials.ts";
export type { Base, Challenge, LiveCredential, Party, TokenFailure, TokenSet } from "./types.ts";
export { leaseLost, type How, type Renew, type RenewedTokens } from "./work.ts";
