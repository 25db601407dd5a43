/** Lists of words in documents of others. */
import * as z from "zod";
import { limits } from "../../limits.ts";

const words_count = 500;
const word = z.string().max(limits.upstreamUrl_chars);

/** Vendors write `null` for what they do not have. */
export const wordsSchema = z.array(word).max(words_count).nullish();

/** RFC 6749 section 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** @returns what of it are scopes, each once, within our bounds */
export function scopesOf(words: readonly string[]): string[] {
  const scopes: string[] = [];
  let length_chars = 0;
  for (const scope of new Set(words)) {
    if (!scopeToken.test(scope) || scopes.length >= limits.scopes_count) continue;
    length_chars += scope.length + 1;
    if (length_chars > limits.scope_chars) break;
    scopes.push(scope);
  }
  return scopes;
}

/** Of a `scope` parameter. */
export const splitScope = (scope: string): string[] => scope.split(/[ \t]+/).filter((word) => word !== "");
