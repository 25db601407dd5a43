/**
 * Tool parameters that clients mirror into `Mcp-Param-*` headers.
 * @see MCP 2026-07-28 streamable HTTP, "Custom Headers from Tool Parameters"
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { decodeHeaderValue, encodeHeaderValue } from "./header-value.ts";
import { isObject, member } from "./json.ts";

export interface ParamHeader {
  /** The whole field name, as the schema spells it. */
  readonly header: string;
  /** Names of members of `arguments`, from the outside in. */
  readonly path: readonly string[];
  readonly type: "string" | "integer" | "boolean";
}

const annotation = "x-mcp-header";
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Keywords whose value is instance data, in which the annotation means nothing. */
const dataKeywords = new Set(["default", "const", "enum", "examples", "required", "dependentRequired"]);
/** Keywords whose value maps names to schemas: a property may well be called `x-mcp-header`. */
const mapKeywords = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
  "dependencies",
]);

class Violation extends Error {}

/**
 * @param inputSchema a tool's, as its server sent it
 * @returns the declared headers; or why the tool must be left out of lists and calls, without text of the server's
 * @see MCP 2026-07-28 streamable HTTP, "Schema Extension"
 */
export function readParamHeaders(inputSchema: Json): Result<readonly ParamHeader[], string> {
  const found = new Map<string, ParamHeader>();
  try {
    visitSchema(inputSchema, [], true, 0, found);
  } catch (thrown) {
    if (thrown instanceof Violation) return err(thrown.message);
    throw thrown;
  }
  return ok([...found.values()]);
}

/** @param reachable through `properties` alone, so that `path` leads to the value in the arguments */
function visitSchema(
  schema: Json,
  path: readonly string[],
  reachable: boolean,
  depth: number,
  found: Map<string, ParamHeader>,
): void {
  if (depth > limits.jsonDepth_levels) throw new Violation("the schema nests too deeply");
  if (Array.isArray(schema)) {
    for (const item of schema) visitSchema(item, path, false, depth + 1, found);
    return;
  }
  if (!isObject(schema)) return;
  if (Object.hasOwn(schema, annotation)) {
    if (!reachable || path.length === 0)
      throw new Violation("x-mcp-header is not on a property reachable by properties alone");
    add(readAnnotation(schema, path), found);
  }
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === annotation || dataKeywords.has(keyword)) continue;
    if (!mapKeywords.has(keyword) || !isObject(value)) {
      visitSchema(value, path, false, depth + 1, found);
      continue;
    }
    const onPath = reachable && keyword === "properties";
    for (const [name, inner] of Object.entries(value)) {
      visitSchema(inner, onPath ? [...path, name] : path, onPath, depth + 1, found);
    }
  }
}

function readAnnotation(schema: JsonObject, path: readonly string[]): ParamHeader {
  const name = member(schema, annotation);
  if (typeof name !== "string" || !token.test(name)) throw new Violation("x-mcp-header is not an HTTP token");
  if (name.length > limits.requestId_chars) throw new Violation("x-mcp-header is too long");
  const type = member(schema, "type");
  if (type !== "string" && type !== "integer" && type !== "boolean") {
    throw new Violation("x-mcp-header is on a property that is not a string, integer or boolean");
  }
  return { header: `Mcp-Param-${name}`, path, type };
}

function add(declared: ParamHeader, found: Map<string, ParamHeader>): void {
  const key = declared.header.toLowerCase();
  if (found.has(key)) throw new Violation("two properties have the same x-mcp-header");
  found.set(key, declared);
}

/**
 * Whether the client's headers say what its arguments say. Headers that nothing declares are not looked at.
 * @returns `header_mismatch`, also where a header comes without a value in the arguments
 * @see MCP 2026-07-28 streamable HTTP, "Server Behavior for Custom Headers" and "Server Validation"
 */
export function checkParamHeaders(
  declared: readonly ParamHeader[],
  args: JsonObject,
  headers: Headers,
): Failure | undefined {
  for (const { header, path } of declared) {
    const value = primitiveAt(args, path);
    const sent = headers.get(header);
    if (sent === null ? value !== undefined : value === undefined || !says(sent, value)) {
      const detail = `The ${header} header does not match the arguments`;
      return failure("header_mismatch", detail, { reason: "param_header" });
    }
  }
  return undefined;
}

/**
 * The headers that go upstream with a call, from its arguments: never those that the client sent.
 * @see MCP 2026-07-28 streamable HTTP, "Client Behavior"
 */
export function paramHeadersFor(declared: readonly ParamHeader[], args: JsonObject): [name: string, value: string][] {
  const headers: [string, string][] = [];
  for (const { header, path } of declared) {
    const value = primitiveAt(args, path);
    if (value !== undefined) headers.push([header, encodeHeaderValue(String(value))]);
  }
  return headers;
}

/** Undefined for what no header can carry: nothing, null, objects and arrays. */
function primitiveAt(args: JsonObject, path: readonly string[]): string | number | boolean | undefined {
  let value: Json | undefined = args;
  for (const name of path) {
    if (!isObject(value)) return undefined;
    value = member(value, name);
  }
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

/** An integer, perhaps written with a fraction of zeros. */
const integer = /^-?(?:0|[1-9][0-9]{0,15})(?:\.0{1,16})?$/;

function says(sent: string, value: string | number | boolean): boolean {
  const decoded = decodeHeaderValue(sent);
  if (!decoded.ok) return false;
  if (decoded.value === String(value)) return true;
  return typeof value === "number" && integer.test(decoded.value) && Number(decoded.value) === value;
}
