/**
 * JSON of somebody else, read so that no other reader could see something else in it: signed claims and documents decide who may
 * do what.
 */
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";

export type JsonDefect = "not_utf8" | "not_json" | "not_an_object" | "duplicate_key" | "prototype_key" | "too_deep";

// A byte order mark stays in the text, where JSON.parse refuses it (RFC 8259 section 8.1).
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @see RFC 8259 sections 4 and 8; RFC 7515 section 4 and RFC 7519 section 4 on names that occur twice */
export function readJson(bytes: Uint8Array): Result<JsonObject, JsonDefect> {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return err("not_utf8");
  }
  return readJsonText(text);
}

export function readJsonText(text: string): Result<JsonObject, JsonDefect> {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return err("not_json");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return err("not_an_object");
  const seen = inspect(value);
  if (typeof seen === "string") return err(seen);
  return seen === writtenMembers(text) ? ok(value) : err("duplicate_key");
}

/** Of valid JSON: each member has one colon outside of strings, and a key that is written twice counts twice. */
function writtenMembers(text: string): number {
  return text.replace(/"(?:[^"\\]|\\.)*"/g, "").split(":").length - 1;
}

/** @returns how many members all objects have together */
function inspect(root: JsonObject): number | "prototype_key" | "too_deep" {
  let members_count = 0;
  const open: [value: Json, depth: number][] = [[root, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    if (typeof value !== "object" || value === null) continue;
    if (depth > limits.jsonDepth_levels) return "too_deep";
    if (!Array.isArray(value)) {
      if (Object.hasOwn(value, "__proto__")) return "prototype_key";
      members_count += Object.keys(value).length;
    }
    for (const inner of Object.values(value)) open.push([inner, depth + 1]);
  }
  return members_count;
}
