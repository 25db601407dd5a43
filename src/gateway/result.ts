/** What Gatehouse must look at, and in a few places change, in the result of an upstream. */
import type { Outcome } from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { missingCapabilities, isObject } from "../protocol/index.ts";
import type { Exchange, Relay } from "./exchange.ts";
import { sealRequestState, sealTask } from "./handles.ts";
import { keepListable } from "./lists.ts";
import { prefixResult } from "./rewrite.ts";

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
  const type = result["resultType"] ?? "complete";
  switch (type) {
    case "complete":
      return ok(finishComplete(exchange, request, result));
    case "input_required":
      return finishInputRequired(exchange, request, result);
    case "task":
      return finishTask(exchange, request, result);
    default:
      // An unknown type is invalid, and a client could not tell it from a result either.
      return invalid("result_type");
  }
}

function finishComplete(exchange: Exchange, request: Relay, result: JsonObject): Finished {
  const { methodName } = exchange.request;
  const outcome: Outcome = result["isError"] === true ? { status: "tool_error" } : { status: "ok" };
  const changes = [
    request.aggregate && prefixResult(result, request.permitted.server.slug),
    keepListable(methodName, result),
    privately(result),
    request.taskHandle !== undefined && replace(result, "taskId", request.taskHandle),
  ];
  return { result, changed: changes.some(Boolean), outcome };
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
  if (inputRequests !== undefined) {
    const missing = missingCapabilities(inputRequests, exchange.request.meta.clientCapabilities);
    if (missing.length > 0) {
      const detail = `The upstream server asks for ${missing.join(", ")}, which this client did not declare`;
      return err(failure("upstream_invalid", detail, { reason: "undeclared_input" }));
    }
  }
  const outcome: Outcome = { status: "input_required" };
  if (typeof requestState !== "string") return ok({ result, changed: false, outcome });
  result["requestState"] = await sealRequestState(exchange, request.permitted.server.id, requestState);
  return ok({ result, changed: true, outcome });
}

/** @see tasks extension, "Task Creation" */
async function finishTask(exchange: Exchange, request: Relay, result: JsonObject): Promise<Result<Finished, Failure>> {
  if (exchange.request.methodName !== "tools/call") return invalid("task_not_allowed");
  if (!declaresTasks(exchange)) return invalid("task_undeclared");
  const { taskId } = result;
  if (typeof taskId !== "string") return invalid("task_id");
  result["taskId"] = await sealTask(exchange, { server_id: request.permitted.server.id, task_id: taskId });
  return ok({ result, changed: true, outcome: { status: "task" } });
}

export function declaresTasks(exchange: Exchange): boolean {
  const extensions = exchange.request.meta.clientCapabilities["extensions"];
  return isObject(extensions) && extensions[tasksExtension] !== undefined;
}
