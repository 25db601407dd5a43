import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { env } from "cloudflare:workers";
import { sha256 } from "../../../src/sha256.ts";
import { modernPost, setUp, setupSecret, type Tenant } from "../gateway/support.ts";
import {
  answeredText,
  ask,
  challengeOf,
  createWorld,
  echoUpstream,
  expectRefused,
  watched,
  type World,
} from "./support.ts";

let world: World;
let token: string;
let client: { id: string; token: string; token_id: string };

const origin = "https://a.gw.test";
const call = (more: Parameters<typeof modernPost>[2] = {}): RequestInit =>
  modernPost("tools/call", { name: "echo", arguments: {} }, more);

async function begin(): Promise<void> {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  await world.tenant.addServer("up");
  client = await world.tenant.addClient(["up"]);
  token = client.token;
}

beforeAll(begin);

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];
const paths = ["/mcp", "/mcp/up", "/mcp/nobody-has-this", "/mcp/a"];

describe("no credential", () => {
  it.each(paths.flatMap((path) => methods.map((method) => [method, path] as const)))(
    "RS-01: %s %s gets the challenge of its own path and nothing else",
    async (method, path) => {
      await expectRefused(
        world.harness,
        origin + path,
        { method },
        {
          status: 401,
          challenge: challengeOf(origin, path),
          event: ["auth.failed", "no_credential"],
        },
      );
    },
  );

  it("RS-01: a server that exists and one that does not get the same answer, byte for byte", async () => {
    const shown = async (slug: string): Promise<string> =>
      answeredText(await ask(world.harness, `${origin}/mcp/${slug}`, call())).replaceAll(slug, "{slug}");
    expect(await shown("up")).toBe(await shown("other"));
  });

  it.each(["/mcp", "/mcp/up"])("F8: the body of a request to %s is never pulled", async (path) => {
    let pulled_count = 0;
    const body = new ReadableStream(
      {
        pull() {
          pulled_count += 1;
          throw new Error("The body was read.");
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { "content-type": "application/json" };
    await expectRefused(
      world.harness,
      origin + path,
      { method: "POST", headers, body },
      {
        status: 401,
        challenge: challengeOf(origin, path),
        event: ["auth.failed", "no_credential"],
      },
    );
    expect(pulled_count).toBe(0);
  });

  it("F8: with a warm snapshot nothing is asked of D1, KV or a Durable Object", async () => {
    const used: string[] = [];
    const note = (name: string) => (method: string) => void used.push(`${name}.${method}`);
    const bindings = {
      DB: watched(env.DB, note("DB")),
      CACHE: watched(env.CACHE, note("CACHE")),
      TENANT: watched(env.TENANT, note("TENANT")),
    };
    const { harness } = await createWorld({ bindings });
    await ask(harness, `${origin}/mcp`, call());
    used.length = 0;
    expect((await ask(harness, `${origin}/mcp/up`, call())).status).toBe(401);
    expect(used).toEqual([]);
  });

  it.each([
    ["query", (): [string, RequestInit] => [`?access_token=${token}`, call()]],
    ["query, by another name", (): [string, RequestInit] => [`?token=${token}&bearer=${token}`, call()]],
    [
      "form body",
      (): [string, RequestInit] => [
        "",
        {
          method: "POST",
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: `access_token=${token}`,
        },
      ],
    ],
    [
      "cookie (RS-15)",
      (): [string, RequestInit] => ["", call({ headers: { cookie: `token=${token}; session=${token}` } })],
    ],
    [
      "Proxy-Authorization",
      (): [string, RequestInit] => ["", call({ headers: { "proxy-authorization": `Bearer ${token}` } })],
    ],
    ["X-API-Key", (): [string, RequestInit] => ["", call({ headers: { "x-api-key": token } })]],
    ["X_Authorization", (): [string, RequestInit] => ["", call({ headers: { x_authorization: `Bearer ${token}` } })]],
  ])("RS-02: a token in the %s is no credential", async (_place, request) => {
    const [query, init] = request();
    const answered = await expectRefused(world.harness, `${origin}/mcp${query}`, init, {
      status: 401,
      challenge: challengeOf(origin, "/mcp"),
      event: ["auth.failed", "no_credential"],
    });
    expect(answeredText(answered)).not.toContain(token);
    expect(JSON.stringify(world.harness.events)).not.toContain(token);
  });

  it("RS-15: a cookie is no credential, and none is ever set", async () => {
    const headers = { cookie: `__Host-session=${token}` };
    const answered = await ask(world.harness, `${origin}/mcp/up`, call({ headers }));
    expect([answered.status, answered.headers.get("set-cookie")]).toEqual([401, null]);
    const good = await ask(world.harness, `${origin}/mcp/up`, call({ token }));
    expect([good.status, good.headers.get("set-cookie")]).toEqual([200, null]);
  });
});

/** All must look alike: which of them it was is for the audit log alone. */
const strangers: readonly (readonly [string, reason: string, () => string | Promise<string>])[] = [
  ["random text", "unknown_token", () => "sk-random"],
  ["a token's own form", "unknown_token", () => `ghc_${"A".repeat(43)}`],
  ["an administrator token's form", "unknown_token", () => `gha_${"A".repeat(43)}`],
  ["the good token, cut", "unknown_token", () => token.slice(0, -1)],
  ["the good token, continued", "unknown_token", () => `${token}A`],
  ["the good token, padded", "unknown_token", () => `${token}=`],
  ["the good token in capitals", "unknown_token", () => token.toUpperCase()],
  ["the hash of the good token", "unknown_token", () => sha256(token)],
  ["the id of the good token", "unknown_token", () => client.token_id],
  ["the id of the client", "unknown_token", () => client.id],
  ["the set-up secret", "unknown_token", () => setupSecret],
  ["an administrator's token", "wrong_token_kind", () => world.tenant.administrator],
  ["an unsigned JWT", "token_malformed", () => "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."],
  ["a JWT of an identity provider", "token_malformed", () => "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcCJ9.c2ln"],
  ["the name of a property of objects", "unknown_token", () => "__proto__"],
];

describe("a credential that is none", () => {
  it.each(strangers)("RS-06: %s is refused on /mcp", async (_name, reason, make) => {
    await expectRefused(world.harness, `${origin}/mcp`, call({ token: await make() }), {
      status: 401,
      challenge: challengeOf(origin, "/mcp", "invalid_token"),
      event: ["auth.failed", reason],
    });
  });

  it("RS-13: all of them get the same answer, byte for byte", async () => {
    const answers = new Set<string>();
    for (const [, , make] of strangers) {
      answers.add(answeredText(await ask(world.harness, `${origin}/mcp/up`, call({ token: await make() }))));
    }
    expect(answers.size).toBe(1);
  });

  it("RS-09: a server that needs no authentication is not open to a stranger's key", async () => {
    await world.tenant.addServer("open", { authentication: { type: "none" } });
    world.harness.serve("open.upstream.test", echoUpstream());
    await expectRefused(world.harness, `${origin}/mcp/open`, call({ token: "sk-random" }), {
      status: 401,
      challenge: challengeOf(origin, "/mcp/open", "invalid_token"),
      event: ["auth.failed", "unknown_token"],
    });
  });

  it.each([
    ["a client's token", "wrong_token_kind", () => token],
    ["the set-up secret", "unknown_token", () => setupSecret],
    ["random text", "unknown_token", () => "gha_random"],
  ])("RS-06: %s is refused by the admin API", async (_name, reason, make) => {
    const init = { headers: { authorization: `Bearer ${make()}` } };
    await expectRefused(world.harness, `${origin}/api/v1/servers`, init, {
      status: 401,
      challenge: "Bearer",
      event: ["auth.failed", reason],
    });
  });
});

describe("a credential of somebody else", () => {
  let other: Tenant;
  let otherToken: string;

  beforeAll(async () => {
    other = await setUp(world.harness, "https://b.gw.test");
    await other.addServer("up");
    ({ token: otherToken } = await other.addClient(["up"]));
  });

  it.each([
    ["client", (): string => otherToken, "/mcp/up"],
    ["client", (): string => otherToken, "/mcp"],
    ["administrator", (): string => other.administrator, "/mcp/up"],
  ])("RS-05: the %s's token of another tenant is unknown here", async (_name, make, path) => {
    await expectRefused(world.harness, origin + path, call({ token: make() }), {
      status: 401,
      challenge: challengeOf(origin, path, "invalid_token"),
      event: ["auth.failed", "unknown_token"],
    });
  });

  it("RS-05: the administrator's token of another tenant is unknown to this one's admin API", async () => {
    const init = { headers: { authorization: `Bearer ${other.administrator}` } };
    await expectRefused(world.harness, `${origin}/api/v1/servers`, init, {
      status: 401,
      challenge: "Bearer",
      event: ["auth.failed", "unknown_token"],
    });
  });

  it("RS-05: a token does not reach a server that is not on its client's list", async () => {
    await world.tenant.addServer("hidden");
    await expectRefused(world.harness, `${origin}/mcp/hidden`, call({ token }), {
      status: 404,
      challenge: "none",
      event: ["mcp.request", "not_on_allow_list"],
    });
  });

  it.each([
    [
      "header X-Tenant",
      (): [string, RequestInit] => ["", call({ token: otherToken, headers: { "x-tenant": "b", "x-tenant-id": "b" } })],
    ],
    ["query", (): [string, RequestInit] => ["?tenant=b&tenant_id=b", call({ token: otherToken })]],
    [
      "payload",
      (): [string, RequestInit] => {
        const params = { name: "echo", arguments: { tenant: "b" }, tenant: "b" };
        return ["", modernPost("tools/call", params, { token: otherToken })];
      },
    ],
  ])("TN-18: a tenant named in the %s changes nothing", async (_place, request) => {
    const [query, init] = request();
    await expectRefused(world.harness, `${origin}/mcp/up${query}`, init, {
      status: 401,
      challenge: challengeOf(origin, "/mcp/up", "invalid_token"),
      event: ["auth.failed", "unknown_token"],
    });
  });
});

describe("a credential whose time is over", () => {
  beforeEach(begin);

  const over = (reason: string) =>
    ({
      status: 401,
      challenge: challengeOf(origin, "/mcp/up", "invalid_token"),
      event: ["auth.failed", reason],
    }) as const;

  it("RS-04: an expired token is refused, with the snapshot that knew it", async () => {
    const made = await world.tenant.api("POST", `/clients/${client.id}/tokens`, {
      expires_at: world.clock.now() + 60_000,
    });
    const { token: short } = await made.json<{ token: string }>();
    expect((await ask(world.harness, `${origin}/mcp/up`, call({ token: short }))).status).toBe(200);
    world.clock.advance(60_000);
    const answered = await ask(world.harness, `${origin}/mcp/up`, call({ token: short }));
    expect([answered.status, answered.headers.get("www-authenticate")]).toEqual([401, over("").challenge]);
  });

  it("RS-04: a revoked token is refused", async () => {
    await world.tenant.api("DELETE", `/clients/${client.id}/tokens/${client.token_id}`);
    await expectRefused(world.harness, `${origin}/mcp/up`, call({ token }), over("unknown_token"));
  });

  it("RS-14: the token of a deleted client is refused", async () => {
    await world.tenant.api("DELETE", `/clients/${client.id}`);
    await expectRefused(world.harness, `${origin}/mcp/up`, call({ token }), over("unknown_token"));
  });

  it("RS-14: the token of a client that is switched off is refused", async () => {
    await world.tenant.api("PATCH", `/clients/${client.id}`, { enabled: false });
    await expectRefused(world.harness, `${origin}/mcp/up`, call({ token }), over("client_disabled"));
  });

  it("RX-21: what the good token was answered is not what the next caller gets", async () => {
    const good = await ask(world.harness, `${origin}/mcp/up`, call({ token }));
    expect([good.status, good.headers.get("cache-control")]).toEqual([200, "no-store"]);
    await expectRefused(world.harness, `${origin}/mcp/up`, call({ token: "another" }), over("unknown_token"));
  });
});
