/**
 * JSON of upstream servers, which goes on to the client: a number that a double would change keeps its text. Such a number
 * is an opaque value to this program; `isObject` does not take it for an object.
 */
import type { Json } from "../ports.ts";
import { jsonWithSource } from "./json.ts";
import { isSafeNumber, scanJson } from "./scan-json.ts";

/**
 * @param text JSON, as `readServerMessage` has accepted it
 * @throws {SyntaxError} where it is not, or nests deeper than `limits.jsonDepth_levels`
 */
export function parseFaithful(text: string): Json {
  const scanned = scanJson(text);
  if (scanned.tooDeep) throw new SyntaxError("The JSON nests too deeply");
  // A reviver costs several times what plain parsing does, and almost no answer needs one.
  if (scanned.unsafeNumber) return jsonWithSource.parse(text, keepUnsafeNumber);
  const value: Json = JSON.parse(text);
  return value;
}

/** The text of a value from `parseFaithful`, changed or not; every number as it was. */
export function stringifyFaithful(value: Json): string {
  return JSON.stringify(value);
}

function keepUnsafeNumber(_key: string, value: Json, { source }: { readonly source?: string }): Json {
  if (typeof value !== "number" || source === undefined || isSafeNumber(source, 0, source.length)) return value;
  return jsonWithSource.rawJSON(source);
}
