/** What Gatehouse must look at, and in a few places change, in the result of an upstream. */
import type { Outcome } from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { missingCapabilities, isObject } from "../protocol/index.ts";
import { keepListable } from "./catalog/index.ts";
import type { Exchange, Relay } from "./exchange.ts";
import { sealRequestState, sealTask } from "./handles.ts";
import { prefixResult } from "./rewrite.ts";
import { keepOwnTasks, noteTask, toClientTasks } from "./tasks.ts";

export interface Finished {
  readonly result: JsonObject;
  readonly changed: boolean;
  readonly outcome: Outcome;
}

const tasksExtension = "io.modelcontextprotocol/tasks";

const invalid = (reason: string): Result<never, Failure> => err(failure("upstream_invalid", undefined, { reason }));

/** @param result is changed in place */
export async function finishResult(
  exchange: Exchange,
  request: Relay,
  result: JsonObject,
): Promise<Result<Finished, Failure>> {
  if (exchange.request.era === "legacy") return finishLegacy(exchange, request, result);
  // Absent means complete; null is no type.
  const type = result["resultType"] === undefined ? "complete" : result["resultType"];
  switch (type) {
    case "complete":
      return finishComplete(exchange, request, result);
    case "input_required":
      return finishInputRequired(exchange, request, result);
    case "task":
      return finishTask(exchange, request, result);
    default:
      // An unknown type is invalid, and a client could not tell it from a result either.
      return invalid("result_type");
  }
}

/** In the 2025 revisions there is one type of result; a task is one of its members. */
async function finishLegacy(
  exchange: Exchange,
  request: Relay,
  result: JsonObject,
): Promise<Result<Finished, Failure>> {
  const { methodName } = exchange.request;
  const { server } = request.permitted;
  const isTask = methodName.startsWith("tasks/") && methodName !== "tasks/result";
  if (methodName === "tools/call") await noteTask(exchange, server.id, result);
  if (methodName === "tasks/list") await keepOwnTasks(exchange, server.id, result);
  const changes = [
    request.aggregate && prefixResult(result, server.slug),
    keepListable(methodName, result, "legacy"),
    await toClientTasks(exchange, server.id, result, isTask),
  ];
  const status = isObject(result["task"]) ? "task" : result["isError"] === true ? "tool_error" : "ok";
  return ok({ result, changed: changes.some(Boolean), outcome: { status } });
}

function finishComplete(exchange: Exchange, request: Relay, result: JsonObject): Result<Finished, Failure> {
  const { methodName } = exchange.request;
  const slug = request.aggregate ? request.permitted.server.slug : undefined;
  const state = methodName === "tasks/get" ? finishTaskState(exchange, result, slug) : ok(false);
  if (!state.ok) return state;
  const outcome: Outcome = result["isError"] === true ? { status: "tool_error" } : { status: "ok" };
  const changes = [
    state.value,
    slug !== undefined && prefixResult(result, slug),
    keepListable(methodName, result),
    privately(result),
    request.taskHandle !== undefined && result["taskId"] !== undefined && replace(result, "taskId", request.taskHandle),
  ];
  return ok({ result, changed: changes.some(Boolean), outcome });
}

/**
 * The state of a task, in an answer or a notification: what it asks for and what it ended with obey the rules for answers.
 * @param task is changed in place
 * @param slug prefixes the URIs of its result; undefined on the transparent endpoint
 * @returns whether it was changed; `upstream_invalid` when the client cannot give what it asks for
 * @see tasks extension, "Task Status"
 */
export function finishTaskState(
  exchange: Exchange,
  task: JsonObject,
  slug: string | undefined,
): Result<boolean, Failure> {
  const undeclared = undeclaredInput(exchange, task["inputRequests"]);
  if (undeclared !== undefined) return err(undeclared);
  const { result } = task;
  return ok(slug !== undefined && isObject(result) && prefixResult(result, slug));
}

/** MC-28: nobody is asked for what the client did not say that it can do. */
function undeclaredInput(exchange: Exchange, inputRequests: Json | undefined): Failure | undefined {
  if (inputRequests === undefined) return undefined;
  const missing = missingCapabilities(inputRequests, exchange.request.meta.clientCapabilities);
  if (missing.length === 0) return undefined;
  const detail = `The upstream server asks for ${missing.join(", ")}, which this client did not declare`;
  return failure("upstream_invalid", detail, { reason: "undeclared_input" });
}

/** What one principal may see is never for a shared cache (RX-20). */
function privately(result: JsonObject): boolean {
  return (
    result["cacheScope"] !== undefined && result["cacheScope"] !== "private" && replace(result, "cacheScope", "private")
  );
}

function replace(result: JsonObject, member: string, value: string): boolean {
  if (result[member] === value) return false;
  result[member] = value;
  return true;
}

/** @see MCP 2026-07-28 MRTR */
async function finishInputRequired(
  exchange: Exchange,
  request: Relay,
  result: JsonObject,
): Promise<Result<Finished, Failure>> {
  if (!exchange.request.method.inputRequired) return invalid("input_required_not_allowed");
  const { inputRequests, requestState } = result;
  if (inputRequests === undefined && requestState === undefined) return invalid("input_required_empty");
  const undeclared = undeclaredInput(exchange, inputRequests);
  if (undeclared !== undefined) return err(undeclared);
  const outcome: Outcome = { status: "input_required" };
  if (requestState === undefined) return ok({ result, changed: false, outcome });
  if (typeof requestState !== "string") return invalid("request_state_type");
  // Sealed it is longer, and has to fit what a client may send back.
  if (requestState.length > limits.upstreamState_chars) return invalid("request_state_size");
  result["requestState"] = await sealRequestState(exchange, request.permitted.server.id, requestState);
  return ok({ result, changed: true, outcome });
}

/** @see tasks extension, "Task Creation" */
async function finishTask(exchange: Exchange, request: Relay, result: JsonObject): Promise<Result<Finished, Failure>> {
  if (exchange.request.methodName !== "tools/call") return invalid("task_not_allowed");
  if (!declaresTasks(exchange)) return invalid("task_undeclared");
  const { taskId } = result;
  if (typeof taskId !== "string") return invalid("task_id");
  const state = finishTaskState(exchange, result, request.aggregate ? request.permitted.server.slug : undefined);
  if (!state.ok) return state;
  result["taskId"] = await sealTask(exchange, { server_id: request.permitted.server.id, task_id: taskId });
  return ok({ result, changed: true, outcome: { status: "task" } });
}

export function declaresTasks(exchange: Exchange): boolean {
  const extensions = exchange.request.meta.clientCapabilities["extensions"];
  return isObject(extensions) && extensions[tasksExtension] !== undefined;
}
