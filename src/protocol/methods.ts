/**
 * The methods of the modern era that Gatehouse knows, and the shape of their `params`. Looked up in a Map: `__proto__` and
 * `constructor` are names like any other that does not exist.
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { TASKS_EXTENSION } from "./era.ts";
import { isObject, member } from "./json.ts";
import { isBoundedText, isId } from "./message.ts";

/** The member of `params` that the `Mcp-Name` header mirrors. */
export type NameParam = "name" | "uri" | "taskId";
/** The member of the result that holds what a list method lists. */
export type ListMember = "tools" | "prompts" | "resources" | "resourceTemplates";
/** The server capability that offers a method; `tasks` is an extension. */
export type Capability = "tools" | "prompts" | "resources" | "completions" | "tasks";

export interface MethodEntry {
  readonly method: string;
  readonly nameParam: NameParam | undefined;
  /** Whether a server may answer `input_required`. */
  readonly inputRequired: boolean;
  readonly lists: ListMember | undefined;
  /** Undefined: every server has it. */
  readonly capability: Capability | undefined;
  /** @returns `invalid_params`, or undefined when the shape of `params` is right */
  readonly check: (params: JsonObject) => Failure | undefined;
}

type Rule = readonly [member: string, valid: (value: Json) => boolean, need: "required" | "optional"];

const isName = (value: Json | undefined): value is string => isBoundedText(value, limits.name_chars);
const isCursor = (value: Json): boolean => typeof value === "string" && value.length <= limits.cursor_chars;
const isState = (value: Json): boolean => typeof value === "string" && value.length <= limits.requestState_chars;
const isFlag = (value: Json): boolean => typeof value === "boolean";
const isResponses = (value: Json): boolean => isObject(value) && Object.values(value).every(isObject);

function isNames(value: Json): boolean {
  return Array.isArray(value) && value.length <= limits.listenSubscriptions_count && value.every(isName);
}

/** @see MCP 2026-07-28 subscriptions, "Notification Filter"; tasks extension, "Task Status Notifications" */
const filterRules: readonly Rule[] = [
  ["toolsListChanged", isFlag, "optional"],
  ["promptsListChanged", isFlag, "optional"],
  ["resourcesListChanged", isFlag, "optional"],
  ["resourceSubscriptions", isNames, "optional"],
  ["taskIds", isNames, "optional"],
];

const isFilter = (value: Json): boolean => isObject(value) && broken(filterRules, value) === undefined;

/** @see MCP 2026-07-28 completion, "Requesting Completions" */
function isReference(value: Json): boolean {
  if (!isObject(value)) return false;
  const type = member(value, "type");
  return (
    (type === "ref/prompt" && isName(member(value, "name"))) ||
    (type === "ref/resource" && isName(member(value, "uri")))
  );
}

function isArgument(value: Json): boolean {
  return isObject(value) && isName(member(value, "name")) && typeof member(value, "value") === "string";
}

function isContext(value: Json): boolean {
  return isObject(value) && isObject(member(value, "arguments") ?? {});
}

const list: readonly Rule[] = [["cursor", isCursor, "optional"]];
const task: readonly Rule[] = [["taskId", isName, "required"]];
/** @see MCP 2026-07-28 multi round-trip requests, "Core Types" */
const retry: readonly Rule[] = [
  ["inputResponses", isResponses, "optional"],
  ["requestState", isState, "optional"],
];
const named: readonly Rule[] = [["name", isName, "required"], ["arguments", isObject, "optional"], ...retry];
const complete: readonly Rule[] = [
  ["ref", isReference, "required"],
  ["argument", isArgument, "required"],
  ["context", isContext, "optional"],
];
const listen: readonly Rule[] = [["notifications", isFilter, "required"]];
const update: readonly Rule[] = [...task, ["inputResponses", isResponses, "required"]];

type Row = readonly [
  string,
  NameParam | undefined,
  boolean,
  ListMember | undefined,
  Capability | undefined,
  readonly Rule[],
];

const __ = undefined;
// oxfmt-ignore
const rows: readonly Row[] = [
  // method                     Mcp-Name  input_required  lists                capability     params
  ["server/discover",           __,       false,          __,                  __,            []],
  ["tools/list",                __,       false,          "tools",             "tools",       list],
  ["tools/call",                "name",   true,           __,                  "tools",       named],
  ["prompts/list",              __,       false,          "prompts",           "prompts",     list],
  ["prompts/get",               "name",   true,           __,                  "prompts",     named],
  ["resources/list",            __,       false,          "resources",         "resources",   list],
  ["resources/templates/list",  __,       false,          "resourceTemplates", "resources",   list],
  ["resources/read",            "uri",    true,           __,                  "resources",   [["uri", isName, "required"], ...retry]],
  ["completion/complete",       __,       false,          __,                  "completions", complete],
  ["subscriptions/listen",      __,       false,          __,                  __,            listen],
  ["tasks/get",                 "taskId", false,          __,                  "tasks",       task],
  ["tasks/update",              "taskId", false,          __,                  "tasks",       update],
  ["tasks/cancel",              "taskId", false,          __,                  "tasks",       task],
];

/**
 * @see MCP 2026-07-28 streamable HTTP, "Standard Request Headers", and multi round-trip requests, "Supported Requests";
 *   tasks extension, "Streamable HTTP: Routing Headers"
 */
export const methods: ReadonlyMap<string, MethodEntry> = new Map(
  rows.map(([method, nameParam, inputRequired, lists, capability, rules]) => [
    method,
    { method, nameParam, inputRequired, lists, capability, check: (params) => checkParams(rules, params) },
  ]),
);

/**
 * Whether a request works on tasks, which only a client that declares the extension may ask for.
 * @see tasks extension, "Protocol Errors"
 */
export function needsTasks(entry: MethodEntry, params: JsonObject): boolean {
  if (entry.capability === "tasks") return true;
  const filter = entry.method === "subscriptions/listen" ? member(params, "notifications") : undefined;
  return isObject(filter) && Object.hasOwn(filter, "taskIds");
}

export const requiresTasks: JsonObject = { extensions: { [TASKS_EXTENSION]: {} } };

function checkParams(rules: readonly Rule[], params: JsonObject): Failure | undefined {
  const meta = member(params, "_meta");
  const token = isObject(meta) ? member(meta, "progressToken") : undefined;
  const name = token !== undefined && !isId(token) ? "_meta.progressToken" : broken(rules, params);
  if (name === undefined) return undefined;
  return failure("invalid_params", `params.${name} is missing or not valid`, { reason: `params_${snake(name)}` });
}

function broken(rules: readonly Rule[], object: JsonObject): string | undefined {
  for (const [name, valid, need] of rules) {
    const value = member(object, name);
    if (value === undefined ? need === "required" : !valid(value)) return name;
  }
  return undefined;
}

const snake = (name: string): string =>
  name.replace(/^_meta\./, "meta_").replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`);
