/** How people connect accounts and keys of their own. */
export { accountNameSchema, defaultAccount } from "./account-name.ts";
export {
  accountsOf,
  connectionsOf,
  factsOf,
  readiness,
  type Account,
  type PersonConnections,
  type TargetAccounts,
} from "./accounts.ts";
export { beginLink, linkedTarget, providerOf, type Begun, type Provider } from "./begin.ts";
export { completeLink, type Completed } from "./complete.ts";
export { mintLink, openLink, ownLink, type Link, type NewLink } from "./link.ts";
export { targetName, type Orphan } from "./orphans.ts";
export { pasteCredential, type CheckServer, type PastedFields } from "./paste.ts";
export { reachableServers, type Person } from "./reachable.ts";
export { type LinkRefusal, type LinkRefusalReason } from "./refusals.ts";
export { findTarget, serverName, targetsOfServer, type LinkKind, type LinkTarget } from "./targets.ts";
export { makeDefault, ownConnection, unlink } from "./unlink.ts";
