/**
 * The cookies of people. The prefix `__Host-` binds them to this host and to https, so no sibling sub-domain can set one, and
 * no two tenants share one.
 * @see RFC 6265bis section 4.1.3.2
 */
import { limits } from "../limits.ts";

export const sessionCookie = "__Host-gatehouse";

/** One cookie for each sign-in under way, so that tabs do not disturb each other. */
export function signInCookie(state_hash: string): string {
  const start = Uint8Array.fromBase64(state_hash, { alphabet: "base64url" }).subarray(0, 4).toHex();
  return `${sessionCookie}-signin-${start}`;
}

const secret = /^[A-Za-z0-9_-]{43}$/;

/**
 * @returns a secret of ours; undefined when there is none, when it has another form, and when there are two by that name: one of
 *   them was planted
 */
export function readCookie(headers: Headers, name: string): string | undefined {
  const header = headers.get("cookie");
  if (header === null || header.length > limits.cookies_chars) return undefined;
  const values = header.split(/[;,]/).flatMap((pair) => {
    const [key = "", ...rest] = pair.split("=");
    return key.trim() === name ? [rest.join("=").trim()] : [];
  });
  const [value, ...others] = values;
  return value !== undefined && others.length === 0 && secret.test(value) ? value : undefined;
}

/** Lax: the person comes back from the provider by a navigation, which must carry them. */
const attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";

export function setCookie(name: string, value: string, life_ms: number): string {
  return `${name}=${value}; Max-Age=${Math.floor(life_ms / 1000)}; ${attributes}`;
}

export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${attributes}`;
}
