/** The way to the provider. */
import * as client from "openid-client";
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { sha256 } from "../sha256.ts";
import { countAttempt } from "../trust/index.ts";
import { discoverPinned, type ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { invitesMixUp, namesIssuer } from "./mix-up.ts";
import { knownOf, type ProviderKind } from "./provider-kinds.ts";
import { providersRepository, type StoredProvider } from "./providers.ts";
import { randomSecret } from "./random-secret.ts";
import { openRelyingParty, redirectUri } from "./relying-party.ts";
import { isOwnPath } from "./return-path.ts";
import { setSignIn } from "./sign-in-cookies.ts";
import { sealPending, type Pending } from "./sign-ins.ts";
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
  /** `cookies`: values of Set-Cookie headers. */
  | { readonly kind: "redirect"; readonly location: string; readonly cookies: string[] }
  | { readonly kind: "choose"; readonly providers: readonly ProviderChoice[] }
  | { readonly kind: "failed"; readonly reason: SignInFailure };

const perNetwork = {
  purpose: "sign_in",
  count_max: limits.signInsPerNetwork_count,
  window_ms: limits.signInsPerNetwork_ms,
};

/**
 * Begins a sign-in. What the answer needs to be recognised is kept by this browser, sealed in a cookie; nothing of it is in the URL
 * but `state`, `nonce` and the challenge, each drawn on its own. Nothing is stored here but the count of the network.
 * @param headers of the request: the cookies that the browser has
 * @see OpenID Connect Core 1.0 section 3.1.2.1, RFC 7636
 */
export async function beginSignIn(visit: Visit, wish: SignInWish, headers: Headers): Promise<SignInBeginning> {
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
  if (await invitesMixUp(visit, provider, metadata.value, providers)) return failed("issuer_not_told");
  const party = await openRelyingParty(visit, provider, metadata.value);
  if (!party.ok) return failed(party.error);

  const { random } = platform.ports;
  const [state, nonce, verifier] = [randomSecret(random), randomSecret(random), randomSecret(random)];
  const state_hash = await sha256(state);
  const sealed = await sealPending(visit, {
    ...{ state_hash, provider_id: provider.id, nonce, verifier, revision: provider.revision, begun_at: now },
    return_to: isOwnPath(wish.return_to, tenant.origin) ? wish.return_to : "/",
    names_issuer: namesIssuer(metadata.value),
    ...proofOf(provider, wish, now),
  });
  const location = client.buildAuthorizationUrl(party.value.configuration, {
    ...parameters(provider, metadata.value, wish),
    redirect_uri: redirectUri(visit, provider),
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  return { kind: "redirect", location: location.href, cookies: setSignIn(headers, state_hash, sealed) };
}

/**
 * When the person must have proven who they are. Whoever tells it is held to it; that it is told cannot be asked of a provider that
 * never does, unless `max_age` was wished, which is always meant strictly.
 */
function proofOf(
  provider: StoredProvider,
  wish: SignInWish,
  now: number,
): Pick<Pending, "prompted" | "needs_auth_time" | "authenticated_after"> {
  const { tellsAuthTime, loginPrompt } = knownOf(provider.kind);
  const prompted = promptOf(provider, wish) === loginPrompt;
  const needs_auth_time = wish.max_age_s !== undefined || (wish.prompt === "login" && tellsAuthTime);
  const age_ms = wish.prompt === "login" ? 0 : (wish.max_age_s ?? Infinity) * 1000;
  return { prompted, needs_auth_time, ...(age_ms === Infinity ? {} : { authenticated_after: now - age_ms }) };
}

function promptOf({ kind, options }: StoredProvider, { prompt }: SignInWish): string | undefined {
  return prompt === "login" ? knownOf(kind).loginPrompt : (prompt ?? options.prompt);
}

function parameters(
  provider: StoredProvider,
  { scopes_supported }: ProviderMetadata,
  wish: SignInWish,
): Record<string, string> {
  const { kind, options } = provider;
  const { optionalScopes, parameters: own, tellsAuthTime } = knownOf(kind);
  const offered = optionalScopes.filter((scope) => scopes_supported?.includes(scope) === true);
  const scopes = options.scopes ?? ["openid", "profile", "email", ...offered];
  const asked = promptOf(provider, wish);
  const age_s = wish.prompt === "login" && tellsAuthTime ? 0 : wish.max_age_s;
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
