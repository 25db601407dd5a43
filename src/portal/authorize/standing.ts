/** How far an authorization request has come for whoever is in this browser: the same question on both of its pages. */
import { limits } from "../../limits.ts";
import type { Visit, WebSession } from "../../login/index.ts";
import {
  answerRedirect,
  approve,
  offeredServers,
  rememberedConsent,
  type AuthorizationRequest,
  type OAuthClient,
  type Stop,
} from "../../oauth/index.ts";
import type { Server } from "../../registry/index.ts";

export type Standing =
  /** `again`: the person must prove anew who they are, signed in or not. */
  | { readonly kind: "sign_in"; readonly again: boolean }
  | { readonly kind: "ask"; readonly session: WebSession; readonly offered: readonly Server[] }
  | { readonly kind: "redirect"; readonly location: string }
  | { readonly kind: "stopped"; readonly stop: Stop };

/** @see OpenID Connect Core 1.0 section 3.1.2.1 (`prompt`, `max_age`) and 3.1.2.6 (errors) */
export async function standingOf(
  visit: Visit,
  session: WebSession | undefined,
  request: AuthorizationRequest,
  client: OAuthClient,
): Promise<Standing> {
  const silent = request.prompt === "none";
  const refuse = (error: string): Standing => ({
    kind: "redirect",
    location: answerRedirect(visit, request, { error }),
  });
  const now = visit.platform.ports.clock.now();
  if (session === undefined || !isFreshFor(session, request, now)) {
    return silent
      ? refuse("login_required")
      : { kind: "sign_in", again: session !== undefined || request.prompt === "login" };
  }
  const offered = offeredServers(visit, { client, user: session.user, resource: request.resource });
  const settled = await settledChoice(visit, session, request, client, offered);
  if (settled !== undefined) return approve(visit, session, request, client, settled, { remember: false });
  return silent ? refuse("consent_required") : { kind: "ask", session, offered };
}

/**
 * Whether the sign-in behind the session is as recent as the request wants it. One that was made for this request is, whatever
 * time has passed: `max_age=0` could never be met otherwise.
 */
export function isFreshFor(session: WebSession, request: AuthorizationRequest, now: number): boolean {
  const { prompt, max_age, requested_at } = request;
  const { authenticated_at, created_at } = session;
  if (created_at >= requested_at && authenticated_at + limits.clockSkew_ms >= requested_at) return true;
  if (prompt === "login") return false;
  return max_age === undefined || now - authenticated_at <= max_age * 1000;
}

/** What was decided before: by the administrator for the client, or by this person. Undefined when they must be asked. */
async function settledChoice(
  visit: Visit,
  { user }: WebSession,
  request: AuthorizationRequest,
  client: OAuthClient,
  offered: readonly Server[],
): Promise<readonly string[] | undefined> {
  if (request.prompt === "consent" || offered.length === 0) return undefined;
  if (client.pre_approved) return offered.map(({ id }) => id);
  return rememberedConsent(visit, user, request, offered);
}
