/** The methods of the modern era that Gatehouse knows, and the shape of their `params`. */
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { TASKS_EXTENSION } from "./era.ts";
import { isObject, member } from "./json.ts";
import { methodTable, type MethodEntry, type MethodRow } from "./method-table.ts";
import { broken, complete, isName, list, named, resource, task, type Rule } from "./params.ts";

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

/** @see MCP 2026-07-28 multi round-trip requests, "Core Types" */
const retry: readonly Rule[] = [
  ["inputResponses", isResponses, "optional"],
  ["requestState", isState, "optional"],
];
const listen: readonly Rule[] = [["notifications", isFilter, "required"]];
const update: readonly Rule[] = [...task, ["inputResponses", isResponses, "required"]];

const __ = undefined;
// oxfmt-ignore
const rows: readonly MethodRow[] = [
  // method                     Mcp-Name  input_required  lists                capability     params
  ["server/discover",           __,       false,          __,                  __,            []],
  ["tools/list",                __,       false,          "tools",             "tools",       list],
  ["tools/call",                "name",   true,           __,                  "tools",       [...named, ...retry]],
  ["prompts/list",              __,       false,          "prompts",           "prompts",     list],
  ["prompts/get",               "name",   true,           __,                  "prompts",     [...named, ...retry]],
  ["resources/list",            __,       false,          "resources",         "resources",   list],
  ["resources/templates/list",  __,       false,          "resourceTemplates", "resources",   list],
  ["resources/read",            "uri",    true,           __,                  "resources",   [...resource, ...retry]],
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
export const methods: ReadonlyMap<string, MethodEntry> = methodTable(rows);

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
