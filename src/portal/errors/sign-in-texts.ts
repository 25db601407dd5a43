/** One text for each reason for which a sign-in does not succeed. What the identity provider wrote is never shown. */
import type { SignInFailure } from "../../login/index.ts";
import type { ErrorText } from "./error-page.tsx";

const again = "Try to sign in again.";

/** The defects of an answer that must not be told apart by who sent it. */
const notFromUs: ErrorText = {
  title: "This sign-in did not start in this browser",
  what: "The answer of the identity provider does not belong to a sign-in that was started here, so it was not used.",
  you: "Start again from here, and finish within ten minutes. If a link in a message brought you to this page, close it.",
};

const badAnswer: ErrorText = {
  title: "The identity provider’s answer could not be used",
  what: "The answer did not pass a check that protects your account. Nobody was signed in.",
  you: `${again} If it stays this way, tell your administrator.`,
  administrator:
    "Look for the reference below in the log, and compare issuer and client id with the provider’s own settings.",
};

const misconfigured: ErrorText = {
  title: "Sign-in is not set up correctly",
  what: "The identity provider did not accept what Gatehouse sent, or its own settings cannot be used.",
  you: "Tell your administrator.",
  administrator: "Check issuer, client id, client secret and redirect URL of the identity provider in the settings.",
};

const notAdmitted: ErrorText = {
  title: "Your account may not sign in here",
  what: "You are known to the identity provider, but this Gatehouse does not admit your account.",
  you: "Use another account, or ask your administrator for access.",
  administrator:
    "Look at the role rules and e-mail domains of the identity provider: one of its groups must be given a role.",
};

export const signInTexts: Readonly<Record<SignInFailure, ErrorText>> = {
  no_provider: {
    title: "Nobody can sign in yet",
    what: "No identity provider is set up for this Gatehouse.",
    you: "Ask your administrator to set one up.",
    administrator:
      "Add one with POST /api/v1/identity-providers: its issuer, client id and client secret. The documentation has a guide for each kind.",
  },
  provider_unavailable: {
    title: "This way to sign in is not available",
    what: "The identity provider is not set up here, or it was switched off.",
    you: "Start again and choose another one, if there is one.",
    administrator: "Enable the identity provider in the settings, if people may use it.",
  },
  provider_unreachable: {
    title: "The identity provider does not answer",
    what: "Gatehouse could not reach the identity provider of your organisation.",
    you: "Try again in a minute.",
    administrator:
      "Open the provider’s issuer with /.well-known/openid-configuration behind it, and see whether it answers.",
  },
  provider_misconfigured: misconfigured,
  token_endpoint_changed: {
    ...misconfigured,
    what: "The identity provider’s token endpoint has moved to another host. The client secret is not sent there before an administrator agrees.",
    administrator: "If the provider really moved, save its client secret again in the settings.",
  },
  too_many_sign_ins: {
    title: "Too many sign-ins",
    what: "There were too many attempts to sign in from your network in a short time.",
    you: "Wait a few minutes and try again.",
  },
  issuer_not_told: {
    ...misconfigured,
    what: "Several identity providers are set up here, and their answers could be taken for one another. Nobody is sent to them before that is mended.",
    administrator:
      "Set options.own_callback of all of these providers but one, and register the redirect URI that the answer names at each of them.",
  },
  return_too_long: {
    title: "This request is too long",
    what: "The application sent more than Gatehouse can keep while you sign in. You would not have found back to it.",
    you: "Sign in from the start page first, then go back to the application and connect again.",
    administrator: "Tell the maker of the application: its redirect URL and state together are too long.",
  },
  state_missing: notFromUs,
  state_unknown: notFromUs,
  state_expired: {
    title: "This sign-in took too long",
    what: "For your safety, a sign-in must be finished within ten minutes.",
    you: again,
  },
  state_used: {
    title: "This sign-in was finished already",
    what: "Each answer of the identity provider can be used once.",
    you: "If you are not signed in, start again.",
  },
  other_browser: notFromUs,
  response_invalid: badAnswer,
  issuer_missing: badAnswer,
  issuer_mismatch: badAnswer,
  access_denied: {
    title: "The identity provider did not let you in",
    what: "The sign-in was cancelled, or your account may not use this application at the identity provider.",
    you: "Try again. If it stays this way, ask your administrator.",
    administrator: "Assign the person, or one of their groups, to the Gatehouse application at the identity provider.",
  },
  login_required: {
    title: "You need to sign in",
    what: "The identity provider does not know you in this browser any more.",
    you: again,
  },
  provider_error: {
    title: "The identity provider reports an error",
    what: "The identity provider could not finish the sign-in.",
    you: "Try again in a minute. If it stays this way, tell your administrator.",
    administrator: "Look at the sign-in log of the identity provider, and for the reference below in ours.",
  },
  client_refused: misconfigured,
  code_refused: {
    title: "The sign-in could not be finished",
    what: "The identity provider did not accept its own code any more. This happens when a page is loaded twice.",
    you: again,
  },
  id_token_invalid: badAnswer,
  nonce_mismatch: badAnswer,
  authentication_too_old: {
    title: "You need to prove again who you are",
    what: "This needs a fresh sign-in, and the identity provider answered with an old one.",
    you: "Sign out at the identity provider, then try again.",
    administrator: "The identity provider must honour prompt=login and max_age, and send auth_time.",
  },
  userinfo_mismatch: badAnswer,
  domain_not_admitted: {
    ...notAdmitted,
    what: "Your e-mail address is of a domain that this Gatehouse does not admit, or the provider has not verified it.",
  },
  not_admitted: notAdmitted,
  user_disabled: {
    title: "Your account is switched off",
    what: "An administrator has switched your account off in this Gatehouse.",
    you: "Ask your administrator.",
    administrator: 'Enable the person, if they may sign in again: PATCH /api/v1/users/{id} with {"enabled": true}.',
  },
  too_many_users: {
    title: "There is no room for another person",
    what: "This Gatehouse has as many people as it can hold.",
    you: "Tell your administrator.",
    administrator: "Remove people who have left.",
  },
  unavailable: {
    title: "Gatehouse cannot sign you in right now",
    what: "Something that is needed for it could not be reached. Nobody was signed in.",
    you: "Try again in a minute.",
    administrator: "Look for the reference below in the log.",
  },
};
