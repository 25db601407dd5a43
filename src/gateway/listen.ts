/**
 * `subscriptions/listen`: one stream to the client, one to each upstream behind it. It is acknowledged with what the upstreams
 * agreed to, ends when the client closes it, and ends gracefully when its time is over or the principal may no longer have it.
 * @see MCP 2026-07-28 subscriptions
 */
import { stillAdmitted } from "../admission/index.ts";
import { failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { encodeNotification, encodeResponse, isObject, META } from "../protocol/index.ts";
import { currentSnapshot } from "../tenant/index.ts";
import { withDeadline } from "./deadline.ts";
import { contextOf, type Exchange, type Permitted } from "./exchange.ts";
import { openTask } from "./handles.ts";
import { parseUri, prefixUri } from "./names.ts";
import { decideServer, permittedServers } from "./permit.ts";
import { failed, type Ending, type Reply } from "./reply.ts";
import { declaresTasks, finishTaskState } from "./result.ts";
import { eraOf, requestUpstream, type UpstreamNotification, type UpstreamReply } from "./upstream/index.ts";

const flags = ["toolsListChanged", "promptsListChanged", "resourcesListChanged"] as const;
const listChanged: Readonly<Record<string, string>> = {
  toolsListChanged: "notifications/tools/list_changed",
  promptsListChanged: "notifications/prompts/list_changed",
  resourcesListChanged: "notifications/resources/list_changed",
};

/** What one upstream is asked for, and how its names are the client's. */
interface Part {
  readonly permitted: Permitted;
  readonly filter: JsonObject;
  readonly toClientUri: (uri: string) => string;
  /** Prefixes the URIs of task results; undefined on the transparent endpoint. */
  readonly slug: string | undefined;
  /** Task id of the upstream to the handle that the client holds. */
  readonly tasks: ReadonlyMap<string, string>;
}

interface Open {
  readonly part: Part;
  readonly reply: UpstreamReply;
  readonly acknowledged: JsonObject;
  /** Aborts the upstream request: ending the iteration alone would wait for the upstream's next message. */
  close(): void;
}

export async function listen(exchange: Exchange, permitted: Permitted | undefined): Promise<Reply> {
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
  return { kind: "stream", messages: multiplex(exchange, opened) };
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
      handles.flatMap(({ handle, opened }) =>
        opened.ok && opened.value.server_id === id ? [[opened.value.task_id, handle] as const] : [],
      ),
    );
    const part: JsonObject = {
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
 * One upstream does not hold the acknowledgement up: one that is slow, or that no connection is left for, is left out.
 * @returns undefined when the upstream cannot be listened to: then nothing of it is acknowledged
 */
async function openPart(exchange: Exchange, part: Part): Promise<Open | undefined> {
  const closing = new AbortController();
  const closable = { ...exchange, signal: AbortSignal.any([exchange.signal, closing.signal]) };
  const opened = await withDeadline(closable, limits.listPerUpstream_ms, (bounded) => subscribe(bounded, part));
  return opened === undefined ? undefined : { ...opened, close: () => closing.abort() };
}

async function subscribe(exchange: Exchange, part: Part): Promise<Omit<Open, "close"> | undefined> {
  const context = contextOf(exchange);
  const { server } = part.permitted;
  const era = await eraOf(context, server);
  if (!era.ok || era.value.era === "legacy") return undefined;
  const reply = requestUpstream(context, server, {
    method: "subscriptions/listen",
    params: { ...exchange.request.params, notifications: part.filter },
    total_ms: limits.listen_ms,
    mayBeSilent: true,
  });
  const first = await reply.next();
  if (first.done === true || first.value.method !== "notifications/subscriptions/acknowledged") {
    await reply.return({ ok: false, error: failure("upstream_invalid") });
    return undefined;
  }
  const { notifications } = first.value.params;
  return { part, reply, acknowledged: isObject(notifications) ? notifications : {} };
}

/** What the client asked for and at least one upstream agreed to, by the client's names. */
function acknowledgement(opened: readonly Open[]): JsonObject {
  const honoured: JsonObject = {};
  const uris: string[] = [];
  const taskIds: string[] = [];
  for (const { part, acknowledged } of opened) {
    for (const flag of flags) if (part.filter[flag] === true && acknowledged[flag] === true) honoured[flag] = true;
    const asked = new Set(strings(part.filter["resourceSubscriptions"]));
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

type Event =
  | { readonly kind: "message"; readonly at: number; readonly value: UpstreamNotification }
  | { readonly kind: "ended"; readonly at: number }
  | { readonly kind: "tick" };

async function* multiplex(exchange: Exchange, opened: readonly Open[]): AsyncGenerator<string, Ending, void> {
  const { id } = exchange.request;
  const { clock } = exchange.platform.ports;
  const tag = { [META.subscriptionId]: id };
  const watch = new AbortController();
  const standing = watchStanding(exchange, opened, watch.signal);
  const pending = new Map(opened.map((open, at) => [at, nextOf(open.reply, at)]));
  const until = clock.now() + limits.listen_ms;
  let silent_since = clock.now();
  try {
    yield encodeNotification("notifications/subscriptions/acknowledged", {
      _meta: tag,
      notifications: acknowledgement(opened),
    });
    let tick = tickOf(exchange, watch.signal);
    while (clock.now() < until) {
      const event = await Promise.race([...pending.values(), tick]);
      if (exchange.signal.aborted) return { outcome: { status: "cancelled" } };
      // Before anything else goes out: messages may lie in wait from before a revocation.
      if (standing.ended) return { outcome: { status: "interrupted", reason: "no_longer_allowed" } };
      if (event.kind === "tick") {
        tick = tickOf(exchange, watch.signal);
        if (clock.now() - silent_since < limits.listenKeepAlive_ms) continue;
        silent_since = clock.now();
        yield "";
      } else if (event.kind === "ended") {
        // An upstream that ended its part took what it had acknowledged away: the client is told by the end.
        break;
      } else {
        const open = opened[event.at];
        if (open === undefined) continue;
        pending.set(event.at, nextOf(open.reply, event.at));
        const text = toClient(exchange, open, event.value, tag);
        if (text === undefined) continue;
        silent_since = clock.now();
        yield text;
      }
    }
    return { outcome: { status: "ok" }, body: encodeResponse(id, { result: { resultType: "complete", _meta: tag } }) };
  } finally {
    watch.abort();
    for (const { close } of opened) close();
    await Promise.all(opened.map(({ reply }) => end(reply)));
  }
}

const tickOf = async (exchange: Exchange, signal: AbortSignal): Promise<Event> => {
  await exchange.platform.ports.clock.sleep(limits.listenTick_ms, signal);
  return { kind: "tick" };
};

/**
 * Asks beside the stream whether it may go on, so that neither a flood of messages nor a client that does not read puts the
 * question off. When it may not, the upstreams are let go at once, and the client's connection with them.
 */
function watchStanding(exchange: Exchange, opened: readonly Open[], signal: AbortSignal): { readonly ended: boolean } {
  const standing = { ended: false };
  const { clock } = exchange.platform.ports;
  const watch = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(limits.streamRecheck_ms, signal);
      if (signal.aborted) return;
      if (await stillAllowed(exchange, opened)) continue;
      standing.ended = true;
      for (const { close } of opened) close();
      return;
    }
  };
  void watch();
  return standing;
}

async function nextOf(reply: UpstreamReply, at: number): Promise<Event> {
  const next = await reply.next();
  return next.done === true ? { kind: "ended", at } : { kind: "message", at, value: next.value };
}

async function end(reply: UpstreamReply): Promise<void> {
  await reply.return({ ok: false, error: failure("upstream_invalid", undefined, { reason: "cancelled" }) });
}

/** Whether the principal, and each server behind the stream, still stands as it did. */
async function stillAllowed(exchange: Exchange, opened: readonly Open[]): Promise<boolean> {
  const snapshot = await currentSnapshot(exchange.platform, exchange.tenant.id, limits.streamSnapshot_ms);
  if (!snapshot.ok) return false;
  const subject = { ...exchange, snapshot: snapshot.value };
  if (!stillAdmitted(exchange.principal, snapshot.value, exchange.platform.ports.clock.now())) return false;
  return opened.every(({ part }) => {
    const { permitted } = decideServer(subject, part.permitted.server.slug);
    return permitted?.server.id === part.permitted.server.id;
  });
}

/** A notification under the client's subscription and names; undefined for what it did not ask for. */
function toClient(
  exchange: Exchange,
  open: Open,
  { method, params }: UpstreamNotification,
  tag: JsonObject,
): string | undefined {
  const { part } = open;
  const meta = { ...(isObject(params["_meta"]) ? params["_meta"] : {}), ...tag };
  if (flags.some((flag) => part.filter[flag] === true && listChanged[flag] === method)) {
    return encodeNotification(method, { ...params, _meta: meta });
  }
  if (method === "notifications/resources/updated") {
    const uri = params["uri"];
    // It may be a sub-resource of what was asked for, which its URI need not show.
    if (typeof uri !== "string" || part.filter["resourceSubscriptions"] === undefined) return undefined;
    return encodeNotification(method, { ...params, uri: part.toClientUri(uri), _meta: meta });
  }
  if (method === "notifications/tasks") {
    const handle = part.tasks.get(String(params["taskId"]));
    if (handle === undefined || !finishTaskState(exchange, params, part.slug).ok) return undefined;
    return encodeNotification(method, { ...params, taskId: handle, _meta: meta });
  }
  return undefined;
}

const strings = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
