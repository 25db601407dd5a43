/** What is known of each kind of provider. An administrator's options come first. */
import { err, ok, type Result } from "../ports.ts";
import type { ProviderOptions } from "./provider-options.ts";

export const providerKinds = ["okta", "entra", "google", "generic"] as const;
export type ProviderKind = (typeof providerKinds)[number];

/** What we verify; symmetric algorithms and `none` are not among them, whatever a provider offers. */
export const signingAlgorithms = [
  ...(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] as const),
  ...(["ES256", "ES384", "ES512", "EdDSA", "Ed25519"] as const),
] as const;

export const clientAuthentications = ["client_secret_basic", "client_secret_post"] as const;
type ClientAuthentication = (typeof clientAuthentications)[number];

interface Kind {
  /** Asked for where the provider's metadata lists them. */
  readonly optionalScopes: readonly string[];
  readonly groupsClaim: string;
  readonly algorithms: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
  /** How the client secret is sent, where the provider takes both ways. */
  readonly authentication: ClientAuthentication;
  /** Whether `max_age` makes it tell `auth_time`. Google and, without an optional claim, Entra never tell it. */
  readonly tellsAuthTime: boolean;
  /** What to say for "let the person prove again who they are". */
  readonly loginPrompt: string;
}

const kinds: Readonly<Record<ProviderKind, Kind>> = {
  okta: {
    ...{ optionalScopes: ["offline_access", "groups"], groupsClaim: "groups", algorithms: ["RS256"], parameters: {} },
    ...{ authentication: "client_secret_basic", tellsAuthTime: true, loginPrompt: "login" },
  },
  entra: {
    ...{ optionalScopes: ["offline_access"], groupsClaim: "groups", algorithms: ["RS256"], parameters: {} },
    ...{ authentication: "client_secret_post", tellsAuthTime: false, loginPrompt: "login" },
  },
  google: {
    // Google knows no `offline_access`: this parameter asks for a refresh token.
    ...{ optionalScopes: [], groupsClaim: "groups", algorithms: ["RS256"], parameters: { access_type: "offline" } },
    ...{ authentication: "client_secret_post", tellsAuthTime: false, loginPrompt: "select_account" },
  },
  generic: {
    ...{ optionalScopes: ["offline_access"], groupsClaim: "groups", algorithms: signingAlgorithms, parameters: {} },
    ...{ authentication: "client_secret_basic", tellsAuthTime: true, loginPrompt: "login" },
  },
};

export const knownOf = (kind: ProviderKind): Kind => kinds[kind];

const guid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const entraIssuer = new RegExp(`^https://[a-z0-9.-]+/${guid}/v2\\.0$`);
const manyTenants = /^https?:\/\/(?:login\.|sts\.)[^/]+\/(?:common|organizations|consumers)(?:\/|$)/i;

/**
 * Whether an issuer can be configured: it is compared character by character with that of discovery and of every ID token.
 * Entra's issuer for many tenants holds a placeholder, which anybody's tenant would fill; only one with its tenant id is taken.
 * @returns a sentence that says what to do
 * @see OpenID Connect Discovery 1.0 section 3
 */
export function checkProvider(
  kind: ProviderKind,
  issuer: string,
  options: Pick<ProviderOptions, "domains" | "roles">,
): Result<void, string> {
  const url = URL.parse(issuer);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    return err("The issuer must be an https URL.");
  }
  if (/[?#]/.test(issuer) || (url.href !== issuer && url.href !== `${issuer}/`)) {
    return err(
      "The issuer must be written exactly as in the provider's discovery document, without query or fragment.",
    );
  }
  if (/[{}]|%7b|%7d/i.test(issuer) || manyTenants.test(issuer)) {
    return err("The issuer must name one directory: put your tenant id in its place.");
  }
  if (kind === "entra" && !entraIssuer.test(issuer)) {
    return err("The issuer of Entra is https://login.microsoftonline.com/{your tenant id}/v2.0.");
  }
  if (kind === "google" && issuer !== "https://accounts.google.com") {
    return err("The issuer of Google is https://accounts.google.com.");
  }
  if (kind !== "google" && options.domains.length > 0) return err("Only Google tells the domain of an account.");
  if (kind === "google" && options.roles.member.everyone && options.domains.length === 0) {
    return err("Anybody can have a Google account: name your domains, or do not admit everyone.");
  }
  return ok(undefined);
}
