/** The one stylesheet, at an address that changes with its content, so that browsers may keep it for ever. */
import { base } from "./base.ts";
import { parts } from "./parts.ts";
import { tokens } from "./tokens.ts";

const text = `${tokens}${base}${parts}`;

/** FNV-1a: tells versions apart and protects nothing. @see RFC 9923 */
function fingerprint(value: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < value.length; index += 1) {
    hash = Math.imul(hash ^ value.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash.toString(16).padStart(8, "0");
}

export const stylesheetPath = `/assets/gatehouse-${fingerprint(text)}.css`;

export function stylesheet(): Response {
  return new Response(text, {
    headers: { "content-type": "text/css; charset=utf-8", "cache-control": "public, max-age=31536000, immutable" },
  });
}
