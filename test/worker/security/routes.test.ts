import { beforeAll, describe, expect, it } from "vitest";
import { createApp } from "../../../src/app.ts";
import { modernPost, setUp, setupSecret } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream, type World } from "./support.ts";
import { methods, table, type Cell, type Row } from "./routes.ts";

const origin = "https://a.gw.test";
let world: World;
const credentials = new Map<string, string | undefined>();

beforeAll(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  await world.tenant.addServer("up");
  const other = await setUp(world.harness, "https://b.gw.test");
  await other.addServer("up");
  credentials.set("nobody", undefined);
  credentials.set("an unknown token", "ghc_unknown");
  credentials.set("the set-up secret", setupSecret);
  credentials.set("another tenant's client", (await other.addClient(["up"])).token);
  credentials.set("another tenant's administrator", other.administrator);
  credentials.set("client", (await world.tenant.addClient(["up"])).token);
  credentials.set("administrator", world.tenant.administrator);
});

const principals = [
  "nobody",
  "an unknown token",
  "the set-up secret",
  "another tenant's client",
  "another tenant's administrator",
  "client",
  "administrator",
] as const;

const cellOf = (row: Row, principal: string): Cell =>
  principal === "client" ? row.client : principal === "administrator" ? row.administrator : row.stranger;

describe("the table of routes", () => {
  it("RS-20: names every route of the app and no other", () => {
    const registered = createApp(world.harness.ports).routes.map(({ path }) => path);
    expect([...new Set(registered)].sort()).toEqual(table.map(({ path }) => path).sort());
  });

  it.each(table.flatMap((row) => principals.map((principal) => [row.path, principal, row] as const)))(
    "RS-20: %s answers %s as the table says, on every method",
    async (_path, principal, row) => {
      const cell = cellOf(row, principal);
      const credential = credentials.get(principal);
      const headers: Record<string, string> = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
      const calls = world.harness.seen.length;
      const answered: Record<string, number> = {};
      const expected: Record<string, number | undefined> = {};
      for (const method of methods) {
        const { status } = await ask(world.harness, origin + row.sample, { method, headers });
        answered[method] = status;
        expected[method] = cell[method] ?? cell["*"];
      }
      expect(answered).toEqual(expected);
      expect(world.harness.seen.length).toBe(calls);
    },
  );

  it("RS-18: what is refused for its method names the methods that are served", async () => {
    const headers = { authorization: `Bearer ${credentials.get("client")}` };
    for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const { status, headers: answered } = await ask(world.harness, `${origin}/mcp/up`, { method, headers });
      expect([status, answered.get("allow")]).toEqual([405, "POST"]);
    }
    const api = { authorization: `Bearer ${credentials.get("administrator")}` };
    const { headers: answered } = await ask(world.harness, `${origin}/api/v1/servers`, { method: "PUT", headers: api });
    expect(answered.get("allow")).toBe("GET, HEAD, POST");
  });

  it.each(["GET", "DELETE", "PUT", "PATCH"])("RS-18: %s on an MCP endpoint is one recorded refusal", async (method) => {
    const before = world.harness.events.length;
    const headers = { authorization: `Bearer ${credentials.get("client")}` };
    await ask(world.harness, `${origin}/mcp/up`, { method, headers });
    expect(world.harness.events.slice(before)).toMatchObject([
      { type: "mcp.request", decision: { effect: "deny", reason: "http_method" } },
    ]);
  });
});

describe("a path that is nearly a route", () => {
  const near = [
    ["//mcp", 404],
    ["/mcp/", 404],
    ["/mcp/.", 404],
    ["/mcp//up", 404],
    ["/mcp/up/", 404],
    ["/mcp/up/x", 404],
    ["/mcp%2f", 404],
    ["/mcp%2fup", 404],
    ["/mcp/up%2f", 404],
    ["/mcp/up%00", 404],
    ["/mcp/up%20", 404],
    ["/mcp/%2e%2e", 404],
    ["/mcp/..%2fmcp%2fup", 404],
    ["/mcp/up%3fa=b", 404],
    ["/mcp/up%23a", 404],
    ["/mcp;x", 404],
    ["/mcp/up;x", 404],
    ["/MCP", 404],
    ["/Mcp/up", 404],
    ["/mcp/UP", 404],
    ["/mcp/up.json", 404],
    ["/mcp/up__echo", 404],
    ["/mcp/%E0%A4%A", 404],
    ["/api/v1/..%2f..%2fmcp", 401],
    ["/api/v1/%2e%2e/%2e%2e/healthz/x", 404],
    ["/api/v2/servers", 404],
    ["/API/v1/servers", 404],
    ["/api//v1/servers", 404],
    ["/.well-known/oauth-protected-resource/../../api/v1/x", 401],
    ["/admin/..%2fmcp", 404],
    ["/", 404],
    ["/*", 404],
    ["/mcp/:slug", 404],
    [`/mcp/${"a".repeat(33)}`, 404],
    [`/mcp/${"a".repeat(8000)}`, 404],
  ] as const;

  it.each(near)("RS-19: %s gets %i without a credential", async (path, status) => {
    expect((await ask(world.harness, origin + path, { method: "POST" })).status).toBe(status);
  });

  it.each(near)("RS-19: %s reaches no upstream with a good credential", async (path) => {
    const calls = world.harness.seen.length;
    const init = modernPost("tools/call", { name: "echo", arguments: {} }, { token: credentials.get("client") ?? "" });
    const { status } = await ask(world.harness, origin + path, init);
    expect([status < 200 || status >= 400, status < 500, world.harness.seen.length - calls]).toEqual([true, true, 0]);
  });

  it.each(["/%6dcp/up", "/mcp/%75p", "/x/../mcp/up", "/mcp/x/../up", "/mcp/./up"])(
    "RS-19: %s is another spelling of /mcp/up (RFC 3986 section 6.2.2) and is decided like it",
    async (path) => {
      expect((await ask(world.harness, origin + path, { method: "POST" })).status).toBe(401);
      const before = world.harness.events.length;
      const init = modernPost(
        "tools/call",
        { name: "echo", arguments: {} },
        { token: credentials.get("client") ?? "" },
      );
      expect((await ask(world.harness, origin + path, init)).status).toBe(200);
      expect(world.harness.events[before]).toMatchObject({ target: { endpoint: "/mcp/up", server: "up" } });
      await world.tenant.addServer("hidden").catch(() => undefined);
      const hidden = await ask(world.harness, origin + path.replace("up", "hidden").replace("%75p", "%68idden"), init);
      expect(hidden.status).toBe(404);
    },
  );
});
