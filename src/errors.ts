/**
 * Every way in which a request can fail, with one table for all wires: the HTTP status, the JSON-RPC code and a public
 * title. Public text gives no secret and no hint of what exists; the `reason` goes to audit and log only.
 */
import type { Json, JsonObject } from "./ports.ts";

/** [HTTP status on /api and for transport errors, HTTP status on /mcp, JSON-RPC code, public title] */
const table = {
  // --- the caller's message
  parse_error: [400, 400, -32700, "The body is not valid JSON"],
  invalid_request: [400, 400, -32600, "The request is not valid"],
  invalid_params: [400, 400, -32602, "The parameters are not valid"],
  method_not_found: [404, 404, -32601, "Method not found"],
  /** An unknown tool, prompt, resource or task, and exactly so one that this caller may not see. */
  unknown_name: [404, 200, -32602, "Unknown name"],
  /** The same for a resource, as the 2025 revisions say it. */
  unknown_resource: [404, 200, -32002, "Unknown resource"],
  header_mismatch: [400, 400, -32020, "The headers do not match the body"],
  missing_capability: [400, 400, -32021, "The client did not declare a capability that this needs"],
  unsupported_version: [400, 400, -32022, "Unsupported protocol version"],
  payload_too_large: [413, 413, -32600, "The body is too large"],
  unsupported_media_type: [415, 415, -32600, "The content type must be application/json"],
  not_acceptable: [406, 406, -32600, "The Accept header must allow application/json and text/event-stream"],
  body_timeout: [408, 408, -32600, "The body did not arrive in time"],
  method_not_allowed: [405, 405, -32600, "Method not allowed"],
  bad_header: [400, 400, -32600, "A header is not valid"],
  /** A session that is unknown, deleted, expired or somebody else's: clients start a new one. */
  session_not_found: [404, 404, -32001, "Session not found"],
  // --- who calls, and what exists for them
  unauthenticated: [401, 401, -32600, "Authentication is required"],
  invalid_token: [401, 401, -32600, "The token is not valid"],
  forbidden_origin: [403, 403, -32600, "This origin is not allowed"],
  forbidden: [403, 403, -32600, "Not allowed"],
  not_found: [404, 404, -32601, "Not found"],
  // --- the admin API
  conflict: [409, 409, -32600, "Conflict"],
  /** What was asked for is dear: the same request again, with the `confirmation` of this answer, does it. */
  confirmation_needed: [409, 409, -32600, "This must be confirmed"],
  precondition_failed: [412, 412, -32600, "The resource has changed"],
  idempotency_mismatch: [422, 422, -32600, "This Idempotency-Key was used for another request"],
  invalid_field: [422, 422, -32602, "A field is not valid"],
  too_many: [422, 422, -32600, "A limit is reached"],
  // --- behind us: answered as JSON-RPC errors with HTTP 200, since the gateway itself worked
  upstream_unreachable: [502, 200, -32603, "The upstream server could not be reached"],
  upstream_timeout: [504, 200, -32603, "The upstream server did not answer in time"],
  upstream_invalid: [502, 200, -32603, "The upstream server's answer is not valid"],
  upstream_too_large: [502, 200, -32603, "The upstream server's answer is too large"],
  upstream_refused: [502, 200, -32603, "The upstream server refused the request"],
  /** A person has to connect an account, or connect it again. The gateway says it in the richest form that the client takes. */
  link_needed: [409, 200, -32603, "An account must be connected first"],
  /** The upstream's own 401 or 403; never passed on as ours, or the client would sign in again for nothing. */
  upstream_credential: [502, 200, -32603, "The upstream server refused the credential that is stored for it"],
  bridge_needed: [501, 200, -32603, "This call needs a bridge between protocol eras that is not available"],
  not_allowed_upstream: [400, 200, -32603, "The upstream address is not allowed"],
  /** The caller gave up, so nobody reads this; nginx's 499 is the status that logs know for it. */
  cancelled: [499, 200, -32603, "The request was cancelled"],
  // --- ourselves
  audit_unavailable: [503, 503, -32603, "The call could not be recorded, so it was refused"],
  executed_unrecorded: [
    503,
    200,
    -32603,
    "The call may have been executed but could not be recorded: do not repeat it",
  ],
  internal: [500, 500, -32603, "Internal error"],
  unavailable: [503, 503, -32603, "Temporarily unavailable"],
  sealed: [503, 503, -32603, "Gatehouse is sealed: its keys are missing or not valid"],
  /** An administrator turned the switch of this tenant. */
  vault_sealed: [503, 200, -32603, "The credentials of this organisation are sealed"],
} as const satisfies Record<string, readonly [number, number, number, string]>;

export type ErrorCode = keyof typeof table;

/** An expected failure. `detail` is public: it says what to do, and nothing about secrets or other tenants. */
export interface Failure {
  readonly code: ErrorCode;
  readonly detail?: string;
  /** Stable, for audit and log; never sent to the caller. */
  readonly reason?: string;
  /** JSON-RPC `error.data`, or members that a problem document gets besides the standard ones. */
  readonly data?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
}

export function failure(code: ErrorCode, detail?: string, more?: Omit<Failure, "code" | "detail">): Failure {
  return { code, ...(detail === undefined ? {} : { detail }), ...more };
}

const publicText = (failed: Failure): string => failed.detail ?? table[failed.code][3];

/**
 * The failure as JSON-RPC error response.
 * @param id the id of the request; absent when it could not be read
 * @see JSON-RPC 2.0 section 5.1; MCP 2026-07-28 basic, "Error Responses"
 */
export function toRpcError(failed: Failure, id?: string | number): JsonObject {
  const error: JsonObject = { code: table[failed.code][2], message: publicText(failed) };
  if (failed.data !== undefined) error["data"] = failed.data as Json;
  return { jsonrpc: "2.0", ...(id === undefined ? {} : { id }), error };
}

export function rpcStatus(failed: Failure): number {
  return table[failed.code][1];
}

/** The failure as HTTP answer on an MCP endpoint. */
export function toRpcResponse(failed: Failure, id?: string | number): Response {
  return Response.json(toRpcError(failed, id), {
    status: rpcStatus(failed),
    headers: { "cache-control": "no-store", ...failed.headers },
  });
}

/**
 * The failure as problem document.
 * @see RFC 9457
 */
export function toProblem(failed: Failure): Response {
  const [status, , , title] = table[failed.code];
  const problem = {
    type: `urn:gatehouse:error:${failed.code}`,
    title,
    status,
    detail: publicText(failed),
    ...failed.data,
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      // RFC 9110 section 15.5.2: a 401 always says how to authenticate.
      ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
      ...failed.headers,
    },
  });
}
