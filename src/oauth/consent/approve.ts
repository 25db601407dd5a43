/** What follows from the person's decision: a grant and a code, or an error for the client. */
import { openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { authEvent, type AuthAct, type Visit, type WebSession } from "../../login/index.ts";
import { countAttempt, type AttemptRule } from "../../trust/index.ts";
import { noteAgent } from "../agents/index.ts";
import { answerRedirect } from "../authorization/index.ts";
import { grantsRepository, type StoredGrant } from "../grants/grant-rows.ts";
import { makeNonce, sealGrantHandle } from "../grants/handles.ts";
import { askGrant } from "../grants/object-of.ts";
import type { StopReason } from "../stop.ts";
import type { AuthorizationRequest, OAuthClient, Stop } from "../types.ts";
import { consentRows, type ConsentKey } from "./consent-rows.ts";
import { offeredServers } from "./offered.ts";

const grantsMade: AttemptRule = {
  purpose: "grants_made",
  count_max: limits.grantsMade_count,
  window_ms: limits.grantsMade_ms,
};

export type Approved =
  | { readonly kind: "redirect"; readonly location: string }
  | { readonly kind: "stopped"; readonly stop: Stop };

/**
 * Gives the client a code for what the person chose. A request is approved once; its id becomes that of the grant. Where policy
 * leaves the person nothing to give, the client gets `access_denied`.
 * @param chosen server ids; those that are not offered to this person do not count
 * @see RFC 6749 section 4.1.2
 */
export async function approve(
  visit: Visit,
  session: WebSession,
  request: AuthorizationRequest,
  client: OAuthClient,
  chosen: readonly string[],
  more: { readonly remember: boolean },
): Promise<Approved> {
  const { user } = session;
  const offered = offeredServers(visit, { client, user, resource: request.resource }).map(({ id }) => id);
  const servers = offered.filter((id) => chosen.includes(id));
  if (servers.length === 0) {
    const reason = offered.length === 0 ? "policy_no_server" : "nothing_chosen";
    return redirect(await refuse(visit, session, request, client, reason));
  }
  const now = visit.platform.ports.clock.now();
  const code_nonce = makeNonce(visit);
  const isWithin = await countAttempt(
    openDatabase(visit.platform.bindings.DB),
    visit.tenant.id,
    grantsMade,
    user.id,
    now,
  );
  if (!isWithin) return stopped("too_many_requests", request, client);
  const made = await makeGrant(visit, session, request, client, servers, code_nonce, now);
  if (made !== undefined) return stopped(made, request, client);
  await noteAgent(visit, { client, user_id: user.id });
  const recorded = await visit.recorder.record(eventOf(visit, session, request, client, "consent.give"));
  if (!recorded.ok) return stopped("unavailable", request, client);
  if (more.remember) {
    const consent = { ...keyOf(user.id, request), offered, servers, given_at: now };
    await consentsOf(visit).remember({ ...consent, expires_at: now + limits.consent_ms });
  }
  // Open longer than the code is good for: one that comes twice is recognised as such.
  const handle = { grant: request.id, generation: 0, nonce: code_nonce };
  const code = await sealGrantHandle(visit, "code", handle, now + limits.authorizationRequest_ms);
  return redirect(answerRedirect(visit, request, { code }));
}

/** @returns where the browser goes: back to the client, with `access_denied` */
export function decline(
  visit: Visit,
  session: WebSession,
  request: AuthorizationRequest,
  client: OAuthClient,
): Promise<string> {
  return refuse(visit, session, request, client, "declined");
}

/**
 * @param offered that the person would be asked about now
 * @returns the server ids that the person chose when the same question was asked before; undefined when it must be asked
 */
export function rememberedConsent(
  visit: Visit,
  user: { readonly id: string },
  request: AuthorizationRequest,
  offered: readonly { readonly id: string }[],
): Promise<readonly string[] | undefined> {
  const ids = offered.map(({ id }) => id);
  return consentsOf(visit).find(keyOf(user.id, request), ids, visit.platform.ports.clock.now());
}

/** @returns why there is none now; undefined when it was made */
async function makeGrant(
  visit: Visit,
  { user, source: { country, network } }: WebSession,
  request: AuthorizationRequest,
  client: OAuthClient,
  servers: readonly string[],
  code_nonce: string,
  now: number,
): Promise<StopReason | undefined> {
  const { platform, tenant } = visit;
  const { id, redirect_uri, resource, scope, code_challenge } = request;
  const code_expires_at = now + limits.authorizationCode_ms;
  const grant: StoredGrant = {
    ...{ id, redirect_uri, resource, scope, servers },
    source: { network, ...(country === undefined ? {} : { country }) },
    user_id: user.id,
    client_id: client.id,
    client_name: client.name,
    created_at: now,
    redeemed_at: null,
    last_used_at: null,
    // Until its code is redeemed it lasts no longer than that.
    expires_at: code_expires_at,
    revoked_at: null,
    revoked_reason: null,
  };
  const inserted = await grantsRepository(openDatabase(platform.bindings.DB), tenant.id).insert(grant);
  if (inserted !== "inserted") return inserted === "exists" ? "request_used" : "too_many_grants";
  const created = await askGrant(platform, tenant.id, id, (object) =>
    object.create({ code_nonce, code_challenge, code_expires_at }, now),
  );
  if (!created.ok) return "unavailable";
  return created.value ? undefined : "request_used";
}

async function refuse(
  visit: Visit,
  session: WebSession,
  request: AuthorizationRequest,
  client: OAuthClient,
  reason: "policy_no_server" | "nothing_chosen" | "declined",
): Promise<string> {
  await visit.recorder.record(eventOf(visit, session, request, client, "consent.refuse", reason));
  const error_description =
    reason === "declined" ? "The person declined" : "There is no server that this person may use through this client";
  return answerRedirect(visit, request, { error: "access_denied", error_description });
}

function eventOf(
  visit: Visit,
  { user }: WebSession,
  request: AuthorizationRequest,
  client: OAuthClient,
  action: AuthAct["action"],
  reason?: string,
) {
  const { redirect_uri, resource, id } = request;
  return authEvent(visit, {
    action,
    outcome: reason === undefined ? "ok" : "refused",
    ...{ reason, user, redirect_uri, resource },
    agent: client.id,
    client_name: client.name,
    ...(reason === undefined ? { grant: id } : {}),
  });
}

const consentsOf = ({ platform, tenant }: Visit) => consentRows(openDatabase(platform.bindings.DB), tenant.id);

const keyOf = (user_id: string, request: AuthorizationRequest): ConsentKey => ({
  user_id,
  client_id: request.client_id,
  redirect_uri: request.redirect_uri,
  resource: request.resource,
  scope: request.scope,
});

const redirect = (location: string): Approved => ({ kind: "redirect", location });

const stopped = (reason: StopReason, { redirect_uri }: AuthorizationRequest, client: OAuthClient): Approved => ({
  kind: "stopped",
  stop: { reason, client_id: client.id, client_name: client.name, redirect_uri },
});
