/**
 * Reads the body of an MCP request so that no parser behind us can read it otherwise: not one that takes the first of two
 * equal keys, not one that ignores case (CVE-2026-27896), not one that rounds numbers or sets prototypes.
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { fold, foldedNames } from "./case-fold.ts";
import { isObject } from "./json.ts";
import { scanJson } from "./scan-json.ts";

/** A refusal, with what was parsed when the text is JSON with one meaning: its id may be echoed. */
export interface Refusal {
  readonly failure: Failure;
  readonly parsed?: Json;
}

/** Names that the protocol itself reads in the envelope. */
const envelopeNames = foldedNames("jsonrpc", "id", "method", "params", "result", "error");
/** Names that the protocol itself reads in `params`, or in an object that is a member of it. */
const paramsNames = foldedNames(
  ...["_meta", "name", "uri", "taskId", "arguments", "cursor", "inputResponses", "requestState"],
  ...["ref", "argument", "context", "type", "value", "notifications", "toolsListChanged", "promptsListChanged"],
  ...["resourcesListChanged", "resourceSubscriptions", "taskIds", "requestId", "reason", "progressToken", "level"],
  ...["protocolVersion", "capabilities", "clientInfo", "sampling", "elicitation", "roots", "task", "ttl", "progress"],
);
/** Names by which a server reads the answer of a client, in `result` or in `error`. */
const answerNames = foldedNames(
  ...["_meta", "action", "content", "role", "model", "stopReason", "roots", "code", "message", "data"],
);
/** Members of `params` whose keys belong to the tool or to vendors: case is theirs to use. */
const freeKeys = new Set(["arguments", "_meta", "inputResponses"]);

// A byte order mark stays in the text, where JSON.parse refuses it (RFC 8259 section 8.1).
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @returns the value; or `parse_error` for bytes that are not JSON in UTF-8, `invalid_params` for a prototype key inside
 *   `params`, `invalid_request` for everything else that two readers could take differently
 * @see RFC 8259 sections 4, 6 and 8; JSON-RPC 2.0 section 4
 */
export function parseStrictJson(bytes: Uint8Array): Result<Json, Failure> {
  const read = readStrictJson(bytes);
  if (!read.ok) return err(read.error.failure);
  return isObject(read.value) ? ok(read.value) : err(failure("invalid_request", undefined, { reason: "batch" }));
}

/** The same, where a batch of objects is allowed. What stands in an array has to pass as a message of its own. */
export function readStrictJson(bytes: Uint8Array): Result<JsonObject | readonly Json[], Refusal> {
  const text = decode(bytes);
  if (text === undefined) return refuse("parse_error", "not_utf8");
  const scanned = scanJson(text);
  if (scanned.tooDeep) return refuse("invalid_request", "json_too_deep");
  if (scanned.members_count + scanned.containers_count > limits.requestMembers_count) {
    return refuse("invalid_request", "too_many_members");
  }
  const parsed = parse(text);
  if (!parsed.ok) return refuse("parse_error", "not_json");
  const body = parsed.value;
  if (!isObject(body) && !Array.isArray(body)) return refuse("invalid_request", "not_an_object");

  const counted = countMembers(body);
  if (counted.members_count !== scanned.members_count) return refuse("invalid_request", "duplicate_key");
  // Other readers replace a lone surrogate, which can make two keys equal.
  if (counted.illFormedKey) return refuse("invalid_request", "ill_formed_key");
  if (isObject(body) ? hasShadowedKey(body) : body.some(isShadowed)) return refuse("invalid_request", "shadowed_key");
  if (scanned.unsafeNumber) return refuse("invalid_request", "unsafe_number", body);
  if (counted.prototypeKey) return refuse(prototypeCode(body), "prototype_key", body);
  return ok(body);
}

function refuse(code: "parse_error" | "invalid_request" | "invalid_params", reason: string, parsed?: Json) {
  return err({ failure: failure(code, undefined, { reason }), ...(parsed === undefined ? {} : { parsed }) });
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function parse(text: string): Result<Json, undefined> {
  try {
    const value: Json = JSON.parse(text);
    return ok(value);
  } catch {
    return err(undefined);
  }
}

interface Counted {
  members_count: number;
  illFormedKey: boolean;
  prototypeKey: boolean;
}

/** Walks the whole value, which is no deeper than the scan allows. */
function countMembers(root: Json): Counted {
  const counted: Counted = { members_count: 0, illFormedKey: false, prototypeKey: false };
  const visit = (value: Json): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (const item of value) if (typeof item === "object") visit(item);
      return;
    }
    for (const key of Object.keys(value)) {
      counted.members_count++;
      const inner = value[key];
      counted.illFormedKey ||= !key.isWellFormed();
      counted.prototypeKey ||= key === "__proto__" || (key === "constructor" && hasPrototype(inner));
      if (typeof inner === "object") visit(inner);
    }
  };
  visit(root);
  return counted;
}

const hasPrototype = (value: Json | undefined): boolean => isObject(value) && Object.hasOwn(value, "prototype");

/** The envelope's own members that are not `params` hold no objects that we keep. */
function prototypeCode(body: JsonObject | readonly Json[]): "invalid_params" | "invalid_request" {
  const params = isObject(body) ? body["params"] : undefined;
  return params !== undefined && countMembers(params).prototypeKey ? "invalid_params" : "invalid_request";
}

const isShadowed = (item: Json): boolean => isObject(item) && hasShadowedKey(item);

function hasShadowedKey(message: JsonObject): boolean {
  if (shadows(message, envelopeNames)) return true;
  for (const answer of [message["result"], message["error"]]) {
    if (isObject(answer) && shadows(answer, answerNames)) return true;
  }
  const params = message["params"];
  if (!isObject(params)) return false;
  if (shadows(params, paramsNames)) return true;
  for (const key of Object.keys(params)) {
    const inner = params[key];
    if (isObject(inner) && !freeKeys.has(key) && shadows(inner, paramsNames)) return true;
  }
  return false;
}

/**
 * Whether two keys differ in case only, or one is a name of the protocol in another case. More keys than the protocol can
 * mean anything by count as shadowed, unread.
 */
function shadows(object: JsonObject, names: ReadonlyMap<string, string>): boolean {
  const keys = Object.keys(object);
  if (keys.length > limits.protocolMembers_count) return true;
  const seen = new Set<string>();
  for (const key of keys) {
    const folded = fold(key);
    if (seen.has(folded) || (names.get(folded) ?? key) !== key) return true;
    seen.add(folded);
  }
  return false;
}
