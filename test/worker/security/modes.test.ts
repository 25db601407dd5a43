import { beforeAll, describe, expect, it } from "vitest";
import { createHarness, modernPost, setupSecret, type Harness } from "../gateway/support.ts";
import {
  answeredText,
  ask,
  challengeOf,
  dumpDatabase,
  echoUpstream,
  expectRefused,
  virtualHarness,
} from "./support.ts";
import { methods, table } from "./routes.ts";

const origin = "https://a.gw.test";
const call = modernPost("tools/call", { name: "echo", arguments: {} });

describe("a deployment whose configuration is not valid", () => {
  const broken: readonly (readonly [string, Record<string, unknown>])[] = [
    ["no keys", { GATEHOUSE_KEYS: undefined }],
    ["empty keys", { GATEHOUSE_KEYS: "" }],
    ["a short key", { GATEHOUSE_KEYS: "k:c2hvcnQ" }],
    ["an unknown mode", { GATEHOUSE_MODE: "Enterprise" }],
    ["a short set-up secret", { GATEHOUSE_SETUP_SECRET: "short" }],
    ["tenants that cannot be read", { GATEHOUSE_TENANTS: "a" }],
    ["a hostname with two tenants", { GATEHOUSE_TENANTS: "a=a.gw.test b=a.gw.test" }],
    ["an egress origin that is none", { GATEHOUSE_EGRESS_ORIGINS: "https://x.test/path" }],
  ];

  it.each(broken)("R1: with %s nothing but the refusal is answered, on no route", async (_name, bindings) => {
    const harness = createHarness({ bindings });
    const before = await dumpDatabase();
    for (const { sample, stranger } of table) {
      const { status, text } = await ask(harness, origin + sample, { method: "POST" });
      // A route that no POST reaches is not reached here either.
      const expected = (stranger["POST"] ?? stranger["*"]) === 404 ? 404 : 503;
      expect([sample, status]).toEqual([sample, expected]);
      expect(text).not.toContain("c2hvcnQ");
    }
    const health = await ask(harness, `${origin}/healthz`);
    expect([health.status, JSON.parse(health.text)]).toEqual([503, { status: "sealed" }]);
    expect([harness.seen.length, harness.events.length, (await dumpDatabase()) === before]).toEqual([0, 0, true]);
  });
});

describe("enterprise mode before set-up", () => {
  let harness: Harness;
  beforeAll(() => {
    ({ harness } = virtualHarness());
  });

  it.each(table.map(({ sample }) => sample).filter((path) => path.startsWith("/mcp")))(
    "R1: %s asks for a credential, on every method",
    async (path) => {
      for (const method of methods) {
        const init = { method, ...(method === "POST" ? call : {}) };
        await expectRefused(harness, origin + path, init, {
          status: 401,
          challenge: challengeOf(origin, path),
          event: ["auth.failed", "no_credential"],
        });
      }
    },
  );

  it.each(
    table.map(({ sample }) => sample).filter((path) => path.startsWith("/api/v1/") && !/setup|openapi/.test(path)),
  )("R1: %s says that the tenant is not set up, on every method", async (path) => {
    for (const method of methods) {
      const headers = { authorization: `Bearer ${setupSecret}`, "content-type": "application/json" };
      const { status, text } = await ask(harness, origin + path, { method, headers });
      expect([method, status]).toEqual([method, 401]);
      if (method !== "HEAD") expect(text).toContain("not set up");
    }
  });

  it.each([
    ["a wrong secret", { secret: "wrong-secret-wrong-secret-wrong-secret" }, 401],
    ["an empty secret", { secret: "" }, 422],
    ["no secret", {}, 422],
    ["the secret cut", { secret: setupSecret.slice(0, -1) }, 401],
    ["the secret in capitals", { secret: setupSecret.toUpperCase() }, 401],
    ["the secret in a list", { secret: [setupSecret] }, 422],
  ])("R1: set-up with %s is refused and changes nothing", async (_name, body, status) => {
    const before = await dumpDatabase();
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answered = await ask(harness, `${origin}/api/v1/setup`, init);
    expect(answered.status).toBe(status);
    expect(answeredText(answered)).not.toContain(setupSecret);
    expect(await dumpDatabase()).toBe(before);
  });

  it.each([
    ["a wrong secret", { secret: "wrong-secret-wrong-secret-wrong-secret" }, 401, "wrong_setup_secret"],
    ["a malformed body", { secret: [] }, 422, "setup_refused"],
  ])("AD-21: set-up with %s is counted as what it is", async (_name, body, status, reason) => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const challenge = status === 401 ? "Bearer" : "none";
    await expectRefused(harness, `${origin}/api/v1/setup`, init, { status, challenge, event: ["auth.failed", reason] });
  });

  it("R1: set-up by a page of another origin is refused, with the right secret", async () => {
    const headers = { "content-type": "application/json", origin: "https://evil.test" };
    const init = { method: "POST", headers, body: JSON.stringify({ secret: setupSecret }) };
    await expectRefused(harness, `${origin}/api/v1/setup`, init, {
      status: 403,
      challenge: "none",
      event: ["auth.failed", "origin"],
    });
  });

  it("R1: of fifty set-ups at once exactly one wins", async () => {
    const { harness: fresh } = virtualHarness();
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ secret: setupSecret }),
    };
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(fresh, `${origin}/api/v1/setup`, init)));
    const won = answers.filter(({ status }) => status === 201);
    expect([won.length, answers.filter(({ status }) => status === 409).length]).toEqual([1, 49]);
  });
});

describe("development mode", () => {
  let harness: Harness;
  beforeAll(async () => {
    ({ harness } = virtualHarness({ bindings: { GATEHOUSE_MODE: "development" } }));
    harness.serve("up.upstream.test", echoUpstream());
    const init = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ slug: "up", url: "https://up.upstream.test/mcp" }),
    };
    expect((await ask(harness, "http://localhost:8911/api/v1/servers", init)).status).toBe(201);
  });

  it.each(["http://localhost:8911", "http://127.0.0.1:8911", "http://[::1]:8911", "http://localhost"])(
    "R1: %s is answered without a credential",
    async (local) => {
      expect((await ask(harness, `${local}/mcp/up`, call)).status).toBe(200);
    },
  );

  it.each([
    "https://a.gw.test",
    "http://a.gw.test",
    "http://0.0.0.0:8911",
    "http://127.0.0.2:8911",
    "http://127.1.1.1:8911",
    "http://192.168.1.10:8911",
    "http://[::ffff:127.0.0.1]:8911",
    "http://[fe80::1]:8911",
    "http://localhost.:8911",
    "http://localhost.evil.test:8911",
    "http://evil-localhost:8911",
    "http://unknown.localhost:8911",
  ])("R1: %s is not answered, on any route", async (host) => {
    for (const { sample } of table.filter((row) => row.path !== "/healthz")) {
      for (const method of ["GET", "POST"]) {
        await expectRefused(
          harness,
          host + sample,
          { method, ...(method === "POST" ? call : {}) },
          {
            status: 404,
            challenge: "none",
            event: "none",
          },
        );
      }
    }
  });

  it("P1: a call is allowed by a rule that the record names", async () => {
    const before = harness.events.length;
    await ask(harness, "http://localhost:8911/mcp/up", call);
    expect(harness.events[before]).toMatchObject({
      type: "mcp.request",
      actor: { agent: "development" },
      decision: { effect: "allow", policy: "development:allow-all" },
    });
  });

  it("P1: a server that is switched off is switched off here as well", async () => {
    const listed = await ask(harness, "http://localhost:8911/api/v1/servers");
    const [server] = (JSON.parse(listed.text) as { items: { id: string }[] }).items;
    const patch = (enabled: boolean) =>
      ask(harness, `http://localhost:8911/api/v1/servers/${server?.id}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ enabled }),
      });
    await patch(false);
    await expectRefused(harness, "http://localhost:8911/mcp/up", call, {
      status: 404,
      challenge: "none",
      event: ["mcp.request", "server_disabled"],
    });
    await patch(true);
  });
});
