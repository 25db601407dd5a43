/**
 * Values of `Mcp-Name` and `Mcp-Param-*`: plain where HTTP can carry them safely, else Base64 of their UTF-8 between two
 * markers.
 * @see MCP 2026-07-28 streamable HTTP, "Value Encoding"; RFC 9110 section 5.5
 */
import { err, ok, type Result } from "../ports.ts";

const prefix = "=?base64?";
const suffix = "?=";
/** Visible ASCII, with spaces inside only. */
const plain = /^[\x21-\x7e]+(?: +[\x21-\x7e]+)*$/;
/** As received: a tab inside is allowed by HTTP, though nobody needs to send one. */
const receivable = /^[\x20-\x7e\t]*$/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** @param value well-formed Unicode; lone surrogates cannot be carried and become U+FFFD */
export function encodeHeaderValue(value: string): string {
  if (plain.test(value) && !looksEncoded(value)) return value;
  const binary = Array.from(encoder.encode(value), (byte) => String.fromCharCode(byte)).join("");
  return prefix + btoa(binary) + suffix;
}

/**
 * @param header the value as HTTP gives it, without surrounding whitespace
 * @returns the value meant, or why the header is malformed: the markers are case-sensitive, Base64 is canonical (RFC 4648
 *   sections 3.3 and 3.5), its bytes are UTF-8
 */
export function decodeHeaderValue(header: string): Result<string, "characters" | "base64" | "utf8"> {
  if (!receivable.test(header)) return err("characters");
  if (!looksEncoded(header)) return ok(header);
  const bytes = fromCanonicalBase64(header.slice(prefix.length, -suffix.length));
  if (bytes === undefined || header.length < prefix.length + suffix.length) return err("base64");
  try {
    return ok(utf8.decode(bytes));
  } catch {
    return err("utf8");
  }
}

const looksEncoded = (value: string): boolean => value.startsWith(prefix) && value.endsWith(suffix);

function fromCanonicalBase64(encoded: string): Uint8Array | undefined {
  try {
    const binary = atob(encoded);
    // atob forgives missing padding, whitespace and stray bits; two spellings of one value would be two cache keys.
    return btoa(binary) === encoded ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : undefined;
  } catch {
    return undefined;
  }
}
