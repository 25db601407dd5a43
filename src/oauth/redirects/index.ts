/** Where codes may be sent: what can be registered, what matches, what the tenant trusts. */
export { blockedRedirects, type BlockedRedirect } from "./blocked-store.ts";
export { isRegisteredRedirect, matchesRedirect, parseLoopback } from "./match.ts";
export { redirectProblem, type RedirectProblem } from "./redirect-uri.ts";
export { coversRedirect, isTrustedRedirect, parseTrustedRedirect, trustedEntryFor } from "./trusted.ts";
export { trustedRedirects, type TrustedRedirect } from "./trusted-store.ts";
