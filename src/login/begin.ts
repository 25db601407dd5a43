/** The way to the provider. */
import * as client from "openid-client";
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { sha256 } from "../sha256.ts";
import { countAttempt } from "../trust/index.ts";
import { signInBinding } from "../vault/index.ts";
import { setCookie, signInCookie } from "./cookies.ts";
import { discoverPinned, type ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { knownOf, type ProviderKind } from "./provider-kinds.ts";
import { providersRepository, type StoredProvider } from "./providers.ts";
import { randomSecret } from "./random-secret.ts";
import { openRelyingParty, redirectUri } from "./relying-party.ts";
import { isOwnPath } from "./return-path.ts";
import { signInsRepository, type Pending } from "./sign-ins.ts";
import type { Visit } from "./visit.ts";

export interface SignInWish {
  /** A path of ours; anything else becomes the start page. */
  readonly return_to: string;
  readonly provider_id?: string | undefined;
  /** login: the person must prove again who they are. none: no page may be shown. */
  readonly prompt?: "login" | "none" | undefined;
  /** Seconds since the person last proved it. */
  readonly max_age_s?: number | undefined;
}

export interface ProviderChoice {
  readonly id: string;
  readonly name: string;
  readonly kind: ProviderKind;
}

export type SignInBeginning =
  /** `cookie` is the value of a Set-Cookie header. */
  | { readonly kind: "redirect"; readonly location: string; readonly cookie: string }
  | { readonly kind: "choose"; readonly providers: readonly ProviderChoice[] }
  | { readonly kind: "failed"; readonly reason: SignInFailure };

const perNetwork = {
  purpose: "sign_in",
  count_max: limits.signInsPerNetwork_count,
  window_ms: limits.signInsPerNetwork_ms,
};

/**
 * Begins a sign-in. What the answer needs to be recognised is kept in one row, tied to this browser by a cookie; nothing of it is in
 * the URL but `state`, `nonce` and the challenge, each drawn on its own.
 * @see OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636
 */
export async function beginSignIn(visit: Visit, wish: SignInWish): Promise<SignInBeginning> {
  const { platform, tenant, source } = visit;
  const database = openDatabase(platform.bindings.DB);
  const failed = (reason: SignInFailure): SignInBeginning => {
    visit.countUnknown(reason);
    return { kind: "failed", reason };
  };
  const providers = await providersRepository(database, tenant.id).enabled();
  if (providers.length === 0) return failed("no_provider");
  const chosen = wish.provider_id === undefined ? providers : providers.filter(({ id }) => id === wish.provider_id);
  const [provider, ...others] = chosen;
  if (provider === undefined) return failed("provider_unavailable");
  if (others.length > 0) {
    return { kind: "choose", providers: chosen.map(({ id, name, kind }) => ({ id, name, kind })) };
  }
  const now = platform.ports.clock.now();
  if (!(await countAttempt(database, tenant.id, perNetwork, source.network, now))) return failed("too_many_sign_ins");
  const metadata = await discoverPinned(visit, provider);
  if (!metadata.ok) return failed(metadata.error);
  const party = await openRelyingParty(visit, provider, metadata.value);
  if (!party.ok) return failed(party.error);

  const { random } = platform.ports;
  const [state, nonce, verifier, browser] = [
    ...[randomSecret(random), randomSecret(random)],
    ...[randomSecret(random), randomSecret(random)],
  ] as const;
  const begun = await keep(visit, provider, wish, { state, nonce, verifier, browser });
  if (begun === undefined) return failed("too_many_sign_ins");
  const location = client.buildAuthorizationUrl(party.value.configuration, {
    ...parameters(provider, metadata.value, wish),
    redirect_uri: redirectUri(visit),
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  return { kind: "redirect", location: location.href, cookie: begun };
}

/** @returns the cookie, or undefined when too many are under way */
async function keep(
  visit: Visit,
  provider: StoredProvider,
  wish: SignInWish,
  secrets: Readonly<Record<"state" | "nonce" | "verifier" | "browser", string>>,
): Promise<string | undefined> {
  const { platform, tenant, vault } = visit;
  const now = platform.ports.clock.now();
  const state_hash = await sha256(secrets.state);
  const after = authenticatedAfter(provider, wish, now);
  const pending: Pending = {
    nonce: secrets.nonce,
    verifier: secrets.verifier,
    return_to: isOwnPath(wish.return_to, tenant.origin) ? wish.return_to : "/",
    revision: provider.revision,
    ...(after === undefined ? {} : { authenticated_after: after }),
  };
  const row = {
    state_hash,
    browser_hash: await sha256(secrets.browser),
    provider_id: provider.id,
    sealed: await vault.seal(signInBinding(tenant.id, state_hash), JSON.stringify(pending)),
  };
  const stored = await signInsRepository(openDatabase(platform.bindings.DB), tenant.id).begin(row, now);
  return stored ? setCookie(signInCookie(state_hash), secrets.browser, limits.signIn_ms) : undefined;
}

/** A provider that never tells when somebody signed in cannot be held to `prompt=login`; `max_age` is always meant strictly. */
function authenticatedAfter({ kind }: StoredProvider, wish: SignInWish, now: number): number | undefined {
  if (wish.prompt === "login" && knownOf(kind).tellsAuthTime) return now;
  return wish.max_age_s === undefined ? undefined : now - wish.max_age_s * 1000;
}

function parameters(
  { kind, options }: StoredProvider,
  { scopes_supported }: ProviderMetadata,
  { prompt, max_age_s }: SignInWish,
): Record<string, string> {
  const { optionalScopes, parameters: own, loginPrompt, tellsAuthTime } = knownOf(kind);
  const offered = optionalScopes.filter((scope) => scopes_supported?.includes(scope) === true);
  const scopes = options.scopes ?? ["openid", "profile", "email", ...offered];
  const asked = prompt === "login" ? loginPrompt : (prompt ?? options.prompt);
  const age_s = prompt === "login" && tellsAuthTime ? 0 : max_age_s;
  const [domain, ...domains] = options.domains;
  return {
    ...own,
    scope: scopes.join(" "),
    ...(asked === undefined ? {} : { prompt: asked }),
    ...(age_s === undefined ? {} : { max_age: String(age_s) }),
    // A hint for the account chooser; what counts is the claim.
    ...(kind === "google" && domain !== undefined && domains.length === 0 ? { hd: domain } : {}),
  };
}
