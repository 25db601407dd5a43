/** The methods of the revisions 2025-03-26, 2025-06-18 and 2025-11-25 that a client may ask for. */
import { limits } from "../limits.ts";
import type { Json } from "../ports.ts";
import { isClientInfo } from "./client-info.ts";
import { isObject, member } from "./json.ts";
import { isBoundedText } from "./message.ts";
import { methodTable, type MethodEntry, type MethodRow } from "./method-table.ts";
import { complete, isLogLevel, list, named, resource, task, type Rule } from "./params.ts";

const isVersion = (value: Json): boolean => isBoundedText(value, limits.protocolVersion_chars);

/** @see MCP 2025-11-25 tasks, "Creating Tasks" */
function isTaskRequest(value: Json): boolean {
  if (!isObject(value)) return false;
  const ttl_ms = member(value, "ttl");
  return ttl_ms === undefined || (typeof ttl_ms === "number" && Number.isSafeInteger(ttl_ms) && ttl_ms >= 0);
}

/** @see MCP 2025-11-25 lifecycle, "Initialization" */
const initialize: readonly Rule[] = [
  ["protocolVersion", isVersion, "required"],
  ["capabilities", isObject, "required"],
  ["clientInfo", isClientInfo, "optional"],
];
const call: readonly Rule[] = [...named, ["task", isTaskRequest, "optional"]];
const setLevel: readonly Rule[] = [["level", isLogLevel, "required"]];

const __ = undefined;
// oxfmt-ignore
const rows: readonly MethodRow[] = [
  // method                     name      input_required  lists                capability     params
  ["initialize",                __,       false,          __,                  __,            initialize],
  ["ping",                      __,       false,          __,                  __,            []],
  ["tools/list",                __,       false,          "tools",             "tools",       list],
  ["tools/call",                "name",   false,          __,                  "tools",       call],
  ["prompts/list",              __,       false,          "prompts",           "prompts",     list],
  ["prompts/get",               "name",   false,          __,                  "prompts",     named],
  ["resources/list",            __,       false,          "resources",         "resources",   list],
  ["resources/templates/list",  __,       false,          "resourceTemplates", "resources",   list],
  ["resources/read",            "uri",    false,          __,                  "resources",   resource],
  ["resources/subscribe",       "uri",    false,          __,                  "resources",   resource],
  ["resources/unsubscribe",     "uri",    false,          __,                  "resources",   resource],
  ["completion/complete",       __,       false,          __,                  "completions", complete],
  ["logging/setLevel",          __,       false,          __,                  "logging",     setLevel],
  ["tasks/list",                __,       false,          "tasks",             "tasks",       list],
  ["tasks/get",                 "taskId", false,          __,                  "tasks",       task],
  ["tasks/result",              "taskId", false,          __,                  "tasks",       task],
  ["tasks/cancel",              "taskId", false,          __,                  "tasks",       task],
];

/** @see MCP 2025-11-25 schema, `ClientRequest`; the earlier two revisions have the same without tasks */
export const legacyMethods: ReadonlyMap<string, MethodEntry> = methodTable(rows);
