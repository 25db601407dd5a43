import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeResponse,
  isObject,
  parseFaithful,
  readResponse,
  readServerMessage,
  stringifyFaithful,
} from "../../../src/protocol/index.ts";

const answer = (members: string): string => `{"jsonrpc":"2.0",${members}}`;

describe("RX-07 responses", () => {
  it("JSON-RPC 2.0 section 5: reads a result", () => {
    expect(readResponse(answer('"id":1,"result":{"a":1}'), 1)).toEqual({
      ok: true,
      value: { kind: "result", result: { a: 1 } },
    });
  });
  it("JSON-RPC 2.0 section 5.1: reads an error with its data", () => {
    const error = { code: -32602, message: "m", data: [1] };
    expect(readResponse(answer(`"id":"a","error":${JSON.stringify(error)}`), "a")).toEqual({
      ok: true,
      value: { kind: "error", error },
    });
  });
  it.each([
    ["another id", '"id":2,"result":{}', "other_id"],
    ["an id of another type", '"id":"1","result":{}', "other_id"],
    ["an error without id", '"error":{"code":1,"message":"m"}', "other_id"],
    ["a notification", '"method":"notifications/progress"', "not_a_response"],
    ["a request", '"id":1,"method":"ping"', "not_a_response"],
    ["a result without id", '"result":{}', "not_a_message"],
    ["a null id with a result", '"id":null,"result":{}', "not_a_message"],
    ["result and error", '"id":1,"result":{},"error":{"code":1,"message":"m"}', "not_a_message"],
    ["neither", '"id":1', "not_a_message"],
    ["a result that is an array", '"id":1,"result":[]', "not_a_message"],
    ["a result that is null", '"id":1,"result":null', "not_a_message"],
    ["an error code that is a string", '"id":1,"error":{"code":"1","message":"m"}', "not_a_message"],
    ["an error code that is a fraction", '"id":1,"error":{"code":1.5,"message":"m"}', "not_a_message"],
    ["an error without message", '"id":1,"error":{"code":1}', "not_a_message"],
    ["an error that is a string", '"id":1,"error":"m"', "not_a_message"],
    ["a response that is a request too", '"id":1,"method":"m","result":{}', "not_a_message"],
  ])("RX-07: refuses %s", (_name, members, reason) => {
    expect(readResponse(answer(members), 1)).toEqual({ ok: false, error: reason });
  });
  it.each([
    ["text that is not JSON", "<html>"],
    ["a batch", `[${answer('"id":1,"result":{}')}]`],
    ["another version", '{"jsonrpc":"1.0","id":1,"result":{}}'],
    ["JSON that nests without end", answer(`"id":1,"result":{"a":${"[".repeat(100_000)}`)],
  ])("RX-03: takes %s for no message", (_name, text) => {
    expect(readServerMessage(text)).toBeUndefined();
  });
  it("JSON-RPC 2.0 section 5: an error may come without id, or with null", () => {
    const error = '"error":{"code":-32700,"message":"m"}';
    const expected = {
      kind: "response",
      id: undefined,
      response: { kind: "error", error: { code: -32_700, message: "m" } },
    };
    expect([readServerMessage(answer(error)), readServerMessage(answer(`"id":null,${error}`))]).toEqual([
      expected,
      expected,
    ]);
  });
  it("basic, Messages: tells notifications from requests", () => {
    expect([
      readServerMessage(answer('"method":"n","params":{"a":1}')),
      readServerMessage(answer('"id":"x","method":"r"')),
    ]).toEqual([
      { kind: "notification", method: "n", params: { a: 1 } },
      { kind: "request", id: "x", method: "r", params: undefined },
    ]);
  });
  it("JSON-RPC 2.0 section 5: writes a response", () => {
    expect([
      encodeResponse(1, { result: { a: 1 } }),
      encodeResponse("1", { kind: "error", error: { code: 1, message: "m" } }),
    ]).toEqual([
      '{"jsonrpc":"2.0","id":1,"result":{"a":1}}',
      '{"jsonrpc":"2.0","id":"1","error":{"code":1,"message":"m"}}',
    ]);
  });
});

describe("RFC 8259 section 6, numbers of upstream servers", () => {
  it.each([
    "9007199254740993",
    "-12345678901234567890123",
    "1e400",
    "1e-400",
    "0.1234567890123456789",
    "3.14159265358979323846",
  ])("RFC 8259 section 6: %s stays as it is", (literal) => {
    const text = `{"a":[${literal},1.5,"${literal}"]}`;
    expect(stringifyFaithful(parseFaithful(text))).toBe(text);
  });
  it("RFC 8259 section 6: a number that is kept as text is no object", () => {
    expect(isObject(parseFaithful("9007199254740993"))).toBe(false);
  });
  it("RFC 8259 section 6: other numbers are numbers", () => {
    expect(parseFaithful('{"big":9007199254740993,"small":1}')).toHaveProperty("small", 1);
  });
  it("RFC 8259 section 6: any integer survives, and everything else as well", () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.jsonValue(), (integer, value) => {
        const text = `{"n":${integer},"v":${JSON.stringify(value)}}`;
        expect(stringifyFaithful(parseFaithful(text))).toBe(
          `{"n":${integer},"v":${JSON.stringify(JSON.parse(JSON.stringify(value)))}}`,
        );
      }),
      { numRuns: 500 },
    );
  });
});
