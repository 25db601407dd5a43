/**
 * What a table of methods says of each. Looked up in a Map: `__proto__` and `constructor` are names like any other that
 * does not exist.
 */
import type { Failure } from "../errors.ts";
import type { JsonObject } from "../ports.ts";
import { member } from "./json.ts";
import { checkParams, type Rule } from "./params.ts";

/** The member of `params` that says what a request is about. In 2026-07-28 the `Mcp-Name` header mirrors it. */
export type NameParam = "name" | "uri" | "taskId";
/** The member of the result that holds what a list method lists. */
export type ListMember = "tools" | "prompts" | "resources" | "resourceTemplates" | "tasks";
/** The server capability that offers a method; in 2026-07-28 `tasks` is an extension, and `logging` offers no method. */
export type Capability = "tools" | "prompts" | "resources" | "completions" | "tasks" | "logging";

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

export type MethodRow = readonly [
  method: string,
  nameParam: NameParam | undefined,
  inputRequired: boolean,
  lists: ListMember | undefined,
  capability: Capability | undefined,
  rules: readonly Rule[],
];

export function methodTable(rows: readonly MethodRow[]): ReadonlyMap<string, MethodEntry> {
  return new Map(
    rows.map(([method, nameParam, inputRequired, lists, capability, rules]) => [
      method,
      { method, nameParam, inputRequired, lists, capability, check: (params) => checkParams(rules, params) },
    ]),
  );
}

/** What the request is about, as in the body: tool, prompt, URI or task id. */
export function nameOf(entry: MethodEntry, params: JsonObject): string | undefined {
  const name = entry.nameParam === undefined ? undefined : member(params, entry.nameParam);
  return typeof name === "string" ? name : undefined;
}
