/**
 * Lists of servers, shared by everybody who uses the same credential. Served from memory, then KV, then from the server;
 * an old one stands in for a server that is slow, and for a while for one that fails.
 */
import { BoundedMap } from "../../bounded-map.ts";
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import { holderOf } from "../../outbound/index.ts";
import type { Server } from "../../registry/index.ts";
import type { UpstreamContext } from "../../upstream/index.ts";
import { withDeadline } from "../deadline.ts";
import { askCatalog, nameOf, outcomeWord, storedCatalog } from "./ask.ts";
import type { Catalog } from "./build.ts";
import { divergedServers, hasChanged } from "./changes.ts";
import { kinds, type ListKind, type ListMethod } from "./kinds.ts";
import { CatalogMemory } from "./memory.ts";

const memory = new CatalogMemory();

interface Refresh {
  /** Until then no other one is started. A time and not a promise, since a promise dies with its request. */
  readonly until: number;
  /** Why the last one failed. */
  readonly failure?: Failure;
}

const refreshes = new BoundedMap<Refresh>(limits.catalogs_count);

/** One question of one request: the same server is looked up in memory, in the store and at its address. */
interface Lookup {
  readonly context: UpstreamContext;
  readonly server: Server;
  readonly kind: ListKind;
  readonly holder: string;
  readonly key: string;
  readonly diverged: () => Promise<ReadonlySet<string>>;
}

/**
 * The list of one server.
 * @param diverged for several servers of one request: made once, so that the facts of the session are read once
 * @returns failures of the server, where nothing stored may stand in for it; and of whoever lacks a credential for it, always
 */
export async function catalogOf(
  context: UpstreamContext,
  server: Server,
  method: ListMethod,
  diverged: () => Promise<ReadonlySet<string>> = divergedServers(context),
): Promise<Result<Catalog, Failure>> {
  const found = await lookupOf(context, server, method, diverged);
  if (!found.ok) return found;
  const lookup = found.value;
  const known = await readKnown(lookup);
  if (known === undefined) return ask(lookup);
  if (known.server_era === "legacy" && (await diverged()).has(server.id)) return ask(lookup);
  const age_ms = context.platform.ports.clock.now() - known.fetched_at;
  const changed = hasChanged(context, server, method, known.fetched_at);
  const isYoung = age_ms < limits.catalogStale_ms;
  if (!changed && isFresh(known, age_ms)) return ok(known);
  if (!changed && isYoung) {
    startRefresh(lookup);
    const failed = refreshes.get(lookup.key)?.failure;
    return ok(failed === undefined ? known : standingIn(known, outcomeWord(failed)));
  }
  const asked = changed
    ? await within(lookup, limits.listPerUpstream_ms, behind(lookup, ask))
    : await within(lookup, limits.listRefreshWait_ms, startRefresh(lookup));
  if (asked === undefined) return ok(standingIn(known, "slow"));
  return asked.ok || !isYoung ? asked : ok(standingIn(known, outcomeWord(asked.error)));
}

/**
 * The list that everybody has, of whatever age, for calls that only need to know what is kept out of it: they wait for the
 * server where nothing is known, and no longer than `limits.listPerUpstream_ms`.
 * @returns failures of the server, also while it is left in peace after one
 */
export async function knownCatalog(
  context: UpstreamContext,
  server: Server,
  method: ListMethod,
): Promise<Result<Catalog, Failure>> {
  const found = await lookupOf(context, server, method, nobodyDiverged);
  if (!found.ok) return found;
  const lookup = found.value;
  const known = await readKnown(lookup);
  if (known === undefined) {
    const refreshing = startRefresh(lookup);
    if (refreshing === undefined) return ask(lookup);
    const asked = await within(lookup, limits.listPerUpstream_ms, refreshing);
    return asked ?? err(failure("upstream_timeout", undefined, { reason: "deadline" }));
  }
  const age_ms = context.platform.ports.clock.now() - known.fetched_at;
  if (!isFresh(known, age_ms) || hasChanged(context, server, method, known.fetched_at)) startRefresh(lookup);
  return ok(known);
}

const nobodyDiverged = (): Promise<ReadonlySet<string>> => Promise.resolve(new Set());

/** What this isolate holds in memory, of whatever age: for questions that must not wait for a server. */
export async function peekCatalog(
  context: UpstreamContext,
  server: Server,
  method: ListMethod,
): Promise<Catalog | undefined> {
  const found = await lookupOf(context, server, method, nobodyDiverged);
  return found.ok ? memory.get(found.value.key) : undefined;
}

async function lookupOf(
  context: UpstreamContext,
  server: Server,
  method: ListMethod,
  diverged: Lookup["diverged"],
): Promise<Result<Lookup, Failure>> {
  const holder = await holderOf(context, server);
  if (!holder.ok) return holder;
  const kind = kinds[method];
  const key = JSON.stringify([context.tenant.id, ...Object.values(nameOf(context, server, kind, holder.value))]);
  return ok({ context, server, kind, holder: holder.value, key, diverged });
}

const isFresh = ({ ttl_ms }: Catalog, age_ms: number): boolean => age_ms >= 0 && age_ms < ttl_ms;

const standingIn = (catalog: Catalog, reason: string): Catalog => ({ ...catalog, outcome: `stored:${reason}` });

async function readKnown({ context, server, kind, holder, key }: Lookup): Promise<Catalog | undefined> {
  const oldest = context.platform.ports.clock.now() - limits.catalogLife_ms;
  const known = memory.get(key) ?? (await storedCatalog(context, server, kind, holder));
  if (known === undefined || known.fetched_at < oldest) return undefined;
  memory.set(key, known);
  return known;
}

/** From the server, on behalf of this request. */
async function ask({ context, server, kind, holder, key, diverged }: Lookup): Promise<Result<Catalog, Failure>> {
  const asked = await askCatalog(context, server, kind, holder, diverged);
  if (!asked.ok) return asked;
  if (asked.value.isShared) {
    memory.set(key, asked.value.catalog);
    refreshes.delete(key);
  }
  return ok(asked.value.catalog);
}

type Asked = Promise<Result<Catalog, Failure>>;

/** Outlives the request, since what it learns is for all. */
function behind(lookup: Lookup, run: (lookup: Lookup) => Asked): Asked {
  const context = { ...lookup.context, signal: new AbortController().signal };
  const running = withDeadline(context, limits.listTotal_ms, (bounded) => run({ ...lookup, context: bounded }));
  context.platform.waitUntil(running);
  return running;
}

/** @returns undefined when the answer is not there in `wait_ms` */
async function within(
  { context }: Lookup,
  wait_ms: number,
  asked: Asked | undefined,
): Promise<Result<Catalog, Failure> | undefined> {
  const answered = new AbortController();
  try {
    const late = context.platform.ports.clock.sleep(wait_ms, answered.signal).then(() => undefined);
    return await Promise.race([asked, late]);
  } finally {
    answered.abort();
  }
}

/** @returns the failure of the last one while that is left to rest; undefined while another request's is under way */
function startRefresh(lookup: Lookup): Asked | undefined {
  const { key } = lookup;
  const now = lookup.context.platform.ports.clock.now();
  const last = refreshes.get(key);
  // A clock that jumped back must not hold it up.
  const isUnderWay = last !== undefined && last.until > now && last.until - now <= limits.listTotal_ms;
  const failed = last?.failure;
  if (isUnderWay) return failed === undefined ? undefined : Promise.resolve(err(failed));
  refreshes.set(key, { until: now + limits.listTotal_ms, ...(failed === undefined ? {} : { failure: failed }) });
  return behind(lookup, refresh);
}

/** The store is read first, since another isolate may have asked already. */
async function refresh(lookup: Lookup): Asked {
  const { context, server, kind, holder, key } = lookup;
  const { clock } = context.platform.ports;
  const stored = await storedCatalog(context, server, kind, holder);
  if (stored !== undefined && isFresh(stored, clock.now() - stored.fetched_at)) {
    memory.set(key, stored);
    refreshes.delete(key);
    return ok(stored);
  }
  const asked = await ask(lookup);
  if (!asked.ok) refreshes.set(key, { until: clock.now() + limits.listRefreshPause_ms, failure: asked.error });
  return asked;
}
