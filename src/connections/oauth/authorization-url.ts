/** The request that a person's browser carries to the provider. */
import { calculatePKCECodeChallenge } from "oauth4webapi";
import type { Party } from "../types.ts";
import { offlineAccess } from "./find.ts";

export interface Asked {
  readonly state: string;
  /** PKCE. */
  readonly verifier: string;
  readonly scopes: readonly string[];
  /** Whether the person has another account there, which their browser would choose by itself. */
  readonly choosesAccount?: boolean;
  /** What an administrator adds. It never changes what is ours. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** What no setting may say: who asks for what, how it is bound to this browser, and where the answer goes. */
const ours: ReadonlySet<string> = new Set([
  "response_type",
  "response_mode",
  "client_id",
  "redirect_uri",
  "state",
  "scope",
  "resource",
  "code_challenge",
  "code_challenge_method",
  "request",
  "request_uri",
]);

/**
 * @throws when the party has no authorization endpoint or redirect URI: a bug of the caller
 * @see RFC 6749 section 4.1.1; RFC 7636 section 4.3; RFC 8707 section 2
 */
export async function authorizationUrl(party: Party, asked: Asked): Promise<URL> {
  if (party.authorization_endpoint === undefined || party.redirect_uri === undefined)
    throw new Error("Nobody can be sent to this party.");
  const url = new URL(party.authorization_endpoint);
  const { searchParams } = url;
  // Some endpoints have a query of their own, which stays; ours is not in it.
  for (const name of ours) searchParams.delete(name);
  for (const [name, value] of Object.entries(asked.parameters ?? {}))
    if (!ours.has(name)) searchParams.set(name, value);
  searchParams.set("response_type", "code");
  searchParams.set("client_id", party.client_id);
  searchParams.set("redirect_uri", party.redirect_uri);
  searchParams.set("state", asked.state);
  searchParams.set("code_challenge", await calculatePKCECodeChallenge(asked.verifier));
  searchParams.set("code_challenge_method", "S256");
  if (asked.scopes.length > 0) searchParams.set("scope", asked.scopes.join(" "));
  if (party.resource !== null) searchParams.set("resource", party.resource);
  // OpenID Connect Core 1.0 section 11: no refresh token without it. Not where an administrator named the scopes of a vendor by hand:
  // at some it asks for the consent of that vendor's administrators.
  const isOffline = asked.scopes.includes(offlineAccess) && party.scopes_supported?.includes(offlineAccess) === true;
  // Only where it is known: others refuse the whole request for it. One value only: OpenID lets several stand together, but Microsoft
  // refuses such a request. A consent page names the account, too.
  const prompt = isOffline
    ? "consent"
    : asked.choosesAccount && party.lets_choose_account
      ? "select_account"
      : undefined;
  if (prompt !== undefined && !searchParams.has("prompt")) searchParams.set("prompt", prompt);
  return url;
}
