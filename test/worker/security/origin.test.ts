import { beforeAll, describe, expect, it } from "vitest";
import { modernPost } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream, expectRefused, virtualHarness, type World } from "./support.ts";
import type { Harness } from "../gateway/support.ts";

const origin = "https://a.gw.test";
const friend = "https://app.friend.test";
let world: World;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  await world.tenant.addServer("up");
  ({ token } = await world.tenant.addClient(["up"]));
  await world.tenant.api("PATCH", "/settings", { allowed_origins: [friend] });
});

const call = (headers: Record<string, string>): RequestInit =>
  modernPost("tools/call", { name: "echo", arguments: {} }, { token, headers });

const foreign = [
  "https://evil.test",
  "http://a.gw.test",
  "https://a.gw.test:8443",
  "https://b.gw.test",
  "https://a.gw.test.evil.test",
  "https://evil.test/https://a.gw.test",
  "https://app.friend.test.evil.test",
  "http://app.friend.test",
  "HTTPS://APP.FRIEND.TEST",
  "null",
  "file://",
  "",
  "https://a.gw.test, https://evil.test",
];

const corsOf = ({ headers }: { headers: Headers }): string[] =>
  [...headers.keys()].filter((name) => name.startsWith("access-control-"));

describe("a web page of another origin", () => {
  it.each(foreign)('RS-16: a call with Origin "%s" is refused, with a good token', async (value) => {
    const answered = await expectRefused(world.harness, `${origin}/mcp/up`, call({ origin: value }), {
      status: 403,
      challenge: "none",
      event: ["auth.failed", "origin"],
    });
    expect(corsOf(answered)).toEqual([]);
  });

  it.each(foreign)('RS-16: a preflight with Origin "%s" is refused', async (value) => {
    const headers = { origin: value, "access-control-request-method": "POST" };
    const answered = await expectRefused(
      world.harness,
      `${origin}/mcp/up`,
      { method: "OPTIONS", headers },
      {
        status: 403,
        challenge: "none",
        event: ["auth.failed", "origin"],
      },
    );
    expect(corsOf(answered)).toEqual([]);
  });

  it.each(["https://evil.test", friend, "null"])('RS-16: the admin API refuses Origin "%s"', async (value) => {
    const headers = { origin: value, authorization: `Bearer ${world.tenant.administrator}` };
    const answered = await expectRefused(
      world.harness,
      `${origin}/api/v1/servers`,
      { headers },
      {
        status: 403,
        challenge: "none",
        event: ["auth.failed", "origin"],
      },
    );
    expect(corsOf(answered)).toEqual([]);
  });
});

describe("a web page of an allowed origin", () => {
  it.each([origin, friend])("RS-16: %s may call, without credentials of the browser", async (value) => {
    const answered = await ask(world.harness, `${origin}/mcp/up`, call({ origin: value }));
    expect(answered.status).toBe(200);
    expect(answered.headers.get("access-control-allow-origin")).toBe(value);
    expect(answered.headers.get("vary")).toBe("Origin");
    expect(answered.headers.get("access-control-allow-credentials")).toBeNull();
  });

  it("RS-16: its preflight is granted for POST alone, without credentials of the browser", async () => {
    const headers = {
      origin: friend,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,mcp-protocol-version",
    };
    const { status, headers: answered } = await ask(world.harness, `${origin}/mcp/up`, { method: "OPTIONS", headers });
    expect(status).toBe(204);
    expect(answered.get("access-control-allow-methods")).toBe("POST, GET, DELETE");
    expect(answered.get("access-control-allow-origin")).toBe(friend);
    expect(answered.get("access-control-allow-credentials")).toBeNull();
  });

  it("RS-16: without a token it gets the challenge, which its script may read", async () => {
    const { status, headers } = await ask(world.harness, `${origin}/mcp/up`, {
      method: "POST",
      headers: { origin: friend },
    });
    expect(status).toBe(401);
    expect(headers.get("access-control-expose-headers")).toBe("WWW-Authenticate, Mcp-Session-Id");
  });
});

describe("a web page against a development instance on loopback", () => {
  const local = "http://localhost:8911";
  let harness: Harness;

  beforeAll(async () => {
    ({ harness } = virtualHarness({ bindings: { GATEHOUSE_MODE: "development" } }));
    harness.serve("up.upstream.test", echoUpstream());
    const json = { "content-type": "application/json" };
    const body = JSON.stringify({ slug: "up", url: "https://up.upstream.test/mcp" });
    expect((await ask(harness, `${local}/api/v1/servers`, { method: "POST", headers: json, body })).status).toBe(201);
  });

  const modern = modernPost("tools/call", { name: "echo", arguments: {} });
  const withHeaders = (more: Record<string, string>): RequestInit => ({
    ...modern,
    headers: { ...(modern.headers as Record<string, string>), ...more },
  });

  it.each(["https://evil.test", "http://localhost:3000", "http://127.0.0.1:8911", "https://localhost:8911", "null"])(
    "RS-17: a page of %s cannot call /mcp",
    async (value) => {
      await expectRefused(harness, `${local}/mcp/up`, withHeaders({ origin: value }), {
        status: 403,
        challenge: "none",
        event: ["auth.failed", "origin"],
      });
    },
  );

  it.each(["https://evil.test", "http://localhost:3000", "http://127.0.0.1:8911", "null"])(
    "RS-17: a page of %s cannot change the configuration",
    async (value) => {
      const headers = { "content-type": "application/json", origin: value };
      const body = JSON.stringify({ slug: "evil", url: "https://evil.test/mcp" });
      await expectRefused(
        harness,
        `${local}/api/v1/servers`,
        { method: "POST", headers, body },
        {
          status: 403,
          challenge: "none",
          event: ["auth.failed", "origin"],
        },
      );
    },
  );

  it.each([
    "http://evil.test:8911",
    "https://evil.test",
    "http://a.gw.test",
    "https://a.gw.test",
    "http://10.0.0.7:8911",
  ])("RS-17: %s, a name that was rebound to loopback, has no tenant", async (host) => {
    for (const path of ["/mcp", "/mcp/up", "/api/v1/servers", "/.well-known/oauth-protected-resource"]) {
      await expectRefused(harness, host + path, withHeaders({ origin: host }), {
        status: 404,
        challenge: "none",
        event: "none",
      });
    }
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain; charset=utf-8",
  ])("RS-17: a form of type %s, which needs no preflight, is refused on /mcp", async (type) => {
    await expectRefused(harness, `${local}/mcp/up`, withHeaders({ "content-type": type }), {
      status: 415,
      challenge: "none",
      event: ["mcp.request", "content_type"],
    });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])(
    "RS-17: a form of type %s, which needs no preflight, is refused by the admin API",
    async (type) => {
      const body = JSON.stringify({ slug: "evil", url: "https://evil.test/mcp" });
      const init = { method: "POST", headers: { "content-type": type }, body };
      await expectRefused(harness, `${local}/api/v1/servers`, init, {
        status: 415,
        challenge: "none",
        event: ["admin.change", "unsupported_media_type"],
      });
    },
  );

  it("RS-17: the instance itself answers", async () => {
    expect((await ask(harness, `${local}/mcp/up`, withHeaders({ origin: local }))).status).toBe(200);
  });
});
