/** What an upstream server sends: responses, notifications, and in the 2025 revisions requests. */
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { fold, foldedNames } from "./case-fold.ts";
import { parseFaithful } from "./faithful-json.ts";
import { isObject, member } from "./json.ts";
import { isId, type RpcNotification, type RpcRequest } from "./message.ts";

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: Json;
}

export type RpcResponse =
  | { readonly kind: "result"; readonly result: JsonObject }
  | { readonly kind: "error"; readonly error: RpcError };

/** `id` is absent in the error response of a server that could not read it. */
export type ServerMessage =
  | { readonly kind: "response"; readonly id: string | number | undefined; readonly response: RpcResponse }
  | RpcNotification
  | RpcRequest;

/**
 * @returns the answer to request `id`, or why the text is none, in one stable word
 * @see JSON-RPC 2.0 section 5
 */
export function readResponse(text: string, id: string | number): Result<RpcResponse, string> {
  const message = readServerMessage(text);
  if (message === undefined) return err("not_a_message");
  if (message.kind !== "response") return err("not_a_response");
  return message.id === id ? ok(message.response) : err("other_id");
}

/**
 * @returns undefined for what is not exactly one JSON-RPC message
 * @see JSON-RPC 2.0 sections 4 and 5; MCP 2026-07-28 basic, "Messages"
 */
export function readServerMessage(text: string): ServerMessage | undefined {
  const message = parse(text);
  if (!isObject(message) || member(message, "jsonrpc") !== "2.0") return undefined;
  return Object.hasOwn(message, "method") ? readCall(message) : readAnswer(message);
}

/** @returns undefined for what is not JSON, and for what two readers could take for two messages */
function parse(text: string): Json | undefined {
  const keys = new ShallowKeys(text);
  try {
    const value = parseFaithful(text, keys.add);
    return keys.ambiguous ? undefined : value;
  } catch {
    return undefined;
  }
}

/** Names that say what an answer means. */
const names = foldedNames(
  ...["jsonrpc", "id", "method", "params", "result", "error", "resultType", "cacheScope", "ttlMs", "requestState"],
  ...["inputRequests", "taskId", "status", "isError", "content", "structuredContent", "contents", "code", "message"],
);

/**
 * The keys of the message and of its result. Its bytes may go on to the client as they are, so a key that stands twice, or a
 * second time in another case, would tell another reader something else than was checked here.
 */
class ShallowKeys {
  ambiguous = false;
  readonly #text: string;
  #outer = new Set<string>();
  #inner = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  readonly add = (depth: number, start: number, end: number): void => {
    if (this.ambiguous) return;
    const quoted = this.#text.slice(start, end);
    const key = quoted.includes("\\") ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
    const folded = fold(key);
    const seen = depth === 1 ? this.#outer : this.#inner;
    this.ambiguous = seen.has(folded) || (names.get(folded) ?? key) !== key;
    seen.add(folded);
    if (depth === 1) this.#inner = new Set();
  };
}

function readCall(message: JsonObject): RpcRequest | RpcNotification | undefined {
  const method = member(message, "method");
  const params = member(message, "params");
  if (typeof method !== "string" || (params !== undefined && !isObject(params))) return undefined;
  if (Object.hasOwn(message, "result") || Object.hasOwn(message, "error")) return undefined;
  const id = member(message, "id");
  if (id === undefined) return { kind: "notification", method, params };
  return isId(id) ? { kind: "request", id, method, params } : undefined;
}

function readAnswer(message: JsonObject): ServerMessage | undefined {
  const id = member(message, "id");
  const result = member(message, "result");
  const error = member(message, "error");
  if (result !== undefined && error !== undefined) return undefined;
  if (isId(id) && isObject(result)) return { kind: "response", id, response: { kind: "result", result } };
  // JSON-RPC 2.0 section 5: null where the id of the request could not be read; MCP leaves it out.
  if (!isId(id) && id !== null && id !== undefined) return undefined;
  const read = readError(error);
  return read === undefined
    ? undefined
    : { kind: "response", id: id ?? undefined, response: { kind: "error", error: read } };
}

/**
 * @returns undefined for what is not an error object
 * @see JSON-RPC 2.0 section 5.1
 */
export function readError(error: Json | undefined): RpcError | undefined {
  if (!isObject(error)) return undefined;
  const code = member(error, "code");
  const message = member(error, "message");
  const data = member(error, "data");
  if (typeof code !== "number" || !Number.isSafeInteger(code) || typeof message !== "string") return undefined;
  return { code, message, ...(data === undefined ? {} : { data }) };
}

/** The canonical text of a response. */
export function encodeResponse(
  id: string | number,
  response: RpcResponse | { readonly result: JsonObject } | { readonly error: RpcError },
): string {
  return JSON.stringify(
    "result" in response
      ? { jsonrpc: "2.0", id, result: response.result }
      : { jsonrpc: "2.0", id, error: response.error },
  );
}
