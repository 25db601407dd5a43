/**
 * Answers between the eras. Within one era an answer goes on as it is; across them only what the other era does not know is
 * changed, and what cannot be said in it becomes an error that names the reason.
 */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { isObject, type ClientRequest, type RpcError, type RpcResponse } from "../protocol/index.ts";
import type { UpstreamAnswer } from "../upstream/index.ts";

const cacheable = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read",
]);

/** @returns the answer in the client's era; or `bridge_needed` and `upstream_refused` for what that era cannot carry */
export function translate(request: ClientRequest, answer: UpstreamAnswer): Result<UpstreamAnswer, Failure> {
  if (answer.era === request.era) return ok(answer);
  const { response } = answer;
  const translated = request.era === "modern" ? toModern(request, response) : toLegacy(request, response);
  if (!translated.ok) return translated;
  return ok({ ...answer, era: request.era, response: translated.value, text: undefined });
}

function toModern(request: ClientRequest, response: RpcResponse): Result<RpcResponse, Failure> {
  if (response.kind === "result") {
    // Whatever a server of 2025 means by that member, it is no other type of result: those came later.
    const result: JsonObject = { ...response.result, resultType: "complete" };
    if (cacheable.has(request.methodName)) Object.assign(result, { ttlMs: 0, cacheScope: "private" });
    return ok({ kind: "result", result });
  }
  const { code, message } = response.error;
  // -32042 exists in 2025-11-25 only: the user should open a URL first.
  if (code === -32042) {
    const detail = `The upstream server asks for an action of the user first: ${message.slice(0, 200)}`;
    return err(failure("bridge_needed", detail, { reason: "url_elicitation" }));
  }
  if (code === -32020 || code === -32022) {
    return err(failure("upstream_refused", undefined, { reason: `upstream_error_${code}` }));
  }
  // -32002, resource not found, became -32602; the other reserved codes speak of the hop to the upstream only.
  const known = code === -32002 ? -32602 : code <= -32000 && code >= -32099 ? -32603 : code;
  return ok({ kind: "error", error: { ...response.error, code: known } });
}

function toLegacy(request: ClientRequest, response: RpcResponse): Result<RpcResponse, Failure> {
  if (response.kind === "error") return ok({ kind: "error", error: legacyError(request, response.error) });
  const { resultType = "complete" } = response.result;
  if (resultType === "input_required") {
    const detail =
      "The upstream server speaks MCP 2026-07-28 and asks for input in the middle of the call. Gatehouse cannot pass that to a " +
      "client of an earlier revision yet. The call was ended.";
    return err(failure("bridge_needed", detail, { reason: "bridge_needed" }));
  }
  if (resultType !== "complete") {
    return err(failure("upstream_invalid", undefined, { reason: "result_type" }));
  }
  return ok({ kind: "result", result: legacyResult(response.result) });
}

/** A result of 2026-07-28 without what came with it. @param result is left as it is */
export function legacyResult(result: JsonObject): JsonObject {
  const { resultType: _type, ttlMs: _ttl, cacheScope: _scope, ...kept } = result;
  // Any JSON since 2026-07-28, an object before: clients of 2025 reject the whole result for another value.
  const { structuredContent, ...unstructured } = kept;
  return structuredContent === undefined || isObject(structuredContent) ? kept : unstructured;
}

/** The codes of 2026-07-28 mean nothing to a client of 2025, and a resource that is not found had its own. */
function legacyError({ methodName }: ClientRequest, error: RpcError): RpcError {
  if (methodName === "resources/read" && error.code === -32602) return { ...error, code: -32002 };
  const isModernOnly = error.code <= -32020 && error.code >= -32022;
  return isModernOnly ? { ...error, code: -32603 } : error;
}
