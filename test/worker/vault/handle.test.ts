import * as fc from "fast-check";
import { base64url } from "jose";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { binding, flip, randomKey, start, testPorts, vaultOf } from "./support.ts";

const one = randomKey();
const two = randomKey();
const later = start + 60_000;
const invalid = { ok: false, error: { code: "invalid_params", reason: "handle_invalid" } };

describe("sealed handles", () => {
  it("VT-11: what was sealed opens, whatever the payload", async () => {
    const vault = await vaultOf(`k.1:${one}`);
    const payload = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
    await fc.assert(
      fc.asyncProperty(payload, async (value) => {
        const json = JSON.parse(JSON.stringify(value));
        const handle = await vault.sealHandle("task", "a", json, later);
        expect(handle).toMatch(/^k\.1\.[A-Za-z0-9_-]+$/);
        expect(await vault.openHandle("task", "a", handle)).toEqual({ ok: true, value: json });
      }),
      { numRuns: 50 },
    );
  });

  it("VT-01: 10,000 handles have 10,000 IVs", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const seen = new Set<string>();
    for (let count = 0; count < 10_000; count += 1) {
      const handle = await vault.sealHandle("task", "a", {}, later);
      seen.add(base64url.decode(handle.slice(3)).subarray(0, 12).toString());
    }
    expect(seen.size).toBe(10_000);
  }, 30_000);

  it("VT-02: a handle with any bit flipped is refused", async () => {
    const vault = await vaultOf(`k1:${one}`);
    // Two lengths, so that the last character has spare bits in one of them.
    for (const payload of [{ id: "1" }, { id: "12" }, { id: "123" }]) {
      const handle = await vault.sealHandle("task", "a", payload, later);
      for (let bit = 0; bit < handle.length * 8; bit += 1) {
        const opened = await vault.openHandle("task", "a", flip(handle, bit));
        expect(opened.ok ? `opened with bit ${bit} flipped` : opened.error.reason).toBe("handle_invalid");
      }
    }
  });

  it("VT-03: a handle of one tenant is refused by another", async () => {
    const vault = await vaultOf(`k1:${one}`);
    expect(await vault.openHandle("task", "b", await vault.sealHandle("task", "a", {}, later))).toEqual(invalid);
  });

  it("VT-11: a handle of one purpose is refused for another", async () => {
    const vault = await vaultOf(`k1:${one}`);
    expect(await vault.openHandle("cursor", "a", await vault.sealHandle("task", "a", {}, later))).toEqual(invalid);
  });

  it("VT-11: purpose and tenant do not run together", async () => {
    const vault = await vaultOf(`k1:${one}`);
    expect(await vault.openHandle("tas", "ka", await vault.sealHandle("task", "a", {}, later))).toEqual(invalid);
  });

  it("VT-11: a sealed record is no handle", async () => {
    const vault = await vaultOf(`k1:${one}`);
    expect(await vault.openHandle("server-credential", "a", await vault.seal(binding, "{}"))).toEqual(invalid);
  });

  it("VT-11: a handle is no sealed record", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const handle = await vault.sealHandle("server-credential", "a", {}, later);
    expect(await vault.open(binding, handle)).toMatchObject({ ok: false, error: { reason: "vault_tamper" } });
  });

  it("VT-05: after a rotation a handle under the old key opens", async () => {
    const handle = await (await vaultOf(`k1:${one}`)).sealHandle("task", "a", { id: "1" }, later);
    const rotated = await vaultOf(`k2:${two} k1:${one}`);
    expect(await rotated.openHandle("task", "a", handle)).toEqual({ ok: true, value: { id: "1" } });
  });

  it.each([
    ["empty", ""],
    ["a key id alone", "k1."],
    ["of another key", `k9.${"A".repeat(80)}`],
    ["too short for a tag", `k1.${"A".repeat(37)}`],
    ["of other characters", `k1.${"+".repeat(80)}`],
  ])("VT-10: a handle that is %s is refused like any other", async (_what, handle) => {
    expect(await (await vaultOf(`k1:${one}`)).openHandle("task", "a", handle)).toEqual(invalid);
  });

  it("VT-10: a handle past the bound is refused, though it is genuine", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const handle = await vault.sealHandle("task", "a", { state: "x".repeat(limits.requestState_chars) }, later);
    expect(await vault.openHandle("task", "a", handle)).toEqual(invalid);
  });

  it("FT-15: a handle holds until the last millisecond before it expires", async () => {
    const ports = testPorts();
    const vault = await vaultOf(`k1:${one}`, ports);
    const handle = await vault.sealHandle("task", "a", {}, later);
    ports.clock.time = later - 1;
    expect((await vault.openHandle("task", "a", handle)).ok).toBe(true);
  });

  it("FT-15: a handle is refused from the millisecond at which it expires", async () => {
    const ports = testPorts();
    const vault = await vaultOf(`k1:${one}`, ports);
    const handle = await vault.sealHandle("task", "a", {}, later);
    ports.clock.time = later;
    expect(await vault.openHandle("task", "a", handle)).toEqual({
      ok: false,
      error: { code: "invalid_params", reason: "handle_expired" },
    });
  });

  it("FT-16: without randomness nothing is sealed", async () => {
    const ports = testPorts();
    const fail = (): never => {
      throw new Error("no entropy");
    };
    const vault = await vaultOf(`k1:${one}`, { ...ports, random: { ...ports.random, bytes: fail } });
    await expect(vault.sealHandle("task", "a", {}, later)).rejects.toThrow("no entropy");
  });
});
