import { beforeAll, describe, expect, it } from "vitest";
import { modernPost, modernUpstream, result, sse, type Seen } from "../gateway/support.ts";
import { ask, createWorld, echoUpstream, expectRefused, type World } from "./support.ts";

const url = "https://a.gw.test/mcp/up";
let world: World;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  await world.tenant.addServer("up");
  await world.tenant.addServer("keyed", {
    authentication: { type: "headers", headers: ["X-API-Key", "X-Account"] },
    credential: { type: "headers", values: ["organisation-key", "organisation-account"] },
  });
  await world.tenant.addServer("bearer", {
    authentication: { type: "bearer" },
    credential: { type: "bearer", token: "organisation-token" },
  });
  for (const slug of ["up", "keyed", "bearer"]) world.harness.serve(`${slug}.upstream.test`, echoUpstream());
  ({ token } = await world.tenant.addClient(["up", "keyed", "bearer"]));
});

const call = (headers: Record<string, string> = {}): RequestInit =>
  modernPost("tools/call", { name: "echo", arguments: { a: 1 } }, { token, headers });

/** The last request that reached an upstream. */
async function relayed(init: RequestInit, target = url): Promise<Seen> {
  const before = world.harness.seen.length;
  const { status, text } = await ask(world.harness, target, init);
  const seen = world.harness.seen.at(-1);
  if (status !== 200 || seen === undefined || world.harness.seen.length === before)
    throw new Error(`${status} ${text}`);
  return seen;
}

/** All that an upstream without authentication may ever see. */
const allowed = ["accept", "content-type", "mcp-method", "mcp-name", "mcp-protocol-version", "user-agent", "via"];

const foreign: Readonly<Record<string, Record<string, string>>> = {
  "HD-01: hop-by-hop headers": {
    ...{ "keep-alive": "timeout=5", te: "trailers", trailer: "x-a", upgrade: "h2c", "proxy-connection": "keep-alive" },
    ...{ "proxy-authenticate": "Basic", "proxy-authorization": "Basic eDp5", connection: "x-secret", "x-secret": "s" },
  },
  "HD-03: headers that claim an identity": {
    ...{ "x-user-id": "root", "x-forwarded-user": "root", "x-internal-user": "root", x_internal_user: "root" },
    ...{
      "x-remote-user": "root",
      "x-auth-request-email": "root@a.test",
      "x-gatehouse-principal": "root",
      from: "root@a.test",
    },
    ...{
      "cf-access-authenticated-user-email": "root@a.test",
      "x-amzn-oidc-identity": "root",
      "x-goog-iap-jwt-assertion": "x",
    },
  },
  "HD-04: headers that claim an address": {
    ...{
      "x-forwarded-for": "127.0.0.1",
      "x-real-ip": "127.0.0.1",
      forwarded: "for=127.0.0.1",
      "true-client-ip": "127.0.0.1",
    },
    ...{
      "cf-connecting-ip": "127.0.0.1",
      "cf-ipcountry": "XX",
      "x-client-ip": "127.0.0.1",
      "x-cluster-client-ip": "127.0.0.1",
    },
    ...{ "x-forwarded-proto": "http", "x-forwarded-host": "evil.test", "fastly-client-ip": "127.0.0.1" },
  },
  "HD-12: headers that never pass": {
    ...{
      cookie: "session=1",
      "set-cookie": "a=b",
      "mcp-session-id": "stolen",
      "last-event-id": "7",
      referer: "https://a.test",
    },
    ...{
      "x-api-key": "mine",
      "x-goog-api-key": "mine",
      "x-csrf-token": "mine",
      traceparent: "00-1-1-00",
      baggage: "a=b",
    },
    ...{ "sec-fetch-mode": "cors", "sec-websocket-key": "a", dpop: "proof", "idempotency-key": "k", "if-match": "1" },
    ...{ "accept-encoding": "br", "accept-language": "de", range: "bytes=0-1", expect: "x", "user-agent": "client/1" },
  },
};

describe("what an upstream sees of the caller's headers", () => {
  it.each(Object.entries(foreign))("%s: nothing", async (_title, headers) => {
    const seen = await relayed(call(headers));
    expect([...seen.headers.keys()].sort()).toEqual(allowed);
    const values = JSON.stringify([...seen.headers.values()]);
    expect([values.includes("root"), values.includes("127.0.0.1"), values.includes(token)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(seen.headers.get("user-agent")).toMatch(/^Gatehouse\//);
    expect(seen.headers.get("via")).toBe("1.1 gatehouse");
  });

  it("HD-12: the caller's own credential is seen by no upstream", async () => {
    for (const slug of ["up", "keyed", "bearer"]) await relayed(call(), `https://a.gw.test/mcp/${slug}`);
    expect(JSON.stringify(world.harness.seen.map(({ headers, text, url }) => [[...headers], text, url]))).not.toContain(
      token,
    );
  });

  it.each([
    ["keyed", { "X-API-Key": "mine" }],
    ["keyed", { "x-api-key": "mine", "X-ACCOUNT": "mine" }],
    ["keyed", { x_api_key: "mine", "x-api_key": "mine" }],
    ["bearer", { "x-authorization": "Bearer mine", authorization_: "Bearer mine" }],
  ] as const)("HD-06: for %s the gateway's credential wins over %o", async (slug, headers) => {
    const seen = await relayed(call(headers), `https://a.gw.test/mcp/${slug}`);
    const expected =
      slug === "keyed" ? ["organisation-key", "organisation-account", null] : [null, null, "Bearer organisation-token"];
    expect(["x-api-key", "x-account", "authorization"].map((name) => seen.headers.get(name))).toEqual(expected);
    expect(JSON.stringify([...seen.headers])).not.toContain("mine");
  });

  it("HD-06: a parameter of the endpoint's URL does not reach the upstream's", async () => {
    const seen = await relayed(call(), `${url}?key=mine&api_key=mine`);
    expect(seen.url).toBe("https://up.upstream.test/mcp");
  });

  it("HD-06: a client's parameter header does not become the header of a credential", async () => {
    const seen = await relayed(call({ "mcp-param-x-api-key": "mine" }), "https://a.gw.test/mcp/keyed");
    expect([seen.headers.get("x-api-key"), seen.headers.get("mcp-param-x-api-key")]).toEqual([
      "organisation-key",
      "mine",
    ]);
  });
});

const evilHeaders = {
  "set-cookie": "session=upstream; Path=/",
  location: "https://evil.test/",
  "www-authenticate": 'Bearer resource_metadata="https://evil.test/"',
  "proxy-authenticate": "Basic",
  "access-control-allow-origin": "*",
  "access-control-allow-credentials": "true",
  "strict-transport-security": "max-age=0",
  "content-security-policy": "default-src *",
  "clear-site-data": '"*"',
  "mcp-session-id": "of-the-upstream",
  refresh: "0;url=https://evil.test/",
  link: "<https://evil.test/>; rel=preload",
  server: "upstream/1",
  "x-powered-by": "upstream",
  "content-disposition": "attachment",
  "alt-svc": 'h3=":443"',
  "report-to": "{}",
  nel: "{}",
  "service-worker-allowed": "/",
  sourcemap: "https://evil.test/",
  etag: '"1"',
  "cache-control": "public, max-age=31536000",
  "x-upstream": "1",
};

describe("what a client sees of an upstream's headers", () => {
  const names = ["cache-control", "content-type", "x-accel-buffering"];
  const answers: Readonly<Record<string, (id: string | number) => Response>> = {
    "a result": (id) => result(id, { content: [] }),
    "a JSON-RPC error": (id) => result(id, { error: { code: -32603, message: "no" } }),
    "a JSON-RPC error with 404": (id) => result(id, { error: { code: -32601, message: "no" } }, 404),
    "an event stream": (id) =>
      sse(
        { jsonrpc: "2.0", method: "notifications/message", params: {} },
        { jsonrpc: "2.0", id, result: { resultType: "complete" } },
      ),
    "a 401": () => new Response("no", { status: 401 }),
    "a 403": () => new Response("no", { status: 403 }),
    "a redirect": () => new Response(null, { status: 302 }),
    "a 500": () => new Response("<html>", { status: 500 }),
    "a 503": () => new Response("", { status: 503 }),
    "a 204": () => new Response(null, { status: 204 }),
  };

  it.each(Object.keys(answers))("HD-13: of %s nothing but what the gateway itself says", async (kind) => {
    await world.tenant.addServer(`evil-${Object.keys(answers).indexOf(kind)}`);
    const slug = `evil-${Object.keys(answers).indexOf(kind)}`;
    world.harness.serve(
      `${slug}.upstream.test`,
      modernUpstream(({ message }) => {
        if (message["method"] === "tools/list") return { tools: [] };
        const answer = answers[kind]?.(message["id"] as number) ?? new Response();
        for (const [name, value] of Object.entries(evilHeaders)) answer.headers.set(name, value);
        return answer;
      }),
    );
    const client = await world.tenant.addClient([slug]);
    const init = modernPost("tools/call", { name: "echo", arguments: {} }, { token: client.token });
    const { status, headers, text } = await ask(world.harness, `https://a.gw.test/mcp/${slug}`, init);
    expect([...headers.keys()].filter((name) => !names.includes(name) && name !== "content-length")).toEqual([]);
    expect([headers.get("cache-control"), status < 500, status === 401 || status === 403]).toEqual([
      "no-store",
      true,
      false,
    ]);
    expect(text).not.toContain("evil.test");
  });
});

describe("headers that break a bound", () => {
  it("HD-14: a thousand headers change nothing upstream", async () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`x-filler-${at}`, "a"]));
    const seen = await relayed(call(many));
    expect([...seen.headers.keys()].sort()).toEqual(allowed);
  });

  it("HD-14: a header of 64 KiB changes nothing upstream", async () => {
    const seen = await relayed(call({ "x-large": "a".repeat(65_536) }));
    expect([...seen.headers.keys()].sort()).toEqual(allowed);
  });

  it("HD-14: more parameter headers than are forwarded are refused", async () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`mcp-param-p${at}`, "a"]));
    const before = world.harness.seen.length;
    const { status, text } = await ask(world.harness, url, call(many));
    const reached = world.harness.seen.slice(before).filter(({ message }) => message["method"] === "tools/call");
    expect([status < 500, "error" in (JSON.parse(text) as object), reached.length]).toEqual([true, true, 0]);
  });

  it.each([
    ["content-type", "application/json, application/json", 415, "content_type"],
    ["content-type", "application/json, text/plain", 415, "content_type"],
  ])("HD-15: %s sent twice, as %s, is refused", async (name, value, status, reason) => {
    await expectRefused(world.harness, url, call({ [name]: value }), {
      status,
      challenge: "none",
      event: ["mcp.request", reason],
    });
  });

  it.each([
    ["mcp-method", "tools/call, tools/call"],
    ["mcp-method", "tools/call, tools/list"],
    ["mcp-name", "echo, echo"],
    ["mcp-protocol-version", "2026-07-28, 2026-07-28"],
    ["mcp-protocol-version", "2026-07-28, 2025-11-25"],
  ])("HD-15: %s sent twice, as %s, is refused", async (name, value) => {
    const before = [world.harness.seen.length, world.harness.events.length] as const;
    const { status, text } = await ask(world.harness, url, call({ [name]: value }));
    const events = world.harness.events.slice(before[1]);
    expect([status, world.harness.seen.length - before[0], events.length]).toEqual([400, 0, 1]);
    expect((JSON.parse(text) as { error: { code: number } }).error.code).toBeLessThan(0);
    expect(events).toMatchObject([{ type: "mcp.request", decision: { effect: "deny" } }]);
  });
});
