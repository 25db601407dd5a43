import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { parseStrictJson } from "../../../src/protocol/index.ts";
import { scanJson, type Text } from "../../../src/protocol/scan-json.ts";
import { bytes, requestText } from "./support.ts";

/** `code reason` of the refusal, or undefined where the text is accepted. */
function refusal(body: string | Uint8Array): string | undefined {
  const parsed = parseStrictJson(typeof body === "string" ? bytes(body) : body);
  return parsed.ok ? undefined : `${parsed.error.code} ${parsed.error.reason}`;
}

const nested = (levels: number): string => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;

describe("what is not one JSON object in UTF-8", () => {
  it.each([
    ["no bytes", "", "parse_error not_json"],
    ["trailing garbage", "{} x", "parse_error not_json"],
    ["two documents", "{}{}", "parse_error not_json"],
    ["newline-delimited documents", '{"a":1}\n{"a":2}', "parse_error not_json"],
    ["a string without end", '{"a":"b', "parse_error not_json"],
    ["a string that ends in a backslash", '{"a":"b\\"}', "parse_error not_json"],
    ["null", "null", "invalid_request not_an_object"],
    ["a string", '"x"', "invalid_request not_an_object"],
    ["a number", "1", "invalid_request not_an_object"],
  ])("MC-02: refuses %s", (_name, body, expected) => {
    expect(refusal(body)).toBe(expected);
  });

  it.each([
    ["a batch", '[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]'],
    ["an empty batch", "[]"],
  ])("MC-01: refuses %s", (_name, body) => {
    expect(refusal(body)).toBe("invalid_request batch");
  });

  it.each([
    ["an invalid byte", [0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d], "parse_error not_utf8"],
    ["an overlong slash, C0 AF", [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d], "parse_error not_utf8"],
    ["an encoded surrogate, ED A0 80", [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d], "parse_error not_utf8"],
    ["a byte order mark", [0xef, 0xbb, 0xbf, 0x7b, 0x7d], "parse_error not_json"],
    ["UTF-16 with its mark", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], "parse_error not_utf8"],
    ["UTF-16 without", [0x7b, 0x00, 0x7d, 0x00], "parse_error not_json"],
    ["NUL in a string", [0x7b, 0x22, 0x00, 0x22, 0x3a, 0x31, 0x7d], "parse_error not_json"],
  ])("MC-11: refuses %s", (_name, body, expected) => {
    expect(refusal(Uint8Array.from(body))).toBe(expected);
  });
});

describe("depth", () => {
  it("RFC 8259 section 9: accepts JSON as deep as the limit", () => {
    expect(refusal(nested(limits.jsonDepth_levels))).toBeUndefined();
  });
  it("RFC 8259 section 9: refuses JSON one level deeper", () => {
    expect(refusal(nested(limits.jsonDepth_levels + 1))).toBe("invalid_request json_too_deep");
  });
  it("RX-18: refuses a million open brackets before any parser sees them", () => {
    expect(refusal("[".repeat(1_000_000))).toBe("invalid_request json_too_deep");
  });
  it("RFC 8259 section 9: counts no brackets in strings", () => {
    expect(refusal(`{"a":"${"[".repeat(1000)}","b":"\\"[[["}`)).toBeUndefined();
  });
});

describe("duplicate keys", () => {
  it.each([
    ["in the envelope", '{"method":"tools/list","method":"tools/call"}'],
    ["in the envelope, of equal value", '{"id":1,"id":1}'],
    ["in params", requestText('{"name":"a","name":"b"}')],
    ["in arguments", requestText('{"name":"a","arguments":{"x":1,"x":2}}')],
    ["deep in arguments, in an array", requestText('{"arguments":{"x":[{"y":1,"z":[{"k":0,"k":{}}]}]}}')],
    ["where one is written with an escape", requestText('{"name":"a","\\u006eame":"b"}')],
    ["that are empty", requestText('{"arguments":{"":1,"":2}}')],
    ["that are array indexes", requestText('{"arguments":{"1":1,"1":2}}')],
    ["called __proto__", requestText('{"__proto__":1,"__proto__":2}')],
    ["where the first holds an object with members", requestText('{"arguments":{"a":{"b":1,"c":2},"a":{"d":1}}}')],
  ])("MC-12: refuses keys that are there twice %s", (_name, body) => {
    expect(refusal(body)).toBe("invalid_request duplicate_key");
  });
  it("MC-12: accepts one key in several objects, and colons in strings", () => {
    expect(refusal(requestText('{"arguments":{"a":{"a":{"a":":::"}},"b":{"a":"\\":"}}}'))).toBeUndefined();
  });
});

describe("keys that some readers take for others (CVE-2026-27896)", () => {
  it.each([
    ["Method beside method", '{"method":"tools/list","Method":"tools/call"}'],
    ["Method alone", '{"jsonrpc":"2.0","id":1,"Method":"tools/call"}'],
    ["paramſ beside params", '{"method":"a","params":{},"paramſ":{}}'],
    ["paramſ alone", '{"method":"a","paramſ":{"name":"x"}}'],
    ["JSONRPC", '{"JSONRPC":"2.0"}'],
    ["ID", '{"ID":1}'],
    ["Result", '{"Result":{}}'],
    ["ERROR", '{"ERROR":{}}'],
    ["two unknown members of the envelope", '{"trace":1,"Trace":2}'],
    ["Name beside name in params", requestText('{"name":"a","Name":"b"}')],
    ["Name alone in params", requestText('{"Name":"b"}')],
    ["tasKId with the Kelvin sign in params", requestText('{"tas\u212aId":"b"}')],
    ["Arguments alone in params", requestText('{"name":"a","Arguments":{}}')],
    ["two unknown members of params", requestText('{"trace":1,"TRACE":2}')],
    ["Name beside name in a completion reference", requestText('{"ref":{"type":"ref/prompt","name":"a","Name":"b"}}')],
    ["one written with an escape", requestText('{"name":"a","\\u004eame":"b"}')],
  ])("MC-13: refuses %s", (_name, body) => {
    expect(refusal(body)).toBe("invalid_request shadowed_key");
  });
  it("MC-13: refuses more members of params than anyone can mean", () => {
    const members = Array.from({ length: limits.protocolMembers_count + 1 }, (_, n) => `"k${n}":0`);
    expect(refusal(requestText(`{${members.join()}}`))).toBe("invalid_request shadowed_key");
  });
  it("MC-13: leaves the case of keys in arguments, _meta and inputResponses to the tool", () => {
    expect(
      refusal(
        requestText('{"arguments":{"Name":1,"name":2},"_meta":{"a/B":1,"a/b":2},"inputResponses":{"k":{},"K":{}}}'),
      ),
    ).toBeUndefined();
  });
  it.each([
    ["arguments", '{"arguments":{"\\ud800":1}}'],
    ["params", '{"\\udc00":1}'],
  ])("MC-11: refuses a key with a lone surrogate in %s", (_name, params) => {
    expect(refusal(requestText(params))).toBe("invalid_request ill_formed_key");
  });
});

describe("prototype keys", () => {
  it.each([
    ["__proto__ in params", requestText('{"__proto__":{"x":1}}'), "invalid_params prototype_key"],
    [
      "__proto__ deep in arguments",
      requestText('{"arguments":{"a":[{"__proto__":1}]}}'),
      "invalid_params prototype_key",
    ],
    ["__proto__ written with an escape", requestText('{"\\u005f_proto__":{}}'), "invalid_params prototype_key"],
    [
      "constructor.prototype",
      requestText('{"arguments":{"constructor":{"prototype":{"x":1}}}}'),
      "invalid_params prototype_key",
    ],
    ["__proto__ in the envelope", '{"__proto__":{"x":1},"params":{}}', "invalid_request prototype_key"],
  ])("MC-08: refuses %s", (_name, body, expected) => {
    expect(refusal(body)).toBe(expected);
  });
  it("MC-08: a constructor that is no object with a prototype is a key like any other", () => {
    expect(refusal(requestText('{"arguments":{"constructor":"Acme","prototype":1}}'))).toBeUndefined();
  });
  it("MC-08: no object is changed by what was refused", () => {
    parseStrictJson(bytes(requestText('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')));
    expect("polluted" in {}).toBe(false);
  });
});

describe("numbers that another reader would see otherwise", () => {
  it.each([
    "9007199254740992",
    "-9007199254740992",
    "9007199254740993",
    "12345678901234567890123",
    "1e400",
    "-1e400",
    "1e-400",
    "0.123456789012345678",
    "100000000000000000000",
    "123456789012345678e1",
    "9".repeat(400),
  ])("MC-03: refuses %s", (literal) => {
    expect(refusal(requestText(`{"arguments":{"n":${literal}}}`))).toBe("invalid_request unsafe_number");
  });
  it.each([
    "0",
    "-0",
    "9007199254740991",
    "-9007199254740991",
    "0.30000000000000004",
    "1.7976931348623157e308",
    "5e-324",
    "1e20",
    "0e999",
    "0.10000000000000000000000",
    "0.000000000000000000000000001",
    "-1.5E+3",
  ])("MC-03: accepts %s", (literal) => {
    expect(refusal(requestText(`{"arguments":{"n":${literal}}}`))).toBeUndefined();
  });
  it("MC-03: looks for no numbers in strings", () => {
    expect(refusal(requestText('{"arguments":{"n":"1e400 9007199254740993"}}'))).toBeUndefined();
  });
});

describe("against JSON.parse", () => {
  // Keys and numbers that trip no refusal, so that nothing but JSON itself is left to differ in.
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.string({ unit: "binary" }),
      fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .filter((n) => Number.isSafeInteger(n) || !Number.isInteger(n)),
      fc.constantFrom(null, true, false),
      fc.array(tie("value"), { maxLength: 5 }),
      fc.dictionary(
        fc.string().filter((key) => key !== "__proto__"),
        tie("value"),
        { maxKeys: 5, noNullPrototype: true },
      ),
    ),
  })).value;
  const spaced = fc.tuple(json, fc.constantFrom(undefined, 1, "\t"));

  it("RFC 8259 section 9: reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(spaced, ([value, indent]) => {
        const text = requestText(JSON.stringify({ arguments: { value } }, null, indent));
        expect(parseStrictJson(bytes(text))).toEqual({ ok: true, value: JSON.parse(text) });
      }),
      { numRuns: 500 },
    );
  });

  it("RFC 8259 section 2: refuses whatever JSON.parse refuses, and never throws", () => {
    const damage = fc.tuple(spaced, fc.nat(), fc.constantFrom("", '"', "\\", "{", "]", ":", ",", "-", "e", "\u0000"));
    fc.assert(
      fc.property(damage, ([[value, indent], at, insert]) => {
        const whole = requestText(JSON.stringify({ arguments: { value } }, null, indent));
        const cut = at % whole.length;
        const text = whole.slice(0, cut) + insert + whole.slice(cut + 1);
        const parsed = parseStrictJson(bytes(text));
        if (parsed.ok) expect(parsed.value).toEqual(JSON.parse(new TextDecoder().decode(bytes(text))));
        else expect(parsed.error.reason).toMatch(/^[a-z_]+$/);
      }),
      { numRuns: 1000 },
    );
  });

  it("MC-12: refuses an object once any of its members is repeated", () => {
    const members = fc.uniqueArray(
      fc.string().filter((key) => key !== "__proto__"),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(members, fc.nat(), json, (keys, which, value) => {
        const pairs = [...keys, keys[which % keys.length]].map(
          (key) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
        );
        expect(refusal(requestText(`{"arguments":{"a":[{${pairs.join()}}]}}`))).toBe("invalid_request duplicate_key");
      }),
      { numRuns: 300 },
    );
  });
});

describe("cost", () => {
  /** Shapes on which a careless scanner is quadratic; each is accepted. */
  const shapes: readonly (readonly [string, (size: number) => string])[] = [
    ["backslashes", (size) => requestText(`{"arguments":{"a":"${"\\\\".repeat(size / 2)}"}}`)],
    ["escaped quotes", (size) => requestText(`{"arguments":{"a":"${'\\"'.repeat(size / 2)}"}}`)],
    ["zeros of one number", (size) => requestText(`{"arguments":{"a":0.${"0".repeat(size)}}}`)],
    ["numbers", (size) => requestText(`{"arguments":{"a":[${"1.5e3,".repeat(size / 6)}0]}}`)],
    [
      "keys",
      (size) => requestText(`{"arguments":{${Array.from({ length: size / 16 }, (_, n) => `"k${n}":null`).join()}}}`),
    ],
    ["empty objects", (size) => requestText(`{"arguments":{"a":[${"{},".repeat(size / 3)}0]}}`)],
  ];

  /** A string that counts what is read of it. */
  class Counted implements Text {
    reads_count = 0;
    readonly length: number;
    readonly #text: string;
    constructor(text: string) {
      this.#text = text;
      this.length = text.length;
    }
    charCodeAt(at: number): number {
      this.reads_count++;
      return this.#text.charCodeAt(at);
    }
    slice(start: number, end: number): string {
      this.reads_count += end - start;
      return this.#text.slice(start, end);
    }
  }

  it.each(shapes)("RX-18: a body of %s is read at most a few times over", (_name, shape) => {
    for (const size of [1024, 64 * 1024]) {
      const text = new Counted(shape(size));
      scanJson(text);
      expect(text.reads_count / text.length).toBeLessThan(5);
    }
  });
  it.each(shapes)("RX-18: %s are accepted, so that their cost counts", (_name, shape) => {
    expect(refusal(shape(64 * 1024))).toBeUndefined();
  });
});

describe("RX-18 what one message may hold", () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const members = (count: number): string => Array.from({ length: count }, (_, at) => `"k${at}":${at}`).join(",");

  it("RX-18: more members than any tool needs are refused before they are parsed", () => {
    const text = `{"jsonrpc":"2.0","params":{"arguments":{${members(limits.requestMembers_count)}}}}`;
    expect(parseStrictJson(encode(text))).toMatchObject({ ok: false, error: { reason: "too_many_members" } });
  });

  it("RX-18: and so are more objects", () => {
    const text = `{"params":{"a":[${Array.from({ length: limits.requestMembers_count }, () => "{}").join(",")}]}}`;
    expect(parseStrictJson(encode(text))).toMatchObject({ ok: false, error: { reason: "too_many_members" } });
  });
});
