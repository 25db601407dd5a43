import { describe, expect, it } from "vitest";
import { parseConfiguration } from "../../src/env.ts";

describe("R1 configuration", () => {
  it("R1: an unset mode is enterprise", () => {
    const parsed = parseConfiguration({});
    expect(parsed.ok && parsed.value.mode).toBe("enterprise");
  });
  it("R1: an unknown mode is refused by name", () => {
    const parsed = parseConfiguration({ GATEHOUSE_MODE: "Development" });
    expect(!parsed.ok && parsed.error).toContain("GATEHOUSE_MODE");
  });
  it("TN-10: a hostname belongs to one tenant", () => {
    const parsed = parseConfiguration({ GATEHOUSE_TENANTS: "a=x.test b=x.test" });
    expect(!parsed.ok && parsed.error).toContain("twice");
  });
});
