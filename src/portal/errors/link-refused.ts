/** The page on which connecting an account ends when it cannot be done. Always a page of ours, never a redirect. */
import type { LinkRefusal, LinkRefusalReason } from "../../connections/index.ts";
import { sealReturn } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { showError, type ErrorAction } from "./error-page.tsx";
import { linkTexts } from "./link-texts.ts";

const statuses: Partial<Record<LinkRefusalReason, 403 | 404 | 409 | 410 | 422 | 429 | 502 | 503>> = {
  link_expired: 410,
  link_used: 410,
  link_not_yours: 403,
  server_gone: 404,
  nothing_to_connect: 404,
  account_invalid: 422,
  too_many_accounts: 409,
  too_many_attempts: 429,
  server_unreachable: 502,
  provider_unreachable: 502,
  state_expired: 410,
  state_used: 410,
  other_person: 403,
  server_changed: 409,
  access_denied: 403,
  user_disabled: 403,
  vault_sealed: 503,
  unavailable: 503,
};

const connections: ErrorAction = { href: "/me/connections", label: "My connections" };

/** @param return_to where the person came from, unless the refusal says so itself: no failure loses that way */
export async function showLinkRefused(
  c: PortalContext,
  { reason, because, server, retry, return_to: known }: LinkRefusal,
  return_to = known,
): Promise<Response> {
  const back = return_to === undefined ? undefined : { href: return_to, label: "Back to where you were" };
  const again = retry === undefined ? undefined : { href: await retryPath(c, retry, return_to), label: "Try again" };
  return showError(c, {
    ...linkTexts[reason],
    status: statuses[reason] ?? 400,
    ...{ reason, because, server },
    action: again ?? back ?? connections,
    otherwise: again === undefined ? undefined : back,
  });
}

async function retryPath(c: PortalContext, path: string, return_to: string | undefined): Promise<string> {
  if (return_to === undefined) return path;
  return `${path}?${new URLSearchParams({ to: await sealReturn(c.var.visit, return_to) })}`;
}
