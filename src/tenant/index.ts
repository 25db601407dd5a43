export { announceRevocation } from "./announce.ts";
export { parseRequestUrl, resolveTenant, type TenantHost } from "./host.ts";
export { laterRevocation, holderOf, isRevoked, revokeTokens, sweepRevocations, type Revoked } from "./revocations.ts";
export { defaultSettings, settingsSchema, type TenantSettings } from "./settings.ts";
export { settingsStore, type StoredSettings } from "./settings-store.ts";
export type { Client, Snapshot, Token, VerificationKey } from "./snapshot.ts";
export { announceChange, currentSnapshot } from "./store.ts";
export { Tenant } from "./tenant-object.ts";
