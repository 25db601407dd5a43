/**
 * The revocation endpoint.
 * @see RFC 7009
 */
import { openDatabase } from "../db/index.ts";
import { authEvent, type Visit } from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { announceRevocation, holderOf, isRevoked, revokeTokens } from "../tenant/index.ts";
import { authenticateClient } from "./clients/index.ts";
import { unavailable } from "./grants/answer-grant.ts";
import { grantsRepository } from "./grants/grant-rows.ts";
import { openGrantHandle } from "./grants/handles.ts";
import { endGrants } from "./grants/revoke-grants.ts";
import { oauthError, toOAuthResponse, uncached, type OAuthError } from "./oauth-error.ts";
import { readForm, refuseMethod } from "./tokens/form.ts";
import { readAccessToken } from "./tokens/verify.ts";
import { withDatabase } from "./token-endpoint.ts";
import type { OAuthClient } from "./types.ts";

/** The answer does not tell whether there was anything to revoke, or whose it was (section 2.2). */
export async function handleRevoke(visit: Visit, request: Request): Promise<Response> {
  const unfit = refuseMethod(request);
  if (unfit !== undefined) return unfit;
  const revoked = await withDatabase(() => revoke(visit, request));
  return revoked.ok ? new Response(null, { status: 200, headers: uncached }) : toOAuthResponse(revoked.error);
}

async function revoke(visit: Visit, request: Request): Promise<Result<void, OAuthError>> {
  const form = await readForm(visit, request);
  if (!form.ok) return form;
  const client = await authenticateClient(visit, request.headers, form.value);
  if (!client.ok) return client;
  const token = form.value.get("token");
  if (token === null) return err(oauthError("invalid_request", "token is missing", "parameter_missing"));
  // The hint is not needed: a token says by its form what it is.
  const isTold =
    (await revokeRefreshToken(visit, client.value, token)) ?? (await revokeAccessToken(visit, client.value, token));
  // Section 2.2.1: whoever reads 503 takes the token for good still, and comes again.
  return isTold ? ok(undefined) : err(unavailable("revocation_not_announced"));
}

/**
 * Ends the grant, of whichever generation the token is.
 * @returns whether it holds everywhere; undefined when this is no refresh token of ours
 */
async function revokeRefreshToken(visit: Visit, client: OAuthClient, token: string): Promise<boolean | undefined> {
  const opened = await openGrantHandle(visit, "refresh", token);
  if (!opened.ok) return undefined;
  const { platform, tenant } = visit;
  const grant = await grantsRepository(openDatabase(platform.bindings.DB), tenant.id).get(opened.value.grant);
  if (grant?.client_id !== client.id) return true;
  return (await endGrants(visit, { id: grant.id }, "client")).isTold;
}

/**
 * An access token ends with its grant. Revocations name no single token: one without a grant ends with all that its holder, a person or
 * the client for itself, has at this client. They get new ones by what they got this one.
 * @returns whether it holds everywhere
 */
async function revokeAccessToken(visit: Visit, client: OAuthClient, token: string): Promise<boolean> {
  const { platform, tenant, snapshot } = visit;
  const now = platform.ports.clock.now();
  const read = await readAccessToken(snapshot, tenant.origin, token, now);
  if (!read.ok || read.value.client_id !== client.id) return true;
  const { grant_id, subject, user, issued_at } = read.value;
  if (grant_id !== undefined) return (await endGrants(visit, { id: grant_id }, "client")).isTold;
  const database = openDatabase(platform.bindings.DB);
  const holder = { kind: "holder", subject: holderOf(subject, client.id) } as const;
  if (await isRevoked(database, tenant.id, holder, issued_at)) return true;
  await revokeTokens(database, tenant.id, holder, now);
  const isTold = await announceRevocation(platform, tenant.id);
  await visit.recorder.record(
    authEvent(visit, {
      ...{ action: "token.revoke", outcome: "ok", reason: "client", agent: client.id, client_name: client.name },
      ...(user === undefined ? {} : { user: { id: user.id, email: user.email ?? null } }),
      resource: read.value.audience,
    }),
  );
  return isTold;
}
