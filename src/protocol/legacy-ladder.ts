/**
 * The checks that a request of the 2025 revisions passes. No header mirrors its body, and what the client said of itself
 * comes from its session.
 */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { readShortClientInfo } from "./client-info.ts";
import type { ClientRequest, RequestMeta } from "./client-request.ts";
import { LEGACY_CLIENT_VERSIONS, META, TASKS_VERSION } from "./era.ts";
import { isObject, member, objectMember } from "./json.ts";
import { legacyMethods } from "./legacy-methods.ts";
import { isId, type RpcRequest } from "./message.ts";
import { nameOf, type MethodEntry } from "./method-table.ts";

/** What was agreed on when the session began, and the log level since. */
export interface LegacySession {
  readonly version: string;
  readonly clientInfo?: RequestMeta["clientInfo"];
  readonly clientCapabilities: JsonObject;
  readonly logLevel?: string | undefined;
}

interface Inspected {
  readonly params: JsonObject;
  readonly entry: MethodEntry | undefined;
  readonly version: string;
}

type Rung = (inspected: Inspected) => Failure | undefined;

// oxfmt-ignore
const rungs: readonly (readonly [Rung, section: string])[] = [
  [namesKnownMethod, "lifecycle, Operation"],
  [hasObjectMeta,    "basic, _meta"],
  [hasValidParams,   "basic, Requests"],
];

/**
 * @returns the request as the rest of the program sees it, or the failure of the first check that does not hold:
 *   `method_not_found` or `invalid_params`. `params.task` stays, in every revision: what does not know it ignores it.
 * @see MCP 2025-11-25 basic, "Requests", and lifecycle, "Operation"
 */
export function checkLegacy(request: RpcRequest, session: LegacySession): Result<ClientRequest, Failure> {
  const params = request.params ?? {};
  const entry = legacyMethods.get(request.method);
  for (const [rung] of rungs) {
    const failed = rung({ params, entry, version: session.version });
    if (failed !== undefined) return err(failed);
  }
  if (entry === undefined) throw new Error("a check is missing");
  return ok({
    era: "legacy",
    version: session.version,
    id: request.id,
    method: entry,
    methodName: request.method,
    params,
    name: nameOf(entry, params),
    meta: toRequestMeta(params, session),
  });
}

function namesKnownMethod({ entry, version }: Inspected): Failure | undefined {
  const known = entry !== undefined && (entry.capability !== "tasks" || version === TASKS_VERSION);
  return known ? undefined : failure("method_not_found", undefined, { reason: "unknown_method" });
}

function hasObjectMeta({ params }: Inspected): Failure | undefined {
  const valid = !Object.hasOwn(params, "_meta") || isObject(member(params, "_meta"));
  return valid ? undefined : failure("invalid_params", "params._meta is not valid", { reason: "params_meta" });
}

function hasValidParams({ entry, params }: Inspected): Failure | undefined {
  return entry?.check(params);
}

function toRequestMeta(params: JsonObject, { clientInfo, clientCapabilities, logLevel }: LegacySession): RequestMeta {
  const token = member(objectMember(params, "_meta") ?? {}, META.progressToken);
  return {
    clientCapabilities,
    ...(clientInfo !== undefined && { clientInfo }),
    ...(logLevel !== undefined && { logLevel }),
    ...(isId(token) && { progressToken: token }),
  };
}

/**
 * What an `initialize` request agrees on: the revision that it asks for, where clients may speak it, else the newest of
 * those.
 * @returns `invalid_params` where the shape is wrong. Name, version and capabilities are bounded, fit for a session id.
 * @see MCP 2025-11-25 lifecycle, "Version Negotiation" and "Capability Negotiation"
 */
export function readInitialize(request: RpcRequest): Result<LegacySession, Failure> {
  const params = request.params ?? {};
  const failed = legacyMethods.get("initialize")?.check(params);
  if (failed !== undefined) return err(failed);
  const asked = member(params, "protocolVersion");
  const clientInfo = readShortClientInfo(member(params, "clientInfo"));
  return ok({
    version: LEGACY_CLIENT_VERSIONS.find((version) => version === asked) ?? NEWEST,
    clientCapabilities: relayable(objectMember(params, "capabilities") ?? {}),
    ...(clientInfo !== undefined && { clientInfo }),
  });
}

const NEWEST = "2025-11-25";

/** Features that Gatehouse relays to a client, with the members that a server looks at. */
const features: readonly (readonly [feature: string, flags: readonly string[], parts: readonly string[]])[] = [
  ["sampling", [], ["tools", "context"]],
  ["elicitation", [], ["form", "url"]],
  ["roots", ["listChanged"], []],
];

function relayable(declared: JsonObject): JsonObject {
  const kept: JsonObject = {};
  for (const [feature, flags, parts] of features) {
    const value = objectMember(declared, feature);
    if (value === undefined) continue;
    kept[feature] = {
      ...Object.fromEntries(flags.filter((flag) => member(value, flag) === true).map((flag) => [flag, true])),
      ...Object.fromEntries(parts.filter((part) => isObject(member(value, part))).map((part) => [part, {}])),
    };
  }
  return kept;
}

/**
 * For what follows `initialize`. Without the header a client means 2025-03-26, which had none; the session knows better.
 * @returns `bad_header` for a revision that clients cannot speak here
 * @see MCP 2025-11-25 transports, "Protocol Version Header"
 */
export function checkVersionHeader(headers: Headers): Failure | undefined {
  const version = headers.get("mcp-protocol-version");
  if (version === null || LEGACY_CLIENT_VERSIONS.includes(version)) return undefined;
  return failure("bad_header", `MCP-Protocol-Version must be one of ${LEGACY_CLIENT_VERSIONS.join(", ")}`, {
    reason: "version_header",
  });
}
