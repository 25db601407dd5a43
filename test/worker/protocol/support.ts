import {
  META,
  MODERN_VERSION,
  onlyMessage,
  parsePosted,
  type RpcFailure,
  type RpcMessage,
  type RpcRequest,
} from "../../../src/protocol/index.ts";
import type { Json, JsonObject, Result } from "../../../src/ports.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A request with `params` as JSON text, so that a test can write what `JSON.stringify` cannot. */
export const requestText = (params: string): string =>
  `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":${params}}`;

export const modernMeta: JsonObject = {
  [META.protocolVersion]: MODERN_VERSION,
  [META.clientCapabilities]: {},
};

export function modernRequest(method: string, params: JsonObject = {}, meta: Json = modernMeta): RpcRequest {
  return { kind: "request", id: 7, method, params: { ...params, _meta: meta } };
}

/** The headers of a well-behaved client; `name` goes to `Mcp-Name` as it is. */
export function modernHeaders(method: string, name?: string): Headers {
  const headers = new Headers({ "mcp-protocol-version": MODERN_VERSION, "mcp-method": method });
  if (name !== undefined) headers.set("mcp-name", name);
  return headers;
}

/** What 2026-07-28 reads from a body. */
export function parseMessage(body: Uint8Array): Result<RpcMessage, RpcFailure> {
  const posted = parsePosted(body);
  return posted.ok ? onlyMessage(posted.value) : posted;
}
