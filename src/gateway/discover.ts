/**
 * `server/discover`: what this endpoint offers this principal. Only what Gatehouse really relays is declared.
 * @see MCP 2026-07-28 server/discover
 */
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { encodeResponse, META, MODERN_VERSION, isObject } from "../protocol/index.ts";
import { withDeadline } from "./deadline.ts";
import { contextOf, type Exchange, type Permitted } from "./exchange.ts";
import { outcomesKey, outcomeWord } from "./lists.ts";
import { permittedServers } from "./permit.ts";
import { failed, type Reply } from "./reply.ts";
import { eraOf, type Verdict } from "./upstream/index.ts";

/** Capabilities by their names in the protocol; `true` where members of it may be declared. */
const relayed = ["tools", "prompts", "resources", "completions", "logging"] as const;
/** Extensions that are relayed: tasks by its own methods, MCP Apps by metadata only. */
const relayedExtensions = ["io.modelcontextprotocol/tasks", "io.modelcontextprotocol/ui"];

const serverInfo = { name: "gatehouse", title: "Gatehouse", version: "0.1.0" };

/** One server's capabilities, as this endpoint can honour them. */
function honoured({ era, capabilities }: Verdict): JsonObject {
  const declared: JsonObject = {};
  for (const name of relayed) {
    const capability = capabilities[name];
    if (!isObject(capability)) continue;
    // Change notifications come over `subscriptions/listen`, which only modern upstreams have.
    declared[name] = era === "modern" ? capability : {};
  }
  const extensions: Json | undefined = capabilities["extensions"] as Json | undefined;
  if (era === "modern" && isObject(extensions)) {
    const kept = Object.entries(extensions).filter(([name]) => relayedExtensions.includes(name));
    if (kept.length > 0) declared["extensions"] = Object.fromEntries(kept);
  }
  return declared;
}

export async function discoverServer(exchange: Exchange, permitted: Permitted): Promise<Reply> {
  const era = await eraOf(contextOf(exchange), permitted.server);
  if (!era.ok) return failed(era.error, exchange.request.id);
  return discovered(exchange, honoured(era.value), era.value.instructions, undefined);
}

/** Capabilities of the aggregate: what any of its servers offers. */
export async function discoverAggregate(exchange: Exchange): Promise<Reply> {
  const outcomes: Record<string, string> = {};
  const found = await withDeadline(exchange, limits.listTotal_ms, (bounded) =>
    Promise.all(
      permittedServers(exchange).map(async ({ server }) => {
        const era = await eraOf(contextOf(bounded), server);
        outcomes[server.slug] = era.ok ? "ok" : outcomeWord(era.error);
        return era.ok ? honoured(era.value) : {};
      }),
    ),
  );
  return discovered(exchange, found.reduce<JsonObject>(merge, {}), undefined, outcomes);
}

/** Union of two capability objects; a flag holds when either has it. */
function merge(left: JsonObject, right: JsonObject): JsonObject {
  const union: JsonObject = { ...left };
  for (const [name, value] of Object.entries(right)) {
    const known = union[name];
    union[name] = isObject(known) && isObject(value) ? merge(known, value) : known === true ? true : value;
  }
  return union;
}

function discovered(
  exchange: Exchange,
  capabilities: JsonObject,
  instructions: string | undefined,
  outcomes: Record<string, string> | undefined,
): Reply {
  const result: JsonObject = {
    resultType: "complete",
    supportedVersions: [MODERN_VERSION],
    capabilities,
    ...(instructions === undefined ? {} : { instructions }),
    // What is offered may change with any change of configuration.
    ttlMs: 0,
    cacheScope: "private",
    _meta: { [META.serverInfo]: serverInfo, ...(outcomes === undefined ? {} : { [outcomesKey]: outcomes }) },
  };
  return {
    kind: "answer",
    status: 200,
    body: encodeResponse(exchange.request.id, { result }),
    outcome: { status: "ok" },
    ...(outcomes === undefined ? {} : { upstreams: outcomes }),
  };
}
