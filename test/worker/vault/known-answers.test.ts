/**
 * VT-18: published answers of the algorithms that the vault is made of, as this runtime gives them: AES-256-GCM (NIST SP 800-38D) for
 * texts and for wrapping their keys (A256GCMKW, RFC 7518 section 4.7), HKDF-SHA-256 (RFC 5869) for the keys of tenants, HMAC-SHA-256 (RFC
 * 4231) for digests. AES key wrap of RFC 3394 is used nowhere, and refused where somebody sends it.
 */
import { base64url, FlattenedEncrypt } from "jose";
import { describe, expect, it } from "vitest";
import { binding, vaultOf } from "./support.ts";

const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.fromHex(hex);
const doubled = (hex: string): string => hex + hex;

/** Test cases 13 to 16 of the specification of GCM, and of NIST's `gcmEncryptExtIV256.rsp` the first of three kinds. */
const gcm: readonly (readonly [string, Readonly<Record<"key" | "iv" | "text" | "aad" | "sealed" | "tag", string>>])[] =
  [
    [
      "13",
      {
        ...{ key: "00".repeat(32), iv: "00".repeat(12), text: "", aad: "", sealed: "" },
        tag: "530f8afbc74536b9a963b4f1c4cb738b",
      },
    ],
    [
      "14",
      {
        ...{ key: "00".repeat(32), iv: "00".repeat(12), text: "00".repeat(16), aad: "" },
        ...{ sealed: "cea7403d4d606b6e074ec5d3baf39d18", tag: "d0d1c8a799996bf0265b98b5d48ab919" },
      },
    ],
    [
      "15",
      {
        ...{ key: doubled("feffe9928665731c6d6a8f9467308308"), iv: "cafebabefacedbaddecaf888", aad: "" },
        text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        sealed:
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        tag: "b094dac5d93471bdec1a502270e3cc6c",
      },
    ],
    [
      "16",
      {
        ...{ key: doubled("feffe9928665731c6d6a8f9467308308"), iv: "cafebabefacedbaddecaf888" },
        aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        sealed:
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        tag: "76fc6ece0f4e1768cddf8853bb2d551b",
      },
    ],
    [
      "of no text",
      {
        ...{ key: "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4", iv: "516c33929df5a3284ff463d7" },
        ...{ text: "", aad: "", sealed: "", tag: "bdc1ac884d332457a1d2664f168c76f0" },
      },
    ],
    [
      "of a text",
      {
        ...{ key: "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22", iv: "0d18e06c7c725ac9e362e1ce" },
        ...{ text: "2db5168e932556f8089a0622981d017d", aad: "" },
        ...{ sealed: "fa4362189661d163fcd6a56d8bf0405a", tag: "d636ac1bbedd5cc3ee727dc2ab4a9489" },
      },
    ],
    [
      "of a text and what is authenticated with it",
      {
        ...{ key: "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b", iv: "ac93a1a6145299bde902f21a" },
        ...{ text: "2d71bcfa914e4ac045b2aa60955fad24", aad: "1e0889016f67601c8ebea4943bc23ad6" },
        ...{ sealed: "8995ae2e6df3dbf96fac7b7137bae67f", tag: "eca5aa77d51d4a0a14d9c51e1da474ab" },
      },
    ],
  ];

const aes = (key: string) => crypto.subtle.importKey("raw", bytes(key), "AES-GCM", false, ["encrypt", "decrypt"]);
const parameters = (iv: string, aad: string) => ({ name: "AES-GCM", iv: bytes(iv), additionalData: bytes(aad) });

describe("VT-18 known answers", () => {
  it.each(gcm)(
    "VT-18: AES-256-GCM, case %s, encrypts as published",
    async (_case, { key, iv, text, aad, sealed, tag }) => {
      const made = await crypto.subtle.encrypt(parameters(iv, aad), await aes(key), bytes(text));
      expect(new Uint8Array(made).toHex()).toBe(sealed + tag);
    },
  );

  it.each(gcm)(
    "VT-18: AES-256-GCM, case %s, decrypts as published",
    async (_case, { key, iv, text, aad, sealed, tag }) => {
      const opened = await crypto.subtle.decrypt(parameters(iv, aad), await aes(key), bytes(sealed + tag));
      expect(new Uint8Array(opened).toHex()).toBe(text);
    },
  );

  it.each(gcm)(
    "VT-18: AES-256-GCM, case %s, is refused with another tag",
    async (_case, { key, iv, aad, sealed, tag }) => {
      const other = sealed + (tag.startsWith("0") ? "1" : "0") + tag.slice(1);
      const opened = crypto.subtle.decrypt(parameters(iv, aad), await aes(key), bytes(other));
      await expect(opened).rejects.toThrow();
    },
  );

  it.each([
    [
      "A.1",
      "0b".repeat(22),
      "000102030405060708090a0b0c",
      "f0f1f2f3f4f5f6f7f8f9",
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ],
    [
      "A.3",
      "0b".repeat(22),
      "",
      "",
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ],
  ])("VT-18: HKDF-SHA-256, RFC 5869 appendix %s", async (_case, input, salt, info, output) => {
    const key = await crypto.subtle.importKey("raw", bytes(input), "HKDF", false, ["deriveBits"]);
    const derivation = { name: "HKDF", hash: "SHA-256", salt: bytes(salt), info: bytes(info) };
    const derived = await crypto.subtle.deriveBits(derivation, key, output.length * 4);
    expect(new Uint8Array(derived).toHex()).toBe(output);
  });

  it("VT-18: HMAC-SHA-256, RFC 4231 test case 2", async () => {
    const text = (value: string) => new TextEncoder().encode(value);
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", text("Jefe"), algorithm, false, ["sign"]);
    const made = await crypto.subtle.sign("HMAC", key, text("what do ya want for nothing?"));
    expect(new Uint8Array(made).toHex()).toBe("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  });

  /** 32 bytes of 7. */
  const ring = `test:${base64url.encode(new Uint8Array(32).fill(7))}`;

  it("VT-18: a stored record is a JWE whose parts the published algorithms open, step by step", async () => {
    const {
      protected: header,
      encrypted_key,
      iv,
      ciphertext,
      tag,
    } = JSON.parse(await (await vaultOf(ring)).seal(binding, "s3cret"));
    const {
      iv: wrapping_iv,
      tag: wrapping_tag,
      ...algorithms
    } = JSON.parse(new TextDecoder().decode(base64url.decode(header)));
    expect(algorithms).toEqual({ alg: "A256GCMKW", enc: "A256GCM", kid: "test" });
    const prefixed = (parts: readonly string[]): number[] =>
      parts.flatMap((part) => [0, 0, 0, part.length, ...new TextEncoder().encode(part)]);
    const root = await crypto.subtle.importKey("raw", new Uint8Array(32).fill(7), "HKDF", false, ["deriveBits"]);
    const info = new Uint8Array(prefixed(["gatehouse.v1", "seal", binding.purpose, binding.tenant]));
    const derivation = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
    const wrapping = new Uint8Array(await crypto.subtle.deriveBits(derivation, root, 256)).toHex();
    const open = async (key: string, at: string, aad: string, ...parts: string[]): Promise<Uint8Array> => {
      const sealed = bytes(parts.map((part) => base64url.decode(part).toHex()).join(""));
      return new Uint8Array(
        await crypto.subtle.decrypt(parameters(base64url.decode(at).toHex(), aad), await aes(key), sealed),
      );
    };
    const data = await open(wrapping, wrapping_iv, "", encrypted_key, wrapping_tag);
    const place = prefixed([
      "gatehouse.record.v1",
      binding.purpose,
      binding.tenant,
      binding.record,
      binding.field,
      "1",
    ]);
    const aad = new TextEncoder().encode(`${header}.${base64url.encode(new Uint8Array(place))}`).toHex();
    expect(new TextDecoder().decode(await open(data.toHex(), iv, aad, ciphertext, tag))).toBe("s3cret");
  });

  it("VT-18: what the first release stored, gave out and digested holds for ever", async () => {
    const vault = await vaultOf(ring);
    const record =
      '{"protected":"eyJhbGciOiJBMjU2R0NNS1ciLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoidGVzdCIsIml2IjoiX2lVc2FEWmxfNHY3M0FhYyIsInRhZyI6ImpFVXpLYjFSdmttZ21iQ1RycFVHSWcifQ","encrypted_key":"rxp09DY4kHEejFNy53suSidN-7tczeUFj4F7_1dfh7w","iv":"ALKEh3LfRU1vEFIG","ciphertext":"-38EJHAV","tag":"JcFstve94-YbvgdmdW9lZg"}';
    const handle =
      "test.y3U96RjoY-eG5ZkWnItyXHZ6aKWpfcocKyJpdzbsJsz8BG_Z3ald0YE2WavhtyPB7cGg6fYG5rHhCNrwbBtiIjuLbLETtb10cxx_uTk";
    expect(await vault.open(binding, record)).toEqual({ ok: true, value: "s3cret" });
    expect(await vault.openHandle("task", "a", handle)).toEqual({ ok: true, value: { id: "1" } });
    expect(await vault.digest("a", "x")).toBe("test:Yk3ZZhimp01Hmkbp_4_0hg");
  });

  it("VT-18: AES key wrap of RFC 3394 is refused, with the very key", async () => {
    const sealed = await new FlattenedEncrypt(new TextEncoder().encode("s3cret"))
      .setProtectedHeader({ alg: "A256KW", enc: "A256GCM", kid: "test" })
      .encrypt(new Uint8Array(32).fill(7));
    const { protected: header, encrypted_key, iv, ciphertext, tag } = sealed;
    // As a record is written, so that nothing but the algorithm is wrong.
    const record = JSON.stringify({ protected: header, encrypted_key, iv, ciphertext, tag });
    const opened = await (await vaultOf(ring)).open(binding, record);
    expect(opened).toEqual({ ok: false, error: { code: "unavailable", reason: "vault_tamper" } });
  });
});
