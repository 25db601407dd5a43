/**
 * JSON of upstream servers, which goes on to the client: a number that a double would change keeps its text. Such a number
 * is an opaque value to this program; `isObject` does not take it for an object.
 */
import type { Json } from "../ports.ts";
import { jsonWithSource } from "./json.ts";
import { scanJson, type Listeners } from "./scan-json.ts";

/**
 * @param onKey see `Listeners`
 * @throws {SyntaxError} where the text is not JSON or nests deeper than `limits.jsonDepth_levels`
 */
export function parseFaithful(text: string, onKey?: Listeners["onKey"]): Json {
  const unsafe: [start: number, end: number][] = [];
  const scanned = scanJson(text, {
    onUnsafe: (start, end) => unsafe.push([start, end]),
    ...(onKey === undefined ? {} : { onKey }),
  });
  if (scanned.tooDeep) throw new SyntaxError("The JSON nests too deeply");
  return unsafe.length === 0 ? (JSON.parse(text) as Json) : parseWithMarks(text, unsafe);
}

/** The text of a value from `parseFaithful`, changed or not; every number as it was. */
export function stringifyFaithful(value: Json): string {
  return JSON.stringify(value);
}

/**
 * Parses with a marked string in the place of each such number, then puts the numbers back. A reviver would do it in one
 * call, but it visits every value with its source: seconds for a few megabytes, at an upstream's will.
 */
function parseWithMarks(text: string, unsafe: readonly (readonly [start: number, end: number])[]): Json {
  const mark = unusedMark(text);
  const pieces: string[] = [];
  const numbers = new Map<string, Json>();
  let at = 0;
  for (const [start, end] of unsafe) {
    const name = `${mark}${numbers.size}`;
    numbers.set(name, jsonWithSource.rawJSON(text.slice(start, end)));
    pieces.push(text.slice(at, start), `"${name}"`);
    at = end;
  }
  pieces.push(text.slice(at));
  return putBack(JSON.parse(pieces.join("")) as Json, numbers);
}

/** No string of the text begins like it, so none is taken for a number. */
function unusedMark(text: string): string {
  for (let turn = 0; ; turn++) {
    const mark = `number ${turn} `;
    if (!text.includes(mark)) return mark;
  }
}

function putBack(value: Json, numbers: ReadonlyMap<string, Json>): Json {
  if (typeof value === "string") return numbers.get(value) ?? value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) value[at] = putBack(item, numbers);
    return value;
  }
  for (const key of Object.keys(value)) {
    const member = value[key];
    if (member === undefined) continue;
    // `__proto__` is an own member here; an assignment would set the prototype instead.
    Object.defineProperty(value, key, {
      value: putBack(member, numbers),
      ...{ configurable: true, enumerable: true, writable: true },
    });
  }
  return value;
}
