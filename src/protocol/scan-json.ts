/**
 * One pass over JSON text before it is parsed: what a parsed value no longer shows. The text need not be valid JSON; what
 * is not is left to `JSON.parse`.
 */
import { limits } from "../limits.ts";

export interface Scanned {
  /** Members of all objects, repeated ones included. A parsed value with fewer had duplicate keys. */
  readonly members_count: number;
  /** Objects and arrays. */
  readonly containers_count: number;
  /** Some number does not survive a double: another reader would see another value. */
  readonly unsafeNumber: boolean;
  readonly tooDeep: boolean;
}

/** What a caller wants to know the place of. */
export interface Listeners {
  /** Each number that does not survive a double. */
  readonly onUnsafe?: (start: number, end: number) => void;
  /** Each key of the outermost object (depth 1) and of the objects in it (depth 2), with its quotes. */
  readonly onKey?: (depth: number, start: number, end: number) => void;
}

const shallow_levels = 2;

/** The little of a string that the scan reads, so that a test can count it. */
export type Text = Pick<string, "length" | "charCodeAt" | "slice">;

const QUOTE = 0x22;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
/** A literal as short as this without an exponent has at most 15 digits, which a double always holds. */
const exactLiteral_chars = 15;
/** Every double has a shortest form with at most this many significant digits. */
const significantDigits_count_max = 17;

/**
 * Linear in the text. Stops at the first bracket that nests too deeply, so that no parser ever sees such text.
 */
export function scanJson(text: Text, on: Listeners = {}): Scanned {
  const { onUnsafe, onKey } = on;
  let key_start = 0;
  let key_end = 0;
  let members_count = 0;
  let containers_count = 0;
  let depth = 0;
  let unsafeNumber = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      key_start = at;
      at = endOfString(text, at + 1);
      key_end = at + 1;
    } else if (char === COLON) {
      members_count++;
      if (depth <= shallow_levels) onKey?.(depth, key_start, key_end);
    } else if (char === MINUS || isDigit(char)) {
      const end = endOfNumber(text, at + 1);
      if ((onUnsafe !== undefined || !unsafeNumber) && !isSafeNumber(text, at, end)) {
        unsafeNumber = true;
        onUnsafe?.(at, end);
      }
      at = end - 1;
    } else if (char === 0x7b || char === 0x5b) {
      containers_count++;
      if (++depth > limits.jsonDepth_levels) return { members_count, containers_count, unsafeNumber, tooDeep: true };
    } else if (char === 0x7d || char === 0x5d) {
      depth--;
    }
  }
  return { members_count, containers_count, unsafeNumber, tooDeep: false };
}

const isDigit = (char: number): boolean => char >= ZERO && char <= NINE;
const isExponent = (char: number): boolean => char === 0x65 || char === 0x45;

/** @returns the position of the quote that ends the string, or past the text */
function endOfString(text: Text, start: number): number {
  let at = start;
  for (let char = text.charCodeAt(at); at < text.length && char !== QUOTE; char = text.charCodeAt(at)) {
    at += char === BACKSLASH ? 2 : 1;
  }
  return at;
}

function endOfNumber(text: Text, start: number): number {
  let at = start;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (!isDigit(char) && char !== POINT && !isExponent(char) && char !== MINUS && char !== 0x2b) break;
    at++;
  }
  return at;
}

/**
 * Whether the literal means the same to every reader of doubles: an integer literal within ±(2^53−1); otherwise finite, not
 * rounded to zero, and with no more digits than a double can hold.
 * @see RFC 8259 section 6
 */
export function isSafeNumber(text: Text, start: number, end: number): boolean {
  let significant_count = 0;
  let trailingZeros_count = 0;
  let isInteger = true;
  let at = start;
  for (; at < end; at++) {
    const char = text.charCodeAt(at);
    if (isExponent(char)) break;
    if (char === POINT) isInteger = false;
    else if (char === ZERO) trailingZeros_count += significant_count === 0 ? 0 : 1;
    else if (isDigit(char)) {
      significant_count += trailingZeros_count + 1;
      trailingZeros_count = 0;
    }
  }
  const hasExponent = at < end;
  if (!hasExponent && end - start <= exactLiteral_chars) return true;
  if (significant_count > significantDigits_count_max) return false;

  const value = Number(text.slice(start, end));
  if (Number.isNaN(value)) return true;
  if (isInteger && !hasExponent) return Number.isSafeInteger(value);
  return Number.isFinite(value) && (value !== 0 || significant_count === 0);
}
