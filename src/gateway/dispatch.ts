/**
 * The methods of the data path: a row for each, and what it does on each of the two endpoints. Every handler gets a request
 * that passed all checks; it decides, then runs between the two audit events.
 */
import { failure, toRpcResponse, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Decision } from "../policy/index.ts";
import type { JsonObject } from "../ports.ts";
import { isObject } from "../protocol/index.ts";
import { discoverAggregate, discoverServer, listAggregate, parseUri, resolveName } from "./catalog/index.ts";
import type { Exchange, Permitted, Relay } from "./exchange.ts";
import { openTask } from "./handles.ts";
import { listen } from "./listen.ts";
import { decideServer } from "./permit.ts";
import { recorded, recordRefusal, type Subject } from "./record.ts";
import { relay } from "./relay.ts";
import type { Reply } from "./reply.ts";
import { streamMethod } from "./sender.ts";
import {
  end,
  initialize,
  listTasks,
  openStream,
  pong,
  setLogLevel,
  subscribe,
  tellRootsChanged,
  unsubscribe,
} from "./session-methods/index.ts";
import { toServerTask } from "./tasks.ts";

/** Where a request goes on the aggregate endpoint: the server, and the params by its own names. */
interface Route {
  readonly slug: string;
  readonly params: JsonObject;
  readonly name?: string;
  readonly taskHandle?: string;
}

type Resolve = (exchange: Exchange) => Route | undefined | Promise<Route | undefined>;
type Aggregate = (exchange: Exchange) => Promise<Reply>;
type Single = (exchange: Exchange, permitted: Permitted) => Promise<Reply>;
type One = (exchange: Exchange, request: Relay) => Promise<Reply>;

interface Row {
  /** What an unknown name is called; denied ones get the same text. */
  readonly unknown: string;
  /** On `/mcp`: answers for all permitted servers together … */
  readonly aggregate?: Aggregate;
  /** … or finds the one that the request is for. */
  readonly resolve?: Resolve;
  /** On `/mcp/{slug}`: answers for its server by itself. */
  readonly single?: Single;
  /** What is done with a request that is for one server; else it is relayed. */
  readonly one?: One;
}

// prettier-ignore
const rows: ReadonlyMap<string, Row> = new Map<string, Row>([
  //                                         /mcp                          /mcp/{slug}               one server
  ["server/discover",                     { aggregate: discoverAggregate, single: discoverServer,                     unknown: "" }],
  ["tools/list",                          { aggregate: listAggregate,                                                 unknown: "" }],
  ["prompts/list",                        { aggregate: listAggregate,                                                 unknown: "" }],
  ["resources/list",                      { aggregate: listAggregate,                                                 unknown: "" }],
  ["resources/templates/list",            { aggregate: listAggregate,                                                 unknown: "" }],
  ["subscriptions/listen",                { aggregate: listen,            single: listen,                             unknown: "" }],
  ["tools/call",                          { resolve: byName("tool"),                                                  unknown: "Unknown tool" }],
  ["prompts/get",                         { resolve: byName("prompt"),                                                unknown: "Unknown prompt" }],
  ["resources/read",                      { resolve: byUri,                                                           unknown: "Unknown resource" }],
  ["completion/complete",                 { resolve: byReference,                                                     unknown: "Unknown reference" }],
  ["tasks/get",                           { resolve: byTask,                                                          unknown: "Unknown task" }],
  ["tasks/update",                        { resolve: byTask,                                                          unknown: "Unknown task" }],
  ["tasks/cancel",                        { resolve: byTask,                                                          unknown: "Unknown task" }],
  // --- sessions of the 2025 revisions
  ["initialize",                          { aggregate: initialize,        single: initialize,                         unknown: "" }],
  ["ping",                                { aggregate: pong,              single: pong,                               unknown: "" }],
  ["logging/setLevel",                    { aggregate: setLogLevel,       single: setLogLevel,                        unknown: "" }],
  ["resources/subscribe",                 { resolve: byUri,                                         one: subscribe,   unknown: "Unknown resource" }],
  ["resources/unsubscribe",               { resolve: byUri,                                         one: unsubscribe, unknown: "Unknown resource" }],
  ["tasks/list",                          { aggregate: listTasks,                                                     unknown: "" }],
  ["tasks/result",                        { resolve: byTask,                                                          unknown: "Unknown task" }],
  ["notifications/roots/list_changed",    { aggregate: tellRootsChanged,  single: tellRootsChanged,                   unknown: "" }],
  [streamMethod,                          { aggregate: openStream,        single: openStream,                         unknown: "" }],
  ["DELETE",                              { aggregate: end,               single: end,                                unknown: "" }],
]);

export async function dispatch(exchange: Exchange): Promise<Response> {
  const row = rows.get(exchange.request.methodName);
  if (row === undefined) return toRpcResponse(failure("method_not_found"), exchange.request.id);
  return exchange.endpoint.slug === undefined
    ? dispatchAggregate(exchange, row)
    : dispatchSingle(exchange, row, exchange.endpoint.slug);
}

async function dispatchAggregate(exchange: Exchange, row: Row): Promise<Response> {
  const { aggregate } = row;
  if (aggregate !== undefined) {
    const subject = { decision: openToAll(exchange), ...durationOf(exchange) };
    return recorded(exchange, subject, () => aggregate(exchange));
  }
  const route = await row.resolve?.(exchange);
  if (route === undefined)
    return refuse(exchange, row, subjectOf(exchange, nothingByThatName, undefined, exchange.request.name));
  const { decision, permitted } = decideServer(exchange, route.slug);
  if (permitted === undefined)
    return refuse(exchange, row, subjectOf(exchange, decision, undefined, exchange.request.name));
  return run(exchange, decision, row, { ...route, permitted, aggregate: true });
}

/** Lists and discovery are for everyone who was admitted: the decision is made for each server in them. */
const openToAll = (exchange: Exchange): Decision => ({
  effect: "allow",
  policy: exchange.principal.kind === "development" ? "development:allow-all" : "each-server",
  reason: "decided_for_each_server",
});

const nothingByThatName: Decision = { effect: "deny", policy: "default:deny", reason: "unknown_name" };

async function dispatchSingle(exchange: Exchange, row: Row, slug: string): Promise<Response> {
  const { decision, permitted } = decideServer(exchange, slug);
  if (permitted === undefined) {
    // The whole endpoint does not exist for this caller.
    return refused(exchange, failure("not_found"), subjectOf(exchange, decision, undefined, exchange.request.name));
  }
  const { single } = row;
  if (single !== undefined) {
    const subject = { ...subjectOf(exchange, decision, permitted, undefined), ...durationOf(exchange) };
    return recorded(exchange, subject, () => single(exchange, permitted));
  }
  const { params, name } = exchange.request;
  if (row.resolve !== byTask) {
    const request = { permitted, params, aggregate: false, ...(name === undefined ? {} : { name }) };
    return run(exchange, decision, row, request);
  }
  const task = await byTask(exchange);
  return task?.slug === slug
    ? run(exchange, decision, row, { ...task, permitted, aggregate: false })
    : refuse(exchange, row, subjectOf(exchange, nothingByThatName, permitted, undefined));
}

function run(exchange: Exchange, decision: Decision, { one = relay }: Row, request: Relay): Promise<Response> {
  const subject: Subject = {
    ...subjectOf(exchange, decision, request.permitted, request.name),
    ...(request.params["arguments"] === undefined ? {} : { arguments: request.params["arguments"] }),
  };
  return recorded(exchange, subject, () => one(exchange, request));
}

function subjectOf(exchange: Exchange, decision: Decision, permitted: Permitted | undefined, name?: string): Subject {
  return {
    decision,
    ...(permitted === undefined ? {} : { server: { id: permitted.server.id, slug: permitted.server.slug } }),
    ...(name === undefined ? {} : { name: exchange.request.method.nameParam === "uri" ? bareUri(name) : name }),
  };
}

/** A query or fragment can hold a secret, and is not what a resource is known by. */
const bareUri = (uri: string): string => uri.replace(/[?#].*$/s, "");

const durationOf = (exchange: Exchange): { duration_ms?: number } =>
  longLived.has(exchange.request.methodName) ? { duration_ms: limits.listen_ms } : {};

const longLived = new Set(["subscriptions/listen", streamMethod]);

function refuse(exchange: Exchange, row: Row, subject: Subject): Promise<Response> {
  const shown = exchange.request.name === undefined ? row.unknown : `${row.unknown}: ${exchange.request.name}`;
  const isResource = exchange.request.era === "legacy" && row.resolve === byUri;
  return refused(exchange, failure(isResource ? "unknown_resource" : "unknown_name", shown), subject);
}

async function refused(exchange: Exchange, answer: Failure, subject: Subject): Promise<Response> {
  const recording = await recordRefusal(exchange, subject);
  return toRpcResponse(recording.ok ? answer : recording.error, exchange.request.id);
}

function byName(kind: "tool" | "prompt"): Resolve {
  return async function byNameOf(exchange) {
    const named = await resolveName(exchange, kind, exchange.request.name ?? "");
    if (named === undefined || named.name === "") return undefined;
    return { ...named, params: { ...exchange.request.params, name: named.name } };
  };
}

function byUri(exchange: Exchange): Route | undefined {
  const named = parseUri(exchange.request.name ?? "");
  if (named === undefined) return undefined;
  return { ...named, params: { ...exchange.request.params, uri: named.name } };
}

/** @see MCP 2026-07-28 completion: `ref` names a prompt, or a resource by its URI or template */
async function byReference(exchange: Exchange): Promise<Route | undefined> {
  const { ref } = exchange.request.params;
  if (!isObject(ref)) return undefined;
  const isPrompt = ref["type"] === "ref/prompt";
  const member = isPrompt ? "name" : "uri";
  const value = ref[member];
  if (typeof value !== "string") return undefined;
  const named = isPrompt ? await resolveName(exchange, "prompt", value) : parseUri(value);
  if (named === undefined) return undefined;
  return { slug: named.slug, params: { ...exchange.request.params, ref: { ...ref, [member]: named.name } } };
}

/** Task handles are sealed: what they name is known only to the principal that they were made for. */
async function byTask(exchange: Exchange): Promise<Route | undefined> {
  const taskHandle = exchange.request.name ?? "";
  const opened =
    exchange.request.era === "legacy" ? await toServerTask(exchange, taskHandle) : await openTask(exchange, taskHandle);
  if (opened === undefined) return undefined;
  const { server_id, task_id } = opened;
  const server = [...exchange.snapshot.servers.values()].find((candidate) => candidate.id === server_id);
  if (server === undefined) return undefined;
  return { slug: server.slug, name: task_id, params: { ...exchange.request.params, taskId: task_id }, taskHandle };
}
