/** What each endpoint says that it offers: no more than the gateway relays, and nothing of hidden servers. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  objectAt,
  requestEvents,
  responseEvents,
  result,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
  type Upstream,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

/** A modern server that declares these capabilities. */
const modern =
  (capabilities: JsonObject, more: JsonObject = {}): Upstream =>
  ({ message }) =>
    result(message["id"] ?? null, { supportedVersions: ["2026-07-28"], capabilities, ttlMs: 0, ...more });

async function serve(servers: Readonly<Record<string, Upstream | undefined>>): Promise<void> {
  const ids: string[] = [];
  for (const [slug, upstream] of Object.entries(servers)) {
    const id = await tenant.addServer(slug);
    if (slug !== "hidden") ids.push(id);
    if (upstream !== undefined) harness.serve(`${slug}.upstream.test`, upstream);
  }
  ({ token } = await tenant.addClient(ids));
}

const discover = (path: string): Promise<Asked> => ask(harness, tenant.origin + path, "server/discover", {}, { token });

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
});

describe("server/discover on the transparent endpoint", () => {
  it("F2: has the server's capabilities and instructions, and the gateway's own version and name", async () => {
    await serve({ up: modern({ tools: { listChanged: true, "x-y": 1 }, prompts: {} }, { instructions: "Be kind." }) });
    const { status, message } = await discover("/mcp/up");
    expect(status).toBe(200);
    expect(message["result"]).toEqual({
      resultType: "complete",
      supportedVersions: ["2026-07-28"],
      capabilities: { tools: { listChanged: true, "x-y": 1 }, prompts: {} },
      instructions: "Be kind.",
      ttlMs: 0,
      cacheScope: "private",
      _meta: { "io.modelcontextprotocol/serverInfo": expect.objectContaining({ name: "gatehouse" }) },
    });
  });

  it("F2: declares no capability and no extension that is not relayed", async () => {
    const extensions = {
      "io.modelcontextprotocol/tasks": { a: 1 },
      "com.example/x": {},
      "io.modelcontextprotocol/ui": {},
    };
    await serve({ up: modern({ tools: {}, experimental: { a: {} }, extensions }) });
    const { message } = await discover("/mcp/up");
    expect(objectAt(message, "result")["capabilities"]).toEqual({
      tools: {},
      extensions: { "io.modelcontextprotocol/tasks": { a: 1 }, "io.modelcontextprotocol/ui": {} },
    });
  });

  it("F4: promises no notifications for a legacy server", async () => {
    const capabilities = {
      tools: { listChanged: true },
      resources: { subscribe: true },
      extensions: { x: {} },
      tasks: {},
    };
    await serve({ up: legacyUpstream({ capabilities, instructions: "Old." }, () => ({})) });
    const { message } = await discover("/mcp/up");
    expect(message["result"]).toMatchObject({ capabilities: { tools: {}, resources: {} }, instructions: "Old." });
    expect(objectAt(message, "result")["capabilities"]).toEqual({ tools: {}, resources: {} });
  });

  it("F6: an upstream that is down is an error of its own, not of ours", async () => {
    await serve({ up: () => new Response(null, { status: 503 }) });
    const { status, message } = await discover("/mcp/up");
    expect({ status, message }).toMatchObject({ status: 200, message: { id: 1, error: { code: -32603 } } });
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "upstream_http_503" });
  });

  it("S1: is recorded", async () => {
    await serve({ up: modern({ tools: {} }) });
    await discover("/mcp/up");
    expect(requestEvents(harness)).toMatchObject([{ target: { method: "server/discover", server: "up" } }]);
    expect(responseEvents(harness)).toMatchObject([{ outcome: { status: "ok" } }]);
  });
});

describe("server/discover on the aggregate endpoint", () => {
  it("F1: has what any permitted server offers, and names what each did", async () => {
    await serve({
      a: modern({ tools: { listChanged: true }, prompts: {} }, { instructions: "not shown" }),
      b: legacyUpstream({ capabilities: { tools: { listChanged: true }, completions: {} } }, () => ({})),
      dead: undefined,
      hidden: modern({ resources: {}, logging: {} }),
    });
    const { message } = await discover("/mcp");
    const discovered = objectAt(message, "result");
    expect(discovered["capabilities"]).toEqual({ tools: { listChanged: true }, prompts: {}, completions: {} });
    expect(discovered["instructions"]).toBeUndefined();
    expect(discovered["_meta"]).toMatchObject({ "gatehouse/upstreams": { a: "ok", b: "ok", dead: "network_error" } });
    expect(JSON.stringify(message)).not.toContain("hidden");
    expect(harness.seen.map(({ url }) => new URL(url).hostname)).not.toContain("hidden.upstream.test");
  });

  it("F1: with no server at all offers nothing", async () => {
    await serve({});
    const { status, message } = await discover("/mcp");
    expect(status).toBe(200);
    expect(objectAt(message, "result")["capabilities"]).toEqual({});
  });
});
