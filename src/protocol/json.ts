/** What the rest of the room asks of JSON values, and the part of `JSON` that the type library does not know yet. */
import type { Json, JsonObject } from "../ports.ts";

interface JsonWithSource {
  parse(text: string, reviver: (key: string, value: Json, context: { readonly source?: string }) => Json): Json;
  rawJSON(text: string): Json;
  isRawJSON(value: unknown): boolean;
}

/** @see ECMAScript proposal "JSON.parse source text access", stage 4 */
export const jsonWithSource = JSON as unknown as JsonWithSource;

/** False for arrays and for a number that `parseFaithful` kept as its text. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !jsonWithSource.isRawJSON(value);
}

/** An own member, so that `toString` and its like are never found on the prototype. */
export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The same, where it is an object. */
export function objectMember(object: JsonObject, name: string): JsonObject | undefined {
  const value = member(object, name);
  return isObject(value) ? value : undefined;
}
