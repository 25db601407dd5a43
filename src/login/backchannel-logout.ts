/**
 * The provider says that somebody signed out there. That ends web sessions and voids the access tokens that are out, so that every
 * client comes back with its refresh token. Grants stay: signing out of a browser is not leaving the organisation, and an agent's
 * work outlives it. Who must lose everything is disabled.
 * @see OpenID Connect Back-Channel Logout 1.0
 */
import * as z from "zod";
import { readBody } from "../body.ts";
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { announceRevocation, revokeTokens } from "../tenant/index.ts";
import { peekJwt, verifyForeignJwt, type ForeignClaims } from "../trust/index.ts";
import { authEvent } from "./auth-event.ts";
import { discoverProvider } from "./discovery.ts";
import { logoutToken } from "./logout-tokens.ts";
import { providersRepository, type StoredProvider } from "./providers.ts";
import { providerSessions } from "./provider-sessions.ts";
import { endSessionsOf } from "./sessions.ts";
import { usersRepository, type User } from "./users.ts";
import type { Visit } from "./visit.ts";

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout";
const form = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** Section 2.4: who is meant is told by `sub`, by `sid`, or by both. */
const claimsSchema = z.object({
  jti: z.string().min(1).max(512),
  sub: z.string().min(1).max(255).optional(),
  sid: z.string().min(1).max(255).optional(),
  events: z.object({ [logoutEvent]: z.record(z.string(), z.unknown()) }),
  nonce: z.undefined(),
});

type LogoutClaims = z.infer<typeof claimsSchema>;

/** `POST /login/backchannel-logout`. 200 when it is done, 400 otherwise; the reason is for the log only. @see section 2.8 */
export async function handleBackChannelLogout(visit: Visit, request: Request): Promise<Response> {
  const done = await logOut(visit, request);
  const headers = { "cache-control": "no-store" };
  if (done.ok) return new Response(null, { status: 200, headers });
  visit.countUnknown(done.error);
  const description = "The logout token is not valid";
  return Response.json({ error: "invalid_request", error_description: description }, { status: 400, headers });
}

async function logOut(visit: Visit, request: Request): Promise<Result<void, string>> {
  const token = await readToken(visit, request);
  if (!token.ok) return token;
  const provider = await issuerOf(visit, token.value);
  if (provider === undefined) return err("logout_issuer");
  const verified = await verifyLogoutToken(visit, provider, token.value);
  if (!verified.ok) return verified;
  const { claims, expires_at } = verified.value;
  const database = openDatabase(visit.platform.bindings.DB);
  const now = visit.platform.ports.clock.now();
  const once = await logoutToken(database, visit.tenant.id, { iss: provider.issuer, jti: claims.jti });
  if (await once.isUsed()) return err("logout_replayed");
  const meant = await usersMeant(visit, provider, claims);
  // Used up only together with what it does: the provider tries again when the database failed.
  await database.batch([
    once.use(expires_at),
    ...meant.flatMap(({ id }) => [
      claims.sid === undefined
        ? endSessionsOf(database, visit.tenant.id, id)
        : providerSessions(database, visit.tenant.id, provider.id, claims.sid).endOf(id),
      revokeTokens(database, visit.tenant.id, { kind: "user", subject: id }, now),
    ]),
  ]);
  await announceRevocation(visit.platform, visit.tenant.id);
  const act = { action: "sign_out.complete", outcome: "ok", reason: "back_channel", provider: provider.id } as const;
  for (const user of meant) await visit.recorder.record(authEvent(visit, { ...act, user }));
  return ok(undefined);
}

async function readToken(visit: Visit, request: Request): Promise<Result<string, string>> {
  if (!form.test(request.headers.get("content-type") ?? "")) return err("logout_form");
  const body = await readBody(request, limits.logoutBody_bytes, visit.platform.ports.clock);
  if (!body.ok) return err("logout_form");
  const [token, ...others] = new URLSearchParams(new TextDecoder().decode(body.value)).getAll("logout_token");
  return token === undefined || others.length > 0 || token.length > limits.jwt_chars ? err("logout_form") : ok(token);
}

/** The provider that the token claims to be from; nothing else of it is read before its signature. */
async function issuerOf(visit: Visit, token: string): Promise<StoredProvider | undefined> {
  const issuer = peekJwt(token)?.issuer;
  if (issuer === undefined) return undefined;
  const providers = providersRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id);
  const provider = await providers.byIssuer(issuer);
  return provider?.enabled === true ? provider : undefined;
}

/** @see section 2.6 */
async function verifyLogoutToken(
  visit: Visit,
  provider: StoredProvider,
  token: string,
): Promise<Result<{ readonly claims: LogoutClaims; readonly expires_at: number }, string>> {
  const metadata = await discoverProvider(visit, provider);
  if (!metadata.ok) return err(`logout_${metadata.error}`);
  const verified: Result<ForeignClaims, { readonly reason: string }> = await verifyForeignJwt(visit, token, {
    issuer: provider.issuer,
    audience: provider.client_id,
    keys: { jwks_uri: metadata.value.jwks_uri },
    algorithms: metadata.value.algorithms,
    // The type is recommended only; without it `events` and the absent nonce tell the token from an ID token.
    typ: ["logout+jwt", "jwt", undefined],
    requires: ["iat", "jti", "events"],
    life_ms_max: limits.assertionLife_ms_max,
  });
  if (!verified.ok) {
    const fields = { tenant: visit.tenant.id, provider: provider.id, reason: verified.error.reason };
    visit.platform.log("warn", "A logout token was refused", fields);
    return err("logout_token_invalid");
  }
  const claims = claimsSchema.safeParse({ nonce: undefined, ...verified.value.all });
  if (!claims.success || (claims.data.sub ?? claims.data.sid) === undefined) return err("logout_token_invalid");
  return ok({ claims: claims.data, expires_at: verified.value.exp * 1000 + limits.clockSkew_ms });
}

/** @returns those whose sessions are meant; with a `sid` only the sessions that came from that session of the provider */
async function usersMeant(visit: Visit, { id, issuer }: StoredProvider, { sub, sid }: LogoutClaims): Promise<User[]> {
  const database = openDatabase(visit.platform.bindings.DB);
  const users = usersRepository(database, visit.tenant.id);
  if (sub !== undefined) {
    const user = await users.byIdentity(issuer, sub);
    return user === undefined ? [] : [user];
  }
  const ids = sid === undefined ? [] : await providerSessions(database, visit.tenant.id, id, sid).users();
  const found = await Promise.all(ids.map(users.get));
  return found.filter((user) => user !== undefined);
}
