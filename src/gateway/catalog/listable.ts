/**
 * What may stand in a list. Clients of the official SDKs reject a whole list for one item of the wrong shape, so such an item is
 * left out alone; so is one that breaks a bound.
 */
import { limits } from "../../limits.ts";
import type { Json, JsonObject } from "../../ports.ts";
import { isObject, readParamHeaders, type Era } from "../../protocol/index.ts";
import { kindOf, type ListKind } from "./kinds.ts";

type Check = (value: Json) => boolean;

const isString: Check = (value) => typeof value === "string";
const isIcons: Check = (value) =>
  Array.isArray(value) && value.every((icon) => isObject(icon) && isString(icon["src"] ?? null));

function isInputSchema(value: Json): boolean {
  if (!isObject(value) || value["type"] !== "object") return false;
  const { properties = {}, required = [] } = value;
  return isObject(properties) && Array.isArray(required) && required.every(isString);
}

const optional: Readonly<Record<string, Check>> = {
  title: isString,
  description: isString,
  annotations: isObject,
  _meta: isObject,
  icons: isIcons,
};

/** Members by the name of the list: those that every item must have, and those that must be right where they are. */
const shapes: Readonly<
  Record<
    string,
    { readonly required: Readonly<Record<string, Check>>; readonly optional: Readonly<Record<string, Check>> }
  >
> = {
  "tools/list": {
    required: { inputSchema: isInputSchema },
    optional: { ...optional, outputSchema: isObject, execution: isObject },
  },
  "prompts/list": { required: {}, optional: { ...optional, arguments: Array.isArray } },
  "resources/list": { required: { name: isString }, optional: { ...optional, mimeType: isString } },
  "resources/templates/list": { required: { name: isString }, optional: { ...optional, mimeType: isString } },
};

/** The name or URI of an item, where it can have one at all. */
export function keyOf(kind: ListKind, item: JsonObject): string | undefined {
  const key = item[kind.key];
  const fits = typeof key === "string" && key !== "" && key.length <= limits.name_chars && key.isWellFormed();
  return fits ? key : undefined;
}

/** @see MCP 2026-07-28 streamable HTTP, "Schema Extension": an invalid `x-mcp-header` excludes its tool */
export function isListable(kind: ListKind, item: Json): item is JsonObject {
  if (!isObject(item) || keyOf(kind, item) === undefined) return false;
  const shape = shapes[kind.method];
  for (const [name, check] of Object.entries(shape?.required ?? {})) if (!check(item[name] ?? null)) return false;
  for (const [name, check] of Object.entries(shape?.optional ?? {})) {
    const value = item[name];
    if (value !== undefined && !check(value)) return false;
  }
  if (kind.method !== "tools/list") return true;
  return readParamHeaders(item["inputSchema"] ?? null).ok && JSON.stringify(item).length <= limits.tool_bytes;
}

/**
 * Whether clients of the 2025 revisions would reject the item for its `outputSchema`: theirs are of type object.
 * @see MCP 2025-11-25 schema, `Tool`
 */
export const hasModernOutput = (item: JsonObject): boolean =>
  isObject(item["outputSchema"]) && item["outputSchema"]["type"] !== "object";

/**
 * Leaves out of a list of one server, alone, what a client would have to reject or what breaks a bound.
 * @param result is changed in place
 * @returns whether it was
 */
export function keepListable(method: string, result: JsonObject, era: Era = "modern"): boolean {
  const kind = kindOf(method);
  const items = kind === undefined ? undefined : result[kind.member];
  if (kind === undefined || !Array.isArray(items)) return false;
  const kept = items.filter((item) => isListable(kind, item));
  const shown = era === "legacy" && kind.method === "tools/list" ? kept.map(withoutModernOutput) : kept;
  if (shown.length === items.length && shown.every((item, at) => item === items[at])) return false;
  result[kind.member] = shown;
  return true;
}

export function withoutModernOutput(tool: JsonObject): JsonObject {
  if (!hasModernOutput(tool)) return tool;
  const { outputSchema: _, ...rest } = tool;
  return rest;
}
