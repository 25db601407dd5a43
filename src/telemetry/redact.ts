/** What must not be printed. Names decide first; for texts that hold a secret all the same, its look does. */
import { limits } from "../limits.ts";

const secretName = /token|secret|authorization|password|cookie|key|credential/i;
const hidden = "[redacted]";
const cut = "…[cut]";

/** Each of these is linear: no nested repetition, and what stands before a word that is looked for is bounded. */
const secretLooks: readonly (readonly [RegExp, string])[] = [
  // RFC 7235 credentials, wherever a header was pasted into a text.
  [/\b(Bearer|Basic|DPoP)\s+[A-Za-z0-9\-._~+/]+=*/gi, `$1 ${hidden}`],
  // JWT, JWS and JWE: all begin with base64url of `{"`.
  [/\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*/g, hidden],
  // Tokens with a published prefix: our own, GitHub's, Slack's, OpenAI's and Anthropic's.
  [/\bgh[a-z]_[A-Za-z0-9_.-]+|\bgithub_pat_\w+|\bxox[a-z]-[\w-]+|\bsk-[\w-]{8,}/g, hidden],
  // User information and secrets in the query of a URL.
  [/(:\/\/)[^\s/@?#]*@/g, `$1${hidden}@`],
  [/([?&][^\s=&#?]{0,64}(?:token|secret|password|key|credential|code|sig)[^\s=&#?]{0,64}=)[^\s&#"]*/gi, `$1${hidden}`],
];

/** Text without secrets, well-formed, at most `limits.logText_chars` long. */
export function redactText(text: string, chars_max: number = limits.logText_chars): string {
  const scanned = text.slice(0, limits.logTextScanned_chars).toWellFormed();
  const clean = secretLooks.reduce((result, [look, replacement]) => result.replace(look, replacement), scanned);
  return clean.length <= chars_max ? clean : clean.slice(0, chars_max).toWellFormed() + cut;
}

/** A value that may be printed: plain data of bounded depth and size, without secrets. */
export function redactValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case "string":
      return redactText(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : redactObject(value, depth);
    default:
      return undefined;
  }
}

function redactObject(value: object, depth: number): unknown {
  if (value instanceof Error) return redactError(value);
  if (depth >= limits.logDepth_levels) return cut;
  if (Array.isArray(value)) {
    const items = value.slice(0, limits.logItems_count).map((item) => redactValue(item, depth + 1));
    return value.length > items.length ? [...items, cut] : items;
  }
  // Requests, responses, streams, keys and the like: their members are not ours to print.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `[${value.constructor?.name ?? "object"}]`;
  return redactMembers(value, depth + 1);
}

export function redactMembers(value: object, depth = 0): Record<string, unknown> {
  const members = Object.entries(value).slice(0, limits.logItems_count);
  return Object.fromEntries(
    members.map(([name, member]) => [
      redactText(name, 64),
      secretName.test(name) && member !== undefined ? hidden : redactValue(member, depth),
    ]),
  );
}

/**
 * Name and message, without stack and without what the message quotes: database and parser errors quote the values that
 * they met, and drivers append the parameters on further lines.
 */
function redactError(error: Error): Record<string, unknown> {
  const [line = ""] = error.message.split("\n", 1);
  const unquoted = line
    .slice(0, limits.logTextScanned_chars)
    .replace(/"[^"]*"?|`[^`]*`?|(?<!\w)'[^']*'?/g, "[value]")
    .replace(/\bparams:.*$/i, "[values]");
  const cause = error.cause instanceof Error ? { cause: redactText(error.cause.name, 64) } : {};
  return { name: redactText(error.name, 64), message: redactText(unquoted, 256), ...cause };
}
