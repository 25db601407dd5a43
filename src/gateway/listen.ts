/**
 * `subscriptions/listen`: one stream to the client, one to each upstream behind it. It is acknowledged with what the upstreams
 * agreed to, ends when the client closes it, and ends gracefully when its time is over or the principal may no longer have it.
 * @see MCP 2026-07-28 subscriptions
 */
import { failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { JsonObject } from "../ports.ts";
import { encodeNotification, encodeResponse, isObject, META } from "../protocol/index.ts";
import {
  watchUpstream,
  type UpstreamMessage,
  type UpstreamNotification,
  type Watch,
  type WatchFilter,
} from "../upstream/index.ts";
import { noteListChanged, parseUri, prefixUri } from "./catalog/index.ts";
import { withDeadline } from "./deadline.ts";
import { contextOf, type Exchange, type Permitted } from "./exchange.ts";
import { Feed } from "./feed.ts";
import { openTask } from "./handles.ts";
import { permittedServers } from "./permit.ts";
import { failed, type Reply } from "./reply.ts";
import { declaresTasks, finishTaskState } from "./result.ts";

const flags = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"] as const;
const listChanged: Readonly<Record<string, string>> = {
  toolsListChanged: "notifications/tools/list_changed",
  promptsListChanged: "notifications/prompts/list_changed",
  resourcesListChanged: "notifications/resources/list_changed",
};

/** What one upstream is asked for, and how its names are the client's. */
interface Part {
  readonly permitted: Permitted;
  readonly filter: WatchFilter;
  readonly toClientUri: (uri: string) => string;
  /** Prefixes the URIs of task results; undefined on the transparent endpoint. */
  readonly slug: string | undefined;
  /** Task id of the upstream to the handle that the client holds. */
  readonly tasks: ReadonlyMap<string, string>;
}

interface Open {
  readonly part: Part;
  readonly watch: Watch;
}

export async function listen(exchange: Exchange, permitted?: Permitted): Promise<Reply> {
  const { id, params } = exchange.request;
  const filter = isObject(params["notifications"]) ? params["notifications"] : {};
  const uris = strings(filter["resourceSubscriptions"]);
  const taskIds = strings(filter["taskIds"]);
  if (uris.length + taskIds.length > limits.listenSubscriptions_count) {
    return failed(failure("invalid_params", `At most ${limits.listenSubscriptions_count} subscriptions`), id);
  }
  if (filter["taskIds"] !== undefined && !declaresTasks(exchange)) {
    const requiredCapabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } };
    return failed(failure("missing_capability", undefined, { data: { requiredCapabilities } }), id);
  }
  const parts = await partition(exchange, permitted, filter, uris, taskIds);
  const opened = (await Promise.all(parts.map((part) => openPart(exchange, part)))).filter(
    (open) => open !== undefined,
  );
  const feed = await feedOf(exchange, opened, filter);
  const last = encodeResponse(id, { result: { resultType: "complete", _meta: { [META.subscriptionId]: id } } });
  return { kind: "stream", messages: feed.messages(last), watchesStanding: true };
}

/** Splits the filter by upstream. What names nothing that this principal may see is left out, as if it did not exist. */
async function partition(
  exchange: Exchange,
  single: Permitted | undefined,
  filter: JsonObject,
  uris: readonly string[],
  taskIds: readonly string[],
): Promise<Part[]> {
  const flagged = Object.fromEntries(flags.filter((flag) => filter[flag] === true).map((flag) => [flag, true]));
  const handles = await Promise.all(
    taskIds.map(async (handle) => ({ handle, opened: await openTask(exchange, handle) })),
  );
  const candidates = single === undefined ? permittedServers(exchange) : [single];
  return candidates.flatMap((permitted) => {
    const { slug, id } = permitted.server;
    const own = single === undefined ? uris.flatMap((uri) => ownUri(uri, slug)) : uris;
    const tasks = new Map(
      handles.flatMap(({ handle, opened }) => (opened?.server_id === id ? [[opened.task_id, handle] as const] : [])),
    );
    const part: WatchFilter = {
      ...flagged,
      ...(own.length === 0 ? {} : { resourceSubscriptions: [...own] }),
      ...(tasks.size === 0 ? {} : { taskIds: [...tasks.keys()] }),
    };
    const toClientUri = single === undefined ? (uri: string) => prefixUri(slug, uri) : (uri: string) => uri;
    const prefix = single === undefined ? slug : undefined;
    return Object.keys(part).length === 0 ? [] : [{ permitted, filter: part, toClientUri, slug: prefix, tasks }];
  });
}

function ownUri(uri: string, slug: string): string[] {
  const named = parseUri(uri);
  return named?.slug === slug ? [named.name] : [];
}

/**
 * One upstream does not hold the acknowledgement up: one that is slow, or that has nothing to listen to, is left out.
 * @returns undefined when the upstream cannot be listened to: then nothing of it is acknowledged
 */
async function openPart(exchange: Exchange, part: Part): Promise<Open | undefined> {
  const opened = await withDeadline(exchange, limits.listPerUpstream_ms, (bounded) =>
    // With a server of 2025 it has a session of its own, which ends with the stream.
    watchUpstream(
      { ...contextOf(bounded), owner: undefined },
      part.permitted.server,
      part.filter,
      exchange.request.params,
    ),
  );
  return opened.ok ? { part, watch: opened.value } : undefined;
}

/** What the client asked for and at least one upstream agreed to, by the client's names. */
function acknowledgement(opened: readonly Open[]): JsonObject {
  const honoured: JsonObject = {};
  const uris: string[] = [];
  const taskIds: string[] = [];
  for (const {
    part,
    watch: { acknowledged },
  } of opened) {
    for (const flag of flags) if (part.filter[flag] === true && acknowledged[flag] === true) honoured[flag] = true;
    const asked = new Set(strings(part.filter.resourceSubscriptions));
    for (const uri of strings(acknowledged["resourceSubscriptions"]))
      if (asked.has(uri)) uris.push(part.toClientUri(uri));
    for (const id of strings(acknowledged["taskIds"])) taskIds.push(...handleOf(part, id));
  }
  if (uris.length > 0) honoured["resourceSubscriptions"] = uris;
  if (taskIds.length > 0) honoured["taskIds"] = taskIds;
  return honoured;
}

function handleOf(part: Part, task_id: string): string[] {
  const handle = part.tasks.get(task_id);
  return handle === undefined ? [] : [handle];
}

/** The acknowledgement first, then what the upstreams say. */
async function feedOf(exchange: Exchange, opened: readonly Open[], wanted: JsonObject): Promise<Feed> {
  const tag = { [META.subscriptionId]: exchange.request.id };
  const feed = new Feed(exchange, {
    endsWithSource: true,
    onServersChanged() {
      const changed = flags.filter((flag) => wanted[flag] === true && exchange.endpoint.slug === undefined);
      for (const flag of changed) void feed.listChanged(listChanged[flag] ?? "", { _meta: tag });
    },
  });
  const notifications = acknowledgement(opened);
  await feed.put(encodeNotification("notifications/subscriptions/acknowledged", { _meta: tag, notifications }));
  for (const { part, watch } of opened) {
    feed.add({ permitted: part.permitted, watch, take: (message) => take(exchange, feed, part, message, tag) });
  }
  return feed;
}

/** A notification under the client's subscription and names; nothing for what it did not ask for. */
async function take(
  exchange: Exchange,
  feed: Feed,
  part: Part,
  message: UpstreamMessage,
  tag: JsonObject,
): Promise<void> {
  if (message.kind === "ask") return;
  const { method, params } = message;
  const meta = { ...(isObject(params["_meta"]) ? params["_meta"] : {}), ...tag };
  const flag = flags.find((name) => listChanged[name] === method);
  if (flag !== undefined) {
    await noteListChanged(contextOf(exchange), part.permitted.server, method);
    if (part.filter[flag] === true) await feed.listChanged(method, { ...params, _meta: meta });
    return;
  }
  const named = toClientNames(exchange, part, message);
  if (named !== undefined) await feed.put(encodeNotification(method, { ...named, _meta: meta }));
}

function toClientNames(
  exchange: Exchange,
  part: Part,
  { method, params }: UpstreamNotification,
): JsonObject | undefined {
  if (method === "notifications/resources/updated") {
    const uri = params["uri"];
    // It may be a sub-resource of what was asked for, which its URI need not show.
    if (typeof uri !== "string" || part.filter.resourceSubscriptions === undefined) return undefined;
    return { ...params, uri: part.toClientUri(uri) };
  }
  if (method !== "notifications/tasks") return undefined;
  const handle = part.tasks.get(String(params["taskId"]));
  if (handle === undefined || !finishTaskState(exchange, params, part.slug).ok) return undefined;
  return { ...params, taskId: handle };
}

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
