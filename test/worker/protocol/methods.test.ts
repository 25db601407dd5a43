import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { methods } from "../../../src/protocol/index.ts";
import type { JsonObject } from "../../../src/ports.ts";

const reason = (method: string, params: JsonObject): string | undefined => methods.get(method)?.check(params)?.reason;
const long = (chars: number): string => "x".repeat(chars + 1);
const ref = { type: "ref/prompt", name: "p" };
const argument = { name: "a", value: "" };

describe("shape of params", () => {
  it.each<[string, JsonObject]>([
    ["server/discover", {}],
    ["tools/list", {}],
    ["tools/list", { cursor: "" }],
    ["tools/call", { name: "n" }],
    [
      "tools/call",
      { name: "n", arguments: {}, inputResponses: { a: { action: "accept" } }, requestState: "", extra: 1 },
    ],
    ["prompts/get", { name: "n", arguments: { a: "b" } }],
    ["resources/read", { uri: "file:///x", requestState: "s" }],
    ["completion/complete", { ref, argument }],
    [
      "completion/complete",
      { ref: { type: "ref/resource", uri: "x://{a}" }, argument, context: { arguments: { b: "c" } } },
    ],
    ["subscriptions/listen", { notifications: {} }],
    ["subscriptions/listen", { notifications: { toolsListChanged: true, resourceSubscriptions: ["a"], vendor: 1 } }],
    ["tasks/get", { taskId: "t" }],
    ["tasks/update", { taskId: "t", inputResponses: {} }],
    ["tasks/cancel", { taskId: "t" }],
  ])("schema: %s takes %j", (method, params) => {
    expect(reason(method, params)).toBeUndefined();
  });

  it.each<[string, string, JsonObject, string]>([
    ["tools/call", "no name", {}, "params_name"],
    ["tools/call", "an empty name", { name: "" }, "params_name"],
    ["tools/call", "a name that is a number", { name: 1 }, "params_name"],
    ["tools/call", "a name that is too long", { name: long(limits.name_chars) }, "params_name"],
    ["tools/call", "arguments that are an array", { name: "n", arguments: [] }, "params_arguments"],
    ["tools/call", "arguments that are null", { name: "n", arguments: null }, "params_arguments"],
    ["tools/call", "inputResponses that are an array", { name: "n", inputResponses: [] }, "params_input_responses"],
    [
      "tools/call",
      "an input response that is a string",
      { name: "n", inputResponses: { a: "b" } },
      "params_input_responses",
    ],
    ["tools/call", "a requestState that is an object", { name: "n", requestState: {} }, "params_request_state"],
    [
      "tools/call",
      "a requestState that is too long",
      { name: "n", requestState: long(limits.requestState_chars) },
      "params_request_state",
    ],
    ["prompts/get", "no name", {}, "params_name"],
    ["resources/read", "no uri", {}, "params_uri"],
    ["resources/read", "a uri of 64 KiB (MC-40)", { uri: long(65_535) }, "params_uri"],
    ["tools/list", "a cursor that is a number", { cursor: 1 }, "params_cursor"],
    ["tools/list", "a cursor that is too long", { cursor: long(limits.cursor_chars) }, "params_cursor"],
    ["resources/templates/list", "a cursor that is null", { cursor: null }, "params_cursor"],
    ["completion/complete", "no ref", { argument }, "params_ref"],
    ["completion/complete", "a ref of another type", { ref: { type: "ref/tool", name: "x" }, argument }, "params_ref"],
    [
      "completion/complete",
      "a prompt ref with a uri",
      { ref: { type: "ref/prompt", uri: "x" }, argument },
      "params_ref",
    ],
    ["completion/complete", "an argument without value", { ref, argument: { name: "a" } }, "params_argument"],
    ["completion/complete", "a context that is a string", { ref, argument, context: "x" }, "params_context"],
    ["subscriptions/listen", "no filter", {}, "params_notifications"],
    [
      "subscriptions/listen",
      "a flag that is a string",
      { notifications: { toolsListChanged: "yes" } },
      "params_notifications",
    ],
    [
      "subscriptions/listen",
      "URIs that are a string",
      { notifications: { resourceSubscriptions: "a" } },
      "params_notifications",
    ],
    ["tasks/get", "no taskId", {}, "params_task_id"],
    ["tasks/update", "no inputResponses", { taskId: "t" }, "params_input_responses"],
    ["tasks/cancel", "a taskId that is a number", { taskId: 1 }, "params_task_id"],
  ])("schema: %s refuses %s", (method, _name, params, expected) => {
    expect(reason(method, params)).toBe(expected);
  });

  it("MC-11: a name with a lone surrogate is refused", () => {
    expect(reason("tools/call", { name: "read\ud800" })).toBe("params_name");
  });
  it("MC-38: more subscriptions than the limit are refused", () => {
    const uris = Array.from({ length: limits.listenSubscriptions_count + 1 }, (_, n) => `x://${n}`);
    expect(reason("subscriptions/listen", { notifications: { resourceSubscriptions: uris } })).toBe(
      "params_notifications",
    );
  });
});

describe("what the table says", () => {
  it("multi round-trip requests, Supported Requests: three methods may ask for input", () => {
    const asking = [...methods.values()].filter((entry) => entry.inputRequired).map((entry) => entry.method);
    expect(asking.toSorted()).toEqual(["prompts/get", "resources/read", "tools/call"]);
  });
  it("MC-06: what every object inherits is no method", () => {
    expect(["__proto__", "constructor", "toString", "hasOwnProperty"].filter((name) => methods.has(name))).toEqual([]);
  });
});
