/** The way back from the provider: from the answer in the browser to a session. */
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { sha256 } from "../sha256.ts";
import { admitUser } from "./admit.ts";
import { authEvent } from "./auth-event.ts";
import { checkIssuer, readCallback, readCode, type Callback } from "./callback.ts";
import { readCookie, sessionCookie, setCookie } from "./cookies.ts";
import { discoverPinned, type ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { groupsClaimOf } from "./identity.ts";
import { keepTokens } from "./keep-tokens.ts";
import { callbackPath } from "./mix-up.ts";
import { providersRepository, type StoredProvider } from "./providers.ts";
import { randomSecret } from "./random-secret.ts";
import { redeemCode, type Redeemed } from "./redeem.ts";
import { heldGroups, namedGroups } from "./roles.ts";
import { sessionsRepository } from "./sessions.ts";
import { clearSignIn, readSignIn } from "./sign-in-cookies.ts";
import { openPending, usePending, type Pending } from "./sign-ins.ts";
import { usersRepository, type User } from "./users.ts";
import type { Visit } from "./visit.ts";

export type SignInCompletion =
  /** `cookies`: values of Set-Cookie headers. */
  | { readonly kind: "done"; readonly cookies: string[]; readonly return_to: string; readonly user: User }
  | {
      readonly kind: "failed";
      readonly reason: SignInFailure;
      readonly cookies: string[];
      /** Where the person wanted to go; only when the sign-in is known to be of this browser. */
      readonly return_to?: string;
    };

interface Resumed {
  readonly callback: Callback;
  readonly pending: Pending;
}

/**
 * Completes a sign-in. In this order: the answer is of a sign-in that this browser began and that nobody used; it is of the provider
 * that was asked; only then the code is redeemed. Every failure is a page of ours, never a redirect.
 */
export async function completeSignIn(visit: Visit, request: Request): Promise<SignInCompletion> {
  const resumed = await resume(visit, request);
  if (!resumed.ok) {
    visit.countUnknown(resumed.error);
    return { kind: "failed", reason: resumed.error, cookies: [] };
  }
  const { pending } = resumed.value;
  const cookies = clearSignIn(request.headers, pending.state_hash);
  const signedIn = await signIn(visit, request, resumed.value);
  if (!signedIn.ok) return { kind: "failed", reason: signedIn.error, cookies, return_to: pending.return_to };
  const { user, cookie } = signedIn.value;
  return { kind: "done", cookies: [cookie, ...cookies], return_to: pending.return_to, user };
}

/** Finds the sign-in that the answer belongs to, and uses it up. */
async function resume(visit: Visit, request: Request): Promise<Result<Resumed, SignInFailure>> {
  if (request.method !== "GET") return err("response_invalid");
  const callback = readCallback(new URL(request.url));
  if (!callback.ok) return callback;
  const state_hash = await sha256(callback.value.state);
  const pending = await openPending(visit, state_hash, readSignIn(request.headers, state_hash));
  if (!pending.ok) return pending;
  if (!(await usePending(visit, pending.value))) return err("state_used");
  return ok({ callback: callback.value, pending: pending.value });
}

async function signIn(
  visit: Visit,
  request: Request,
  { callback, pending }: Resumed,
): Promise<Result<{ user: User; cookie: string }, SignInFailure>> {
  const unknown = (reason: SignInFailure): Result<never, SignInFailure> => {
    visit.countUnknown(reason);
    return err(reason);
  };
  const providers = providersRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id);
  const provider = await providers.get(pending.provider_id);
  if (provider?.enabled !== true || provider.revision !== pending.revision) return unknown("provider_unavailable");
  // An answer at the address of another provider is that one's, whatever it says of itself.
  if (new URL(request.url).pathname !== callbackPath(provider)) return unknown("issuer_mismatch");
  const metadata = await discoverPinned(visit, provider);
  if (!metadata.ok) return unknown(metadata.error);
  const issuer = checkIssuer(callback, metadata.value, pending.names_issuer);
  if (!issuer.ok) return unknown(issuer.error);
  const code = readCode(callback);
  if (!code.ok) return unknown(code.error);
  const { search } = new URL(request.url);
  const redeemed = await redeemCode(visit, provider, metadata.value, { query: search, state: callback.state, pending });
  if (!redeemed.ok) return unknown(redeemed.error);

  // From here on somebody is known, so that every outcome is an event.
  const admitted = await admitUser(visit, provider, redeemed.value.claims);
  const opened = admitted.ok
    ? await openSession(visit, request, { provider, metadata: metadata.value }, admitted.value, redeemed.value)
    : admitted;
  if (!opened.ok) await recordRefusal(visit, provider, redeemed.value, opened.error);
  return opened;
}

/** A session with a new id, whatever cookie the browser came with; the one that it came with ends. */
async function openSession(
  visit: Visit,
  request: Request,
  { provider, metadata }: { readonly provider: StoredProvider; readonly metadata: ProviderMetadata },
  user: User,
  redeemed: Redeemed,
): Promise<Result<{ user: User; cookie: string }, SignInFailure>> {
  const { platform, tenant, recorder, source } = visit;
  const { id_token, claims } = redeemed;
  const { clock, random } = platform.ports;
  const database = openDatabase(platform.bindings.DB);
  const sessions = sessionsRepository(database, tenant.id);
  const secret = randomSecret(random);
  const { authenticated_at, provider_session } = id_token;
  const session = {
    ...{ hash: await sha256(secret), user_id: user.id, provider_id: provider.id, provider_session },
    ...{ authenticated_at, source, created_at: clock.now() },
  };
  if (!(await sessions.insert(session))) return err("user_disabled");
  const { overage } = heldGroups(claims, groupsClaimOf(provider), namedGroups(provider.options, visit.snapshot));
  const act = { action: "sign_in.complete", outcome: "ok", user, provider: provider.id } as const;
  const recorded = await recorder.record(authEvent(visit, { ...act, reason: overage ? "groups_overage" : undefined }));
  if (!recorded.ok) {
    // What is not recorded does not happen.
    await sessions.remove(session.hash);
    return err("unavailable");
  }
  const former = readCookie(request.headers, sessionCookie);
  if (former !== undefined) await sessions.remove(await sha256(former));
  await keepTokens(visit, user.id, { provider, metadata }, redeemed);
  return ok({ user, cookie: setCookie(sessionCookie, secret, limits.webSession_ms) });
}

async function recordRefusal(
  visit: Visit,
  provider: StoredProvider,
  { id_token }: Redeemed,
  reason: SignInFailure,
): Promise<void> {
  const users = usersRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id);
  const user = await users.byIdentity(provider.issuer, id_token.subject);
  const act = { action: "sign_in.refuse", outcome: "refused", reason, user, provider: provider.id } as const;
  // Refused it is in any case; the recorder itself logs what could not be recorded.
  await visit.recorder.record(authEvent(visit, act));
}
