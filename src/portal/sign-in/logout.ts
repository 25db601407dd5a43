/** `/logout`: POST only, so that no image or link of others signs anybody out. */
import { endSession, openReturn } from "../../login/index.ts";
import type { PortalContext } from "../context.ts";
import { readSubmission, single } from "../form.ts";
import { seeOther } from "../show.tsx";
import { signInPath } from "../visitor.ts";

export async function logout(c: PortalContext): Promise<Response> {
  const { visit } = c.var;
  const submitted = await readSubmission(c);
  if (!submitted.ok) return submitted.error;
  const { session, fields } = submitted.value;
  const cookie = await endSession(visit, session);
  const to = single(fields, "to");
  const back = to === undefined ? undefined : await openReturn(visit, to);
  // "Not you?" leads to the identity provider, which must ask even if it still knows the first person.
  return seeOther(back?.ok === true ? await signInPath(visit, back.value, { again: true }) : "/", [cookie]);
}
