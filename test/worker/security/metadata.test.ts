import { beforeAll, describe, expect, it } from "vitest";
import { ask, createWorld, type World } from "./support.ts";

const origin = "https://a.gw.test";
const wellKnown = "/.well-known/oauth-protected-resource";
let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.tenant.addServer("github");
});

const resourceOf = async (url: string, init?: RequestInit): Promise<unknown> => {
  const { text } = await ask(world.harness, url, init);
  return (JSON.parse(text) as { resource?: string }).resource;
};

describe("the metadata of a protected resource", () => {
  it.each([
    ["", "/mcp"],
    ["/mcp", "/mcp"],
    ["/mcp/github", "/mcp/github"],
    ["/mcp/nobody-has-this", "/mcp/nobody-has-this"],
  ])("RS-10: %s names its own resource", async (path, resource) => {
    expect(await resourceOf(origin + wellKnown + path)).toBe(origin + resource);
  });

  it("RS-10: the challenge of an endpoint leads to metadata that name this endpoint (RFC 9728 section 3.3)", async () => {
    for (const path of ["/mcp", "/mcp/github", "/mcp/nobody-has-this"]) {
      const { headers } = await ask(world.harness, origin + path, { method: "POST" });
      const url = /resource_metadata="([^"]+)"/.exec(headers.get("www-authenticate") ?? "")?.[1] ?? "";
      expect(await resourceOf(url)).toBe(origin + path);
    }
  });

  it.each([
    "/",
    "/mcp/",
    "/MCP",
    "/mcp/GitHub",
    "/mcp/github/",
    "/mcp/github/x",
    "/mcp/..",
    "/mcp/a%2fb",
    "/mcp/a__b",
    "/mcp/-a",
    "/mcp/a%00",
    `/mcp/${"a".repeat(33)}`,
    "/api/v1",
    "/healthz",
    "/mcp//github",
  ])("RS-10: %s is no resource", async (path) => {
    const { status, text } = await ask(world.harness, origin + wellKnown + path);
    expect([status, text.includes('resource"')]).toEqual([404, false]);
  });

  it("RS-10: a server that exists and one that does not have the same metadata but for the name", async () => {
    const shown = async (slug: string): Promise<string> =>
      (await ask(world.harness, `${origin}${wellKnown}/mcp/${slug}`)).text.replaceAll(slug, "{slug}");
    expect(await shown("github")).toBe(await shown("nothing"));
  });

  it.each([
    { "x-forwarded-host": "evil.test" },
    { "x-host": "evil.test" },
    { forwarded: "host=evil.test;proto=http" },
    { "x-original-url": "https://evil.test/mcp" },
    { "x-rewrite-url": "/mcp/other" },
    { "x-forwarded-proto": "http" },
    { "x-forwarded-port": "8443" },
  ])("RS-11: %o moves neither the metadata nor the challenge", async (headers) => {
    expect(await resourceOf(origin + wellKnown, { headers })).toBe(`${origin}/mcp`);
    const challenged = await ask(world.harness, `${origin}/mcp`, { method: "POST", headers });
    expect(challenged.headers.get("www-authenticate")).toBe(
      `Bearer resource_metadata="${origin}${wellKnown}/mcp", scope="mcp"`,
    );
  });

  it.each(["https://evil.test", "https://c.gw.test", "https://a.gw.test.evil.test"])(
    "RS-11: %s has no metadata",
    async (foreign) => {
      const { status, text } = await ask(world.harness, foreign + wellKnown);
      expect([status, text.includes("evil.test"), text.includes("gw.test")]).toEqual([404, false, false]);
    },
  );
});
