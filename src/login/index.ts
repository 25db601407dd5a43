/** People: how they sign in, who they are, and when that ends. */
export { admitUser, type ClaimsKind } from "./admit.ts";
export { authEvent, type AuthAct } from "./auth-event.ts";
export { handleBackChannelLogout } from "./backchannel-logout.ts";
export { beginSignIn, type ProviderChoice, type SignInBeginning, type SignInWish } from "./begin.ts";
export { completeSignIn, type SignInCompletion } from "./complete.ts";
export { endProvider, setUserEnabled } from "./end-access.ts";
export { signInFailures, type SignInFailure } from "./failures.ts";
export { checkForm, formToken, formTokenField } from "./form.ts";
export type { VerifiedClaims } from "./identity.ts";
export { checkProvider, providerKinds, type ProviderKind } from "./provider-kinds.ts";
export { providerOptionsSchema, type ProviderOptions } from "./provider-options.ts";
export {
  openProviderSecret,
  providersRepository,
  sealProviderSecret,
  type ProviderChanges,
  type StoredProvider,
} from "./providers.ts";
export { openReturn, sealReturn } from "./return-path.ts";
export { roles, type Role } from "./roles.ts";
export { currentSession } from "./current-session.ts";
export type { WebSession } from "./sessions.ts";
export { endSession } from "./sign-out.ts";
export { displayName, usersRepository, type User } from "./users.ts";
export type { Visit } from "./visit.ts";
