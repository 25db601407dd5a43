/**
 * The cookies of people. The prefix `__Host-` binds them to this host and to https, so no sibling sub-domain can set one, and
 * no two tenants share one.
 * @see RFC 6265bis section 4.1.3.2
 */
import { limits } from "../limits.ts";

export const sessionCookie = "__Host-gatehouse";

/** What we set: secrets and sealed handles, neither of which needs quotes. */
const form = /^[A-Za-z0-9._-]+$/;

const nameOf = (pair: string): string => pair.split("=", 1)[0]?.trim() ?? "";

/** Names of all cookies, in the order of the header: browsers name the older one first (RFC 6265 section 5.4). */
export function cookieNames(headers: Headers): string[] {
  return pairs(headers, ";").map(nameOf);
}

/**
 * Only a semicolon separates cookies; a comma is part of a value, and a sibling sub-domain may set one with a comma and one of our
 * names behind it. Where two headers were joined a comma stands as well, so that a name behind one still counts as a second cookie.
 * @returns undefined when there is none, when it has another form, and when there are two by that name: one of them was planted
 */
export function readCookie(headers: Headers, name: string): string | undefined {
  if (pairs(headers, /[;,]/).filter((pair) => nameOf(pair) === name).length !== 1) return undefined;
  const pair = pairs(headers, ";").find((one) => nameOf(one) === name);
  const value = pair?.slice(pair.indexOf("=") + 1).trim();
  return value !== undefined && form.test(value) ? value : undefined;
}

function pairs(headers: Headers, separator: string | RegExp): string[] {
  const header = headers.get("cookie");
  return header === null || header.length > limits.cookies_chars ? [] : header.split(separator);
}

/** Lax: the person comes back from the provider by a navigation, which must carry them. */
const attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";

export function setCookie(name: string, value: string, life_ms: number): string {
  return `${name}=${value}; Max-Age=${Math.floor(life_ms / 1000)}; ${attributes}`;
}

export function clearCookie(name: string): string {
  return `${name}=; Max-Age=0; ${attributes}`;
}
