/** Credentials through the whole Worker: to their server and nowhere else, whatever the server answers. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  freshKeys,
  modernUpstream,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "../gateway/support.ts";

let harness: Harness;
let tenant: Tenant;
const lines: string[] = [];

beforeEach(async () => {
  lines.length = 0;
  for (const level of ["debug", "info", "warn", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line: unknown) => void lines.push(String(line)));
  }
  harness = createHarness({ bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
});

afterEach(() => {
  vi.restoreAllMocks();
});

async function call(setting: JsonObject, headers: Record<string, string> = {}): Promise<Asked> {
  const id = await tenant.addServer("up", setting);
  const { token } = await tenant.addClient([id]);
  return ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token, headers });
}

const kinds: readonly (readonly [string, JsonObject, JsonObject])[] = [
  ["bearer", { type: "bearer" }, { type: "bearer", token: "canary" }],
  ["basic", { type: "basic", username: "u" }, { type: "basic", password: "canary" }],
  ["API key in a header", { type: "api_key_header", header: "X-Key" }, { type: "api_key_header", key: "canary" }],
  ["API key in the query", { type: "api_key_query", parameter: "appid" }, { type: "api_key_query", key: "canary" }],
  ["several headers", { type: "headers", headers: ["X-Key"] }, { type: "headers", values: ["canary"] }],
];

const redirects = [301, 302, 303, 307, 308];

describe("SS-22: a server that redirects", () => {
  it.each(kinds.flatMap(([title, ...kind]) => redirects.map((status) => [title, status, kind] as const)))(
    "SS-22: %s does not follow a %d",
    async (_title, status, [authentication, credential]) => {
      harness.serve("evil.test", () => new Response("{}"));
      harness.serve(
        "up.upstream.test",
        () => new Response(null, { status, headers: { location: "https://evil.test/" } }),
      );
      const answered = await call({ authentication, credential });
      expect(answered.message).toHaveProperty("error");
      expect(harness.seen.length).toBeGreaterThan(0);
      expect(harness.seen.filter(({ url }) => url.startsWith("https://evil.test"))).toEqual([]);
    },
  );
});

describe("VT-13: a key in the query", () => {
  const setting = {
    authentication: { type: "api_key_query", parameter: "appid" },
    credential: { type: "api_key_query", key: "canary" },
  };
  const answers: readonly (readonly [string, () => Response])[] = [
    [
      "does not answer",
      () => {
        throw new TypeError("https://up.upstream.test/mcp?appid=canary failed");
      },
    ],
    ["breaks down", () => new Response("https://up.upstream.test/mcp?appid=redacted", { status: 500 })],
    ["refuses it", () => new Response(null, { status: 401 })],
    ["forbids", () => new Response(null, { status: 403 })],
    ["redirects", () => new Response(null, { status: 302, headers: { location: "https://evil.test/" } })],
    ["answers nonsense", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
  ];

  it.each(answers)("VT-13: is in no answer, event or line of the log of a server that %s", async (_title, answer) => {
    harness.serve("up.upstream.test", answer);
    const answered = await call(setting);
    expect(harness.seen.length).toBeGreaterThan(0);
    expect(harness.seen[0]?.url).toContain("appid=canary");
    expect(answered.status).toBeLessThan(500);
    expect(JSON.stringify([answered.text, [...answered.headers], harness.events, lines])).not.toContain("canary");
  });

  it("VT-13: is in no Referer", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(() => ({ content: [] })),
    );
    await call(setting);
    for (const { headers } of harness.seen) expect(headers.get("referer")).toBeNull();
  });
});

describe("HD-06: a caller who sends the header that Gatehouse sets", () => {
  it.each(["x-key", "X-KEY", "x_key"])("HD-06: %s", async (name) => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(() => ({ content: [] })),
    );
    await call(
      {
        authentication: { type: "api_key_header", header: "X-Key" },
        credential: { type: "api_key_header", key: "ours" },
        inbound_headers: { forward: ["x*"], restrict: [] },
      },
      { [name]: "theirs", "x-other": "kept" },
    );
    const [call_] = sent(harness, "tools/call");
    const headers = JSON.stringify([...(call_?.headers ?? [])]);
    expect(call_?.headers.get("x-key")).toBe("ours");
    expect(call_?.headers.get("x-other")).toBe("kept");
    expect(headers).not.toContain("theirs");
  });
});

describe("UP-18: a server that always refuses", () => {
  it("UP-18: gets one request more after one renewal, and its caller an error", async () => {
    let tokens = 0;
    harness.serve("up.upstream.test", () => new Response(null, { status: 401 }));
    const setting = {
      authentication: { type: "client_credentials", token_endpoint: "https://as.upstream.test/t", client_id: "svc" },
      credential: { type: "client_credentials", client_secret: "canary" },
    };
    const form = createHarness({
      bindings: { GATEHOUSE_KEYS: freshKeys() },
      ports: {
        async network(request) {
          const host = new URL(request.url).hostname;
          form.seen.push({
            url: request.url,
            method: request.method,
            headers: request.headers,
            text: await request.text(),
            message: {},
            signal: request.signal,
          });
          if (host !== "as.upstream.test") return new Response(null, { status: 401 });
          tokens += 1;
          return Response.json({ access_token: `t${tokens}`, token_type: "Bearer", expires_in: 60 });
        },
      },
    });
    harness = form;
    tenant = await setUp(harness);
    const answered = await call(setting);
    expect(answered).toMatchObject({ status: 200, message: { error: { code: -32603 } } });
    const asked = harness.seen.filter(({ url }) => url.startsWith("https://up.upstream.test"));
    expect(asked.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer t1", "Bearer t2"]);
    expect(tokens).toBe(2);
    expect(JSON.stringify([answered.text, harness.events, lines])).not.toContain("canary");
  });
});
