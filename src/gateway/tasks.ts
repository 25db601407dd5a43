/**
 * Task ids of servers of 2025-11-25 towards clients of that revision: the server's own id behind the server and a code that only
 * the principal's requests can carry, so that nobody reaches a task of somebody else whose id he learnt. Unlike sealed handles
 * these are the same each time, since a client compares the ids of lists, results and notifications.
 * @see MCP 2025-11-25 tasks, "Task Isolation and Access Control"
 */
import { sessionNameOf } from "../admission/index.ts";
import type { JsonObject } from "../ports.ts";
import { isObject } from "../protocol/index.ts";
import { addTask, startedTasks } from "../session/index.ts";
import type { Exchange } from "./exchange.ts";
import type { TaskHandle } from "./handles.ts";

/** @see MCP 2025-11-25 tasks, "Related Task Metadata" */
const relatedTask = "io.modelcontextprotocol/related-task";

export async function toClientTask(exchange: Exchange, server_id: string, task_id: string): Promise<string> {
  return `${server_id}/${await codeOf(exchange, server_id, task_id)}/${task_id}`;
}

/** @returns undefined for what is no task of this principal */
export async function toServerTask(exchange: Exchange, id: string): Promise<TaskHandle | undefined> {
  const [server_id = "", code = "", ...rest] = id.split("/");
  const task_id = rest.join("/");
  if (rest.length === 0 || code !== (await codeOf(exchange, server_id, task_id))) return undefined;
  return { server_id, task_id };
}

function codeOf({ vault, tenant, principal }: Exchange, server_id: string, task_id: string): Promise<string> {
  return vault.digest(tenant.id, JSON.stringify(["task", sessionNameOf(principal), server_id, task_id]));
}

/**
 * Objects in which a result, a notification or a request names tasks.
 * @param isTask whether the object itself is about a task; in the results of tools such a member means something else
 */
function* holders(object: JsonObject, isTask: boolean): Generator<JsonObject> {
  if (isTask) yield object;
  const { task, tasks, _meta: meta } = object;
  if (isObject(task)) yield task;
  if (Array.isArray(tasks)) for (const one of tasks) if (isObject(one)) yield one;
  const related = isObject(meta) ? meta[relatedTask] : undefined;
  if (isObject(related)) yield related;
}

/**
 * Leaves only the caller's own in a list of tasks: a server that knows all callers by one credential lists those of all.
 * @param result of `tasks/list`, by the server's own names; changed in place
 */
export async function keepOwnTasks(exchange: Exchange, server_id: string, result: JsonObject): Promise<void> {
  const { tasks } = result;
  if (!Array.isArray(tasks)) return;
  const isOwn = await ownTasks(exchange, server_id);
  result["tasks"] = tasks.filter((task) => isObject(task) && isOwn(String(task["taskId"])));
}

/** Remembers the task that a call became. One that cannot be remembered works, and is only missing in lists. */
export async function noteTask(exchange: Exchange, server_id: string, result: JsonObject): Promise<void> {
  const { task } = result;
  if (exchange.session === undefined || !isObject(task) || typeof task["taskId"] !== "string") return;
  const noted = await addTask(exchange, exchange.session.client.owner, server_id, task["taskId"]);
  if (!noted.ok) exchange.platform.log("warn", "A task will be missing in lists", { reason: noted.error.reason });
}

/**
 * Only ids of the session's own tasks become ids that it can use: a server that knows all callers by one credential may name
 * tasks of others as well.
 * @param object a result or `params` of the server's; changed in place
 * @param isTask whether the object itself is about a task
 * @returns whether it was changed
 */
export async function toClientTasks(
  exchange: Exchange,
  server_id: string,
  object: JsonObject,
  isTask: boolean,
): Promise<boolean> {
  const named = [...holders(object, isTask)].filter(({ taskId }) => typeof taskId === "string");
  if (named.length === 0) return false;
  const isOwn = await ownTasks(exchange, server_id);
  for (const holder of named) {
    const task_id = String(holder["taskId"]);
    if (isOwn(task_id)) holder["taskId"] = await toClientTask(exchange, server_id, task_id);
  }
  return true;
}

/** Whether a task is one that the session started, or that this very request is about. */
export async function ownTasks(exchange: Exchange, server_id: string): Promise<(task_id: string) => boolean> {
  const { session, request } = exchange;
  const asked = await toServerTask(exchange, request.name ?? "");
  const started = session === undefined ? undefined : await startedTasks(exchange, session.client.owner, server_id);
  const own = new Set(started?.ok === true ? started.value : []);
  return (task_id) => own.has(task_id) || (asked?.server_id === server_id && asked.task_id === task_id);
}

/** The other way; an id that is none of this principal's is left as it is and means nothing to the server. */
export async function toServerTasks(exchange: Exchange, object: JsonObject, isTask: boolean): Promise<void> {
  for (const holder of holders(object, isTask)) {
    const own = typeof holder["taskId"] === "string" ? await toServerTask(exchange, holder["taskId"]) : undefined;
    if (own !== undefined) holder["taskId"] = own.task_id;
  }
}
