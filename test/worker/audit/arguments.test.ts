import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundedText, digestArguments } from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import type { Json } from "../../../src/ports.ts";
import { randomKey, vaultOf } from "../vault/support.ts";

const vault = await vaultOf(`k1:${randomKey()}`);
const digest = (value: string): Promise<string> => vault.digest("a", value);

/** Any UTF-16 unit, half surrogate pairs included. */
const utf16 = fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code));

describe("AU-16 arguments", () => {
  it("AU-16: each argument is its type, its size and its digest", async () => {
    const entry = async (type: string, json: string): Promise<unknown> => ({
      type,
      size_chars: json.length,
      hmac: await digest(json),
    });
    expect(await digestArguments({ a: "x", b: 1, c: null, d: true, e: [1], f: {} }, digest)).toEqual({
      a: await entry("string", '"x"'),
      b: await entry("number", "1"),
      c: await entry("null", "null"),
      d: await entry("boolean", "true"),
      e: await entry("array", "[1]"),
      f: await entry("object", "{}"),
    });
  });

  it("AU-16: no arguments are no entries", async () => {
    expect(await digestArguments(undefined, digest)).toEqual({});
  });

  it("AU-16: arguments that are no object are one entry", async () => {
    expect(Object.keys(await digestArguments(["secret"], digest))).toEqual(["…"]);
  });

  it("AU-16: the order of members changes no digest", async () => {
    const one = await digestArguments({ x: { a: 1, b: { c: 2, d: 3 } } }, digest);
    expect(await digestArguments({ x: { b: { d: 3, c: 2 }, a: 1 } }, digest)).toEqual(one);
  });

  it("AU-16: arguments past the limit are one entry", async () => {
    const args = Object.fromEntries(Array.from({ length: limits.auditArguments_count + 5 }, (_, at) => [`n${at}`, at]));
    const digests = await digestArguments(args, digest);
    expect(Object.keys(digests)).toHaveLength(limits.auditArguments_count + 1);
    expect(digests["…"]?.type).toBe("object");
  });

  it.each(["with space", "ünï", "", "x".repeat(65), "__proto__", "a\nb", "…"])(
    "AU-16: the name %j is replaced by its digest",
    async (name) => {
      const args: Json = JSON.parse(`{${JSON.stringify(name)}: 1}`);
      expect(Object.keys(await digestArguments(args, digest))).toEqual([await digest(name)]);
    },
  );

  it("AU-20: no value and no odd name of the arguments is in the clear", async () => {
    const canary = fc.stringMatching(/^canary-[a-z0-9]{12}$/);
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        canary,
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(
          canary.map((name) => `${name}!`),
          tie("value"),
          { maxKeys: 3 },
        ),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(json.value, async (value) => {
        const args: Json = JSON.parse(JSON.stringify({ plain: value, "canary-name!": value }));
        expect(JSON.stringify(await digestArguments(args, digest))).not.toContain("canary");
      }),
      { numRuns: 100 },
    );
  });
});

describe("AU-13 bounded text", () => {
  it("AU-13: any text fits and is well-formed", () => {
    fc.assert(
      fc.property(fc.string({ unit: utf16, maxLength: 600 }), (text) => {
        const bounded = boundedText(text);
        return bounded !== undefined && bounded.length <= limits.auditText_chars && bounded.isWellFormed();
      }),
    );
  });

  it("AU-13: a pair is not split at the cut", () => {
    const text = "x".repeat(limits.auditText_chars - 2) + "😀".repeat(2);
    expect(boundedText(text)).toBe(`${"x".repeat(limits.auditText_chars - 2)}…`);
  });

  it.each([
    [7, "7"],
    [false, "false"],
    [null, undefined],
    [undefined, undefined],
    [{}, undefined],
  ])("AU-13: %j becomes %j", (value, text) => {
    expect(boundedText(value)).toBe(text);
  });
});
