import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkParamHeaders, paramHeadersFor, readParamHeaders, type ParamHeader } from "../../../src/protocol/index.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";

const annotated = (name: Json, type: Json = "string"): JsonObject => ({ type, "x-mcp-header": name });
const schema = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: "object", properties, ...more });

describe("streamable HTTP, Schema Extension", () => {
  it("Schema Extension: reads annotations at any depth of properties", () => {
    const read = readParamHeaders(
      schema({
        region: annotated("Region"),
        db: schema({ id: annotated("Db-Id", "integer"), on: annotated("on", "boolean") }),
        q: { type: "string" },
      }),
    );
    expect(read).toEqual({
      ok: true,
      value: [
        { header: "Mcp-Param-Region", path: ["region"], type: "string" },
        { header: "Mcp-Param-Db-Id", path: ["db", "id"], type: "integer" },
        { header: "Mcp-Param-on", path: ["db", "on"], type: "boolean" },
      ],
    });
  });
  it.each<[string, Json]>([
    ["a property that is called x-mcp-header", schema({ "x-mcp-header": { type: "string" } })],
    [
      "data that looks like an annotation",
      schema({
        a: { default: annotated("A"), enum: [annotated("B")], const: annotated("C"), examples: [annotated("D")] },
      }),
    ],
    ["a schema that is true", true],
    ["properties that are no object", { properties: [1] }],
  ])("Schema Extension: finds nothing in %s", (_name, input) => {
    expect(readParamHeaders(input)).toEqual({ ok: true, value: [] });
  });

  it.each<[string, Json]>([
    ["an empty name", schema({ a: annotated("") })],
    ["a name that is a number", schema({ a: annotated(1) })],
    ["a name with a space", schema({ a: annotated("a b") })],
    ["a name with a colon", schema({ a: annotated("a:b") })],
    ["a name that breaks the line (MC-21)", schema({ a: annotated("a\r\nX: y") })],
    ["a name outside of ASCII", schema({ a: annotated("\u00e9") })],
    ["two names that differ in case", schema({ a: annotated("Region"), b: schema({ c: annotated("region") }) })],
    ["a number", schema({ a: annotated("A", "number") })],
    ["an object", schema({ a: annotated("A", "object") })],
    ["an array", schema({ a: annotated("A", "array") })],
    ["several types", schema({ a: annotated("A", ["string", "null"]) })],
    ["no type", schema({ a: { "x-mcp-header": "A" } })],
    ["the root", { ...schema({}), "x-mcp-header": "A" }],
    ["items", schema({ a: { type: "array", items: annotated("A") } })],
    ["a property under items", schema({ a: { type: "array", items: schema({ b: annotated("A") }) } })],
    ["prefixItems", schema({ a: { prefixItems: [annotated("A")] } })],
    ["oneOf", schema({ a: { oneOf: [annotated("A")] } })],
    ["anyOf at the root", schema({}, { anyOf: [schema({ a: annotated("A") })] })],
    ["allOf", schema({}, { allOf: [schema({ a: annotated("A") })] })],
    ["not", schema({ a: { not: annotated("A") } })],
    ["if", schema({}, { if: schema({ a: annotated("A") }) })],
    ["then", schema({}, { then: schema({ a: annotated("A") }) })],
    ["else", schema({}, { else: schema({ a: annotated("A") }) })],
    ["$defs", schema({ a: { $ref: "#/$defs/a" } }, { $defs: { a: annotated("A") } })],
    ["definitions", schema({}, { definitions: { a: schema({ b: annotated("A") }) } })],
    ["additionalProperties", schema({}, { additionalProperties: annotated("A") })],
    ["patternProperties", schema({}, { patternProperties: { "^a": annotated("A") } })],
    ["dependentSchemas", schema({}, { dependentSchemas: { a: schema({ b: annotated("A") }) } })],
    ["a keyword that nobody knows", schema({ a: { "x-vendor": annotated("A") } })],
  ])("MC-21: refuses an annotation on %s", (_name, input) => {
    expect(readParamHeaders(input).ok).toBe(false);
  });
  it("Schema Extension: refuses a schema that nests without end", () => {
    let deep: Json = {};
    for (let level = 0; level < 10_000; level++) deep = { properties: { a: deep } };
    expect(readParamHeaders(deep).ok).toBe(false);
  });
});

const declared: readonly ParamHeader[] = [
  { header: "Mcp-Param-Region", path: ["where", "region"], type: "string" },
  { header: "Mcp-Param-Count", path: ["count"], type: "integer" },
  { header: "Mcp-Param-Force", path: ["force"], type: "boolean" },
];

const refused = (args: JsonObject, headers: Record<string, string>): string | undefined =>
  checkParamHeaders(declared, args, new Headers(headers))?.code;

describe("streamable HTTP, Server Behavior for Custom Headers", () => {
  it.each<[string, JsonObject, Record<string, string>]>([
    ["no value and no header", {}, {}],
    ["null and no header", { count: null, where: null }, {}],
    ["a string", { where: { region: "eu" } }, { "mcp-param-region": "eu" }],
    ["a string in Base64", { where: { region: "e\u00fc" } }, { "mcp-param-region": "=?base64?ZcO8?=" }],
    ["an integer", { count: 42 }, { "mcp-param-count": "42" }],
    ["an integer with a fraction of zeros", { count: 42 }, { "mcp-param-count": "42.0" }],
    ["a negative integer", { count: -7 }, { "mcp-param-count": "-7" }],
    ["a boolean", { force: false }, { "mcp-param-force": "false" }],
    ["a header that nothing declares", {}, { "mcp-param-other": "x" }],
  ])("MC-18: takes %s", (_name, args, headers) => {
    expect(refused(args, headers)).toBeUndefined();
  });
  it.each<[string, JsonObject, Record<string, string>]>([
    ["a value without header", { count: 42 }, {}],
    ["a header without value", {}, { "mcp-param-count": "42" }],
    ["a header for null", { count: null }, { "mcp-param-count": "null" }],
    ["a header for an object", { count: { a: 1 } }, { "mcp-param-count": "42" }],
    ["a header for a nested value that is missing", { where: {} }, { "mcp-param-region": "eu" }],
    ["another string", { where: { region: "eu" } }, { "mcp-param-region": "us" }],
    ["a string in another case", { where: { region: "eu" } }, { "mcp-param-region": "EU" }],
    ["another integer", { count: 42 }, { "mcp-param-count": "43" }],
    ["an integer that a double rounds to the value", { count: 42 }, { "mcp-param-count": "42.00000000000000000001" }],
    ["hexadecimal", { count: 42 }, { "mcp-param-count": "0x2a" }],
    ["an exponent", { count: 100 }, { "mcp-param-count": "1e2" }],
    ["leading zeros", { count: 42 }, { "mcp-param-count": "042" }],
    ["an empty integer", { count: 0 }, { "mcp-param-count": "" }],
    ["a boolean in another case", { force: true }, { "mcp-param-force": "True" }],
    ["a boolean as number", { force: true }, { "mcp-param-force": "1" }],
    ["a header that is there twice", { where: { region: "eu" } }, { "mcp-param-region": "eu, eu" }],
    ["bad Base64", { where: { region: "eu" } }, { "mcp-param-region": "=?base64?ZXU?=" }],
  ])("MC-18: refuses %s", (_name, args, headers) => {
    expect(refused(args, headers)).toBe("header_mismatch");
  });

  it("Client Behavior: sends what is there, and nothing for null, objects and what is missing", () => {
    expect(paramHeadersFor(declared, { where: { region: "\u00fc" }, count: null, force: true })).toEqual([
      ["Mcp-Param-Region", "=?base64?w7w=?="],
      ["Mcp-Param-Force", "true"],
    ]);
  });

  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.constant({ a: 1 }),
  );
  it("MC-18: what is sent upstream is what a server accepts, and it accepts nothing else", () => {
    const args = fc.record(
      { where: fc.record({ region: value }, { requiredKeys: [] }), count: value, force: value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(args, args, (one, other) => {
        const headers = new Headers(paramHeadersFor(declared, one));
        expect(checkParamHeaders(declared, one, headers)).toBeUndefined();
        const same =
          JSON.stringify(paramHeadersFor(declared, other)) === JSON.stringify(paramHeadersFor(declared, one));
        expect(checkParamHeaders(declared, other, headers) === undefined).toBe(same);
      }),
      { numRuns: 1000 },
    );
  });
});
