/** JSON-RPC and MCP as values: parsing, eras, validation, header and stream encodings. Pure. */
export { missingCapabilities } from "./capabilities.ts";
export { readClientNotification } from "./client-notification.ts";
export {
  classifyBodiless,
  classifyPosted,
  LEGACY_CLIENT_VERSIONS,
  LEGACY_VERSIONS,
  META,
  MODERN_VERSION,
  TASKS_EXTENSION,
  TASKS_VERSION,
} from "./era.ts";
export { parseFaithful, stringifyFaithful } from "./faithful-json.ts";
export { decodeHeaderValue, encodeHeaderValue } from "./header-value.ts";
export { isObject } from "./json.ts";
export type { ClientRequest, Era, RequestMeta } from "./client-request.ts";
export { checkModern } from "./ladder.ts";
export { checkLegacy, checkVersionHeader, readInitialize } from "./legacy-ladder.ts";
export { legacyMethods } from "./legacy-methods.ts";
export {
  encodeNotification,
  encodeRequest,
  type RpcFailure,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
} from "./message.ts";
export type { Capability, ListMember, MethodEntry, NameParam } from "./method-table.ts";
export { methods } from "./methods.ts";
export { checkParamHeaders, paramHeadersFor, readParamHeaders, type ParamHeader } from "./param-headers.ts";
export { onlyMessage, parsePosted, type Posted, type PostedOne, type PostedResponse } from "./posted.ts";
export {
  encodeResponse,
  readResponse,
  readServerMessage,
  type RpcError,
  type RpcResponse,
  type ServerMessage,
} from "./server-message.ts";
export {
  encodeSse,
  encodeSseComment,
  encodeSsePriming,
  readSse,
  SseOverflow,
  type SseCursor,
  type SseEvent,
} from "./sse.ts";
export { parseStrictJson } from "./strict-json.ts";
