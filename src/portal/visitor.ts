/** Who looks at a page, and the way to sign in for somebody who must. */
import { currentSession, displayName, formToken, sealReturn, type Visit, type WebSession } from "../login/index.ts";
import type { Person } from "../connections/index.ts";
import { limits } from "../limits.ts";
import type { Visitor } from "./design/index.ts";

const isDevelopment = ({ platform }: Visit): boolean => platform.configuration.mode === "development";

/** Who is in this browser. Development mode knows one person, who signs in nowhere. */
export async function sessionOf(visit: Visit, headers: Headers): Promise<WebSession | undefined> {
  return isDevelopment(visit) ? developmentSession(visit) : currentSession(visit, headers);
}

/**
 * A session that no cookie stands for. What its forms are protected by is the rest: the token of the page, which no other site can
 * read, `Origin` and `Sec-Fetch-Site`.
 */
function developmentSession({ platform }: Visit): WebSession {
  const id = "development";
  const now = platform.ports.clock.now();
  const times = { created_at: now, updated_at: now };
  return {
    user: {
      ...{ id, provider_id: id, issuer: "", subject: id, email: null, email_verified: false, name: "Development" },
      ...{ role: "member", groups: [], enabled: true, last_sign_in_at: now, ...times },
    },
    ...{ hash: id, provider_id: id, authenticated_at: now, created_at: now, expires_at: now + limits.webSession_ms },
    source: { network: "unknown" },
  };
}

/** The person of a session, as connections are theirs. */
export function personOf({ user }: WebSession): Person {
  const { id, email, email_verified, groups } = user;
  return { id, email, email_verified, name: displayName(user), groups };
}

export async function visitorOf(visit: Visit, session: WebSession): Promise<Visitor> {
  return {
    name: displayName(session.user),
    places: isDevelopment(visit) ? "development" : session.user.role === "member" ? "member" : "staff",
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
