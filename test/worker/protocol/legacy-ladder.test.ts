import { describe, expect, it } from "vitest";
import { rpcStatus, toRpcError } from "../../../src/errors.ts";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import {
  checkLegacy,
  checkVersionHeader,
  LEGACY_CLIENT_VERSIONS,
  legacyMethods,
  readInitialize,
  type RpcRequest,
} from "../../../src/protocol/index.ts";

const session = { version: "2025-11-25", clientCapabilities: { roots: {} } };
const request = (method: string, params?: JsonObject): RpcRequest => ({ kind: "request", id: 7, method, params });

/** HTTP status, JSON-RPC code and reason of the refusal. */
function refusal(method: string, params?: JsonObject, version = session.version): unknown {
  const checked = checkLegacy(request(method, params), { ...session, version });
  if (checked.ok) return undefined;
  return [rpcStatus(checked.error), (toRpcError(checked.error)["error"] as JsonObject)["code"], checked.error.reason];
}

const task = { taskId: "t" };
const ref = { type: "ref/prompt", name: "p" };
const argument = { name: "a", value: "" };

describe("a request of a session", () => {
  it("basic, Requests: has its own progress token, and client, capabilities and log level of the session", () => {
    const params = { name: "read", arguments: { a: 1 }, _meta: { progressToken: "p", "a/b": 1 }, extra: true };
    const clientInfo = { name: "c", version: "1" };
    expect(checkLegacy(request("tools/call", params), { ...session, clientInfo, logLevel: "info" })).toEqual({
      ok: true,
      value: {
        era: "legacy",
        version: "2025-11-25",
        id: 7,
        method: legacyMethods.get("tools/call"),
        methodName: "tools/call",
        params,
        name: "read",
        meta: { clientInfo, clientCapabilities: { roots: {} }, logLevel: "info", progressToken: "p" },
      },
    });
  });
  it("basic, Requests: needs no params, and the client may have said nothing of itself", () => {
    const checked = checkLegacy(request("ping"), { ...session, logLevel: undefined });
    expect(checked.ok && [checked.value.params, checked.value.name, checked.value.meta]).toEqual([
      {},
      undefined,
      { clientCapabilities: { roots: {} } },
    ]);
  });
  it.each<[string, JsonObject, string]>([
    ["tools/call", { name: "n" }, "n"],
    ["prompts/get", { name: "n" }, "n"],
    ["resources/read", { uri: "x://a" }, "x://a"],
    ["resources/subscribe", { uri: "x://a" }, "x://a"],
    ["resources/unsubscribe", { uri: "x://a" }, "x://a"],
    ["tasks/get", task, "t"],
    ["tasks/result", task, "t"],
    ["tasks/cancel", task, "t"],
  ])("schema: %s is about what %j names", (method, params, name) => {
    const checked = checkLegacy(request(method, params), session);
    expect(checked.ok && checked.value.name).toBe(name);
  });
});

describe("method registry", () => {
  it.each([
    "server/discover",
    "subscriptions/listen",
    "tasks/update",
    "elicitation/create",
    "notifications/initialized",
    "__proto__",
    "constructor",
    "Ping",
    "ping ",
  ])("MC-06: does not know %j", (method) => {
    expect(refusal(method)).toEqual([404, -32601, "unknown_method"]);
  });
  it.each(["tasks/list", "tasks/get", "tasks/result", "tasks/cancel"])(
    "2025-11-25 changelog: %s does not exist before",
    (method) => {
      expect([refusal(method, task, "2025-06-18"), refusal(method, task, "2025-03-26"), refusal(method, task)]).toEqual(
        [[404, -32601, "unknown_method"], [404, -32601, "unknown_method"], undefined],
      );
    },
  );
});

describe("shape of params", () => {
  it.each<[string, JsonObject]>([
    ["ping", {}],
    ["tools/list", { cursor: "" }],
    ["tools/call", { name: "n", arguments: {}, task: {} }],
    ["tools/call", { name: "n", task: { ttl: 0 } }],
    ["prompts/list", {}],
    ["prompts/get", { name: "n", arguments: { a: "b" } }],
    ["resources/list", {}],
    ["resources/templates/list", { cursor: "c" }],
    ["completion/complete", { ref, argument, context: { arguments: { b: "c" } } }],
    ["logging/setLevel", { level: "emergency" }],
    ["tasks/list", { cursor: "c" }],
  ])("schema: %s takes %j", (method, params) => {
    expect(refusal(method, params)).toBeUndefined();
  });
  it.each<[string, string, JsonObject, string]>([
    ["tools/call", "no name", {}, "params_name"],
    ["tools/call", "arguments that are a list", { name: "n", arguments: [] }, "params_arguments"],
    ["tools/call", "a task that is true", { name: "n", task: true }, "params_task"],
    ["tools/call", "a task whose ttl is a fraction", { name: "n", task: { ttl: 1.5 } }, "params_task"],
    ["tools/call", "a task whose ttl is negative", { name: "n", task: { ttl: -1 } }, "params_task"],
    ["tools/list", "a cursor that is null", { cursor: null }, "params_cursor"],
    ["prompts/get", "no name", {}, "params_name"],
    ["resources/read", "no uri", {}, "params_uri"],
    ["resources/subscribe", "a uri that is a number", { uri: 1 }, "params_uri"],
    ["resources/unsubscribe", "no uri", {}, "params_uri"],
    ["resources/subscribe", "a uri that is too long (MC-40)", { uri: "x".repeat(limits.name_chars + 1) }, "params_uri"],
    ["completion/complete", "no ref", { argument }, "params_ref"],
    [
      "completion/complete",
      "context arguments that are a list",
      { ref, argument, context: { arguments: [] } },
      "params_context",
    ],
    ["logging/setLevel", "no level", {}, "params_level"],
    ["logging/setLevel", "a level that does not exist (MC-41)", { level: "trace" }, "params_level"],
    ["logging/setLevel", "a level in upper case", { level: "INFO" }, "params_level"],
    ["tasks/result", "no taskId", {}, "params_task_id"],
    ["ping", "_meta that is a list", { _meta: [] }, "params_meta"],
    ["ping", "_meta that is null", { _meta: null }, "params_meta"],
    [
      "tools/list",
      "a progress token that is an object",
      { _meta: { progressToken: {} } },
      "params_meta_progress_token",
    ],
    [
      "tools/list",
      "a progress token that is a fraction",
      { _meta: { progressToken: 1.5 } },
      "params_meta_progress_token",
    ],
  ])("schema: %s refuses %s", (method, _name, params, reason) => {
    expect(refusal(method, params)).toEqual([400, -32602, reason]);
  });
});

describe("MCP 2025-11-25 lifecycle, Initialization", () => {
  const params: JsonObject = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "c", version: "1" },
  };
  const initialize = (more: JsonObject) => readInitialize(request("initialize", { ...params, ...more }));
  const agreed = (more: JsonObject) => {
    const read = initialize(more);
    return read.ok ? read.value : undefined;
  };

  it.each(LEGACY_CLIENT_VERSIONS)("Version Negotiation: %s is spoken when asked for", (protocolVersion) => {
    expect(agreed({ protocolVersion })?.version).toBe(protocolVersion);
  });
  it.each(["2024-11-05", "2024-10-07", "2026-07-28", "2027-01-01", "x", "__proto__"])(
    "Version Negotiation: the newest is offered in place of %j",
    (protocolVersion) => {
      expect(agreed({ protocolVersion })?.version).toBe("2025-11-25");
    },
  );
  it("Capability Negotiation: what is relayed is kept, with the members that servers look at", () => {
    const capabilities = {
      sampling: { tools: { x: 1 }, context: {}, other: {} },
      elicitation: { form: {}, url: {} },
      roots: { listChanged: true },
    };
    expect(agreed({ capabilities })?.clientCapabilities).toEqual({
      sampling: { tools: {}, context: {} },
      elicitation: { form: {}, url: {} },
      roots: { listChanged: true },
    });
  });
  it.each<[string, JsonObject, JsonObject]>([
    ["empty features", { sampling: {}, elicitation: {}, roots: {} }, { sampling: {}, elicitation: {}, roots: {} }],
    ["nothing", {}, {}],
    ["what is not relayed", { tasks: { list: {} }, experimental: { a: {} }, extensions: { b: {} } }, {}],
    ["features that are no objects", { sampling: true, elicitation: null, roots: [] }, {}],
    [
      "members of another shape",
      { sampling: { tools: true }, elicitation: { url: 1 }, roots: { listChanged: "yes" } },
      { sampling: {}, elicitation: {}, roots: {} },
    ],
  ])("Capability Negotiation: of %s the known part is kept", (_name, capabilities, kept) => {
    expect(agreed({ capabilities })?.clientCapabilities).toEqual(kept);
  });
  it("Initialization: name and version of the client are kept, its other words are not", () => {
    expect(agreed({ clientInfo: { name: "c", version: "1", title: "C", icons: [] } })?.clientInfo).toEqual({
      name: "c",
      version: "1",
    });
  });
  it("MC-23: a client without a name is nobody in particular", () => {
    const { clientInfo: _, ...rest } = params;
    expect(readInitialize(request("initialize", rest))).toEqual({
      ok: true,
      value: { version: "2025-06-18", clientCapabilities: {} },
    });
  });
  it("MC-23: a name that does not fit a header is cut, though not into a surrogate", () => {
    const name = `${"x".repeat(limits.clientInfo_chars - 1)}\ud83d\ude00${"y".repeat(65_536)}`;
    expect(agreed({ clientInfo: { name, version: name } })?.clientInfo).toEqual({
      name: `${"x".repeat(limits.clientInfo_chars - 1)}\ufffd`,
      version: `${"x".repeat(limits.clientInfo_chars - 1)}\ufffd`,
    });
  });
  it.each<[string, JsonObject, string]>([
    ["a version that is a number", { protocolVersion: 20250618 }, "params_protocol_version"],
    ["an empty version", { protocolVersion: "" }, "params_protocol_version"],
    ["a version of 1 KiB", { protocolVersion: "2".repeat(1024) }, "params_protocol_version"],
    ["capabilities that are a list", { capabilities: [] }, "params_capabilities"],
    ["capabilities that are null", { capabilities: null }, "params_capabilities"],
    ["client info that is a string", { clientInfo: "c" }, "params_client_info"],
    ["client info without a name", { clientInfo: { version: "1" } }, "params_client_info"],
  ])("Initialization: refuses %s", (_name, more, reason) => {
    const read = initialize(more);
    expect(!read.ok && [read.error.code, read.error.reason]).toEqual(["invalid_params", reason]);
  });
  it.each<[string, string]>([
    ["protocolVersion", "params_protocol_version"],
    ["capabilities", "params_capabilities"],
  ])("Initialization: refuses a request without %s", (name, reason) => {
    const rest: Record<string, Json> = Object.fromEntries(Object.entries(params).filter(([key]) => key !== name));
    const read = readInitialize(request("initialize", rest));
    expect(!read.ok && read.error.reason).toBe(reason);
  });
});

describe("MCP 2025-11-25 transports, Protocol Version Header", () => {
  const check = (value?: string) =>
    checkVersionHeader(new Headers(value === undefined ? {} : { "mcp-protocol-version": value }));

  it.each([undefined, ...LEGACY_CLIENT_VERSIONS])("Protocol Version Header: takes %s", (value) => {
    expect(check(value)).toBeUndefined();
  });
  it.each(["2024-11-05", "2025-11-25, 2025-11-25", ""])("HD-15: refuses %j", (value) => {
    const failed = check(value);
    expect(failed && [rpcStatus(failed), failed.reason, failed.detail]).toEqual([
      400,
      "version_header",
      "MCP-Protocol-Version must be one of 2025-11-25, 2025-06-18, 2025-03-26",
    ]);
  });
});
