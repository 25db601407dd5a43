import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { parseConfiguration, type Configuration } from "../../../src/env.ts";
import { resolveTenant } from "../../../src/tenant/index.ts";
import { createHarness, modernPost, setUp, type Harness } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream, watched, type World } from "./support.ts";

const origin = "https://a.gw.test";
let world: World;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  await world.tenant.addServer("up");
  ({ token } = await world.tenant.addClient(["up"]));
});

const call = (headers: Record<string, string> = {}): RequestInit =>
  modernPost("tools/call", { name: "echo", arguments: {} }, { token, headers });

const foreign = [
  "https://a.gw.test.",
  "https://a.gw.test..",
  "https://a.gw.test:8443",
  "https://a.gw.test:80",
  "http://a.gw.test",
  "http://a.gw.test:443",
  "https://xa.gw.test",
  "https://x.a.gw.test",
  "https://gw.test",
  "https://a.gw.test.evil.test",
  "https://a-gw.test",
  "https://a.gw.tes",
  // A Cyrillic letter in place of the "a", and the same as punycode.
  "https://\u0430.gw.test",
  "https://xn--80a.gw.test",
  // The parser maps fullwidth letters and ideographic full stops to their usual forms elsewhere; here they stay foreign hosts.
  "https://a.gw.test%2eevil.test",
  "https://192.0.2.1",
  "https://[2001:db8::1]",
  "https://2130706433",
  "https://_a.gw.test",
  `https://${"a".repeat(63)}.gw.test`,
  `https://${Array(60).fill("abc").join(".")}.gw.test`,
] as const;

describe("the host of a request", () => {
  it.each([
    "https://a.gw.test",
    "https://A.GW.TEST",
    "https://a.gw.test:443",
    "https://\uff41.gw.test",
    "https://a\u3002gw.test",
  ])("TN-01: %s is tenant A", async (host) => {
    expect((await ask(world.harness, `${host}/mcp/up`, call())).status).toBe(200);
    const { text } = await ask(world.harness, `${host}/.well-known/oauth-protected-resource`);
    expect(JSON.parse(text)).toMatchObject({ resource: `${origin}/mcp` });
  });

  it.each(foreign)("TN-01: %s has no tenant, before any storage is asked", async (host) => {
    const used: string[] = [];
    const note = (name: string) => (method: string) => void used.push(`${name}.${method}`);
    const bindings = {
      DB: watched(env.DB, note("DB")),
      CACHE: watched(env.CACHE, note("CACHE")),
      TENANT: watched(env.TENANT, note("TENANT")),
    };
    const harness = createHarness({ bindings });
    for (const path of [
      "/mcp",
      "/mcp/up",
      "/api/v1/servers",
      "/api/v1/setup",
      "/.well-known/oauth-protected-resource",
    ]) {
      const { status, text, headers } = await ask(harness, host + path, call());
      expect([path, status, headers.get("www-authenticate"), text.includes("gw.test")]).toEqual([
        path,
        404,
        null,
        false,
      ]);
    }
    expect([used, harness.seen.length, harness.events.length]).toEqual([[], 0, 0]);
  });

  it.each(["b.gw.test", "a.gw.test.", "a.gw.test:8443", "x@a.gw.test", "a.gw.test#", "a.gw.test/mcp/up?", ""])(
    'TN-01: a Host header "%s" that is not the host of the URL has no tenant',
    async (host) => {
      expect((await ask(world.harness, `${origin}/mcp/up`, call({ host }))).status).toBe(404);
    },
  );

  it("TN-01: no host but the configured one resolves, whatever its spelling", () => {
    const parsed = parseConfiguration({ GATEHOUSE_TENANTS: "a=a.gw.test l=localhost" });
    if (!parsed.ok) throw new Error(parsed.error);
    const configuration: Configuration = parsed.value;
    const part = fc.constantFrom(
      "a",
      "gw",
      "test",
      ".",
      ":",
      "443",
      "8443",
      "localhost",
      "-",
      "A",
      "@",
      "/",
      "\\",
      "%2e",
      "[",
      "]",
    );
    fc.assert(
      fc.property(fc.constantFrom("https://", "http://"), fc.array(part, { maxLength: 8 }), (scheme, parts) => {
        const url = URL.parse(`${scheme}${parts.join("")}`);
        const tenant = url === null ? undefined : resolveTenant(url, configuration);
        const isA = url?.host === "a.gw.test" && url.protocol === "https:";
        expect(tenant?.id).toBe(isA ? "a" : url?.hostname === "localhost" ? "l" : undefined);
      }),
      { numRuns: 5_000, seed: 20261121 },
    );
  });
});

describe("headers that claim another host or path", () => {
  let both: Harness;
  let token: string;

  beforeAll(async () => {
    both = createHarness();
    both.serve("up.upstream.test", echoUpstream());
    const a = await setUp(both);
    await a.addServer("up");
    ({ token } = await a.addClient(["up"]));
    const b = await setUp(both, "https://b.gw.test");
    await b.addServer("up");
  });

  it.each([
    { "x-forwarded-host": "b.gw.test" },
    { "x-forwarded-server": "b.gw.test" },
    { "x-host": "b.gw.test" },
    { "x-original-host": "b.gw.test" },
    { "x-http-host-override": "b.gw.test" },
    { forwarded: "for=1.1.1.1;host=b.gw.test;proto=https" },
    { "x-original-url": "/mcp/hidden" },
    { "x-rewrite-url": "/api/v1/servers" },
    { "x-http-method-override": "GET" },
    { "x-method-override": "DELETE" },
    { "x-forwarded-prefix": "/api" },
    { "cf-worker": "b.gw.test" },
  ])("TN-02: %o changes neither tenant, endpoint nor method", async (headers) => {
    const before = both.events.length;
    const init = modernPost("tools/call", { name: "echo", arguments: {} }, { token, headers });
    expect((await ask(both, `${origin}/mcp/up`, init)).status).toBe(200);
    expect(both.events[before]).toMatchObject({
      tenant: expect.stringMatching(/^a-/) as string,
      target: { endpoint: "/mcp/up", server: "up" },
    });
  });
});
