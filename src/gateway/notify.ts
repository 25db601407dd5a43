/** Which notifications of an upstream may go on to the client, on the stream of a call, and under which names. */
import type { JsonObject } from "../ports.ts";
import { encodeNotification } from "../protocol/index.ts";
import type { UpstreamNotification } from "../upstream/index.ts";
import { noteListChanged, prefixUri } from "./catalog/index.ts";
import type { Conversation } from "./conversation.ts";
import { contextOf, type Exchange, type Permitted } from "./exchange.ts";
import { ownTasks, toClientTasks } from "./tasks.ts";

export interface Place {
  readonly permitted: Permitted;
  /** Whether names on this endpoint carry the server's prefix. */
  readonly aggregate: boolean;
}

const listChanged = new Set([
  "notifications/tools/list_changed",
  "notifications/prompts/list_changed",
  "notifications/resources/list_changed",
]);

export const isListChanged = (method: string): boolean => listChanged.has(method);

/** @returns its text for the client; undefined for what is not for this client, or not on this stream */
export async function toClientNotification(
  exchange: Exchange,
  place: Place,
  conversation: Conversation,
  notification: UpstreamNotification,
): Promise<string | undefined> {
  if (isListChanged(notification.method)) {
    await noteListChanged(contextOf(exchange), place.permitted.server, notification.method);
  }
  return exchange.request.era === "modern"
    ? toModern(exchange, notification)
    : toLegacy(exchange, place, conversation, notification);
}

/**
 * Only what belongs to this request may come on its stream; log messages only when it asked for them.
 * @see MCP 2026-07-28 streamable HTTP "Receiving Messages", logging
 */
function toModern(exchange: Exchange, { method, params, text }: UpstreamNotification): string | undefined {
  const { meta } = exchange.request;
  if (method === "notifications/message") return isLoggable(meta.logLevel, params) ? text : undefined;
  return method === "notifications/progress" && isOwnProgress(exchange, params) ? text : undefined;
}

const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/** In 2026-07-28 without a level there are no log messages; a server of 2025 knows one level for all that share its session. */
function isLoggable(level: string | undefined, params: JsonObject): boolean {
  return level !== undefined && logLevels.indexOf(String(params["level"])) >= logLevels.indexOf(level);
}

function isOwnProgress({ request }: Exchange, params: JsonObject): boolean {
  const { progressToken } = request.meta;
  return progressToken !== undefined && params["progressToken"] === progressToken;
}

/** In the 2025 revisions whatever concerns the session may come on any of its streams. */
export async function toLegacy(
  exchange: Exchange,
  { permitted, aggregate }: Place,
  conversation: Conversation,
  { method, params, text }: UpstreamNotification,
): Promise<string | undefined> {
  const { slug, id } = permitted.server;
  switch (method) {
    case "notifications/progress":
      return isOwnProgress(exchange, params) ? text : undefined;
    case "notifications/message":
      return aggregate ? encodeNotification(method, { ...params, logger: loggerOf(slug, params) }) : text;
    case "notifications/resources/updated":
      if (typeof params["uri"] !== "string") return undefined;
      return aggregate ? encodeNotification(method, { ...params, uri: prefixUri(slug, params["uri"]) }) : text;
    case "notifications/tasks/status": {
      const isOwn = await ownTasks(exchange, id);
      if (!isOwn(String(params["taskId"]))) return undefined;
      await toClientTasks(exchange, id, params, true);
      return encodeNotification(method, params);
    }
    case "notifications/cancelled":
      return conversation.withdraw(id, params);
    case "notifications/elicitation/complete":
      return text;
    default:
      return isListChanged(method) ? text : undefined;
  }
}

/** The client sees many servers as one: the name says which of them speaks. */
function loggerOf(slug: string, { logger }: JsonObject): string {
  return typeof logger === "string" ? `${slug}/${logger}` : slug;
}
