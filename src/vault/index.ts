export {
  connectionBinding,
  linkAttemptBinding,
  providerCredentialBinding,
  refreshSuccessorBinding,
  serverCredentialBinding,
  serverHeaderSecretsBinding,
  signingKeyBinding,
  storedCredentialBinding,
  upstreamClientBinding,
} from "./bindings.ts";
export { Connection } from "./connections/connection-object.ts";
export type { Claimed, ConnectionClaim, Outcome } from "./connections/connection-state.ts";
export { connectionEndings, type EndingConnection } from "./connections/endings.ts";
export { askConnection } from "./connections/objects.ts";
export { endConnectionsOf, type SealedConnection } from "./connections/rows.ts";
export type { Renewed } from "./connections/changing.ts";
export type { Put } from "./connections/putting.ts";
export { connectionStore, type ConnectionStore } from "./connections/store.ts";
export type { ConnectionStoreBase } from "./connections/store-base.ts";
export {
  type ConnectionFacts,
  type ConnectionKey,
  type HeldCredential,
  type NewConnection,
  type StoredConnection,
  type Tokens,
} from "./connections/types.ts";
export { parseKeyRing, type KeyRing } from "./keyring.ts";
export { rewrap } from "./rewrap.ts";
export { rotationProgress, type RotationProgress } from "./rotation.ts";
export type { Binding } from "./sealed-record.ts";
export { createVault, type Vault } from "./vault.ts";
