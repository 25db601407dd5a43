import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { rawCall, startWorld, type World } from "./world.ts";
import { rawRequest } from "../support/raw-request.ts";

let world: World;
let port: string;

beforeAll(async () => {
  world = await startWorld();
  ({ port } = world.gatehouse.url);
});
afterAll(() => world.dispose());
beforeEach(() => world.spy.clear());

const here = (text: string): string => text.replaceAll("{port}", port);

describe("the Host of a request on the wire", () => {
  it.each(["localhost:{port}", "LOCALHOST:{port}", "LocalHost:{port}"])("TN-01: %s is the tenant", async (host) => {
    const { status } = await rawCall(world, { hosts: [here(host)] });
    expect([status, world.spy.of("tools/call").length]).toEqual([200, 1]);
  });

  it.each([
    "localhost.:{port}",
    "localhost..:{port}",
    ".localhost:{port}",
    "xlocalhost:{port}",
    "localhost.evil.test:{port}",
    "evil.test",
    "evil.test:{port}",
    "127.0.0.1:{port}",
    "127.1:{port}",
    "0x7f000001:{port}",
    "2130706433:{port}",
    "[::1]:{port}",
    "0.0.0.0:{port}",
    "lo\u00e7alhost:{port}",
    "xn--loalhost-s0a:{port}",
    "localhost%00:{port}",
    "localhost%2eevil.test",
    "localhost@evil.test",
    "evil.test@localhost:{port}",
    "localhost/evil",
    "localhost#evil",
    "localhost\\evil",
    "local\thost:{port}",
    "localhost?",
    "localhost/mcp/up?",
    "localhost/mcp/up#",
    "localhost:{port}:80",
    "localhost:99999",
    "localhost:-1",
    "localhost, evil.test",
    "localhost evil.test",
    `${"a".repeat(300)}.test`,
    "",
  ])('TN-01: "%s" has no tenant', async (host) => {
    const answer = await rawCall(world, { hosts: [here(host)] });
    expect([[400, 404].includes(answer.status), world.spy.requests.length]).toEqual([true, 0]);
    expect(answer.header("www-authenticate")).toBeUndefined();
  });

  it.each([
    ["none", []],
    ["two, the first right", ["localhost:{port}", "evil.test"]],
    ["two, the second right", ["evil.test", "localhost:{port}"]],
    ["the right one twice", ["localhost:{port}", "localhost:{port}"]],
  ])("TN-01: %s of it is not answered by a tenant", async (_name, hosts) => {
    const answer = await rawCall(world, { hosts: hosts.map(here) });
    expect([answer.status === 0 || answer.status >= 400, world.spy.requests.length]).toEqual([true, 0]);
  });

  it.each(["http://evil.test", "http://other.localhost:{port}", "http://localhost@evil.test", "https://evil.test:443"])(
    "TN-02: a target that begins with %s does not change what the Host says",
    async (authority) => {
      const target = `${here(authority)}/.well-known/oauth-protected-resource`;
      const own = await rawRequest(world.gatehouse.url, { target, headers: [["Host", world.host]] });
      expect(JSON.parse(own.body)).toMatchObject({ resource: `http://${world.host}/mcp` });
      const foreign = here(authority)
        .replace(/^https?:/, "http:")
        .replace("evil.test", world.host);
      const answer = await rawRequest(world.gatehouse.url, {
        target: `${foreign}/mcp`,
        headers: [["Host", "evil.test"]],
      });
      expect([[400, 404].includes(answer.status), answer.header("www-authenticate")]).toEqual([true, undefined]);
    },
  );

  it("TN-02: a target that begins with two slashes is no route", async () => {
    const answer = await rawCall(world, { target: "//evil.test/mcp/up" });
    expect([answer.status, world.spy.requests.length]).toEqual([404, 0]);
  });

  it.each([
    ["X-Forwarded-Host", "other.localhost"],
    ["X-Host", "other.localhost"],
    ["Forwarded", "host=other.localhost"],
    ["X-Original-URL", "/mcp/hidden"],
    ["X-Rewrite-URL", "/api/v1/servers"],
    ["X-Forwarded-Proto", "https"],
    ["X-HTTP-Method-Override", "GET"],
  ])("TN-02: %s: %s moves neither the call, the metadata nor the challenge", async (name, value) => {
    const lines = [[name, value]] as const;
    expect((await rawCall(world, { lines })).status).toBe(200);
    const challenged = await rawRequest(world.gatehouse.url, {
      target: "/mcp",
      headers: [["Host", world.host], ...lines],
    });
    const metadata = `http://${world.host}/.well-known/oauth-protected-resource/mcp`;
    expect(challenged.header("www-authenticate")).toBe(`Bearer resource_metadata="${metadata}", scope="mcp"`);
    const told = await rawRequest(world.gatehouse.url, {
      target: new URL(metadata).pathname,
      headers: [["Host", world.host], ...lines],
    });
    expect(JSON.parse(told.body)).toMatchObject({ resource: `http://${world.host}/mcp` });
  });
});

describe("a development instance", () => {
  let local: World;
  beforeAll(async () => {
    local = await startWorld("development");
  });
  afterAll(() => local.dispose());

  const at = (text: string): string => text.replaceAll("{port}", local.gatehouse.url.port);

  it.each(["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}"])("RS-17: answers to %s", async (host) => {
    expect((await rawCall(local, { hosts: [at(host)] })).status).toBe(200);
  });

  it.each([
    "evil.test",
    "evil.test:{port}",
    "localhost.evil.test:{port}",
    "127.0.0.1.evil.test:{port}",
    "192.168.0.10:{port}",
    "0.0.0.0:{port}",
    "localhost.:{port}",
  ])("RS-17: does not answer to %s, a name that leads to it", async (host) => {
    local.spy.clear();
    const lines = [["Origin", `http://${at(host)}`]] as const;
    for (const target of ["/mcp", "/mcp/up", "/api/v1/servers"]) {
      const answer = await rawCall(local, { hosts: [at(host)], lines, target });
      expect([answer.status, local.spy.requests.length]).toEqual([404, 0]);
    }
  });

  it.each(["http://evil.test", "http://localhost:1", "http://127.0.0.1:{port}", "null"])(
    "RS-17: refuses a page of %s",
    async (origin) => {
      local.spy.clear();
      const answer = await rawCall(local, { hosts: [at("localhost:{port}")], lines: [["Origin", at(origin)]] });
      expect([answer.status, local.spy.requests.length]).toEqual([403, 0]);
    },
  );
});
