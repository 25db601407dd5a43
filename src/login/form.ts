/**
 * Forms of a signed-in person come from our own pages only. Three signs, of which none is left to the other: a token that only a page
 * of this session can hold, `Origin`, and `Sec-Fetch-Site`.
 */
import type { WebSession } from "./sessions.ts";
import type { Visit } from "./visit.ts";

/** Name of the hidden field. */
export const formTokenField = "form_token";

const purpose = "form-token";

/** Opens for this session only, and dies with it. */
export function formToken({ vault, tenant }: Visit, session: WebSession): Promise<string> {
  return vault.sealHandle(purpose, tenant.id, { session: session.hash }, session.expires_at);
}

/** @param fields of the posted form */
export async function checkForm(
  visit: Visit,
  session: WebSession,
  request: Request,
  fields: URLSearchParams,
): Promise<boolean> {
  if (!isOfOwnPage(visit, request.headers)) return false;
  const [token, ...others] = fields.getAll(formTokenField);
  if (token === undefined || others.length > 0) return false;
  const opened = await visit.vault.openHandle(purpose, visit.tenant.id, token);
  return opened.ok && opened.value["session"] === session.hash;
}

/** `Origin: null` is that of a sandboxed frame or of a redirect from elsewhere. @see Fetch Metadata Request Headers, section 2.4 */
function isOfOwnPage({ tenant }: Visit, headers: Headers): boolean {
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  return (origin === null || origin === tenant.origin) && (site === null || site === "same-origin" || site === "none");
}
