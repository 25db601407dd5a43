import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { forwardedHeaders } from "../../../src/outbound/forwarded.ts";
import { headerPatternSchema, inboundHeadersProblem, type HeaderRules } from "../../../src/registry/index.ts";

const rules = (
  inbound: Partial<HeaderRules["inbound_headers"]>,
  type: "any" | "passthrough" = "passthrough",
): HeaderRules => ({
  agent_authentication: { type },
  inbound_headers: { forward: null, restrict: [], ...inbound },
});

/** Names that go on, of a request with these headers. */
function names(server: HeaderRules, headers: Record<string, string>, set: string[] = []): string[] {
  const forwarded = forwardedHeaders(server, new Headers(headers), set);
  if (!forwarded.ok) throw new Error(forwarded.error.reason);
  return forwarded.value.map(([name]) => name);
}

const goesOn = (server: HeaderRules, name: string): boolean => names(server, { [name]: "v" }).length === 1;

/** As passthrough without a rule has it: everything but what is never forwarded, and what the pattern restricts. */
describe("a restricted pattern", () => {
  // prettier-ignore
  it.each<[pattern: string, name: string, restricted: boolean]>([
    ["x-internal-*", "x-internal-a", true],
    ["x-internal-*", "X-INTERNAL-A", true],
    ["X-Internal-*", "x-internal-a", true],
    ["x-internal-*", "x-internal-", true],
    ["x-internal-*", "x-internal", false],
    ["x-internal-*", "x-internalb", false],
    ["x-internal-*", "xx-internal-a", false],
    ["x-internal-*", "a-x-internal-a", false],
    ["x-internal-*", "x_internal_a", true],
    ["x_internal_*", "x-internal-a", true],
    ["x-internal-*", "x-internal_a", true],
    ["x-internal", "x-internal", true],
    ["x-internal", "x-internal-a", false],
    ["x-internal", "ax-internal", false],
    ["*", "x-anything", true],
    ["**", "x-anything", true],
    ["*-id", "x-tenant-id", true],
    ["*-id", "-id", true],
    ["*-id", "x-tenant-ids", false],
    ["x-*-id", "x-tenant-id", true],
    ["x-*-id", "x--id", true],
    ["x-*-id", "x-id", false],
    ["x-*-id", "x-a-b-c-id", true],
    ["x-*-b-*-d", "x-a-b-c-d", true],
    ["x-*-b-*-d", "x-a-c-b-d", false],
    ["x-*-b-*-b", "x-a-b", false],
    ["x-a.*", "x-ab", false],
    ["x-a.*", "x-a.b", true],
    ["x-a+", "x-aa", false],
    ["x-a|x-b", "x-a", false],
    ["^x-a", "x-a", false],
    ["x-a$", "x-a", false],
  ])("HD-10, A8: %s and the header %s: %s", (pattern, name, restricted) => {
    expect(goesOn(rules({ restrict: [pattern] }), name)).toBe(!restricted);
    // HD-11: the same pattern means the same where it forwards.
    expect(goesOn(rules({ forward: [pattern] }, "any"), name)).toBe(restricted);
  });

  it.each([
    "?",
    "x-a?",
    "x-[ab]",
    "x-(a)",
    "x a",
    "",
    "x:a",
    "x-é",
    "a".repeat(limits.headerPattern_chars + 1),
    "x".repeat(10_240),
  ])("HD-11: %s is no pattern", (text) => {
    expect(headerPatternSchema.safeParse(text).success).toBe(false);
  });

  it("HD-11: a pattern takes no longer than one reading of the name, whatever the two are", () => {
    const evil = ["*a".repeat(60), `${"*a".repeat(60)}b`, `${"a*".repeat(60)}b`, "*a*aa*aaa*aaaa*aaaaa*b"];
    const name = "a".repeat(8_000);
    const server = rules({
      forward: null,
      restrict: [...evil, ...evil, ...evil].slice(0, limits.headerPatterns_count),
    });
    const headers = new Headers({ [name]: "v" });
    const started = performance.now();
    for (let turn = 0; turn < 200; turn++) forwardedHeaders(server, headers, []);
    // Backtracking would not end at all; the clock of the runtime may stand still, so this is checked where it does not.
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("HD-10: is what a regular expression says that is made of it, for any pattern and name", () => {
    const letters = fc.constantFrom("a", "b", "-", "_", "*", ".", "B");
    const text = fc.array(letters, { minLength: 1, maxLength: 10 }).map((all) => all.join(""));
    const name = text.map((one) => `q${one.replaceAll("*", "a").toLowerCase()}`);
    fc.assert(
      fc.property(text, name, (pattern, header) => {
        const canonical = `q${pattern}`.toLowerCase().replaceAll("_", "-");
        const source = canonical
          .split("*")
          .map((part) => part.replaceAll(".", "\\."))
          .join(".*");
        const expected = new RegExp(`^${source}$`).test(header.replaceAll("_", "-"));
        expect(goesOn(rules({ forward: [`q${pattern}`] }, "any"), header)).toBe(expected);
      }),
      { numRuns: 3_000, seed: 20261121 },
    );
  });
});

// prettier-ignore
const neverNames = [
  "authorization", "cookie", "cookie2", "set-cookie", "dpop", "proxy-authorization", "proxy-connection", "proxy-authenticate", "connection",
  "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "content-length", "content-type", "content-encoding", "content-md5",
  "accept", "accept-encoding", "accept-language", "range", "if-match", "if-none-match", "date", "host", "origin", "referer", "from", "user-agent",
  "sec-fetch-mode", "sec-websocket-key", "via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-user", "x-real-ip", "x-client-ip",
  "true-client-ip", "cf-connecting-ip", "cf-access-jwt-assertion", "cdn-loop", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name",
  "mcp-param-a", "last-event-id", "traceparent", "tracestate", "x-gatehouse-token", "x-gatehouse-anything", "x-user-id", "x-user-email", "x-auth-request-user",
  "x-auth-token", "x-remote-user", "remote-user", "remote-groups", "x-authenticated-user", "x-webauth-user", "x-ms-client-principal",
  "x-ms-client-principal-id", "x-goog-authenticated-user-email", "x-goog-iap-jwt-assertion", "x-amzn-oidc-identity", "x-amzn-oidc-data",
  "impersonate-user", "x-original-url", "x-rewrite-url", "x-http-method-override", "x-method-override",
];

describe("what is never forwarded", () => {
  it.each(neverNames)("HD-12, HD-03, HD-04: %s, though a rule names it", (name) => {
    const server = rules({ forward: [name, "*"] });
    const spellings = [name, name.toUpperCase(), name.replaceAll("-", "_"), name.replace("-", "_")];
    for (const spelling of spellings) expect(names(server, { [spelling]: "v", "x-fine": "v" })).toEqual(["x-fine"]);
  });

  it("HD-01: nor is what the sender named in Connection", () => {
    const headers = { connection: "close, X-Tenant , x_other", "x-tenant": "1", "x-other": "2", "x-fine": "3" };
    expect(names(rules({}), headers)).toEqual(["x-fine"]);
  });

  it("HD-12: a rule is told so when it is saved, and what can go on is not", () => {
    for (const name of neverNames)
      expect(inboundHeadersProblem({ forward: ["x-fine", name], restrict: [] })).toContain(`"${name}"`);
    for (const pattern of ["cf-*", "X-Forwarded-*", "sec_*", "proxy-a*", "x-gatehouse-*"])
      expect(inboundHeadersProblem({ forward: [pattern], restrict: [] })).toContain(pattern);
    for (const pattern of ["*", "x-*", "x-tenant", "*-id", "x-auth", "accepted"])
      expect([pattern, inboundHeadersProblem({ forward: [pattern], restrict: [] })]).toEqual([
        pattern,
        pattern === "accepted" ? expect.any(String) : undefined,
      ]);
    expect(inboundHeadersProblem({ forward: null, restrict: ["cookie"] })).toBeUndefined();
  });
});

describe("what is forwarded", () => {
  it("A8: nothing, unless a rule says so", () => {
    expect(names(rules({}, "any"), { "x-tenant": "1" })).toEqual([]);
  });

  it("A8: what a rule names, and what passthrough leaves open", () => {
    const headers = { "x-tenant": "1", "x-other": "2" };
    expect(names(rules({ forward: ["x-tenant"] }, "any"), headers)).toEqual(["x-tenant"]);
    expect(names(rules({ forward: ["x-tenant"] }), headers)).toEqual(["x-tenant"]);
    expect(names(rules({ forward: [] }), headers)).toEqual([]);
    expect(names(rules({}), headers)).toEqual(["x-other", "x-tenant"]);
  });

  it("A8: what is restricted and forwarded is restricted", () => {
    expect(names(rules({ forward: ["x-internal-a"], restrict: ["x-internal-*"] }), { "x-internal-a": "1" })).toEqual(
      [],
    );
  });

  it.each(["x-api-key", "X-API-KEY", "x_api_key", "x-api_key"])(
    "HD-06: %s gives way to the header that Gatehouse sets",
    (name) => {
      expect(names(rules({}), { [name]: "mine", "x-fine": "v" }, ["X-API-Key"])).toEqual(["x-fine"]);
    },
  );

  it("HD-02: values go on as they came", () => {
    const forwarded = forwardedHeaders(rules({}), new Headers({ "x-a": 'a\tb  c, d; e="f"' }), []);
    expect(forwarded).toEqual({ ok: true, value: [["x-a", 'a\tb  c, d; e="f"']] });
  });

  const refusal = (headers: HeadersInit): unknown => {
    const forwarded = forwardedHeaders(rules({}), new Headers(headers), []);
    return forwarded.ok ? forwarded.value : [forwarded.error.code, forwarded.error.reason];
  };

  it("HD-02: a value with other characters is refused", () => {
    expect(refusal({ "x-a": "caf\u00e9" })).toEqual(["bad_header", "header_characters"]);
  });

  it("HD-02: a control character in a value is refused", () => {
    expect(refusal({ "x-a": "a\u0001b" })).toEqual(["bad_header", "header_characters"]);
  });

  it("HD-03: two names that servers may take for one are refused", () => {
    expect(refusal({ "x-tenant": "1", x_tenant: "2" })).toEqual(["bad_header", "headers_alike"]);
  });

  it("HD-14: more headers than are forwarded are refused", () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-h${at}`, "v"]));
    expect(refusal(many(limits.forwardedHeaders_count))).toHaveLength(limits.forwardedHeaders_count);
    expect(refusal(many(limits.forwardedHeaders_count + 1))).toEqual(["bad_header", "headers_count"]);
  });

  it("HD-14: more characters than are forwarded are refused", () => {
    const fitting = "v".repeat(limits.forwardedHeaders_chars - 3);
    expect(refusal({ "x-a": fitting })).toEqual([["x-a", fitting]]);
    expect(refusal({ "x-a": `${fitting}v` })).toEqual(["bad_header", "headers_size"]);
  });

  it("HD-14: what stays behind does not count", () => {
    expect(refusal({ "user-agent": "v".repeat(limits.forwardedHeaders_chars), "x-a": "1" })).toEqual([["x-a", "1"]]);
  });
});
