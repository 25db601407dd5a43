/** `/connect/callback` and what is below `/connect/{slug}/callback`: back from a provider. */
import { completeLink } from "../../connections/index.ts";
import type { PortalContext } from "../context.ts";
import { showLinkRefused } from "../errors/link-refused.ts";
import { signedIn } from "../guard.ts";
import { personOf } from "../visitor.ts";
import { showConnected } from "./connected.tsx";

/** Whose session ended meanwhile signs in and comes back here; the answer is still only theirs. */
export async function connectCallback(c: PortalContext): Promise<Response> {
  const session = await signedIn(c);
  if (!session.ok) return session.error;
  const completed = await completeLink(c.var.visit, personOf(session.value), new URL(c.req.url));
  return completed.ok ? showConnected(c, session.value, completed.value) : showLinkRefused(c, completed.error);
}
