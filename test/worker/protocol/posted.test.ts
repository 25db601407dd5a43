import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { onlyMessage, parsePosted } from "../../../src/protocol/index.ts";
import { bytes } from "./support.ts";

const parse = (text: string) => parsePosted(bytes(text));

/** Code, reason and echoed id of the refusal. */
function refusal(text: string): unknown {
  const parsed = parse(text);
  return parsed.ok ? undefined : [parsed.error.failure.code, parsed.error.failure.reason, parsed.error.id];
}

const ping = (id: number): string => `{"jsonrpc":"2.0","id":${id},"method":"ping"}`;
const batch = (...items: string[]): string => `[${items.join()}]`;
const answer = (members: string): string => `{"jsonrpc":"2.0","id":"a.1",${members}}`;

describe("MCP 2025-11-25 basic, Responses", () => {
  it("basic, Result Responses: an answer is taken with its id and its result alone", () => {
    expect(parse(answer('"result":{"action":"accept","content":{"Name":1,"name":2}},"trace":1'))).toEqual({
      ok: true,
      value: { kind: "response", id: "a.1", response: { result: { action: "accept", content: { Name: 1, name: 2 } } } },
    });
  });
  it("basic, Error Responses: an error is taken with code, message and data alone", () => {
    expect(parse(answer('"error":{"code":-1,"message":"no","data":[1],"stack":"x"}'))).toEqual({
      ok: true,
      value: { kind: "response", id: "a.1", response: { error: { code: -1, message: "no", data: [1] } } },
    });
  });
  it.each([
    ["both result and error", '"result":{},"error":{"code":1,"message":"m"}'],
    ["a result and an error that is null", '"result":{},"error":null'],
    ["a result that is null and an error", '"result":null,"error":{"code":1,"message":"m"}'],
    ["a result that is a list", '"result":[]'],
    ["a result that is a string", '"result":"x"'],
    ["an error that is a string", '"error":"x"'],
    ["an error without code", '"error":{"message":"m"}'],
    ["an error code that is a fraction", '"error":{"code":1.5,"message":"m"}'],
    ["an error without message", '"error":{"code":1}'],
  ])("MC-34: refuses an answer with %s", (_name, members) => {
    expect(refusal(answer(members))).toEqual(["invalid_request", "response", "a.1"]);
  });
  it.each([
    ["no id", '{"jsonrpc":"2.0","result":{}}'],
    ["a null id", '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}'],
    ["an id that is a fraction", '{"jsonrpc":"2.0","id":1.5,"result":{}}'],
    ["an id of 64 KiB", `{"jsonrpc":"2.0","id":"${"x".repeat(65_536)}","result":{}}`],
  ])("MC-03: refuses an answer with %s", (_name, text) => {
    expect(refusal(text)).toEqual(["invalid_request", "response_id", undefined]);
  });
  it("JSON-RPC 2.0 section 5: refuses an answer of another version", () => {
    expect(refusal('{"jsonrpc":"1.0","id":"a.1","result":{}}')).toEqual(["invalid_request", "jsonrpc_version", "a.1"]);
  });
  it("basic, Messages: refuses a request that is an answer too", () => {
    expect(refusal(answer('"method":"ping","result":{}'))).toEqual(["invalid_request", "response_posted", "a.1"]);
  });
  it.each([
    ["result", '"result":{"action":"decline","Action":"accept"}'],
    ["result, with no other", '"result":{"ACTION":"accept"}'],
    ["error", '"error":{"code":1,"message":"m","Code":2}'],
    ["the envelope", '"result":{"action":"decline"},"Result":{"action":"accept"}'],
  ])("MC-13: refuses an answer with a key in another case in %s", (_name, members) => {
    expect(refusal(answer(members))).toEqual(["invalid_request", "shadowed_key", undefined]);
  });
  it("MC-12: refuses an answer with a repeated key", () => {
    expect(refusal(answer('"result":{"content":{"a":1,"a":2}}'))).toEqual([
      "invalid_request",
      "duplicate_key",
      undefined,
    ]);
  });
  it("MC-08: refuses an answer that sets a prototype", () => {
    expect(refusal(answer('"result":{"__proto__":{}}'))).toEqual(["invalid_request", "prototype_key", "a.1"]);
  });
});

describe("MCP 2025-03-26 basic, Batching", () => {
  it("Batching: takes requests, notifications and answers in their order", () => {
    const parsed = parse(batch(ping(1), '{"jsonrpc":"2.0","method":"notifications/x"}', answer('"result":{}')));
    expect(parsed).toEqual({
      ok: true,
      value: {
        kind: "batch",
        items: [
          { kind: "message", message: { kind: "request", id: 1, method: "ping", params: undefined } },
          { kind: "message", message: { kind: "notification", method: "notifications/x", params: undefined } },
          { kind: "response", id: "a.1", response: { result: {} } },
        ].map((value) => ({ ok: true, value })),
      },
    });
  });
  it("Batching: takes as many messages as the limit", () => {
    const parsed = parse(batch(...Array.from({ length: limits.batch_count }, (_, n) => ping(n))));
    expect(parsed.ok && parsed.value.kind === "batch" && parsed.value.items).toHaveLength(limits.batch_count);
  });
  it("MC-01: refuses a batch with one message more", () => {
    const items = Array.from({ length: limits.batch_count + 1 }, (_, n) => ping(n));
    expect(refusal(batch(...items))).toEqual(["invalid_request", "batch_too_long", undefined]);
  });
  it("JSON-RPC 2.0 section 6: refuses an empty batch", () => {
    expect(refusal("[]")).toEqual(["invalid_request", "batch_empty", undefined]);
  });
  it.each([
    ["a number", "1", "not_an_object", undefined],
    ["a batch", "[]", "not_an_object", undefined],
    ["a message without method", '{"jsonrpc":"2.0","id":2}', "method", 2],
    ["an answer without id", '{"jsonrpc":"2.0","result":{}}', "response_id", undefined],
    ["initialize", '{"jsonrpc":"2.0","id":2,"method":"initialize"}', "initialize_in_batch", 2],
  ])("JSON-RPC 2.0 section 6: in a batch %s fails alone", (_name, item, reason, id) => {
    const parsed = parse(batch(ping(1), item));
    const items = parsed.ok && parsed.value.kind === "batch" ? parsed.value.items : [];
    expect(
      items.map((one) => (one.ok ? "ok" : [one.error.failure.code, one.error.failure.reason, one.error.id])),
    ).toEqual(["ok", ["invalid_request", reason, id]]);
  });
  it.each([
    ["a repeated key", '{"jsonrpc":"2.0","id":2,"id":3,"method":"ping"}', "duplicate_key"],
    ["a key in another case", '{"jsonrpc":"2.0","id":2,"method":"ping","Method":"x"}', "shadowed_key"],
    ["params in another case", '{"jsonrpc":"2.0","id":2,"method":"m","params":{"Name":"x"}}', "shadowed_key"],
    ["a number that is not safe", '{"jsonrpc":"2.0","id":2,"method":"m","params":{"a":1e999}}', "unsafe_number"],
    ["a prototype", '{"jsonrpc":"2.0","id":2,"method":"m","params":{"__proto__":{}}}', "prototype_key"],
    ["too deep a message", `{"a":${"[".repeat(limits.jsonDepth_levels)}`, "json_too_deep"],
  ])("MC-14: refuses a whole batch with %s", (_name, item, reason) => {
    expect(refusal(batch(ping(1), item))).toEqual(["invalid_request", reason, undefined]);
  });
});

describe("MCP 2026-07-28 streamable HTTP, Sending Messages", () => {
  it.each([
    ["a batch", batch(ping(1)), "batch", undefined],
    ["an answer", answer('"result":{}'), "response_posted", "a.1"],
  ])("MC-01: refuses %s", (_name, text, reason, id) => {
    const parsed = parse(text);
    const only = parsed.ok ? onlyMessage(parsed.value) : parsed;
    expect(!only.ok && [only.error.failure.code, only.error.failure.reason, only.error.id]).toEqual([
      "invalid_request",
      reason,
      id,
    ]);
  });
});
