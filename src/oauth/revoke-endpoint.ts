/**
 * The revocation endpoint.
 * @see RFC 7009
 */
import { openDatabase } from "../db/index.ts";
import type { Visit } from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { revokeTokens } from "../tenant/index.ts";
import { announce } from "./tokens/announce.ts";
import { authenticateClient } from "./clients/index.ts";
import { grantsRepository } from "./grants/grant-rows.ts";
import { openGrantHandle } from "./grants/handles.ts";
import { revokeGrants } from "./grants/revoke-grants.ts";
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
  const isHandle = await revokeRefreshToken(visit, client.value, token);
  if (!isHandle) await revokeAccessToken(visit, client.value, token);
  return ok(undefined);
}

/** Ends the grant, of whichever generation the token is. @returns whether it is a refresh token of ours */
async function revokeRefreshToken(visit: Visit, client: OAuthClient, token: string): Promise<boolean> {
  const opened = await openGrantHandle(visit, "refresh", token);
  if (!opened.ok) return false;
  const { platform, tenant } = visit;
  const grant = await grantsRepository(openDatabase(platform.bindings.DB), tenant.id).get(opened.value.grant);
  if (grant?.client_id === client.id) await revokeGrants(visit, { id: grant.id }, "client");
  return true;
}

/**
 * An access token ends with its grant. One without a grant is the client's own: revocations name no single token, so all of the
 * client's end, and it gets a new one with its credential when it asks.
 */
async function revokeAccessToken(visit: Visit, client: OAuthClient, token: string): Promise<void> {
  const { platform, tenant, snapshot } = visit;
  const now = platform.ports.clock.now();
  const read = await readAccessToken(snapshot, tenant.origin, token, now);
  if (!read.ok || read.value.client_id !== client.id) return;
  const { grant_id } = read.value;
  if (grant_id !== undefined) {
    await revokeGrants(visit, { id: grant_id }, "client");
    return;
  }
  const database = openDatabase(platform.bindings.DB);
  await revokeTokens(database, tenant.id, { kind: "client", subject: client.id }, now);
  await announce(visit);
}
