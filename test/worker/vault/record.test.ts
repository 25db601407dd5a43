import * as fc from "fast-check";
import { decodeProtectedHeader } from "jose";
import { describe, expect, it } from "vitest";
import { binding, flip, randomKey, vaultOf } from "./support.ts";

const one = randomKey();
const two = randomKey();
const tampered = { ok: false, error: { code: "unavailable", reason: "vault_tamper" } };

describe("U11 sealed records", () => {
  it("U11: what was sealed opens, whatever the text", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const text = fc.string({ unit: "grapheme", maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(text, text, async (plaintext, record) => {
        const at = { ...binding, record };
        expect(await vault.open(at, await vault.seal(at, plaintext))).toEqual({ ok: true, value: plaintext });
      }),
      { numRuns: 50 },
    );
  });

  it("U11: the stored text holds neither the secret nor its binding", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const sealed = await vault.seal({ ...binding, record: "record-of-canary" }, "canary-9f3b");
    expect(Object.keys(JSON.parse(sealed))).toEqual(["protected", "encrypted_key", "iv", "ciphertext", "tag"]);
    for (const plain of ["canary", btoa("canary-9f3b").replace(/=+$/, "").slice(0, 12)]) {
      expect(sealed).not.toContain(plain);
    }
  });

  it("VT-01: 10,000 records have 10,000 data IVs and 10,000 wrapping IVs", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const seen = new Set<unknown>();
    for (let count = 0; count < 10_000; count += 1) {
      const sealed = JSON.parse(await vault.seal(binding, "x"));
      seen.add(sealed.iv);
      seen.add(decodeProtectedHeader(sealed)["iv"]);
    }
    expect(seen.size).toBe(20_000);
  }, 30_000);

  it("VT-02: a record with any bit flipped is refused", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const sealed = await vault.seal(binding, "s3cret");
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const opened = await vault.open(binding, flip(sealed, bit));
      expect(opened.ok ? `opened with bit ${bit} flipped` : opened.error.code).toBe("unavailable");
    }
  }, 30_000);

  it.each([
    ["purpose", { purpose: "session-cookie" }],
    ["tenant", { tenant: "b" }],
    ["record", { record: "s2" }],
    ["field", { field: "other" }],
    ["revision (rolled back)", { revision: 2 }],
    ["record and field, shifted by one character", { record: "s1c", field: "redential" }],
  ])("VT-03: a record that was moved to another %s is refused", async (_what, change) => {
    const vault = await vaultOf(`k1:${one}`);
    const sealed = await vault.seal(binding, "s3cret");
    expect(await vault.open({ ...binding, ...change }, sealed)).toMatchObject(tampered);
  });

  it("VT-05: after a rotation the old key opens", async () => {
    const sealed = await (await vaultOf(`k1:${one}`)).seal(binding, "s3cret");
    const rotated = await vaultOf(`k2:${two} k1:${one}`);
    expect(await rotated.open(binding, sealed)).toEqual({ ok: true, value: "s3cret" });
  });

  it("VT-05: after a rotation only the new key seals", async () => {
    const rotated = await vaultOf(`k2:${two} k1:${one}`);
    const sealed = await rotated.seal(binding, "s3cret");
    expect(decodeProtectedHeader(JSON.parse(sealed))["kid"]).toBe("k2");
  });

  it("VT-05: a record under a key that left the ring says so in its reason only", async () => {
    const sealed = await (await vaultOf(`k1:${one}`)).seal(binding, "s3cret");
    const opened = await (await vaultOf(`k2:${two}`)).open(binding, sealed);
    expect(opened).toEqual({ ok: false, error: { code: "unavailable", reason: "vault_key_unknown" } });
  });

  it("VT-10: another key under the same id and another binding fail alike", async () => {
    const sealed = await (await vaultOf(`k1:${one}`)).seal(binding, "s3cret");
    const wrongKey = await (await vaultOf(`k1:${two}`)).open(binding, sealed);
    const wrongBinding = await (await vaultOf(`k1:${one}`)).open({ ...binding, field: "x" }, sealed);
    expect(wrongKey).toEqual({ ok: false, error: { code: "unavailable", reason: "vault_tamper" } });
    expect(wrongBinding).toEqual(wrongKey);
  });

  it.each([
    ["an empty text", ""],
    ["no JSON", "eyJ"],
    ["a JSON null", "null"],
    ["a JSON array", "[]"],
    ["a record without members", "{}"],
  ])("VT-10: %s fails like a tampered record", async (_what, sealed) => {
    expect(await (await vaultOf(`k1:${one}`)).open(binding, sealed)).toMatchObject(tampered);
  });

  it("VT-10: random texts never open and never throw", async () => {
    const vault = await vaultOf(`k1:${one}`);
    const member = fc.oneof(fc.base64String(), fc.string(), fc.jsonValue());
    const record = fc.record({ protected: member, encrypted_key: member, iv: member, ciphertext: member, tag: member });
    await fc.assert(
      fc.asyncProperty(record, async (stored) => {
        expect((await vault.open(binding, JSON.stringify(stored))).ok).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ["an added aad member", (sealed: string) => sealed.replace("{", '{"aad":"AA",')],
    ["white space", (sealed: string) => `${sealed} `],
    ["another order of members", (sealed: string) => JSON.stringify({ tag: "", ...JSON.parse(sealed) })],
  ])("VT-02: a record with %s is refused", async (_what, change) => {
    const vault = await vaultOf(`k1:${one}`);
    const sealed = await vault.seal(binding, "s3cret");
    const changed = change(sealed);
    expect(changed).not.toBe(sealed);
    expect(await vault.open(binding, changed)).toMatchObject(tampered);
  });
});
