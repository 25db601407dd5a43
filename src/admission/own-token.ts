/**
 * Whether a text that would go to an upstream holds a token of this gateway. None ever goes there, in no mode: whoever has it could
 * act for its owner at every server.
 */

import type { Configuration } from "../env.ts";

/** As `tokens.ts` mints them, to the last character: GitHub's have prefixes like these and other lengths. */
const machine = /(?<![A-Za-z0-9_-])gh[acs]_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/;

/** Codes and refresh tokens: a sealed handle has a dot behind the id of its key. */
const handle = /(?<![A-Za-z0-9_-])gh[rx]_[A-Za-z0-9._-]{1,32}\.[A-Za-z0-9_-]{64}/;

const basic = /^basic +(?<pair>[A-Za-z0-9+/]+=*) *$/i;

/** Issuers of this deployment: a token of another tenant or host is one of ours as well. @param origin of the request's tenant */
export function ownIssuers({ hosts }: Pick<Configuration, "hosts">, origin: string): ReadonlySet<unknown> {
  return new Set([origin, ...Array.from(hosts.keys(), (host) => `https://${host}`)]);
}

/** @param issuers see `ownIssuers` */
export function holdsOwnToken(text: string, issuers: ReadonlySet<unknown>): boolean {
  if (isOwn(text, issuers)) return true;
  const pair = decoded(basic.exec(text)?.groups?.["pair"] ?? "", "base64");
  return pair !== undefined && isOwn(pair, issuers);
}

function isOwn(text: string, issuers: ReadonlySet<unknown>): boolean {
  if (machine.test(text) || handle.test(text)) return true;
  const words = text.split(/[^A-Za-z0-9_.-]+/);
  return words.some((word) => claimsIn(word).some((claims) => issuers.has(issuerOf(claims))));
}

/** Shorter ones name no issuer of ours; reading many of them would cost. */
const claims_chars_min = 24;

/** What may be the claims of a JWS in compact form: every one begins with base64url of `{"`. Each part is looked at once. */
function claimsIn(word: string): string[] {
  const parts = word.split(".");
  const isClaims = (part: string, at: number): boolean =>
    part.length >= claims_chars_min && at < parts.length - 1 && parts[at - 1]?.includes("eyJ") === true;
  return parts.filter(isClaims);
}

function issuerOf(claims: string): unknown {
  try {
    const read: unknown = JSON.parse(decoded(claims, "base64url") ?? "");
    return typeof read === "object" && read !== null && "iss" in read ? read.iss : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for what is no base64 */
function decoded(text: string, alphabet: "base64" | "base64url"): string | undefined {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(text, { alphabet }));
  } catch {
    return undefined;
  }
}
