import { describe, expect, it } from "vitest";
import { classifyEra, LEGACY_VERSIONS, META, type RpcMessage } from "../../../src/protocol/index.ts";
import type { Json } from "../../../src/ports.ts";

const message = (method: string, meta?: Json): RpcMessage => ({
  kind: "request",
  id: 1,
  method,
  params: meta === undefined ? undefined : { _meta: meta },
});
const version = (value?: string): Headers => new Headers(value === undefined ? {} : { "mcp-protocol-version": value });

describe("versioning, Backward Compatibility", () => {
  it.each<[string, Json]>([
    ["the modern version", { [META.protocolVersion]: "2026-07-28" }],
    ["a legacy version", { [META.protocolVersion]: "2025-11-25" }],
    ["a version that is no string", { [META.protocolVersion]: 1 }],
    ["client capabilities without a version", { [META.clientCapabilities]: {} }],
    ["client info without a version", { [META.clientInfo]: { name: "x" } }],
  ])("versioning: a claim of %s is modern", (_name, meta) => {
    expect(classifyEra(message("tools/list", meta), version())).toBe("modern");
  });
  it("versioning: initialize with a claim is modern", () => {
    expect(classifyEra(message("initialize", { [META.protocolVersion]: "2026-07-28" }), version())).toBe("modern");
  });
  it.each(["2026-07-28", "2025-11-25", undefined])(
    "versioning: initialize without a claim is legacy, header %s",
    (header) => {
      expect(classifyEra(message("initialize"), version(header))).toBe("legacy");
    },
  );
  it.each([undefined, ...LEGACY_VERSIONS])("versioning: no claim and version header %s is legacy", (header) => {
    expect(classifyEra(message("tools/list", { progressToken: 1 }), version(header))).toBe("legacy");
  });
  it.each(["2026-07-28", "1900-01-01", "x", ""])("versioning: no claim and version header %j is modern", (header) => {
    expect(classifyEra(message("tools/list"), version(header))).toBe("modern");
  });
  it("HD-15: two version headers are no legacy version", () => {
    const headers = version("2025-11-25");
    headers.append("mcp-protocol-version", "2025-11-25");
    expect(classifyEra(message("tools/list"), headers)).toBe("modern");
  });
  it("versioning: _meta that is no object claims nothing", () => {
    expect(classifyEra(message("tools/list", [META.protocolVersion]), version())).toBe("legacy");
  });
});
