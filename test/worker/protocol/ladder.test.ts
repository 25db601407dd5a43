import { describe, expect, it } from "vitest";
import { rpcStatus, toRpcError } from "../../../src/errors.ts";
import { checkModern, META, MODERN_VERSION, TASKS_EXTENSION, type RpcRequest } from "../../../src/protocol/index.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { modernHeaders, modernMeta, modernRequest } from "./support.ts";

const call = (more: JsonObject = {}, meta?: Json): RpcRequest =>
  modernRequest("tools/call", { name: "read", ...more }, meta);
const headers = (): Headers => modernHeaders("tools/call", "read");

/** HTTP status, JSON-RPC code and reason of the refusal. */
function refusal(request: RpcRequest, sent: Headers): unknown {
  const checked = checkModern(request, sent);
  if (checked.ok) return undefined;
  return [rpcStatus(checked.error), (toRpcError(checked.error)["error"] as JsonObject)["code"], checked.error.reason];
}

function changed(name: string, value: string | undefined): Headers {
  const sent = headers();
  if (value === undefined) sent.delete(name);
  else sent.set(name, value);
  return sent;
}

const without = (key: string): JsonObject =>
  Object.fromEntries(Object.entries(modernMeta).filter(([name]) => name !== key));

describe("per-request protocol fields", () => {
  it("basic: a request with everything in place passes", () => {
    const meta = {
      ...modernMeta,
      [META.clientInfo]: { name: "c", version: "1" },
      [META.logLevel]: "error",
      progressToken: 3,
      "a/b": 1,
    };
    const checked = checkModern(call({ arguments: { a: 1 } }, meta), headers());
    expect(checked).toEqual({
      ok: true,
      value: expect.objectContaining({
        id: 7,
        methodName: "tools/call",
        name: "read",
        params: { name: "read", arguments: { a: 1 }, _meta: meta },
        meta: { clientInfo: { name: "c", version: "1" }, clientCapabilities: {}, logLevel: "error", progressToken: 3 },
      }),
    });
  });
  it.each<[string, RpcRequest, string]>([
    ["params", { kind: "request", id: 7, method: "tools/list", params: undefined }, "meta_missing"],
    ["_meta", { kind: "request", id: 7, method: "tools/list", params: {} }, "meta_missing"],
    ["protocolVersion", call({}, without(META.protocolVersion)), "meta_protocol_version"],
    ["clientCapabilities", call({}, without(META.clientCapabilities)), "meta_client_capabilities"],
  ])("MC-22: refuses a request without %s", (_name, request, reason) => {
    expect(refusal(request, headers())).toEqual([400, -32602, reason]);
  });
  it.each<[string, Json, string]>([
    ["_meta that is an array", [], "meta_missing"],
    [
      "a protocolVersion that is a number",
      { ...modernMeta, [META.protocolVersion]: 20260728 },
      "meta_protocol_version",
    ],
    [
      "a protocolVersion of 1 KiB",
      { ...modernMeta, [META.protocolVersion]: "2".repeat(1024) },
      "meta_protocol_version",
    ],
    [
      "clientCapabilities that are null",
      { ...modernMeta, [META.clientCapabilities]: null },
      "meta_client_capabilities",
    ],
    ["a log level that does not exist", { ...modernMeta, [META.logLevel]: "trace" }, "meta_log_level"],
    ["a progress token that is an object", { ...modernMeta, progressToken: {} }, "params_meta_progress_token"],
    ["a progress token that is a fraction", { ...modernMeta, progressToken: 1.5 }, "params_meta_progress_token"],
  ])("MC-22: refuses %s", (_name, meta, reason) => {
    expect(refusal(call({}, meta), headers())).toEqual([400, -32602, reason]);
  });
  it.each<[string, Json]>([
    ["a string", "c"],
    ["null", null],
    ["without a name", { version: "1" }],
    ["with a name that is a number", { name: 1, version: "1" }],
    ["with a version that is a number", { name: "c", version: 1 }],
  ])("MC-23: refuses clientInfo that is %s", (_name, info) => {
    expect(refusal(call({}, { ...modernMeta, [META.clientInfo]: info }), headers())).toEqual([
      400,
      -32602,
      "meta_client_info",
    ]);
  });
});

describe("protocol version", () => {
  it.each([
    ["missing", undefined],
    ["of another version", "2025-11-25"],
    ["that is there twice", `${MODERN_VERSION}, ${MODERN_VERSION}`],
  ])("HD-15: refuses a version header %s", (_name, value) => {
    expect(refusal(call(), changed("mcp-protocol-version", value))).toEqual([400, -32020, "version_header"]);
  });
  it("versioning: an unknown version that header and body agree on is answered with the known ones", () => {
    const checked = checkModern(
      call({}, { ...modernMeta, [META.protocolVersion]: "2027-01-01" }),
      changed("mcp-protocol-version", "2027-01-01"),
    );
    expect(!checked.ok && [checked.error.code, checked.error.data]).toEqual([
      "unsupported_version",
      { supported: ["2026-07-28"], requested: "2027-01-01" },
    ]);
  });
});

describe("method registry", () => {
  it.each([
    "initialize",
    "ping",
    "logging/setLevel",
    "rpc.x",
    "__proto__",
    "constructor",
    "toString",
    "Tools/call",
    "tools/call ",
  ])("MC-06: does not know %j", (method) => {
    expect(refusal(modernRequest(method), modernHeaders(method))).toEqual([404, -32601, "unknown_method"]);
  });
});

describe("headers that mirror the body", () => {
  it.each([
    ["missing", undefined],
    ["of another method", "tools/list"],
    ["in another case", "Tools/Call"],
    ["in Base64", `=?base64?${btoa("tools/call")}?=`],
    ["that is there twice", "tools/call, tools/call"],
  ])("HD-15: refuses an Mcp-Method %s", (_name, value) => {
    expect(refusal(call(), changed("mcp-method", value))).toEqual([400, -32020, "method_header"]);
  });
  it.each([
    ["missing", undefined],
    ["empty", ""],
    ["of another tool", "delete"],
    ["in another case", "Read"],
    ["that is there twice", "read, read"],
    ["with bad padding", "=?base64?cmVhZA=?="],
    ["without padding", "=?base64?cmVhZA?="],
    ["that is nested", `=?base64?${btoa("=?base64?cmVhZA==?=")}?=`],
    ["with markers in upper case", "=?BASE64?cmVhZA==?="],
    ["with stray bits", "=?base64?cmVhZB==?="],
  ])("MC-17: refuses an Mcp-Name %s", (_name, value) => {
    expect(refusal(call(), changed("mcp-name", value))).toEqual([400, -32020, "name_header"]);
  });
  it.each([
    ["plain", "read"],
    ["in Base64", "=?base64?cmVhZA==?="],
    ["with whitespace around it", "  read\t"],
  ])("streamable HTTP, Value Encoding: takes an Mcp-Name %s", (_name, value) => {
    expect(refusal(call(), changed("mcp-name", value))).toBeUndefined();
  });
  it.each<[string, JsonObject, string]>([
    ["tools/call", { name: "n" }, "n"],
    ["prompts/get", { name: "n" }, "n"],
    ["resources/read", { uri: "file:///\u00e9" }, "=?base64?ZmlsZTovLy/DqQ==?="],
    ["tasks/get", { taskId: "t" }, "t"],
    ["tasks/update", { taskId: "t", inputResponses: {} }, "t"],
    ["tasks/cancel", { taskId: "t" }, "t"],
  ])("streamable HTTP, Standard Request Headers: %s mirrors a name", (method, params, name) => {
    const meta = { ...modernMeta, [META.clientCapabilities]: { extensions: { [TASKS_EXTENSION]: {} } } };
    const request = modernRequest(method, params, meta);
    expect([refusal(request, modernHeaders(method, name)), refusal(request, modernHeaders(method))]).toEqual([
      undefined,
      [400, -32020, "name_header"],
    ]);
  });
  it("streamable HTTP, Standard Request Headers: tools/list mirrors none", () => {
    expect(refusal(modernRequest("tools/list"), modernHeaders("tools/list"))).toBeUndefined();
  });
});

describe("tasks extension", () => {
  it.each<[string, JsonObject, string | undefined]>([
    ["tasks/get", { taskId: "t" }, "t"],
    ["tasks/update", { taskId: "t", inputResponses: {} }, "t"],
    ["tasks/cancel", { taskId: "t" }, "t"],
    ["subscriptions/listen", { notifications: { taskIds: ["t"] } }, undefined],
  ])("tasks extension, Protocol Errors: %s needs the client to declare the extension", (method, params, name) => {
    const checked = checkModern(modernRequest(method, params), modernHeaders(method, name));
    expect(!checked.ok && [checked.error.code, checked.error.data]).toEqual([
      "missing_capability",
      { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
    ]);
  });
});

describe("order", () => {
  const broken = (meta: Json): RpcRequest => modernRequest("no/such", { name: 1 }, meta);
  it("streamable HTTP: a missing claim answers before the headers", () => {
    expect(refusal(broken({}), new Headers())).toEqual([400, -32602, "meta_protocol_version"]);
  });
  it("streamable HTTP: a version that differs answers before the method", () => {
    expect(refusal(broken(modernMeta), new Headers())).toEqual([400, -32020, "version_header"]);
  });
  it("streamable HTTP: an unknown method answers before params and the other headers", () => {
    expect(refusal(broken(modernMeta), new Headers({ "mcp-protocol-version": MODERN_VERSION }))).toEqual([
      404,
      -32601,
      "unknown_method",
    ]);
  });
  it("streamable HTTP: params answer before the other headers", () => {
    expect(refusal(call({ name: 1 }), new Headers({ "mcp-protocol-version": MODERN_VERSION }))).toEqual([
      400,
      -32602,
      "params_name",
    ]);
  });
});
