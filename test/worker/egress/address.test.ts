import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkUrl, type EgressPolicy } from "../../../src/egress/index.ts";
import { policy } from "./fakes.ts";
import { refusedUrls } from "./refused-urls.ts";

const development: EgressPolicy = { mode: "development", origins: new Set() };
const listing = (...origins: string[]): EgressPolicy => ({ mode: "enterprise", origins: new Set(origins) });

function reason(url: string, under: EgressPolicy = policy): string | undefined {
  const checked = checkUrl(url, under);
  return checked.ok ? "accepted" : checked.error.reason;
}

describe("SS-01, SS-02, SS-03, SS-04, SS-05, SS-06, SS-07: addresses that are refused", () => {
  it.each(refusedUrls)("%s: %s is refused", (_id, url, expected) => {
    const checked = checkUrl(url, policy);
    expect(!checked.ok && checked.error).toMatchObject({ code: "not_allowed_upstream", reason: expected });
  });

  it.each(refusedUrls.filter(([, url]) => url.includes("hunter2")))(
    "SS-07: the detail for %s %s holds no secret",
    (_id, url) => {
      const checked = checkUrl(url, policy);
      expect(JSON.stringify(checked)).not.toContain("hunter2");
    },
  );

  it("SS-07: the detail for a refused address holds nothing of its query", () => {
    expect(JSON.stringify(checkUrl("https://10.0.0.1/?key=hunter2", policy))).not.toContain("hunter2");
  });
});

describe("addresses that are accepted", () => {
  it.each([
    "https://mcp.example.com/mcp?tenant=1",
    "https://mcp.example.com:443/",
    "https://mcp.example.com:8443/",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://bücher.example/",
    "https://local.example.com/",
    "https://localhost.example.com/",
    "https://a_b.example.com/",
    "https://172.32.0.1/",
  ])("SS-01: %s is a public address", (url) => {
    expect(reason(url)).toBe("accepted");
  });

  it("SS-02: the URL comes back canonical", () => {
    const checked = checkUrl("HTTPS://MCP.Example.COM:443/a/../b", policy);
    expect(checked.ok && checked.value.href).toBe("https://mcp.example.com/b");
  });
});

describe("development mode", () => {
  it.each([
    "http://localhost:3000/mcp",
    "https://localhost/",
    "http://a.localhost:1/",
    "http://127.0.0.1:8080/",
    "http://127.1.2.3/",
    "http://[::1]:9/",
  ])("SS-05: %s is allowed", (url) => {
    expect(reason(url, development)).toBe("accepted");
  });

  it.each([
    ["https://10.0.0.1/", "url_private_ipv4"],
    ["https://169.254.169.254/", "url_private_ipv4"],
    ["https://[::ffff:127.0.0.1]/", "url_private_ipv6"],
    ["https://0.0.0.0/", "url_private_ipv4"],
    ["https://db.internal/", "url_private_name"],
    ["http://mcp.example.com/", "url_not_https"],
    ["https://mcp.example.com:22/", "url_port"],
    ["http://user:hunter2@localhost/", "url_userinfo"],
    ["ws://localhost/", "url_scheme"],
  ])("SS-01: %s is refused", (url, expected) => {
    expect(reason(url, development)).toBe(expected);
  });
});

describe("origins that the operator lists", () => {
  it.each([
    ["http://10.0.0.7:9000/mcp", "http://10.0.0.7:9000"],
    ["https://db.internal/", "https://db.internal"],
    ["https://mcp.example.com:6379/", "https://mcp.example.com:6379"],
  ])("SS-06: %s is allowed", (url, origin) => {
    expect(reason(url, listing(origin))).toBe("accepted");
  });

  it.each([
    ["another port", "http://10.0.0.7:9001/mcp", "url_not_https"],
    ["another scheme", "https://10.0.0.7:9000/mcp", "url_port"],
    ["another host", "http://10.0.0.8:9000/mcp", "url_not_https"],
    ["a password", "http://user:hunter2@10.0.0.7:9000/mcp", "url_userinfo"],
  ])("SS-06: an origin does not allow %s", (_what, url, expected) => {
    expect(reason(url, listing("http://10.0.0.7:9000"))).toBe(expected);
  });
});

/** First address and length of the special blocks, written down apart from the code. */
const special: readonly (readonly [first: number, size: number])[] = [
  [0x00000000, 2 ** 24],
  [0x0a000000, 2 ** 24],
  [0x64400000, 2 ** 22],
  [0x7f000000, 2 ** 24],
  [0xa9fe0000, 2 ** 16],
  [0xac100000, 2 ** 20],
  [0xc0000000, 2 ** 8],
  [0xc0000200, 2 ** 8],
  [0xc01fc400, 2 ** 8],
  [0xc034c100, 2 ** 8],
  [0xc0586300, 2 ** 8],
  [0xc0a80000, 2 ** 16],
  [0xc0af3000, 2 ** 8],
  [0xc6120000, 2 ** 17],
  [0xc6336400, 2 ** 8],
  [0xcb007100, 2 ** 8],
  [0xe0000000, 2 ** 29],
];

const isSpecial = (address: number): boolean =>
  special.some(([first, size]) => address >= first && address < first + size);

const specialAddress = fc
  .constantFrom(...special)
  .chain(([first, size]) =>
    fc.oneof(fc.constantFrom(first, first + size - 1), fc.integer({ min: first, max: first + size - 1 })),
  );

const publicAddress = fc.integer({ min: 0, max: 2 ** 32 - 1 }).filter((address) => !isSpecial(address));

const radix = fc.constantFrom(
  (part: number) => String(part),
  (part: number) => `0x${part.toString(16)}`,
  (part: number) => `0X${part.toString(16).toUpperCase()}`,
  (part: number) => `0${part.toString(8)}`,
  (part: number) => `0x000${part.toString(16)}`,
);

/** One of the spellings that `new URL()` takes for an address: one to four parts, each in its own radix. */
const spelled = (address: fc.Arbitrary<number>): fc.Arbitrary<string> =>
  fc
    .tuple(address, fc.integer({ min: 1, max: 4 }), fc.tuple(radix, radix, radix, radix))
    .map(([value, count, radices]) => {
      const leading = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255].slice(0, count - 1);
      const parts = [...leading, value % 2 ** (8 * (5 - count))];
      return parts.map((part, index) => (radices[index] ?? String)(part)).join(".");
    });

const runs = { numRuns: 1_000, seed: 20_261_121 };

describe("addresses at random", () => {
  it("SS-02: every spelling of every special IPv4 address is refused", () => {
    fc.assert(
      fc.property(spelled(specialAddress), (host) => reason(`https://${host}/`) === "url_private_ipv4"),
      runs,
    );
  });

  it("SS-02: every spelling of a public IPv4 address is accepted", () => {
    fc.assert(
      fc.property(spelled(publicAddress), (host) => reason(`https://${host}/`) === "accepted"),
      runs,
    );
  });

  it("SS-03: no IPv6 address that embeds an IPv4 address is accepted", () => {
    const embedded = fc.tuple(
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.constantFrom(
        (high: string, low: string) => `[::${high}:${low}]`,
        (high: string, low: string) => `[::ffff:${high}:${low}]`,
        (high: string, low: string) => `[::ffff:0:${high}:${low}]`,
        (high: string, low: string) => `[64:ff9b::${high}:${low}]`,
        (high: string, low: string) => `[64:ff9b:1::${high}:${low}]`,
        (high: string, low: string) => `[2002:${high}:${low}::1]`,
        (high: string, low: string) => `[2001:0:${high}:${low}:0:0:${high}:${low}]`,
      ),
    );
    fc.assert(
      fc.property(embedded, ([high, low, form]) => {
        return reason(`https://${form(high.toString(16), low.toString(16))}/`) === "url_private_ipv6";
      }),
      runs,
    );
  });

  it("SS-03: no IPv6 address outside 2000::/3 is accepted", () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, ([first = 0, ...rest]) => {
        fc.pre(first < 0x2000 || first > 0x3fff);
        return (
          reason(`https://[${[first, ...rest].map((group) => group.toString(16)).join(":")}]/`) === "url_private_ipv6"
        );
      }),
      runs,
    );
  });

  it("SS-01: no text at all makes the check throw", () => {
    const hosts = fc.string().map((host) => `https://${host}/`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), hosts), (text) => {
        checkUrl(text, policy);
      }),
      runs,
    );
  });
});
