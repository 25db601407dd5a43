export {
  providerCredentialBinding,
  refreshSuccessorBinding,
  serverCredentialBinding,
  signingKeyBinding,
} from "./bindings.ts";
export {
  connectionsRepository,
  removeConnections,
  type ConnectionKey,
  type StoredConnection,
  type TokenCredential,
} from "./connections.ts";
export { parseKeyRing, type KeyRing } from "./keyring.ts";
export type { Binding } from "./sealed-record.ts";
export { createVault, type Vault } from "./vault.ts";
