export { serverCredentialBinding } from "./bindings.ts";
export { parseKeyRing, type KeyRing } from "./keyring.ts";
export type { Binding } from "./sealed-record.ts";
export { createVault, type Vault } from "./vault.ts";
