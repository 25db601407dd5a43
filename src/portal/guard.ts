/** Who may look at a page. */
import type { WebSession } from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import type { PortalContext } from "./context.ts";
import { showNotStaff } from "./errors/refusals.ts";
import { seeOther } from "./show.tsx";
import { sessionOf, signInPath } from "./visitor.ts";

/** @returns the session, or the way to sign in and back to this page */
export async function signedIn(c: PortalContext): Promise<Result<WebSession, Response>> {
  const { visit } = c.var;
  const session = await sessionOf(visit, c.req.raw.headers);
  if (session !== undefined) return ok(session);
  const { pathname, search } = new URL(c.req.url);
  return err(seeOther(await signInPath(visit, `${pathname}${search}`)));
}

/** The same for pages of administrators and auditors. */
export async function staffSignedIn(c: PortalContext): Promise<Result<WebSession, Response>> {
  const session = await signedIn(c);
  if (!session.ok || session.value.user.role !== "member") return session;
  return err(await showNotStaff(c));
}
