import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeaderValue, encodeHeaderValue } from "../../../src/protocol/index.ts";

describe("streamable HTTP, Value Encoding", () => {
  // The examples of the specification.
  it.each([
    ["us-west1", "us-west1"],
    ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
    [" padded ", "=?base64?IHBhZGRlZCA=?="],
    ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
    ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
    ["", "=?base64??="],
    ["a\tb", "=?base64?YQli?="],
    ["two  words", "two  words"],
    ["=?BASE64?eA==?=", "=?BASE64?eA==?="],
  ])("Value Encoding: %j is sent as %s and read again", (value, header) => {
    expect([encodeHeaderValue(value), decodeHeaderValue(header)]).toEqual([header, { ok: true, value }]);
  });

  it.each([
    ["bad padding", "=?base64?YQ=?=", "base64"],
    ["no padding", "=?base64?YQ?=", "base64"],
    ["stray bits", "=?base64?YR==?=", "base64"],
    ["whitespace", "=?base64?Y Q==?=", "base64"],
    ["the URL alphabet", "=?base64?_-8=?=", "base64"],
    ["markers that share a character", "=?base64?=", "base64"],
    ["bytes that are not UTF-8", "=?base64?/w==?=", "utf8"],
    ["an overlong encoding", "=?base64?wK8=?=", "utf8"],
    ["characters outside of ASCII", "caf\u00e9", "characters"],
    ["a line break", "a\r\nb", "characters"],
    ["NUL", "a\u0000b", "characters"],
  ])("MC-17: refuses %s", (_name, header, error) => {
    expect(decodeHeaderValue(header)).toEqual({ ok: false, error });
  });

  const values = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc.string().map((inner) => `=?base64?${inner}?=`),
    fc.constantFrom("=?base64?", "?=", "=?base64?=", " ", "\ufeff"),
  );

  it("Value Encoding: reading undoes writing, and HTTP carries what is written", () => {
    fc.assert(
      fc.property(values, (value) => {
        const header = encodeHeaderValue(value);
        expect(new Headers({ "mcp-name": header }).get("mcp-name")).toBe(header);
        expect(decodeHeaderValue(header)).toEqual({ ok: true, value });
      }),
      { numRuns: 1000 },
    );
  });

  it("Value Encoding: two values never share a header", () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        expect(encodeHeaderValue(one) === encodeHeaderValue(other)).toBe(one === other);
      }),
      { numRuns: 500 },
    );
  });
});
