/** Asking a server for one of its lists, and what is kept of the answer. */
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { ok, type Json, type JsonObject, type Result } from "../../ports.ts";
import { META, MODERN_VERSION, parseFaithful, stringifyFaithful } from "../../protocol/index.ts";
import {
  catalogsStore,
  type CatalogName,
  type CatalogsStore,
  type Server,
  type StoredCatalog,
} from "../../registry/index.ts";
import { askAllPages, eraOf, type UpstreamContext } from "../../upstream/index.ts";
import { buildCatalog, type Catalog } from "./build.ts";
import type { ListKind } from "./kinds.ts";
import { unlessResting } from "./resting.ts";
import { noteStatus } from "./status.ts";

/** A list for everybody: no client stands behind the question, so none of its capabilities does. */
const ownMeta = (context: UpstreamContext): JsonObject => ({
  [META.protocolVersion]: MODERN_VERSION,
  [META.clientInfo]: context.client.info,
  [META.clientCapabilities]: {},
});

interface Fetched {
  /** The list as it goes into the store. */
  readonly stored: StoredCatalog;
  readonly items: readonly Json[];
  readonly isShared: boolean;
}

async function fetchList(
  context: UpstreamContext,
  server: Server,
  kind: ListKind,
  diverged: () => Promise<ReadonlySet<string>>,
): Promise<Result<Fetched, Failure>> {
  const fetched_at = context.platform.ports.clock.now();
  const era = await unlessResting(context, server, () => eraOf(context, server));
  if (!era.ok) return era;
  const isShared = era.value.era === "modern" || !(await diverged()).has(server.id);
  const server_era = era.value.era;
  if (!offers(era.value.capabilities, kind.capability)) {
    const ttl_ms = limits.listTtl_ms_max;
    return ok({
      stored: { server_era, offered: false, items_text: "[]", ttl_ms, fetched_at, truncated: false },
      items: [],
      isShared,
    });
  }
  // A tool may have changed its caller's session without a word: what is for everybody is asked in a session of nobody's.
  const asking = isShared ? { ...context, owner: undefined } : context;
  const question = { method: kind.method, member: kind.member, meta: ownMeta(context) };
  const listed = await askAllPages(asking, server, question, limits.listPerUpstream_ms);
  if (!listed.ok) return listed;
  const { items, ttl_ms, truncated } = listed.value;
  const items_text = stringifyFaithful(items);
  return ok({ stored: { server_era, offered: true, items_text, ttl_ms, fetched_at, truncated }, items, isShared });
}

/** A server that declares nothing at all may still offer everything: some only answer an error to the probe. */
const offers = (capabilities: Readonly<Record<string, unknown>>, capability: string): boolean =>
  capability in capabilities || Object.keys(capabilities).length === 0;

/**
 * @param holder whose list it is, see `holderOf`
 * @param diverged servers whose sessions with the owner have lists of their own
 * @returns whether the answer is for everybody with the same holder: only then it is stored, and its outcome is the server's status
 */
export async function askCatalog(
  context: UpstreamContext,
  server: Server,
  kind: ListKind,
  holder: string,
  diverged: () => Promise<ReadonlySet<string>>,
): Promise<Result<{ readonly catalog: Catalog; readonly isShared: boolean }, Failure>> {
  const fetched = await fetchList(context, server, kind, diverged);
  if (!fetched.ok) {
    // A client that left, or a deadline of the whole list, says nothing about the server.
    const isItsOwn = fetched.error.code !== "cancelled" && !isOfPerson(fetched.error);
    const noted = { outcome: outcomeWord(fetched.error), isOk: false };
    if (isItsOwn) context.platform.waitUntil(noteStatus(context, server, noted));
    return fetched;
  }
  const { stored, items, isShared } = fetched.value;
  const catalog = await toCatalog(kind, server.slug, stored, items);
  if (isShared) {
    const { outcome, entries, dropped_count } = catalog;
    const counted = { list: kind.counted, count: entries.length, dropped_count };
    context.platform.waitUntil(noteStatus(context, server, { outcome, isOk: true, counted }));
    context.platform.waitUntil(storeOf(context).write(nameOf(context, server, kind, holder), stored));
  }
  return ok({ catalog, isShared });
}

/** What a person lacks says nothing about the server. */
const isOfPerson = ({ code }: Failure): boolean => code === "link_needed" || code === "vault_sealed";

/** The list that some isolate stored. */
export async function storedCatalog(
  context: UpstreamContext,
  server: Server,
  kind: ListKind,
  holder: string,
): Promise<Catalog | undefined> {
  const stored = await storeOf(context).read(nameOf(context, server, kind, holder));
  if (stored === undefined) return undefined;
  const items = readItems(stored.items_text);
  if (items !== undefined) return toCatalog(kind, server.slug, stored, items);
  context.platform.log("warn", "A stored list could not be read", { server: server.slug, method: kind.method });
  return undefined;
}

/** @returns undefined for what is no JSON array */
function readItems(text: string): readonly Json[] | undefined {
  try {
    const items = parseFaithful(text);
    return Array.isArray(items) ? items : undefined;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

function toCatalog(kind: ListKind, slug: string, stored: StoredCatalog, items: readonly Json[]): Promise<Catalog> {
  const { server_era, offered, truncated, fetched_at } = stored;
  return buildCatalog(kind, slug, items, {
    outcome: !offered ? "not_offered" : truncated ? "truncated" : "ok",
    complete: !truncated,
    server_era,
    ttl_ms: Math.min(Math.max(stored.ttl_ms, limits.catalogFresh_ms), limits.listTtl_ms_max),
    fetched_at,
  });
}

const storeOf = ({ platform, tenant }: UpstreamContext): CatalogsStore => catalogsStore(platform, tenant.id);

/**
 * Which list this is. Everybody has the same where the organisation's credential is used; else it is the holder's. The revision
 * counts with every change of address or credential. A server of 2025 may list by what the client can do, so that is in it.
 */
export function nameOf({ era, client }: UpstreamContext, server: Server, kind: ListKind, holder: string): CatalogName {
  const abilities = era === "legacy" ? Object.keys(client.capabilities).toSorted() : [];
  return {
    server_id: server.id,
    revision: server.revision,
    audience: [era, ...abilities].join("+"),
    holder,
    method: kind.method,
  };
}

/** The one word that says why a server is left out. What the gateway itself gave up on is past the deadline of the list. */
export const outcomeWord = (failed: Failure): string =>
  failed.code === "cancelled"
    ? "deadline"
    : failed.code === "link_needed"
      ? "link_needed"
      : (failed.reason ?? failed.code);
