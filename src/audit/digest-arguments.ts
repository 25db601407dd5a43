/**
 * What the audit log keeps of a call's arguments: for each its type, its size and a keyed digest. Equal values can be
 * found again, none can be read, and none can be guessed without the tenant's key.
 */
import { limits } from "../limits.ts";
import type { Json } from "../ports.ts";
import type { RequestEvent } from "./event.ts";

type ArgumentDigests = NonNullable<RequestEvent["request"]["arguments"]>;

/** The entry for what has no name of its own: arguments past the limit, or arguments that are no object. */
const rest = "…";
/** A name is the caller's text as well: one that is no plain identifier may itself be a secret. */
const plainName = /^(?!__proto__$)[A-Za-z0-9_.-]{1,64}$/;

/**
 * One entry for each top-level argument, the rest summed under `…`.
 * @param digest keyed, for instance `vault.digest` of the tenant; a value's digest is that of its JSON with sorted members
 */
export async function digestArguments(
  args: Json | undefined,
  digest: (value: string) => Promise<string>,
): Promise<ArgumentDigests> {
  if (args === undefined) return {};
  if (args === null || typeof args !== "object" || Array.isArray(args)) {
    return { [rest]: await digestValue(args, digest) };
  }
  const all = Object.entries(args);
  const named = all.slice(0, limits.auditArguments_count);
  const others = all.slice(limits.auditArguments_count);
  const entries = named.map(
    async ([name, value]) =>
      [plainName.test(name) ? name : await digest(name.toWellFormed()), await digestValue(value, digest)] as const,
  );
  if (others.length > 0) {
    entries.push(digestRest(others, digest).then((value) => [rest, value] as const));
  }
  return Object.fromEntries(await Promise.all(entries));
}

/** As they came: nobody compares what has no name, and to sort it would be work that a caller can multiply. */
async function digestRest(
  others: readonly (readonly [string, Json])[],
  digest: (value: string) => Promise<string>,
): Promise<ArgumentDigests[string]> {
  const json = JSON.stringify(others);
  return { type: "object", size_chars: json.length, hmac: await digest(json) };
}

async function digestValue(value: Json, digest: (value: string) => Promise<string>): Promise<ArgumentDigests[string]> {
  const json = JSON.stringify(value, sortedMembers);
  return { type: typeOf(value), size_chars: json.length, hmac: await digest(json) };
}

/** Members in one order, so that equal values have equal digests however the client wrote them. */
function sortedMembers(_name: string, value: Json): Json {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
