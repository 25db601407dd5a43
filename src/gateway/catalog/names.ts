/**
 * Names of tools and prompts on the aggregate endpoint: `{slug}__{name}`, or a short form where clients could not take that.
 * A slug has no underscore, so the first `__` always ends it.
 */
import { limits } from "../../limits.ts";

/** What has a name: a tool and a prompt of one name are two things. */
export type NamedKind = "tool" | "prompt";

export interface Named {
  readonly slug: string;
  /** The server's own. */
  readonly name: string;
}

const separator = "__";
const hash_chars = 8;
const shortPattern = new RegExp(`^[a-z0-9-]+__[A-Za-z0-9_.-]+_[a-z2-7]{${hash_chars}}$`);

const prefixName = (slug: string, name: string): string => slug + separator + name;

/** @returns undefined when the name has no prefix */
export function parseName(prefixed: string): Named | undefined {
  const at = prefixed.indexOf(separator);
  return at <= 0 ? undefined : { slug: prefixed.slice(0, at), name: prefixed.slice(at + separator.length) };
}

/**
 * The name in lists: the prefixed one where it fits into `limits.exposedName_chars`, else the short form. It depends on nothing
 * else, so it never comes to mean another tool.
 */
export async function exposedName(slug: string, kind: NamedKind, name: string): Promise<string> {
  const prefixed = prefixName(slug, name);
  return prefixed.length <= limits.exposedName_chars ? prefixed : shortForm(slug, kind, name);
}

/** Whether only a list can tell what the name means: it may be a short form, or a name that looks like one. */
export const isShortForm = (prefixed: string): boolean =>
  prefixed.length === limits.exposedName_chars && shortPattern.test(prefixed);

/** `{slug}__{head}_{hash}`: the head is for people and models to read, the hash tells apart. */
async function shortForm(slug: string, kind: NamedKind, name: string): Promise<string> {
  const prefix = slug + separator;
  const head_chars = limits.exposedName_chars - prefix.length - 1 - hash_chars;
  // Each half of a surrogate pair becomes a `_` of its own, so none is left alone at the cut.
  const head = name.slice(0, head_chars).replace(/[^A-Za-z0-9_.-]/g, "_");
  return `${prefix}${head}_${await hashOf(slug, kind, name)}`;
}

/** 40 bits of SHA-256: among the 5,000 tools of a server two have the same once in 90,000 servers, and are then left out. */
async function hashOf(...parts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return base32(digest.subarray(0, (hash_chars * 5) / 8));
}

/** Lower case, since some clients fold names. @see RFC 4648 section 6 */
function base32(bytes: Uint8Array): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet.charAt((held >>> (bits - 5)) & 31);
    held &= 0xff;
  }
  return text;
}
