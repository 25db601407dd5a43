/**
 * The checks that a request of the modern era passes, in the order in which they answer. The body is the truth; the headers
 * that mirror it must agree, since others on the way may have decided on them.
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { isClientInfo, readClientInfo } from "./client-info.ts";
import type { ClientRequest, RequestMeta } from "./client-request.ts";
import { META, MODERN_VERSION, TASKS_EXTENSION } from "./era.ts";
import { decodeHeaderValue } from "./header-value.ts";
import { member, objectMember } from "./json.ts";
import { isBoundedText, isId, type RpcRequest } from "./message.ts";
import { nameOf, type MethodEntry } from "./method-table.ts";
import { methods, needsTasks, requiresTasks } from "./methods.ts";
import { isLogLevel } from "./params.ts";

/** A request with the parts that several checks look at; empty where they are missing. */
interface Inspected {
  readonly request: RpcRequest;
  readonly params: JsonObject;
  readonly meta: JsonObject;
  readonly entry: MethodEntry | undefined;
  readonly headers: Headers;
}

type Rung = (inspected: Inspected) => Failure | undefined;

// oxfmt-ignore
const rungs: readonly (readonly [Rung, section: string])[] = [
  [hasMeta,               "basic, Per-request protocol fields"],
  [namesVersion,          "basic, Per-request protocol fields"],
  [agreesOnVersion,       "streamable HTTP, Protocol Version Header"],
  [namesSupportedVersion, "versioning, Protocol Version Negotiation"],
  [declaresCapabilities,  "basic, Per-request protocol fields"],
  [hasValidClientInfo,    "basic, Per-request protocol fields"],
  [hasValidLogLevel,      "logging, Error Handling"],
  [namesKnownMethod,      "streamable HTTP, Protocol Version Header"],
  [hasValidParams,        "basic, Requests"],
  [agreesOnMethod,        "streamable HTTP, Standard Request Headers"],
  [agreesOnName,          "streamable HTTP, Standard Request Headers"],
  [mayUseTasks,           "tasks extension, Protocol Errors"],
];

/**
 * @returns the request as the rest of the program sees it, or the failure of the first check that does not hold:
 *   `invalid_params`, `header_mismatch`, `unsupported_version`, `method_not_found` or `missing_capability`
 * @see MCP 2026-07-28 streamable HTTP, "Server Validation"
 */
export function checkModern(request: RpcRequest, headers: Headers): Result<ClientRequest, Failure> {
  const params = request.params ?? {};
  const meta = objectMember(params, "_meta") ?? {};
  const entry = methods.get(request.method);
  const inspected: Inspected = { request, params, meta, entry, headers };
  for (const [rung] of rungs) {
    const failed = rung(inspected);
    if (failed !== undefined) return err(failed);
  }
  if (entry === undefined) throw new Error("a check is missing");
  return ok({
    era: "modern",
    version: MODERN_VERSION,
    id: request.id,
    method: entry,
    methodName: request.method,
    params,
    name: nameOf(entry, params),
    meta: toRequestMeta(meta),
  });
}

function hasMeta({ params }: Inspected): Failure | undefined {
  return objectMember(params, "_meta") === undefined ? invalid("_meta", "meta_missing") : undefined;
}

function namesVersion({ meta }: Inspected): Failure | undefined {
  const version = member(meta, META.protocolVersion);
  const valid = isBoundedText(version, limits.protocolVersion_chars);
  return valid ? undefined : invalid(META.protocolVersion, "meta_protocol_version");
}

function agreesOnVersion({ meta, headers }: Inspected): Failure | undefined {
  const agrees = headers.get("mcp-protocol-version") === member(meta, META.protocolVersion);
  return agrees ? undefined : mismatch("MCP-Protocol-Version", "version_header");
}

function namesSupportedVersion({ meta }: Inspected): Failure | undefined {
  const requested = member(meta, META.protocolVersion) ?? null;
  if (requested === MODERN_VERSION) return undefined;
  const data = { supported: [MODERN_VERSION], requested };
  return failure("unsupported_version", undefined, { reason: "unsupported_version", data });
}

function declaresCapabilities({ meta }: Inspected): Failure | undefined {
  const declared = objectMember(meta, META.clientCapabilities);
  return declared === undefined ? invalid(META.clientCapabilities, "meta_client_capabilities") : undefined;
}

function hasValidClientInfo({ meta }: Inspected): Failure | undefined {
  if (!Object.hasOwn(meta, META.clientInfo)) return undefined;
  const valid = isClientInfo(member(meta, META.clientInfo) ?? null);
  return valid ? undefined : invalid(META.clientInfo, "meta_client_info");
}

function hasValidLogLevel({ meta }: Inspected): Failure | undefined {
  const level = member(meta, META.logLevel);
  return level === undefined || isLogLevel(level) ? undefined : invalid(META.logLevel, "meta_log_level");
}

function namesKnownMethod({ entry }: Inspected): Failure | undefined {
  return entry === undefined ? failure("method_not_found", undefined, { reason: "unknown_method" }) : undefined;
}

function hasValidParams({ entry, params }: Inspected): Failure | undefined {
  return entry?.check(params);
}

function agreesOnMethod({ request, headers }: Inspected): Failure | undefined {
  return headers.get("mcp-method") === request.method ? undefined : mismatch("Mcp-Method", "method_header");
}

function agreesOnName({ entry, params, headers }: Inspected): Failure | undefined {
  if (entry?.nameParam === undefined) return undefined;
  const header = headers.get("mcp-name");
  if (header === null) return mismatch("Mcp-Name", "name_header");
  const decoded = decodeHeaderValue(header);
  return decoded.ok && decoded.value === nameOf(entry, params) ? undefined : mismatch("Mcp-Name", "name_header");
}

function mayUseTasks({ entry, params, meta }: Inspected): Failure | undefined {
  if (entry === undefined || !needsTasks(entry, params)) return undefined;
  const extensions = objectMember(objectMember(meta, META.clientCapabilities) ?? {}, "extensions") ?? {};
  if (objectMember(extensions, TASKS_EXTENSION) !== undefined) return undefined;
  return failure("missing_capability", undefined, {
    reason: "tasks_not_declared",
    data: { requiredCapabilities: requiresTasks },
  });
}

function invalid(key: string, reason: string): Failure {
  return failure("invalid_params", `params._meta: ${key} is missing or not valid`, { reason });
}

function mismatch(header: string, reason: string): Failure {
  return failure("header_mismatch", `The ${header} header is missing or does not match the body`, { reason });
}

function toRequestMeta(meta: JsonObject): RequestMeta {
  const clientInfo = readClientInfo(member(meta, META.clientInfo));
  const level = member(meta, META.logLevel);
  const token = member(meta, META.progressToken);
  return {
    clientCapabilities: objectMember(meta, META.clientCapabilities) ?? {},
    ...(clientInfo !== undefined && { clientInfo }),
    ...(typeof level === "string" && { logLevel: level }),
    ...(isId(token) && { progressToken: token }),
  };
}
