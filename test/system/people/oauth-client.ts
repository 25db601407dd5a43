/** What an application brings to the SDK's clients: it keeps what they give it, and notes the address that it would open in a browser. */
import { randomBytes } from "node:crypto";
import type {
  OAuthClientInformationContext,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";
import type { Site } from "./site.ts";

export interface Memory extends OAuthClientProvider {
  readonly redirectUrl: string;
  /** Addresses for the browser, in order. */
  readonly opened: URL[];
  /** Token answers, in order. */
  readonly got: StoredOAuthTokens[];
  clientInformation(context?: OAuthClientInformationContext): StoredOAuthClientInformation | undefined;
  tokens(): StoredOAuthTokens | undefined;
  codeVerifier(): string;
}

/** @param more for instance `clientMetadataUrl` */
export function createMemory(
  { secrets, callback }: Site,
  client_name: string,
  more: { readonly clientMetadataUrl?: string; readonly moreRedirects?: readonly string[] } = {},
): Memory {
  const opened: URL[] = [];
  const got: StoredOAuthTokens[] = [];
  let verifier = "";
  let discovered: OAuthDiscoveryState | undefined;
  let information: StoredOAuthClientInformation | undefined;
  let tokens: StoredOAuthTokens | undefined;
  return {
    ...{ redirectUrl: callback, opened, got },
    clientMetadata: {
      client_name,
      redirect_uris: [callback, ...(more.moreRedirects ?? [])],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    state: () => randomBytes(16).toString("base64url"),
    clientInformation: () => information,
    saveClientInformation(saved) {
      information = saved;
    },
    tokens: () => tokens,
    saveTokens(saved) {
      tokens = saved;
      got.push(saved);
      for (const secret of [saved.access_token, saved.refresh_token]) if (secret !== undefined) secrets.add(secret);
    },
    redirectToAuthorization: (url) => void opened.push(url),
    saveCodeVerifier(saved) {
      verifier = saved;
      secrets.add(saved);
    },
    codeVerifier: () => verifier,
    discoveryState: () => discovered,
    saveDiscoveryState(saved) {
      discovered = saved;
    },
    invalidateCredentials(scope) {
      if (scope === "all" || scope === "tokens") tokens = undefined;
      if (scope === "all" || scope === "client") information = undefined;
    },
    ...(more.clientMetadataUrl === undefined ? {} : { clientMetadataUrl: more.clientMetadataUrl }),
  };
}
