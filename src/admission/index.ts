export { admitAdministrator, admitClient, stillAdmitted } from "./admit.ts";
export type { Door } from "./access-token.ts";
export { clientsRepository, type ClientChanges, type StoredClient } from "./clients.ts";
export { withChallenge } from "./challenge.ts";
export { renewSnapshot } from "./renew.ts";
export type { Principal } from "./principal.ts";
export {
  administrators,
  initialiseTenant,
  isLive,
  mintToken,
  tokensRepository,
  undoInitialisation,
  type MintedToken,
  type NewToken,
  type StoredToken,
  type TokenKind,
  type TokenOwner,
} from "./tokens.ts";
