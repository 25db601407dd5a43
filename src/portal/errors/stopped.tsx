/** The page on which an authorization ends that must not go back to its client. */
import type { Child } from "hono/jsx";
import { parseTrustedRedirect, trustedEntryFor, type Stop, type StopReason } from "../../oauth/index.ts";
import type { PortalContext } from "../context.ts";
import { Facts } from "../design/index.ts";
import { showError } from "./error-page.tsx";
import { stopTexts } from "./stop-texts.ts";

const statuses: Partial<Record<StopReason, 403 | 429 | 503>> = {
  other_browser: 403,
  too_many_requests: 429,
  unavailable: 503,
};

export function showStopped(c: PortalContext, stop: Stop): Promise<Response> {
  return showError(c, {
    ...stopTexts[stop.reason],
    ...(stop.reason === "redirect_uri_untrusted" ? { administrator: whatToAdd(stop.redirect_uri) } : {}),
    status: statuses[stop.reason] ?? 400,
    reason: stop.reason,
    details: detailsOf(stop),
  });
}

function whatToAdd(redirect_uri: string | undefined): string {
  const entry = redirect_uri === undefined ? undefined : parseTrustedRedirect(trustedEntryFor(redirect_uri));
  if (entry === undefined) return "Look under Redirect URLs for what was blocked.";
  if (!entry.ok) return `This address cannot be trusted. ${entry.error}`;
  return `Under Redirect URLs, trust it in the list of blocked ones, or add exactly this line: ${entry.value}`;
}

/** Texts, never links: whoever made the request chose them. */
function detailsOf({ client_id, client_name, redirect_uri }: Stop): Child {
  const rows: (readonly [string, Child])[] = [];
  if (client_name !== undefined && client_name !== client_id) rows.push(["Calls itself", <bdi>{client_name}</bdi>]);
  if (client_id !== undefined) rows.push(["Client id", <span class="code">{client_id}</span>]);
  if (redirect_uri !== undefined) rows.push(["Redirect URL", <span class="code">{redirect_uri}</span>]);
  return rows.length === 0 ? null : <Facts rows={rows} />;
}
