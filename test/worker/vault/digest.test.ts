import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { randomKey, vaultOf } from "./support.ts";

const one = randomKey();
const two = randomKey();

describe("AU-17 digests", () => {
  it("AU-17: a digest names its key and has 128 bits", async () => {
    expect(await (await vaultOf(`k1:${one}`)).digest("a", "x")).toMatch(/^k1:[A-Za-z0-9_-]{22}$/);
  });

  it("AU-17: equal values have equal digests, in any isolate", async () => {
    const digests = [await vaultOf(`k1:${one}`), await vaultOf(`k1:${one}`)].map((vault) => vault.digest("a", "x"));
    expect(new Set(await Promise.all(digests)).size).toBe(1);
  });

  it.each([
    ["value", "a", "y", `k1:${one}`],
    ["tenant", "b", "x", `k1:${one}`],
    ["key", "a", "x", `k1:${two}`],
  ])("AU-17: another %s has another digest", async (_what, tenant, value, keys) => {
    const digest = await (await vaultOf(`k1:${one}`)).digest("a", "x");
    expect(await (await vaultOf(keys)).digest(tenant, value)).not.toBe(digest);
  });

  it("AU-17: an older key in the ring changes no digest", async () => {
    const digest = await (await vaultOf(`k1:${one}`)).digest("a", "x");
    expect(await (await vaultOf(`k1:${one} k0:${two}`)).digest("a", "x")).toBe(digest);
  });

  it("AU-17: a rotation shows in the digest", async () => {
    expect(await (await vaultOf(`k2:${two} k1:${one}`)).digest("a", "x")).toMatch(/^k2:/);
  });

  it("AU-17: more tenants than keys are held change no digest", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const digest = await vault.digest("a", "x");
    for (let count = 0; count <= limits.derivedKeys_count; count += 1) await vault.digest(`t${count}`, "x");
    expect(await vault.digest("a", "x")).toBe(digest);
  });
});
