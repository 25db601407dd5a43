/** How long a document may be kept. */
import { limits } from "../limits.ts";

const seconds = /^\d{1,10}$/;

/**
 * @returns milliseconds from now on, within our own bounds: a poisoned document must not stay, and an anxious header must not
 *   make us ask at every step of a sign-in
 * @see RFC 9111 sections 4.2.1 and 5.2.2
 */
export function documentLife(headers: Headers): number {
  return Math.min(Math.max(declaredLife(headers), limits.documentLife_ms_min), limits.documentLife_ms_max);
}

function declaredLife(headers: Headers): number {
  const directives = (headers.get("cache-control") ?? "").split(",").map((part) => part.trim().toLowerCase());
  if (directives.includes("no-store") || directives.includes("no-cache")) return 0;
  const declared = directives.flatMap((directive) => {
    const value = directive.startsWith("max-age=") ? directive.slice("max-age=".length).replaceAll('"', "") : "";
    return seconds.test(value) ? [Number(value)] : [];
  });
  if (declared.length === 0) return limits.documentLife_ms;
  const age = headers.get("age") ?? "";
  return (Math.min(...declared) - (seconds.test(age) ? Number(age) : 0)) * 1000;
}
