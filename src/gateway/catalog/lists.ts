/** The lists of all permitted servers as one, in the order of slugs. */
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Server } from "../../registry/index.ts";
import { withDeadline } from "../deadline.ts";
import { contextOf, type Exchange } from "../exchange.ts";
import { permittedServers } from "../permit.ts";
import { connectTool } from "../link/connect-tool.ts";
import { failed, type Reply } from "../reply.ts";
import { outcomeWord } from "./ask.ts";
import type { Catalog, Entry } from "./build.ts";
import { catalogOf } from "./catalogs.ts";
import { divergedServers } from "./changes.ts";
import { openCursor, sealCursor } from "./cursor.ts";
import { kindOf, type ListKind } from "./kinds.ts";
import { cutPage, type Page, type Part } from "./pages.ts";

/** Where the aggregate tells what each upstream did. */
export const outcomesKey = "gatehouse/upstreams";

interface Listed extends Part {
  readonly outcome: string;
  /** How long this list would be given again, in milliseconds. */
  readonly ttl_ms: number;
}

const bounds = { items_count: limits.listPage_items_count, chars: limits.listPage_chars };

/**
 * A server that fails, or is slow and has no stored list, is left out and named in the result's `_meta`. The others are not held
 * up by it for longer than `limits.listPerUpstream_ms`.
 */
export async function listAggregate(exchange: Exchange): Promise<Reply> {
  const { methodName, id, params, era } = exchange.request;
  const kind = kindOf(methodName);
  if (kind === undefined) return failed(failure("method_not_found"), id);
  const after = await openCursor(exchange, params["cursor"]);
  if (!after.ok) return failed(after.error, id);
  const listed = await listAll(exchange, kind, after.value?.slug ?? "");
  const textOf = (entry: Entry): string => (era === "legacy" ? entry.legacyText : undefined) ?? entry.text;
  const page = cutPage(listed, after.value, bounds, (entry) => textOf(entry).length);
  const outcomes = Object.fromEntries(listed.map(({ slug, outcome }) => [slug, outcome]));
  const members = [
    `${JSON.stringify(kind.member)}:[${page.entries.map(textOf).join(",")}]`,
    ...(await restOf(exchange, listed, page, after.value === undefined ? outcomes : undefined)),
  ];
  return {
    kind: "answer",
    status: 200,
    body: `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{${members.join(",")}}}`,
    outcome: { status: "ok" },
    upstreams: outcomes,
  };
}

/** The members of the result besides its items, as JSON. The texts of items are never parsed or encoded again. */
async function restOf(
  exchange: Exchange,
  listed: readonly Listed[],
  { next }: Page,
  outcomes: Readonly<Record<string, string>> | undefined,
): Promise<string[]> {
  const rest = {
    ...(next === undefined ? {} : { nextCursor: await sealCursor(exchange, next) }),
    ...(exchange.request.era === "legacy" ? {} : freshness(listed)),
    ...(outcomes === undefined ? {} : { _meta: { [outcomesKey]: outcomes } }),
  };
  return Object.entries(rest).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
}

/** @see MCP 2026-07-28 caching: what is decided for a principal is private */
const freshness = (listed: readonly Listed[]) => ({
  resultType: "complete",
  ttlMs: Math.min(limits.listTtl_ms_max, ...listed.map(({ ttl_ms }) => ttl_ms)),
  cacheScope: "private",
});

/** @param from slug of the first server that is needed */
function listAll(exchange: Exchange, kind: ListKind, from: string): Promise<Listed[]> {
  const servers = permittedServers(exchange).filter(({ server }) => server.slug >= from);
  return withDeadline(exchange, limits.listTotal_ms, (bounded) => {
    const context = contextOf(bounded);
    const diverged = divergedServers(context);
    return Promise.all(
      servers.map(async ({ server }) => {
        const catalog = await catalogOf(context, server, kind.method, diverged);
        if (!catalog.ok) {
          const entries = await standIns(server, kind, catalog.error);
          return { slug: server.slug, outcome: outcomeWord(catalog.error), entries, ttl_ms: 0 };
        }
        const { outcome, entries } = catalog.value;
        return { slug: server.slug, outcome, entries, ttl_ms: remaining(exchange, catalog.value) };
      }),
    );
  });
}

/** For a server that waits for the person's account: the tool that leads there. */
async function standIns(server: Server, kind: ListKind, { code }: Failure): Promise<Entry[]> {
  if (code !== "link_needed" || kind.method !== "tools/list") return [];
  const tool = connectTool(server);
  const original = String(tool[kind.key]);
  const exposed = await kind.expose(server.slug, original);
  return [{ original, exposed, text: JSON.stringify({ ...tool, [kind.key]: exposed }) }];
}

/** A list with a gap, or one that stands in for a newer one, is not to be kept. */
function remaining(exchange: Exchange, { outcome, fetched_at, ttl_ms }: Catalog): number {
  const isWhole = outcome === "ok" || outcome === "not_offered";
  return isWhole ? Math.max(0, fetched_at + ttl_ms - exchange.platform.ports.clock.now()) : 0;
}
