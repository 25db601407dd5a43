/** Lists: what may stand in one, and the aggregate of several upstreams' lists under prefixed names. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { encodeResponse, isObject } from "../protocol/index.ts";
import { withDeadline } from "./deadline.ts";
import { contextOf, type Exchange, type Permitted } from "./exchange.ts";
import { prefixName, prefixUri } from "./names.ts";
import { permittedServers } from "./permit.ts";
import { failed, type Reply } from "./reply.ts";
import { prefixTool } from "./rewrite.ts";
import { askAllPages, eraOf, mirroredParameters } from "./upstream/index.ts";

interface ListKind {
  /** The member of the result that holds the items. */
  readonly member: string;
  readonly capability: string;
  /** The member of an item that carries its name or URI. */
  readonly key: string;
  readonly prefix: (slug: string, key: string) => string;
}

const kinds: ReadonlyMap<string, ListKind> = new Map([
  ["tools/list", { member: "tools", capability: "tools", key: "name", prefix: prefixName }],
  ["prompts/list", { member: "prompts", capability: "prompts", key: "name", prefix: prefixName }],
  ["resources/list", { member: "resources", capability: "resources", key: "uri", prefix: prefixUri }],
  [
    "resources/templates/list",
    { member: "resourceTemplates", capability: "resources", key: "uriTemplate", prefix: prefixUri },
  ],
]);

/** Where the aggregate tells what each upstream did. */
export const outcomesKey = "gatehouse/upstreams";

/**
 * Leaves out, alone, a tool that a client would have to reject or that breaks a bound.
 * @returns whether anything was left out
 * @see MCP 2026-07-28 streamable HTTP, "Schema Extension": an invalid `x-mcp-header` excludes its tool
 */
export function keepListable(method: string, result: JsonObject): boolean {
  const kind = kinds.get(method);
  const items = kind === undefined ? undefined : result[kind.member];
  if (kind === undefined || !Array.isArray(items)) return false;
  const kept = items.filter((item) => isListable(method, kind, item));
  if (kept.length === items.length) return false;
  result[kind.member] = kept;
  return true;
}

function isListable(method: string, kind: ListKind, item: Json): item is JsonObject {
  if (!isObject(item)) return false;
  const key = item[kind.key];
  if (typeof key !== "string" || key === "" || key.length > limits.name_chars || !key.isWellFormed()) return false;
  if (method !== "tools/list") return true;
  if (mirroredParameters(item["inputSchema"] ?? null) === undefined) return false;
  return JSON.stringify(item).length <= limits.tool_bytes;
}

interface Listed {
  readonly slug: string;
  readonly outcome: string;
  readonly items: readonly JsonObject[];
  readonly ttl_ms: number;
}

/**
 * The lists of all permitted servers as one, in the order of slugs. A server that fails or is slow is left out and named in
 * the result's `_meta`; the others are not held up by it for longer than `limits.listPerUpstream_ms`.
 */
export async function listAggregate(exchange: Exchange): Promise<Reply> {
  const { methodName, id, params } = exchange.request;
  const kind = kinds.get(methodName);
  if (kind === undefined) return failed(failure("method_not_found"), id);
  if (params["cursor"] !== undefined) {
    // The aggregate answers in one page and gives no cursor out, so this one is not its own.
    return failed(failure("invalid_params", "The cursor is not valid", { reason: "foreign_cursor" }), id);
  }
  const listed = await withDeadline(exchange, limits.listTotal_ms, (bounded) =>
    Promise.all(permittedServers(exchange).map((one) => listOne(bounded, one, methodName, kind))),
  );
  const outcomes = Object.fromEntries(listed.map(({ slug, outcome }) => [slug, outcome]));
  const complete = listed.every(({ outcome }) => outcome === "ok" || outcome === "not_offered");
  const result: JsonObject = {
    resultType: "complete",
    [kind.member]: listed.flatMap(({ items }) => items),
    // A list with a gap is not to be kept.
    ttlMs: complete ? Math.min(limits.listTtl_ms_max, ...listed.map(({ ttl_ms }) => ttl_ms)) : 0,
    cacheScope: "private",
    _meta: { [outcomesKey]: outcomes },
  };
  return {
    kind: "answer",
    status: 200,
    body: encodeResponse(id, { result }),
    outcome: { status: "ok" },
    upstreams: outcomes,
  };
}

async function listOne(exchange: Exchange, permitted: Permitted, method: string, kind: ListKind): Promise<Listed> {
  const { server } = permitted;
  const none = (outcome: string): Listed => ({ slug: server.slug, outcome, items: [], ttl_ms: limits.listTtl_ms_max });
  const context = contextOf(exchange);
  const era = await eraOf(context, server);
  if (!era.ok) return none(outcomeWord(era.error));
  if (!offers(era.value.capabilities, kind.capability)) return none("not_offered");
  const meta = exchange.request.params["_meta"];
  const listed = await askAllPages(
    context,
    server,
    method,
    kind.member,
    isObject(meta) ? withoutProgress(meta) : {},
    limits.listPerUpstream_ms,
  );
  if (!listed.ok) return none(outcomeWord(listed.error));
  const items = listed.value.items
    .filter((item) => isListable(method, kind, item))
    .map((item) => ({ ...item, [kind.key]: kind.prefix(server.slug, String(item[kind.key])) }));
  if (method === "tools/list") for (const item of items) prefixTool(item, server.slug);
  const outcome = listed.value.truncated ? "truncated" : "ok";
  return { slug: server.slug, outcome, items, ttl_ms: listed.value.ttl_ms };
}

/** The one word that says why a server is left out. What the gateway itself gave up on is past the deadline of the list. */
export const outcomeWord = (failed: Failure): string =>
  failed.code === "cancelled" ? "deadline" : (failed.reason ?? failed.code);

/** A server that declares nothing at all may still offer everything: some only answer an error to the probe. */
const offers = (capabilities: Readonly<Record<string, unknown>>, capability: string): boolean =>
  capability in capabilities || Object.keys(capabilities).length === 0;

/** Progress of one upstream says nothing about the whole. */
function withoutProgress(meta: JsonObject): JsonObject {
  const { progressToken: _, ...rest } = meta;
  return rest;
}
