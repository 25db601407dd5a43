/** The shape of `params`, as rules in tables. What a rule does not name is not looked at, and goes on. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { isObject, member } from "./json.ts";
import { isBoundedText, isId } from "./message.ts";

export type Rule = readonly [member: string, valid: (value: Json) => boolean, need: "required" | "optional"];

export const isName = (value: Json | undefined): value is string => isBoundedText(value, limits.name_chars);
const isCursor = (value: Json): boolean => typeof value === "string" && value.length <= limits.cursor_chars;

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

const logLevels: ReadonlySet<Json> = new Set([
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
]);

/** @see MCP 2026-07-28 logging, "Log Levels"; RFC 5424 section 6.2.1 */
export const isLogLevel = (value: Json): value is string => logLevels.has(value);

/** The same in all revisions. */
export const list: readonly Rule[] = [["cursor", isCursor, "optional"]];
export const task: readonly Rule[] = [["taskId", isName, "required"]];
export const resource: readonly Rule[] = [["uri", isName, "required"]];
export const named: readonly Rule[] = [
  ["name", isName, "required"],
  ["arguments", isObject, "optional"],
];
export const complete: readonly Rule[] = [
  ["ref", isReference, "required"],
  ["argument", isArgument, "required"],
  ["context", isContext, "optional"],
];

/** @returns `invalid_params` for the first rule that does not hold, or for a progress token that is no id */
export function checkParams(rules: readonly Rule[], params: JsonObject): Failure | undefined {
  const meta = member(params, "_meta");
  const token = isObject(meta) ? member(meta, "progressToken") : undefined;
  const name = token !== undefined && !isId(token) ? "_meta.progressToken" : broken(rules, params);
  if (name === undefined) return undefined;
  return failure("invalid_params", `params.${name} is missing or not valid`, { reason: `params_${snake(name)}` });
}

/** @returns the member whose rule does not hold */
export function broken(rules: readonly Rule[], object: JsonObject): string | undefined {
  for (const [name, valid, need] of rules) {
    const value = member(object, name);
    if (value === undefined ? need === "required" : !valid(value)) return name;
  }
  return undefined;
}

const snake = (name: string): string =>
  name.replace(/^_meta\./, "meta_").replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`);
