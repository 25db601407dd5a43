/** One text for each reason for which an account is not connected. What a provider wrote is never shown. */
import type { LinkRefusalReason } from "../../connections/index.ts";
import type { ErrorText } from "./error-page.tsx";

const nothing = "Nothing was connected.";

/** Both have the precise reason. */
const where =
  "Look for the reference below in the log, and for connection.link in the event log: GET /api/v1/events?type=auth.activity.";

const fromApplication = "Go back to the application and ask it again: it gives you a new link.";

const misconfigured: ErrorText = {
  title: "This server cannot be connected right now",
  what: `The settings of the server, or what it or its provider publishes or answers, cannot be used. ${nothing}`,
  you: "Tell your administrator.",
  administrator: `${where} Compare the authentication of the server with what its vendor documents: issuer or endpoints, client id and secret, scopes, and the redirect URI that is registered there.`,
};

const notFromYou: ErrorText = {
  title: "This answer does not belong to anything that you began",
  what: `An answer of a provider came to this page, but no connection of yours waits for it. ${nothing}`,
  you: "Start again from My connections. If a link in a message brought you to this page, close it.",
};

export const linkTexts: Readonly<Record<LinkRefusalReason, ErrorText>> = {
  link_unknown: {
    title: "This link is not valid",
    what: `The address is incomplete, or it was changed on its way. ${nothing}`,
    you: `Open the whole link as the application gave it to you. ${fromApplication}`,
  },
  link_expired: {
    title: "This link is too old",
    what: `For your safety, a link to connect an account can be used for fifteen minutes. ${nothing}`,
    you: `${fromApplication} You can also connect the account under My connections.`,
  },
  link_used: {
    title: "This link was used already",
    what: "Each link connects one account once, and this one has done so.",
    you: "Go back to the application and try there again. If the account is still not connected, connect it under My connections.",
  },
  link_not_yours: {
    title: "This link is for somebody else",
    what: `Only the person whose application asked for it can use this link, signed in here as themselves. ${nothing}`,
    you: "If it is yours, sign out and sign in with the account that you use in the application. If somebody sent it to you, close this page: you would connect your account for them.",
  },
  server_gone: {
    title: "There is nothing to connect here",
    what: "The server does not exist, or it is not open to you.",
    you: "Look under My connections for what you can connect, or ask your administrator for access.",
  },
  nothing_to_connect: {
    title: "This server needs no account of yours",
    what: "It can be used as it is, so there is nothing to connect.",
    you: "Go back to the application and try again.",
  },
  account_invalid: {
    title: "This account name cannot be used",
    what: `A name has letters, digits, spaces and . _ @ + -, and begins and ends with a letter or digit. ${nothing}`,
    you: "Start again from My connections and choose another name.",
  },
  too_many_accounts: {
    title: "You have connected too many accounts",
    what: `Each person can keep a bounded number of connections, and you have reached it. ${nothing}`,
    you: "Disconnect one that you no longer use under My connections, then try again.",
  },
  too_many_attempts: {
    title: "You have begun this too often",
    what: `Many ways to connect an account are under way for you and were not finished. ${nothing}`,
    you: "Finish one of them, or wait fifteen minutes and try again.",
  },
  server_unreachable: {
    title: "The server does not answer",
    what: `Gatehouse asked the server where accounts for it are connected, and got no answer. ${nothing}`,
    you: "Try again in a minute.",
    administrator: `${where} See whether the server is up, and whether its address is right.`,
  },
  provider_unreachable: {
    title: "The provider does not answer",
    what: `Gatehouse could not reach the place where accounts of this server are connected. ${nothing}`,
    you: "Try again in a minute.",
    administrator: where,
  },
  provider_misconfigured: misconfigured,
  response_invalid: notFromYou,
  state_unknown: notFromYou,
  state_expired: {
    title: "This took too long",
    what: `For your safety, connecting an account must be finished within fifteen minutes. ${nothing}`,
    you: "Start again.",
  },
  state_used: {
    title: "This was finished already",
    what: "Each answer of a provider can be used once, and each link connects one account.",
    you: "Look under My connections: the account may be connected. If it is not, connect it there.",
  },
  other_person: {
    title: "Somebody else began this",
    what: `This answer belongs to a person other than the one who is signed in here. ${nothing}`,
    you: "If you began this yourself, sign in here with the account that you began with, and start again. If somebody sent you this address, close the page.",
  },
  server_changed: {
    title: "The server has changed meanwhile",
    what: `An administrator changed how this server is reached while you were at its provider. ${nothing}`,
    you: "Start again.",
  },
  other_callback: {
    title: "This answer is for another server",
    what: `You began to connect one server, and the answer that came back was meant for another. A provider may have sent you on to somebody else. ${nothing}`,
    you: "Do not try again before your administrator has looked at it.",
    administrator:
      "Look for connection.link with the reason other_callback in the event log: GET /api/v1/events?type=auth.activity. Either the client that is registered at the vendor has the redirect URI of another server, or the provider of this server misuses the sign-in at another one: then disable the server.",
  },
  access_denied: {
    title: "The provider did not allow it",
    what: `You declined at the provider, or your account there may not be used for this. ${nothing}`,
    you: "Try again and agree there, or use another account.",
  },
  provider_refused: {
    title: "The connection could not be finished",
    what: `The provider did not give access. This happens when a page is loaded twice, or when it took too long. ${nothing}`,
    you: "Try again.",
    administrator: where,
  },
  key_invalid: {
    title: "This cannot be a key",
    what: "It is empty, too long, or has characters that a key cannot have.",
    you: "Copy it again.",
  },
  key_refused: {
    title: "The server does not accept this key",
    what: "It was tried at the server, which refused it. It was not kept.",
    you: "Check that you copied all of it and that it is still valid.",
  },
  key_unchecked: {
    title: "This key could not be tried",
    what: "The server could not be asked whether it takes the key. It was not kept.",
    you: "Try again in a minute.",
  },
  user_disabled: {
    title: "Your account is switched off",
    what: `An administrator has switched your account off in this Gatehouse. ${nothing}`,
    you: "Ask your administrator.",
  },
  vault_sealed: {
    title: "Credentials are sealed",
    what: `An administrator of your organisation has sealed all stored credentials. Until that ends no account can be connected or used. ${nothing}`,
    you: "Wait until your administrator has opened them again, then try again.",
    administrator: 'Open them with PATCH /api/v1/settings and {"vault_sealed": false}.',
  },
  unavailable: {
    title: "Gatehouse cannot connect this right now",
    what: `Something that is needed for it could not be reached. ${nothing}`,
    you: "Try again in a minute.",
    administrator: "Look for the reference below in the log.",
  },
};
