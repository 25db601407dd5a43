/** Who looks at a page, and the way to sign in for somebody who must. */
import { displayName, formToken, sealReturn, type Visit, type WebSession } from "../login/index.ts";
import type { Visitor } from "./design/index.ts";

export async function visitorOf(visit: Visit, session: WebSession): Promise<Visitor> {
  return {
    name: displayName(session.user),
    isStaff: session.user.role !== "member",
    formToken: await formToken(visit, session),
  };
}

/**
 * The address of the sign-in page that leads back to `path`.
 * @param more `again`: the person must prove anew who they are, signed in or not
 */
export async function signInPath(visit: Visit, path: string, more: { readonly again?: boolean } = {}): Promise<string> {
  const to = await sealReturn(visit, path);
  return `/login?${new URLSearchParams({ to, ...(more.again === true ? { prompt: "login" } : {}) })}`;
}
