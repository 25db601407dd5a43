/** One text for each reason for which an authorization ends on a page of ours. */
import type { StopReason } from "../../oauth/index.ts";
import type { ErrorText } from "./error-page.tsx";

const startAgain = "Go back to the application and connect again.";

export const stopTexts: Readonly<Record<StopReason, ErrorText>> = {
  client_unknown: {
    title: "This application is not known here",
    what: "The application that sent you here is not registered with your organisation’s Gatehouse.",
    you: "Remove the connection in the application, add it again, and try once more: some applications keep an old registration. If that does not help, ask your administrator to register it.",
    administrator:
      "Register the application as a client and give it that client id, or let applications register themselves: registration.dynamic in the settings.",
  },
  client_blocked: {
    title: "This application is switched off",
    what: "An administrator of your organisation has switched this application off.",
    you: "Ask your administrator whether it may be used.",
    administrator: "Find the application under Agents and enable it there, if it may be used.",
  },
  client_document_invalid: {
    title: "This application’s description could not be used",
    what: "The application describes itself in a document on the web. That document could not be read, or it is not valid.",
    you: "Try again in a few minutes. If it stays this way, tell the maker of the application.",
    administrator:
      "Open the address of the document in a browser: it must answer with JSON whose client_id is its own address.",
  },
  client_domain_untrusted: {
    title: "This application comes from a site that is not trusted",
    what: "Your organisation decides which sites may bring applications, and this one is not among them.",
    you: "Ask your administrator whether the site can be trusted.",
    administrator: "Add the site to the trusted domains of client metadata documents in the settings, if you trust it.",
  },
  redirect_uri_missing: {
    title: "The application did not say where to go back to",
    what: "A request to connect must name the address that gets the answer. This one did not.",
    you: "Update the application and connect again. If it stays this way, tell its maker.",
  },
  redirect_uri_not_registered: {
    title: "The application asked for an address that is not its own",
    what: "The answer would go to an address that this application did not register. For your safety it was not sent.",
    you: "Close this page if you did not start this yourself. Otherwise remove the connection in the application and add it again.",
    administrator: "Compare the address with those that are registered for the client, character by character.",
  },
  redirect_uri_untrusted: {
    title: "This redirect URL is not trusted yet",
    what: "The application wants its answer at an address that your organisation does not trust. Nothing was sent there.",
    you: "Send the address above to your administrator, if you know the application. Then connect again.",
  },
  redirect_uri_loopback: {
    title: "This application may not answer on your own computer",
    what: "The application wants its answer at an address on this computer, where any program could pose as it. Your organisation does not allow that for applications that describe themselves on the web.",
    you: "Ask your administrator whether the application can be registered.",
    administrator:
      "Register the application as a client, or switch document_loopback on in the registration settings. Trusting the address alone changes nothing.",
  },
  request_ambiguous: {
    title: "The request can be read in two ways",
    what: "A part of the request was given more than once, so it is not clear which one counts.",
    you: `${startAgain} If it stays this way, tell the maker of the application.`,
  },
  request_expired: {
    title: "This took too long",
    what: "For your safety, a request to connect must be decided within ten minutes.",
    you: startAgain,
  },
  request_invalid: {
    title: "The request is not valid",
    what: "This page needs a request that an application has just made. The one in the address is incomplete or was changed.",
    you: startAgain,
  },
  request_used: {
    title: "This request was decided already",
    what: "Each request to connect can be decided once, and this one was.",
    you: `Look into the application: it may be connected. If it is not, connect again.`,
  },
  other_browser: {
    title: "The answer did not come from the page that we showed you",
    what: "The decision must be made on our page, in the browser and by the person that it was shown to. Nothing was changed.",
    you: "If you signed out or changed accounts in another tab, go back to the application and connect again.",
  },
  too_many_grants: {
    title: "You have connected too many applications",
    what: "Each person can have a bounded number of connections at a time, and you have reached it.",
    you: "Open My access, revoke those that you no longer use, and connect again.",
  },
  too_many_requests: {
    title: "Too many requests",
    what: "There were too many requests in a short time.",
    you: "Wait a few minutes and connect again.",
  },
  unavailable: {
    title: "Gatehouse cannot answer right now",
    what: "Something that is needed to decide this could not be reached. Nothing was changed.",
    you: "Try again in a minute.",
    administrator: "Look for the reference below in the log.",
  },
};
