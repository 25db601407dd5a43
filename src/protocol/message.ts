/** JSON-RPC requests and notifications. What goes on is written anew from what was read, never the client's bytes. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { isObject, member } from "./json.ts";

export interface RpcRequest {
  readonly kind: "request";
  readonly id: string | number;
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export interface RpcNotification {
  readonly kind: "notification";
  readonly method: string;
  readonly params: JsonObject | undefined;
}

export type RpcMessage = RpcRequest | RpcNotification;

/** A failure with the id to answer to, present whenever it could be read and is valid. */
export interface RpcFailure {
  readonly failure: Failure;
  readonly id?: string | number;
}

/**
 * @returns the message without unknown envelope members; or `invalid_request`, or `invalid_params` for `params` that are not
 *   an object
 * @see JSON-RPC 2.0 section 4; MCP 2026-07-28 basic, "Messages"
 */
export function readMessage(message: JsonObject): Result<RpcMessage, RpcFailure> {
  const failed = checks.find(([holds]) => !holds(message));
  if (failed !== undefined) {
    const [, code, reason] = failed;
    return err(withId(failure(code, undefined, { reason }), message));
  }
  const method = member(message, "method");
  const params = member(message, "params");
  if (typeof method !== "string" || (params !== undefined && !isObject(params))) throw new Error("a check is missing");
  const id = member(message, "id");
  return ok(isId(id) ? { kind: "request", id, method, params } : { kind: "notification", method, params });
}

const checks: readonly (readonly [(message: JsonObject) => boolean, "invalid_request" | "invalid_params", string])[] = [
  [hasVersion, "invalid_request", "jsonrpc_version"],
  [isNoResponse, "invalid_request", "response_posted"],
  [hasValidId, "invalid_request", "request_id"],
  [hasValidMethod, "invalid_request", "method"],
  [hasObjectParams, "invalid_params", "params"],
];

export function hasVersion(message: JsonObject): boolean {
  return member(message, "jsonrpc") === "2.0";
}

/** A message that is both request and response is read as either by someone. */
function isNoResponse(message: JsonObject): boolean {
  return !Object.hasOwn(message, "result") && !Object.hasOwn(message, "error");
}

function hasValidId(message: JsonObject): boolean {
  const id = member(message, "id");
  return id === undefined || isId(id);
}

function hasValidMethod(message: JsonObject): boolean {
  const method = member(message, "method");
  return isBoundedText(method, limits.method_chars);
}

function hasObjectParams(message: JsonObject): boolean {
  const params = member(message, "params");
  return params === undefined || isObject(params);
}

/**
 * A string or an integer; never null, unlike in JSON-RPC.
 * @see MCP 2026-07-28 basic, "Requests"
 */
export function isId(value: unknown): value is string | number {
  return typeof value === "string" ? value.length <= limits.requestId_chars : Number.isSafeInteger(value);
}

/** A string with something in it, no longer than `chars_max`, without lone surrogates. */
export function isBoundedText(value: unknown, chars_max: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= chars_max && value.isWellFormed();
}

/** The failure with the id of the message, where it has a valid one. */
export function withId(failed: Failure, message: Json | undefined): RpcFailure {
  const id = isObject(message) ? member(message, "id") : undefined;
  return isId(id) ? { failure: failed, id } : { failure: failed };
}

/** The canonical text of a request: these members, in this order. */
export function encodeRequest(id: string | number, method: string, params: JsonObject | undefined): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) });
}

export function encodeNotification(method: string, params?: JsonObject): string {
  return JSON.stringify({ jsonrpc: "2.0", method, ...(params === undefined ? {} : { params }) });
}
