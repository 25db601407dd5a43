export { admitAdministrator, admitClient, stillAdmitted } from "./admit.ts";
export type { Door } from "./access-token.ts";
export { clientsRepository, type ClientChanges, type StoredClient } from "./clients.ts";
export { withChallenge } from "./challenge.ts";
export { guestOf, mayUseOrganisation } from "./guest.ts";
export { sessionNameOf } from "./holder.ts";
export { holdsOwnToken, ownIssuers } from "./own-token.ts";
export { ruleOf, type PassthroughDoor } from "./passthrough.ts";
export { renewSnapshot } from "./renew.ts";
export type { Passthrough, Principal } from "./principal.ts";
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
