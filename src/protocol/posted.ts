/**
 * What a client may post: one message, and in the 2025 revisions the answer to a request of a server or, in 2025-03-26, several
 * of both. In which era it stands is for others to say.
 */
import { failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { isObject, member } from "./json.ts";
import { hasVersion, isId, readMessage, withId, type RpcFailure, type RpcMessage } from "./message.ts";
import { readError } from "./server-message.ts";
import { readStrictJson } from "./strict-json.ts";

/** The client's answer, canonical: `error` has code, message and perhaps data. */
export interface PostedResponse {
  readonly kind: "response";
  readonly id: string | number;
  readonly response: { readonly result: JsonObject } | { readonly error: JsonObject };
}

export type PostedOne = { readonly kind: "message"; readonly message: RpcMessage } | PostedResponse;

/** In the order of the body. */
interface PostedBatch {
  readonly kind: "batch";
  readonly items: readonly Result<PostedOne, RpcFailure>[];
}

export type Posted = PostedOne | PostedBatch;

/**
 * @returns what was posted, without unknown envelope members; or `parse_error`, `invalid_request`, or `invalid_params` for
 *   `params` that are not an object. In a batch a message that is not valid fails alone, unless two readers could take the
 *   body for two different ones.
 * @see JSON-RPC 2.0 sections 4 to 6; MCP 2025-03-26 basic, "Messages" and "Batching"
 */
export function parsePosted(bytes: Uint8Array): Result<Posted, RpcFailure> {
  const read = readStrictJson(bytes);
  if (!read.ok) return err(withId(read.error.failure, read.error.parsed));
  return isObject(read.value) ? readOne(read.value) : readBatch(read.value);
}

function readBatch(items: readonly Json[]): Result<PostedBatch, RpcFailure> {
  if (items.length === 0) return err(refused("batch_empty"));
  if (items.length > limits.batch_count) return err(refused("batch_too_long"));
  return ok({ kind: "batch", items: items.map(readItem) });
}

function readItem(item: Json): Result<PostedOne, RpcFailure> {
  if (!isObject(item)) return err(refused("not_an_object"));
  // MCP 2025-03-26 lifecycle, "Initialization": never part of a batch, since nothing may come before its answer.
  if (member(item, "method") === "initialize") return err(refused("initialize_in_batch", item));
  return readOne(item);
}

function readOne(message: JsonObject): Result<PostedOne, RpcFailure> {
  if (isResponse(message)) return readResponse(message);
  const read = readMessage(message);
  return read.ok ? ok({ kind: "message", message: read.value }) : read;
}

/** With a method it is a call, which then may have neither. */
function isResponse(message: JsonObject): boolean {
  return !Object.hasOwn(message, "method") && (Object.hasOwn(message, "result") || Object.hasOwn(message, "error"));
}

/** @see JSON-RPC 2.0 section 5 */
function readResponse(message: JsonObject): Result<PostedResponse, RpcFailure> {
  const id = member(message, "id");
  if (!hasVersion(message)) return err(refused("jsonrpc_version", message));
  if (!isId(id)) return err(refused("response_id"));
  const response = readAnswer(message);
  return response === undefined ? err(refused("response", message)) : ok({ kind: "response", id, response });
}

function readAnswer(message: JsonObject): PostedResponse["response"] | undefined {
  const result = member(message, "result");
  const error = readError(member(message, "error"));
  if (isObject(result) && !Object.hasOwn(message, "error")) return { result };
  return error === undefined || result !== undefined ? undefined : { error: { ...error } };
}

/**
 * The one message that 2026-07-28 allows in a body.
 * @returns `invalid_request` for a batch and for an answer, since no server asks in that revision
 * @see MCP 2026-07-28 streamable HTTP, "Sending Messages"
 */
export function onlyMessage(posted: Posted): Result<RpcMessage, RpcFailure> {
  if (posted.kind === "message") return ok(posted.message);
  if (posted.kind === "batch") return err(refused("batch"));
  const { failure: failed } = refused("response_posted");
  return err({ failure: failed, id: posted.id });
}

const refused = (reason: string, message?: JsonObject): RpcFailure =>
  withId(failure("invalid_request", undefined, { reason }), message);
