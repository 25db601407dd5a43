import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { rawBytes, rawRequest } from "../support/raw-request.ts";
import { modernRequest } from "../support/modern-request.ts";
import { modernServer } from "../support/spy-servers.ts";
import { rawCall, startWorld, type Lines, type World } from "./world.ts";

let world: World;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.dispose());
beforeEach(() => {
  world.spy.clear();
  world.spy.answer(modernServer({ tools: [{ name: "echo" }] }));
});

/** All that an upstream may see: what Gatehouse writes, and what the platform's own HTTP client adds. */
const written = ["accept", "content-type", "mcp-method", "mcp-name", "mcp-protocol-version", "user-agent", "via"];
const added = ["accept-encoding", "cf-worker", "connection", "content-length", "host", "transfer-encoding"];

function seenNames(): string[] {
  const [call] = world.spy.of("tools/call");
  if (call === undefined) throw new Error("The upstream saw no call.");
  return [...new Set(call.headers.map(([name]) => name.toLowerCase()))].filter((name) => !added.includes(name)).sort();
}

const passed: readonly (readonly [string, Lines])[] = [
  [
    "HD-01: hop-by-hop headers",
    [
      ["Keep-Alive", "timeout=5"],
      ["TE", "trailers"],
      ["Trailer", "X-A"],
      ["Proxy-Connection", "close"],
    ],
  ],
  [
    "HD-01: headers that Connection names",
    [
      ["Connection", "close, x-secret, authorization"],
      ["X-Secret", "s"],
    ],
  ],
  [
    "HD-01: an upgrade",
    [
      ["Upgrade", "h2c"],
      ["HTTP2-Settings", "AAMAAABkAAQAAP__"],
    ],
  ],
  [
    "HD-03: headers with an underscore",
    [
      ["X_Internal_User", "root"],
      ["Mcp_Session_Id", "s"],
      ["X_Forwarded_For", "127.0.0.1"],
    ],
  ],
  [
    "HD-03: headers that claim an identity",
    [
      ["X-User-Id", "root"],
      ["Remote-User", "root"],
      ["X-Forwarded-User", "root"],
    ],
  ],
  [
    "HD-04: headers that claim an address",
    [
      ["CF-Connecting-IP", "127.0.0.1"],
      ["True-Client-IP", "127.0.0.1"],
      ["X-Real-IP", "127.0.0.1"],
    ],
  ],
  [
    "HD-12: headers that never pass",
    [
      ["Cookie", "a=b"],
      ["Mcp-Session-Id", "s"],
      ["Last-Event-ID", "1"],
      ["Proxy-Authorization", "Basic eDp5"],
    ],
  ],
];

describe("what an upstream sees on the wire", () => {
  it.each(passed)("%s do not pass", async (_title, lines) => {
    expect((await rawCall(world, { lines })).status).toBe(200);
    expect(seenNames()).toEqual(written);
    expect(world.spy.requests.map(({ text }) => text).join()).not.toMatch(/root|127\.0\.0\.1(?!:\d+\b)|x-secret/i);
  });

  it("HD-12: the token of the caller is nowhere in it", async () => {
    await rawCall(world);
    expect(world.spy.requests.length).toBeGreaterThan(0);
    expect(world.spy.requests.map(({ text }) => text).join()).not.toContain(world.token);
  });
});

describe("bytes that no header may hold", () => {
  it.each([
    ["a NUL in a value", "X-A: a\0b"],
    ["a NUL in a name", "X-\0A: b"],
    ["a bare carriage return", "X-A: a\rX-Injected: b"],
    ["a bare line feed", "X-A: a\nX-Injected: b"],
    ["a folded line", "X-A: a\r\n X-Injected: b"],
    ["a space before the colon", "X-Injected : b"],
    ["no colon", "X-Injected"],
    ["an empty name", ": b"],
    ["a control character in Mcp-Param", "Mcp-Param-A: a\x01b"],
    ["Latin-1 in Mcp-Param", "Mcp-Param-A: \xe9"],
  ])("HD-02: %s adds no header upstream", async (_name, line) => {
    const { headers, body } = modernRequest({
      method: "tools/call",
      params: { name: "echo", arguments: {} },
      token: world.token,
    });
    const lines = Object.entries({ host: world.host, ...headers, "content-length": String(body.length) }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const answer = await rawBytes(
      world.gatehouse.url,
      Buffer.from(`POST /mcp/up HTTP/1.1\r\n${lines.join("")}${line}\r\n\r\n${body}`, "latin1"),
    );
    expect(answer.status).toBeLessThan(500);
    const names = world.spy.requests.flatMap((request) => request.headers.map(([name]) => name.toLowerCase()));
    expect(
      names.filter((name) => name.includes("injected") || name.startsWith("mcp-param") || name.startsWith("x-")),
    ).toEqual([]);
  });

  it.each(["\xe9", "\x01", "\x7f"])("RS-03: a token with the byte %j is refused", async (byte) => {
    const lines: Lines = [
      ["Host", world.host],
      ["Authorization", `Bearer ${world.token}${byte}`],
    ];
    const answer = await rawRequest(world.gatehouse.url, { method: "POST", target: "/mcp/up", headers: lines });
    expect([answer.status >= 400 && answer.status < 500, world.spy.requests.length]).toEqual([true, 0]);
  });

  it("RS-03: two Authorization lines are refused", async () => {
    const answer = await rawCall(world, { lines: [["Authorization", `Bearer ${world.token}`]] });
    expect([answer.status, world.spy.requests.length]).toEqual([401, 0]);
  });
});

describe("framing that contradicts itself", () => {
  const smuggled = (): string => {
    const { headers, body } = modernRequest({
      method: "tools/call",
      params: { name: "smuggled", arguments: {} },
      token: world.token,
    });
    const lines = Object.entries({ host: world.host, ...headers, "content-length": String(body.length) });
    return `POST /mcp/up HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
  };
  const outer = (framing: readonly string[], body: string): string =>
    [`POST /mcp HTTP/1.1`, `Host: ${world.host}`, ...framing, "", body].join("\r\n");

  it.each<[string, () => string]>([
    [
      "Content-Length and Transfer-Encoding",
      () => outer(["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${smuggled()}`),
    ],
    [
      "Transfer-Encoding and Content-Length",
      () => outer(["Transfer-Encoding: chunked", `Content-Length: ${smuggled().length + 5}`], `0\r\n\r\n${smuggled()}`),
    ],
    ["two lengths", () => outer(["Content-Length: 0", `Content-Length: ${smuggled().length}`], smuggled())],
    ["a list of lengths", () => outer([`Content-Length: 0, ${smuggled().length}`], smuggled())],
    ["a length with a sign", () => outer(["Content-Length: +0"], smuggled())],
    ["an unknown transfer coding", () => outer(["Transfer-Encoding: xchunked"], `0\r\n\r\n${smuggled()}`)],
    [
      "two transfer codings",
      () => outer(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], `0\r\n\r\n${smuggled()}`),
    ],
    ["a tab in the transfer coding", () => outer(["Transfer-Encoding:\tchunked\t,"], `0\r\n\r\n${smuggled()}`)],
    ["a chunk size that overflows", () => outer(["Transfer-Encoding: chunked"], `10000000000000000\r\n${smuggled()}`)],
    ["a negative chunk size", () => outer(["Transfer-Encoding: chunked"], `-1\r\n\r\n${smuggled()}`)],
  ])("HD-05: %s hides no second request", async (_name, bytes) => {
    const answer = await rawBytes(world.gatehouse.url, bytes());
    // A later answer proves that what the connection held was worked off.
    expect((await rawCall(world)).status).toBe(200);
    const names = world.spy.of("tools/call").map((request) => request.json().params?.["name"]);
    expect([names, answer.status === 200]).toEqual([["echo"], false]);
  });
});

describe("methods on the wire", () => {
  it.each(["TRACE", "TRACK", "CONNECT", "FOO", "PROPFIND", "post"])(
    "RS-18: %s reaches no upstream and echoes nothing",
    async (method) => {
      for (const target of ["/mcp", "/mcp/up", "/api/v1/servers", "/healthz"]) {
        const answer = await rawCall(world, { method, target, lines: [["X-Echo", "canary-echo"]] });
        expect([answer.status >= 400, answer.raw.includes("canary-echo"), answer.raw.includes(world.token)]).toEqual([
          true,
          false,
          false,
        ]);
      }
      expect(world.spy.requests.length).toBe(0);
    },
  );
});

describe("headers that are too many or too large", () => {
  it.each([
    ["a thousand", Array.from({ length: 1_000 }, (_, at): [string, string] => [`X-Filler-${at}`, "a"])],
    ["one of 64 KiB", [["X-Large", "a".repeat(65_536)] as [string, string]]],
    ["128 KiB in all", Array.from({ length: 128 }, (_, at): [string, string] => [`X-Large-${at}`, "a".repeat(1_024)])],
  ])("HD-14: %s are refused or ignored, and never passed on", async (_name, lines) => {
    const answer = await rawCall(world, { lines });
    const refused = answer.status === 0 || (answer.status >= 400 && answer.status < 500);
    expect(refused || answer.status === 200).toBe(true);
    expect(world.spy.requests.flatMap(({ headers }) => headers.filter(([name]) => /^x-/i.test(name)))).toEqual([]);
    expect((await rawCall(world)).status).toBe(200);
  });

  it.each(["Content-Type", "Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"])(
    "HD-15: two lines of %s are refused",
    async (name) => {
      const values: Record<string, string> = {
        "Content-Type": "application/json",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "echo",
        "MCP-Protocol-Version": "2026-07-28",
      };
      const answer = await rawCall(world, { lines: [[name, values[name] ?? ""]] });
      expect([answer.status, world.spy.of("tools/call").length]).toEqual([name === "Content-Type" ? 415 : 400, 0]);
    },
  );
});

describe("what a client sees of an upstream's headers on the wire", () => {
  const evil = {
    "Set-Cookie": ["a=b; Path=/", "c=d"],
    Location: "https://evil.test/",
    "WWW-Authenticate": "Basic",
    "Access-Control-Allow-Origin": "*",
    "Strict-Transport-Security": "max-age=0",
    "Content-Security-Policy": "default-src *",
    "Clear-Site-Data": '"*"',
    "Mcp-Session-Id": "s",
    Refresh: "0;url=https://evil.test/",
    "Keep-Alive": "timeout=99",
    Trailer: "X-Late",
    "X-Upstream": "1",
    "Cache-Control": "public",
    "Content-Type": "application/json",
  };

  it.each([200, 401, 403, 404, 429, 500, 503])("HD-13: none of them passes with an answer of %i", async (status) => {
    const well = modernServer({ tools: [{ name: "echo" }] });
    world.spy.answer(async (request) => {
      const answer = await well(request);
      return request.json().method === "tools/call" ? { ...answer, status, headers: evil } : answer;
    });
    const answer = await rawCall(world);
    const names = answer.headers.map(([name]) => name.toLowerCase()).filter((name) => name !== "date");
    expect(
      names.filter(
        (name) =>
          ![
            "content-type",
            "content-length",
            "transfer-encoding",
            "cache-control",
            "x-accel-buffering",
            "connection",
          ].includes(name),
      ),
    ).toEqual([]);
    expect([
      answer.header("cache-control"),
      answer.raw.includes("evil.test"),
      answer.status === 401 || answer.status === 403,
    ]).toEqual(["no-store", false, false]);
  });
});
