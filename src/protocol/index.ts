/** JSON-RPC and MCP as values: parsing, eras, validation, header and stream encodings. Pure. */
export { missingCapabilities } from "./capabilities.ts";
export { classifyEra, LEGACY_VERSIONS, META, MODERN_VERSION, TASKS_EXTENSION } from "./era.ts";
export { parseFaithful, stringifyFaithful } from "./faithful-json.ts";
export { decodeHeaderValue, encodeHeaderValue } from "./header-value.ts";
export { isObject } from "./json.ts";
export { checkModern, type ModernRequest, type RequestMeta } from "./ladder.ts";
export {
  encodeNotification,
  encodeRequest,
  parseMessage,
  type RpcFailure,
  type RpcMessage,
  type RpcNotification,
  type RpcRequest,
} from "./message.ts";
export { methods, type Capability, type ListMember, type MethodEntry, type NameParam } from "./methods.ts";
export { checkParamHeaders, paramHeadersFor, readParamHeaders, type ParamHeader } from "./param-headers.ts";
export {
  encodeResponse,
  readResponse,
  readServerMessage,
  type RpcError,
  type RpcResponse,
  type ServerMessage,
} from "./server-message.ts";
export { encodeSse, encodeSseComment, readSse, SseOverflow, type SseEvent } from "./sse.ts";
export { parseStrictJson } from "./strict-json.ts";
