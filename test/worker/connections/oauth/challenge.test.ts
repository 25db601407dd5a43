import * as fc from "fast-check";
import { expect, it } from "vitest";
import { parseChallenge } from "../../../../src/connections/oauth/index.ts";

const read = (value: string) => parseChallenge(new Headers({ "www-authenticate": value }));

const table: readonly (readonly [text: string, challenge: object | undefined])[] = [
  ["Bearer", {}],
  ["bearer", {}],
  ['Bearer error="invalid_token"', { error: "invalid_token" }],
  ['Bearer scope="a b"', { scope: "a b" }],
  ["Bearer scope=a", { scope: "a" }],
  ['Bearer scope = "a" , error = "x"', { scope: "a", error: "x" }],
  ['Bearer realm="x, y", scope="a"', { scope: "a" }],
  ['Bearer realm="\\"scope=\\"", scope="a\\b"', { scope: "ab" }],
  ['Basic realm="x", Bearer resource_metadata="https://m.test/p"', { resource_metadata: "https://m.test/p" }],
  ['Negotiate, Bearer scope="a"', { scope: "a" }],
  ['Negotiate abc==, Bearer scope="a"', { scope: "a" }],
  ['Bearer realm="x", Basic realm="y"', {}],
  ['Bearer, Bearer scope="a"', { scope: "a" }],
  ['DPoP resource_metadata="https://m.test/p"', { resource_metadata: "https://m.test/p" }],
  ['Bearer SCOPE="a", Scope="b"', { scope: "a" }],
  ['Bearer error="<script>"', {}],
  ['Basic realm="Bearer scope=\\"a\\""', undefined],
  ['Basic realm="Bearer", scope="a"', undefined],
  ["", undefined],
  ["=,=,", undefined],
  ['Bearer scope="a", broken', { scope: "a" }],
  ['Bearer scope="a" error="b"', { scope: "a", error: "b" }],
];

for (const [text, challenge] of table) {
  it(`UP-20: RFC 6750 section 3: reads ${text === "" ? "nothing" : text}`, () => {
    expect(read(text)).toEqual(challenge);
  });
}

it("RFC 9728 section 5.1: is undefined without the header", () => {
  expect(parseChallenge(new Headers())).toBeUndefined();
});

it("UP-20: reads nothing behind a quotation mark that nothing closes", () => {
  expect(read('Bearer error="invalid_token", scope="a, resource_metadata=https://x.test')).toEqual({
    error: "invalid_token",
  });
});

it("UP-20: gives up on a header of 64 KB", () => {
  const challenge = read(`Basic realm="${"x".repeat(65_536)}", Bearer scope="late"`);
  expect(challenge).toBeUndefined();
});

it("UP-20: reads no more than ten of a hundred challenges", () => {
  expect(read(`${"Basic, ".repeat(100)}Bearer scope="late"`)).toBeUndefined();
});

it("UP-20: reads a hundred challenges of quotation marks and equals signs in no time", () => {
  for (const bomb of ['"'.repeat(8000), "a=".repeat(4000), "Bearer ".repeat(1000), `Bearer a="${"\\".repeat(8000)}`]) {
    expect(() => read(bomb)).not.toThrow();
  }
});

it("UP-20: never throws and gives back only what was there", () => {
  const piece = fc.constantFrom(
    "Bearer",
    "Basic",
    " ",
    ",",
    "=",
    '"',
    "\\",
    "scope",
    "resource_metadata",
    "a",
    "é",
    "\t",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const headers = { get: () => pieces.join("") } as unknown as Headers;
      const challenge = parseChallenge(headers);
      for (const value of Object.values(challenge ?? {})) expect(pieces.join("")).toContain(value[0] ?? "");
    }),
  );
});
