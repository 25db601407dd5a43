import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { readClientNotification } from "../../../src/protocol/index.ts";

const read = (method: string, params?: JsonObject) => readClientNotification({ kind: "notification", method, params });

describe("MCP 2025-11-25 schema, ClientNotification", () => {
  it.each<[string, JsonObject | undefined, unknown]>([
    ["notifications/initialized", undefined, { kind: "initialized" }],
    ["notifications/initialized", { _meta: {} }, { kind: "initialized" }],
    ["notifications/roots/list_changed", undefined, { kind: "roots_changed" }],
    [
      "notifications/cancelled",
      { requestId: 0, reason: "r" },
      { kind: "cancelled", request_id: 0, params: { requestId: 0, reason: "r" } },
    ],
    [
      "notifications/progress",
      { progressToken: "a.1", progress: 0.5 },
      { kind: "progress", token: "a.1", params: { progressToken: "a.1", progress: 0.5 } },
    ],
  ])("schema: knows %s with %j", (method, params, expected) => {
    expect(read(method, params)).toEqual(expected);
  });
  it.each<[string, JsonObject | undefined]>([
    ["notifications/cancelled", undefined],
    ["notifications/cancelled", { requestId: null }],
    ["notifications/cancelled", { requestId: 1.5 }],
    ["notifications/progress", { progress: 1 }],
    ["notifications/progress", { progressToken: {}, progress: 1 }],
    ["notifications/progress", { progressToken: "a.1" }],
    ["notifications/progress", { progressToken: "a.1", progress: "1" }],
    ["notifications/tasks/status", { taskId: "t", status: "working" }],
    ["notifications/Initialized", undefined],
    ["__proto__", undefined],
  ])("MC-05: %s with %j means nothing", (method, params) => {
    expect(read(method, params)).toEqual({ kind: "other" });
  });
});
