/** One list of one server as it stands on the aggregate endpoint: every text is made once, when the list is read. */
import type { Json, JsonObject } from "../../ports.ts";
import { isObject, readParamHeaders, stringifyFaithful, type Era, type ParamHeader } from "../../protocol/index.ts";
import type { ListKind } from "./kinds.ts";
import { isListable, keyOf, withoutModernOutput } from "./listable.ts";
import { prefixUri } from "./uris.ts";

export interface Entry {
  /** The server's own name or URI. */
  readonly original: string;
  readonly exposed: string;
  /** JSON of the item under its exposed name. */
  readonly text: string;
  /** The same for clients of the 2025 revisions, where it differs. */
  readonly legacyText?: string;
}

/** Immutable: shared by all requests of an isolate. */
export interface Catalog {
  readonly entries: readonly Entry[];
  readonly byExposed: ReadonlyMap<string, Entry>;
  /** Own names that are kept out of the list, so that they must not be called on the aggregate either (P5). */
  readonly refused: ReadonlySet<string>;
  /** By own tool name the parameters that are mirrored into headers; those without any are absent, and null must not be called. */
  readonly mirrored: ReadonlyMap<string, readonly ParamHeader[] | null>;
  /** Whether it holds all items: only then does an absent tool mirror nothing. */
  readonly complete: boolean;
  /** `ok`, `truncated` or `not_offered`; `stored:{reason}` while the server cannot be asked. */
  readonly outcome: string;
  /** Items that were left out. */
  readonly dropped_count: number;
  readonly server_era: Era;
  /** How long it is served without asking. */
  readonly ttl_ms: number;
  /** When the server was asked. Milliseconds since the Unix epoch. */
  readonly fetched_at: number;
  readonly size_chars: number;
}

export type CatalogFacts = Pick<Catalog, "outcome" | "complete" | "server_era" | "ttl_ms" | "fetched_at">;

/** @param items by the server's own names, as it sent them */
export async function buildCatalog(
  kind: ListKind,
  slug: string,
  items: readonly Json[],
  facts: CatalogFacts,
): Promise<Catalog> {
  const listable = items.filter((item) => isListable(kind, item));
  const named = await Promise.all(
    listable.map(async (item) => {
      const original = String(item[kind.key]);
      return { item, original, exposed: await kind.expose(slug, original) };
    }),
  );
  // Two of one name cannot be told apart, nor a name that equals the short form of another: none of them is listed.
  const isUnique = unique(named.map(({ exposed }) => exposed));
  const entries = named
    .filter(({ exposed }) => isUnique(exposed))
    .map(({ item, original, exposed }) => entryOf(kind, slug, item, original, exposed));
  const listed = new Set(entries.map(({ original }) => original));
  const keys = items.flatMap((item) => (isObject(item) ? (keyOf(kind, item) ?? []) : []));
  const kept: Kept = {
    entries,
    refused: new Set(keys.filter((key) => !listed.has(key))),
    mirrored: kind.method === "tools/list" ? mirroredBy(kind, items, new Set(listable)) : new Map(),
  };
  return {
    ...facts,
    ...kept,
    byExposed: new Map(entries.map((entry) => [entry.exposed, entry])),
    dropped_count: items.length - entries.length,
    size_chars: sizeOf(kept),
  };
}

type Kept = Pick<Catalog, "entries" | "refused" | "mirrored">;

/** All text that is held, since a server chooses the length of each. */
function sizeOf({ entries, refused, mirrored }: Kept): number {
  let sum_chars = 0;
  for (const { original, exposed, text, legacyText = "" } of entries) {
    sum_chars += original.length + exposed.length + text.length + legacyText.length;
  }
  for (const name of refused) sum_chars += name.length;
  for (const [name, headers] of mirrored) sum_chars += name.length + JSON.stringify(headers).length;
  return sum_chars;
}

function unique(values: readonly string[]): (value: string) => boolean {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const value of values) (seen.has(value) ? repeated : seen).add(value);
  return (value) => !repeated.has(value);
}

function entryOf(kind: ListKind, slug: string, item: JsonObject, original: string, exposed: string): Entry {
  const shown = withPrefixedUi({ ...item, [kind.key]: exposed }, slug);
  const text = stringifyFaithful(shown);
  const legacy = kind.method === "tools/list" ? withoutModernOutput(shown) : shown;
  return { original, exposed, text, ...(legacy === shown ? {} : { legacyText: stringifyFaithful(legacy) }) };
}

/**
 * A tool that has a user interface names the resource which holds it.
 * @see MCP Apps extension, "Tool metadata", with the older spelling of its member
 */
function withPrefixedUi(item: JsonObject, slug: string): JsonObject {
  const meta = item["_meta"];
  if (!isObject(meta)) return item;
  const mapped: JsonObject = { ...meta };
  if (isObject(meta["ui"])) mapped["ui"] = withPrefixed(meta["ui"], "resourceUri", slug);
  return { ...item, _meta: withPrefixed(mapped, "ui/resourceUri", slug) };
}

function withPrefixed(holder: JsonObject, member: string, slug: string): JsonObject {
  const uri = holder[member];
  return typeof uri === "string" ? { ...holder, [member]: prefixUri(slug, uri) } : holder;
}

/** What is not listed for its shape must not be called either (P5). */
function mirroredBy(
  kind: ListKind,
  items: readonly Json[],
  listable: ReadonlySet<Json>,
): Map<string, readonly ParamHeader[] | null> {
  const mirrored = new Map<string, readonly ParamHeader[] | null>();
  for (const item of items) {
    const name = isObject(item) ? keyOf(kind, item) : undefined;
    if (!isObject(item) || name === undefined) continue;
    const declared = listable.has(item) ? readParamHeaders(item["inputSchema"] ?? null) : undefined;
    if (declared?.ok !== true) mirrored.set(name, null);
    else if (declared.value.length > 0) mirrored.set(name, declared.value);
  }
  return mirrored;
}
