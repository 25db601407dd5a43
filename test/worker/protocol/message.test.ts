import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { encodeNotification, encodeRequest } from "../../../src/protocol/index.ts";
import { bytes, parseMessage } from "./support.ts";

const parse = (text: string) => parseMessage(bytes(text));

/** Code, reason and echoed id of the refusal. */
function refusal(text: string): unknown {
  const parsed = parse(text);
  return parsed.ok ? undefined : [parsed.error.failure.code, parsed.error.failure.reason, parsed.error.id];
}

const withId = (id: string): string => `{"jsonrpc":"2.0","id":${id},"method":"tools/list"}`;
const withMethod = (method: string): string => `{"jsonrpc":"2.0","id":7,"method":${method}}`;

describe("ids", () => {
  it.each([
    ["null", "null"],
    ["a fraction", "1.5"],
    ["an object", "{}"],
    ["an array", "[1]"],
    ["a boolean", "true"],
    ["a string of 64 KiB", JSON.stringify("x".repeat(65_536))],
  ])("MC-03: refuses %s as id, and echoes none", (_name, id) => {
    expect(refusal(withId(id))).toEqual(["invalid_request", "request_id", undefined]);
  });
  it.each(["1e400", "9007199254740993", "12345678901234567890123"])(
    "MC-03: refuses %s as id, and echoes none",
    (id) => {
      expect(refusal(withId(id))).toEqual(["invalid_request", "unsafe_number", undefined]);
    },
  );
  it.each(["__proto__", "00012", "9007199254740993", "", "x".repeat(limits.requestId_chars)])(
    "MC-03: keeps the string id %j",
    (id) => {
      const parsed = parse(withId(JSON.stringify(id)));
      expect(parsed.ok && parsed.value.kind === "request" && parsed.value.id).toBe(id);
    },
  );
  it.each([0, -1, Number.MAX_SAFE_INTEGER])("MC-03: keeps the integer id %d", (id) => {
    const parsed = parse(withId(String(id)));
    expect(parsed.ok && parsed.value.kind === "request" && parsed.value.id).toBe(id);
  });
  it("basic, Error Responses: echoes the id of a request with a number that is not safe", () => {
    expect(refusal('{"jsonrpc":"2.0","id":"a","method":"m","params":{"n":1e400}}')).toEqual([
      "invalid_request",
      "unsafe_number",
      "a",
    ]);
  });
  it("basic, Error Responses: echoes no id that another reader could see otherwise", () => {
    expect(refusal('{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}')).toEqual([
      "invalid_request",
      "duplicate_key",
      undefined,
    ]);
  });
});

describe("the envelope", () => {
  it.each([
    ["missing", '{"jsonrpc":"2.0","id":7}'],
    ["a number", withMethod("1")],
    ["null", withMethod("null")],
    ["empty", withMethod('""')],
    ["10 KB long", withMethod(JSON.stringify("m".repeat(10_000)))],
    ["with a lone surrogate", withMethod('"tools/\\ud800"')],
  ])("MC-06: refuses a method that is %s", (_name, text) => {
    expect(refusal(text)).toEqual(["invalid_request", "method", 7]);
  });
  it.each([
    ["an array", "[]"],
    ["null", "null"],
    ["a string", '"x"'],
  ])("MC-08: refuses params that are %s", (_name, params) => {
    expect(refusal(`{"jsonrpc":"2.0","id":7,"method":"m","params":${params}}`)).toEqual([
      "invalid_params",
      "params",
      7,
    ]);
  });
  it.each([
    ["__proto__", '{"__proto__":{"a":1}}'],
    ["constructor.prototype", '{"arguments":{"constructor":{"prototype":{}}}}'],
  ])("MC-08: refuses %s in params, and echoes the id", (_name, params) => {
    expect(refusal(`{"jsonrpc":"2.0","id":7,"method":"m","params":${params}}`)).toEqual([
      "invalid_params",
      "prototype_key",
      7,
    ]);
  });
  it.each([
    ["missing", '{"id":7,"method":"m"}'],
    ["1.0", '{"jsonrpc":"1.0","id":7,"method":"m"}'],
    ["a number", '{"jsonrpc":2.0,"id":7,"method":"m"}'],
  ])("JSON-RPC 2.0 section 4: refuses a version that is %s", (_name, text) => {
    expect(refusal(text)).toEqual(["invalid_request", "jsonrpc_version", 7]);
  });
  it.each([
    ["a result", '{"jsonrpc":"2.0","id":7,"result":{}}'],
    ["an error", '{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"m"}}'],
    ["a request that is a response too", '{"jsonrpc":"2.0","id":7,"method":"m","result":{}}'],
  ])("streamable HTTP, Sending Messages: refuses %s", (_name, text) => {
    expect(refusal(text)).toEqual(["invalid_request", "response_posted", 7]);
  });
  it("MC-01: refuses a batch", () => {
    expect(refusal(`[${withId("1")},${withId("2")}]`)).toEqual(["invalid_request", "batch", undefined]);
  });
  it("MC-13: drops unknown members", () => {
    const parsed = parse('{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":1},"trace":"x"}');
    expect(parsed).toEqual({ ok: true, value: { kind: "request", id: 7, method: "m", params: { a: 1 } } });
  });
  it("MC-05: a message without id is a notification", () => {
    const parsed = parse('{"jsonrpc":"2.0","method":"notifications/x"}');
    expect(parsed).toEqual({ ok: true, value: { kind: "notification", method: "notifications/x", params: undefined } });
  });
});

describe("what goes on", () => {
  it("MC-13: a request has these members in this order", () => {
    expect(encodeRequest("a", "m", { b: 1, a: { c: null } })).toBe(
      '{"jsonrpc":"2.0","id":"a","method":"m","params":{"b":1,"a":{"c":null}}}',
    );
  });
  it("MC-13: absent params stay absent", () => {
    expect([encodeRequest(1, "m", undefined), encodeNotification("n")]).toEqual([
      '{"jsonrpc":"2.0","id":1,"method":"m"}',
      '{"jsonrpc":"2.0","method":"n"}',
    ]);
  });
  it("MC-14: what is accepted is read again as the same message", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = `{ "params" : { "arguments" : ${JSON.stringify({ value })} },\n"method":"m","id":1,"jsonrpc":"2.0"}`;
        const parsed = parse(text);
        if (!parsed.ok || parsed.value.kind !== "request") return;
        const { id, method, params } = parsed.value;
        expect(parse(encodeRequest(id, method, params))).toEqual(parsed);
      }),
      { numRuns: 300 },
    );
  });
});
