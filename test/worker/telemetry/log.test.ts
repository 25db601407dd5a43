import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { createLogger } from "../../../src/telemetry/index.ts";

/** The one line that the logger writes. */
function line(message: string, fields: Record<string, unknown> = {}): string {
  const lines: string[] = [];
  createLogger((_level, text) => lines.push(text))("warn", message, fields);
  if (lines.length !== 1) throw new Error(`${lines.length} lines`);
  return lines[0] ?? "";
}

const parsed = (message: string, fields: Record<string, unknown> = {}): Record<string, unknown> =>
  JSON.parse(line(message, fields));

/** Any UTF-16 unit, half surrogate pairs included. */
const utf16 = fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code));

const jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl";

describe("S8 log lines", () => {
  it("S8: a line is one JSON object with level, message and fields", () => {
    expect(parsed("Something happened", { count: 2, ok: true, server: "github", none: null })).toEqual({
      level: "warn",
      message: "Something happened",
      count: 2,
      ok: true,
      server: "github",
      none: null,
    });
  });

  it("AU-13: a field cannot pretend to be the level or the message", () => {
    expect(parsed("real", { level: "info", message: "forged" })).toEqual({ level: "warn", message: "real" });
  });

  it.each([
    ["a line break", '\n{"level":"error","message":"admin.login"}'],
    ["a carriage return", "\r\nx"],
    ["an escape sequence", "\u001b[31mred"],
    ["an escape of one character", "\u009b31mred"],
    ["a line separator", "\u2028x"],
    ["a change of direction", "\u202ex"],
    ["half a character", "\ud800x"],
  ])("AU-13: %s in a value or a name does not leave the line", (_what, text) => {
    const written = line(text, { field: text, [`name${text}`]: 1 });
    expect(written).toMatch(/^\{[ -~\ufffd]*\}$/);
    expect(JSON.parse(written)["field"]).toBe(text.toWellFormed());
  });

  it("S8: a value that cannot be read costs the fields and not the line", () => {
    const hostile = {
      get value(): never {
        throw new Error("canary");
      },
    };
    expect(parsed("m", { hostile })).toEqual({ level: "warn", message: "m", fields: "unreadable" });
  });

  it("AU-13: any fields make one JSON object without control characters, of bounded size", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: utf16 }),
        fc.dictionary(fc.string(), fc.anything({ maxDepth: 2 }), { maxKeys: 5 }),
        (message, fields) => {
          const written = line(message, fields);
          const value: unknown = JSON.parse(written);
          // oxlint-disable-next-line no-control-regex
          expect(written).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
          expect(written.length).toBeLessThanOrEqual(6 * limits.logLine_chars);
          expect(value).toMatchObject({ level: "warn" });
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("AU-22 size", () => {
  it("AU-22: a megabyte is cut, with a marker", () => {
    const { text } = parsed("m", { text: "x".repeat(1_000_000) });
    expect(text).toBe(`${"x".repeat(limits.logText_chars)}…[cut]`);
  });

  it("AU-22: a line that is too long keeps level and message and says how long it was", () => {
    const fields = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`f${at}`, "x".repeat(1000)]));
    expect(parsed("m", fields)).toEqual({ level: "warn", message: "m", cut_chars: expect.any(Number) });
  });

  it("AU-22: depth is bounded, also of a value that contains itself", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    expect(line("m", loop).length).toBeLessThan(200);
  });

  it("AU-22: a long list is cut, with a marker", () => {
    const { list } = parsed("m", { list: Array.from({ length: 1000 }, () => 1) });
    expect(list).toEqual([...Array(limits.logItems_count).fill(1), "…[cut]"]);
  });
});

describe("AU-20 secrets", () => {
  it.each([
    "token",
    "access_token",
    "clientSecret",
    "Authorization",
    "password",
    "Set-Cookie",
    "api_key",
    "GATEHOUSE_KEYS",
    "credential",
  ])("AU-20: a field named %s is never printed, whatever it holds", (name) => {
    for (const value of ["canary", 7, ["canary"], { a: "canary" }, new Error("canary")]) {
      expect(parsed("m", { [name]: value, outer: { [name]: value } })).toMatchObject({
        [name]: "[redacted]",
        outer: { [name]: "[redacted]" },
      });
    }
  });

  it.each([
    ["a bearer credential", "got Bearer canary-abc.def== back", "got Bearer [redacted] back"],
    ["a credential of any case", "AUTHORIZATION: bEaReR canary", "AUTHORIZATION: bEaReR [redacted]"],
    ["a basic credential", "Basic Y2FuYXJ5OmNhbmFyeQ==", "Basic [redacted]"],
    ["a JWT", `x ${jwt} y`, "x [redacted] y"],
    ["a part of a JWT", `"${jwt.slice(0, 30)}"`, '"[redacted]"'],
    ["a token of ours", "ghc_canary-Abc_123", "[redacted]"],
    ["a GitHub token", "ghp_canary1234567890", "[redacted]"],
    ["a fine-grained GitHub token", "github_pat_canary_123", "[redacted]"],
    ["a Slack token", "xoxb-1234-canary", "[redacted]"],
    ["a key with a common prefix", "sk-ant-canary-123", "[redacted]"],
    ["a key in a query", "https://x.test/a?q=1&api_key=canary&z=2", "https://x.test/a?q=1&api_key=[redacted]&z=2"],
    ["user information in a URL", "https://user:canary@x.test/", "https://[redacted]@x.test/"],
  ])("AU-20: %s is replaced in any text", (_what, text, expected) => {
    expect(parsed(text, { a: text, b: [{ c: text }] })).toEqual({
      level: "warn",
      message: expected,
      a: expected,
      b: [{ c: expected }],
    });
  });

  it("AU-20: a secret at the cut is replaced before the text is cut", () => {
    const text = `${"x".repeat(limits.logText_chars - 20)} Bearer ${"canary".repeat(100)}`;
    expect(line("m", { text })).not.toContain("canary");
  });

  it("AU-20: a name that is a token is replaced as well", () => {
    expect(line("m", { ghp_canary1234567890: 1 })).not.toContain("canary");
  });
});

describe("AU-21 objects", () => {
  it("AU-21: an error is its name and message, without stack, cause message and what it quotes", () => {
    const error = new TypeError("Unexpected \"canary-1\" near 'canary-2' in `canary-3`", {
      cause: new RangeError("canary-4"),
    });
    expect(parsed("m", { error })).toEqual({
      level: "warn",
      message: "m",
      error: { name: "TypeError", message: "Unexpected [value] near [value] in [value]", cause: "RangeError" },
    });
  });

  it("AU-21: an error of a query shows no parameters", () => {
    const error = new Error("Failed query: insert into tokens values (?)\nparams: canary");
    expect(line("m", { error })).not.toContain("canary");
  });

  it("AU-21: an error of the JSON parser shows nothing of the text", () => {
    let error: unknown;
    try {
      JSON.parse("canary{");
    } catch (thrown) {
      error = thrown;
    }
    expect(line("m", { error })).not.toContain("canary");
  });

  it.each([
    ["a request", new Request("https://x.test/canary", { headers: { authorization: "canary" } }), "[Request]"],
    ["headers", new Headers({ "x-api-key": "canary" }), "[Headers]"],
    ["a map", new Map([["canary", "canary"]]), "[Map]"],
    ["bytes", new TextEncoder().encode("canary"), "[Uint8Array]"],
    ["a function", () => "canary", undefined],
    ["a symbol", Symbol("canary"), undefined],
  ])("AU-21: %s is not opened", (_what, value, expected) => {
    expect(parsed("m", { value })["value"]).toBe(expected);
  });
});
