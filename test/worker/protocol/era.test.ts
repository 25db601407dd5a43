import { describe, expect, it } from "vitest";
import {
  classifyBodiless,
  classifyPosted,
  LEGACY_VERSIONS,
  META,
  type Posted,
  type PostedOne,
} from "../../../src/protocol/index.ts";
import { ok, type Json } from "../../../src/ports.ts";

const message = (method: string, meta?: Json): PostedOne => ({
  kind: "message",
  message: { kind: "request", id: 1, method, params: meta === undefined ? undefined : { _meta: meta } },
});
const response: PostedOne = { kind: "response", id: 1, response: { result: {} } };
const batch = (...items: PostedOne[]): Posted => ({ kind: "batch", items: items.map((item) => ok(item)) });
const version = (value?: string): Headers => new Headers(value === undefined ? {} : { "mcp-protocol-version": value });

describe("versioning, Backward Compatibility", () => {
  it.each<[string, Json]>([
    ["the modern version", { [META.protocolVersion]: "2026-07-28" }],
    ["a legacy version", { [META.protocolVersion]: "2025-11-25" }],
    ["a version that is no string", { [META.protocolVersion]: 1 }],
    ["client capabilities without a version", { [META.clientCapabilities]: {} }],
    ["client info without a version", { [META.clientInfo]: { name: "x" } }],
  ])("versioning: a claim of %s is modern", (_name, meta) => {
    expect(classifyPosted(message("tools/list", meta), version())).toBe("modern");
  });
  it("versioning: initialize with a claim is modern", () => {
    expect(classifyPosted(message("initialize", { [META.protocolVersion]: "2026-07-28" }), version())).toBe("modern");
  });
  it.each(["2026-07-28", "2025-11-25", undefined])(
    "versioning: initialize without a claim is legacy, header %s",
    (header) => {
      expect(classifyPosted(message("initialize"), version(header))).toBe("legacy");
    },
  );
  it.each([undefined, ...LEGACY_VERSIONS])("versioning: no claim and version header %s is legacy", (header) => {
    expect(classifyPosted(message("tools/list", { progressToken: 1 }), version(header))).toBe("legacy");
  });
  it.each(["2026-07-28", "1900-01-01", "x", ""])("versioning: no claim and version header %j is modern", (header) => {
    expect(classifyPosted(message("tools/list"), version(header))).toBe("modern");
  });
  it("HD-15: two version headers are no legacy version", () => {
    const headers = version("2025-11-25");
    headers.append("mcp-protocol-version", "2025-11-25");
    expect(classifyPosted(message("tools/list"), headers)).toBe("modern");
  });
  it("versioning: _meta that is no object claims nothing", () => {
    expect(classifyPosted(message("tools/list", [META.protocolVersion]), version())).toBe("legacy");
  });
  it.each([undefined, ...LEGACY_VERSIONS])("versioning: a batch and an answer are legacy with header %s", (header) => {
    expect([
      classifyPosted(batch(message("ping"), response), version(header)),
      classifyPosted(response, version(header)),
    ]).toEqual(["legacy", "legacy"]);
  });
  it.each(["2026-07-28", "1900-01-01", "", "2025-11-25, 2025-11-25"])(
    "MC-01: a batch and an answer are modern, so refused, with header %j",
    (header) => {
      expect([
        classifyPosted(batch(message("ping"), response), version(header)),
        classifyPosted(response, version(header)),
      ]).toEqual(["modern", "modern"]);
    },
  );
  it("MC-01: a batch with a message that claims the modern era is modern, so refused", () => {
    const claim = message("tools/list", { [META.protocolVersion]: "2026-07-28" });
    expect(classifyPosted(batch(message("ping"), claim), version())).toBe("modern");
  });
  it.each([
    [undefined, "legacy"],
    ["2025-03-26", "legacy"],
    ["2026-07-28", "modern"],
    ["x", "modern"],
  ])("versioning: GET and DELETE with header %s are %s", (header, era) => {
    expect(classifyBodiless(version(header))).toBe(era);
  });
  it("versioning: a session id makes nothing legacy", () => {
    const headers = version("2026-07-28");
    headers.set("mcp-session-id", "x");
    expect([classifyBodiless(headers), classifyPosted(message("tools/list"), headers)]).toEqual(["modern", "modern"]);
  });
});
