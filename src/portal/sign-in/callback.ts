/** `/login/callback`: back from the identity provider. */
import { completeSignIn, handleBackChannelLogout } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { seeOther } from "../show.tsx";
import { signInPath } from "../visitor.ts";
import { showSignInFailure } from "./login.tsx";

export async function callback(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const completed = await completeSignIn(visit, c.req.raw);
  if (completed.kind === "done") return seeOther(completed.return_to, completed.cookies);
  const retry = await signInPath(visit, completed.return_to ?? "/", { again: true });
  const page = await showSignInFailure(c, completed.reason, retry);
  for (const cookie of completed.cookies) page.headers.append("set-cookie", cookie);
  return page;
}

/** @see OpenID Connect Back-Channel Logout 1.0 section 2.5 */
export function backChannelLogout(c: PortalContext): Promise<Response> {
  return handleBackChannelLogout(c.var.visit, c.req.raw);
}
