/**
 * A sign-in under way, in the browser that began it: sealed, in one cookie for each, so that tabs do not disturb each other. A browser
 * keeps 4,096 characters of a cookie, so that a long one takes several.
 */
import { limits } from "../limits.ts";
import { clearCookie, cookieNames, readCookie, sessionCookie, setCookie } from "./cookies.ts";

const prefix = `${sessionCookie}-signin-`;
const suffix = /^(?<start>[0-9a-f]{8})(?:-[0-9]{1,2})?$/;

/** @param part from 1 */
function nameOf(state_hash: string, part: number): string {
  const start = Uint8Array.fromBase64(state_hash, { alphabet: "base64url" }).subarray(0, 4).toHex();
  return `${prefix}${start}${part === 1 ? "" : `-${part}`}`;
}

interface Held {
  readonly start: string;
  readonly names: string[];
  chars: number;
}

/** Sign-ins whose cookies the browser holds, the oldest first. */
function heldSignIns(headers: Headers): Held[] {
  const held = new Map<string, Held>();
  for (const name of new Set(cookieNames(headers))) {
    const start = name.startsWith(prefix) ? suffix.exec(name.slice(prefix.length))?.groups?.["start"] : undefined;
    if (start === undefined) continue;
    const one = held.get(start) ?? { start, names: [], chars: 0 };
    one.names.push(name);
    one.chars += name.length + (readCookie(headers, name)?.length ?? 0);
    held.set(start, one);
  }
  return [...held.values()];
}

/**
 * The cookies of a new sign-in. Of those that the browser has already, the oldest are cleared past `limits.signInCookies_chars`, so that
 * many that nobody finished do not crowd out the session.
 * @returns values of Set-Cookie headers
 */
export function setSignIn(headers: Headers, state_hash: string, sealed: string): string[] {
  const parts = sealed.match(new RegExp(`.{1,${limits.cookieValue_chars}}`, "g")) ?? [];
  let room = limits.signInCookies_chars - sealed.length;
  const cleared = heldSignIns(headers)
    .toReversed()
    .flatMap(({ names, chars }) => {
      room -= chars;
      return room < 0 ? names : [];
    });
  return [
    ...parts.map((part, index) => setCookie(nameOf(state_hash, index + 1), part, limits.signIn_ms)),
    ...cleared.map(clearCookie),
  ];
}

export function readSignIn(headers: Headers, state_hash: string): string | undefined {
  const parts: string[] = [];
  for (;;) {
    const part = readCookie(headers, nameOf(state_hash, parts.length + 1));
    if (part === undefined) return parts.length === 0 ? undefined : parts.join("");
    parts.push(part);
  }
}

export function clearSignIn(headers: Headers, state_hash: string): string[] {
  const first = nameOf(state_hash, 1);
  const held = heldSignIns(headers).find(({ start }) => first.endsWith(start));
  return (held?.names ?? [first]).map(clearCookie);
}
