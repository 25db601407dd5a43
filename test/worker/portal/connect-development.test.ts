/** Development mode: nobody signs in, there is one person, and accounts are connected like anywhere else. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createHarness, type Harness } from "../gateway/support.ts";
import { connectFields } from "./connect-support.ts";
import { FakeVendor } from "./fake-vendor.ts";

const origin = "http://localhost:8911";
let harness: Harness;
let vendor: FakeVendor;
let tenant: string;
beforeAll(async () => {
  vendor = new FakeVendor();
  tenant = `dev-${crypto.randomUUID().slice(0, 8)}`;
  harness = createHarness({
    bindings: { GATEHOUSE_MODE: "development", GATEHOUSE_TENANTS: `${tenant}=localhost` },
    ports: {
      network: async (request) => {
        const answer = vendor.answer(request);
        if (answer === undefined) throw new TypeError("connection refused");
        return answer;
      },
    },
  });
  for (const [slug, url, authentication] of [
    ["vendor", vendor.resource, { type: "oauth" }],
    ["keyed", "https://dev.keys.test/mcp", { type: "api_key_header", header: "X-Key", holder: "user" }],
  ] as const) {
    const made = await harness.fetch(`${origin}/api/v1/servers`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ slug, url, authentication }),
    });
    expect(made.status).toBe(201);
  }
}, 30_000);

const get = (path: string): Promise<Response> => harness.fetch(origin + path);

const post = (path: string, fields: readonly [string, string][], headers: Record<string, string> = {}) =>
  harness.fetch(origin + path, {
    method: "POST",
    body: new URLSearchParams(fields.map(([name, value]) => [name, value])).toString(),
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      origin,
      "sec-fetch-site": "same-origin",
      ...headers,
    },
  });

const connections = async () =>
  (
    await env.DB.prepare("select user_id, account, state from connections where tenant_id = ? and state <> 'ending'")
      .bind(tenant)
      .all()
  ).results;

const attempts = async () =>
  (await env.DB.prepare("select 1 from link_attempts where tenant_id = ?").bind(tenant).all()).results.length;

beforeEach(async () => {
  await env.DB.prepare("delete from connections where tenant_id = ?").bind(tenant).run();
});

describe("development mode", () => {
  it("R1, U9: the one person connects an account without signing in", async () => {
    const fields = connectFields(await (await get("/connect/vendor")).text());
    const begun = await post("/connect/vendor", fields);
    const back = await get(vendor.authorize(begun.headers.get("location") ?? ""));
    expect([back.status, back.headers.get("location")]).toEqual([303, "/me/connections?done=connected"]);
    expect(await connections()).toEqual([{ user_id: "development", account: "default", state: "linked" }]);
    const html = await (await get("/me/connections")).text();
    expect(html).toContain("auth.vendor.test");
    for (const words of ["Sign out", 'href="/me"', 'href="/admin']) expect(html).not.toContain(words);
  });

  it("R1, U3: the one person pastes a key", async () => {
    vendor.keys.add("good-key");
    const fields = connectFields(await (await get("/connect/keyed")).text());
    expect((await post("/connect/keyed", [...fields, ["key", "good-key"]])).status).toBe(303);
    expect(await connections()).toHaveLength(1);
  });

  it("R1, U14: and disconnects it", async () => {
    vendor.keys.add("good-key");
    const fields = connectFields(await (await get("/connect/keyed")).text());
    await post("/connect/keyed", [...fields, ["key", "good-key"]]);
    const html = await (await get("/me/connections")).text();
    const path = /href="(\/me\/connections\/[^"]*\/disconnect)"/.exec(html)?.[1] ?? "";
    const token = /name="form_token" value="([^"]*)"/.exec(await (await get(path)).text())?.[1] ?? "";
    expect((await post(path, [["form_token", token]])).status).toBe(303);
    expect(await connections()).toEqual([]);
  });

  const others: readonly (readonly [string, Record<string, string>])[] = [
    ["another origin", { origin: "https://evil.test" }],
    ["another port of this machine", { origin: "http://localhost:1234" }],
    ["another site, as the browser says", { "sec-fetch-site": "cross-site" }],
    ["a sandboxed frame", { origin: "null" }],
  ];

  it.each(others)("CO-06: a form of %s changes nothing", async (_name, headers) => {
    vendor.keys.add("good-key");
    const before = await attempts();
    const fields = connectFields(await (await get("/connect/keyed")).text());
    expect((await post("/connect/keyed", [...fields, ["key", "good-key"]], headers)).status).toBe(403);
    expect([await connections(), await attempts()]).toEqual([[], before]);
  });

  it("CO-06: a form without the token of the page changes nothing, whatever its headers", async () => {
    vendor.keys.add("good-key");
    const before = await attempts();
    expect((await post("/connect/keyed", [["key", "good-key"]])).status).toBe(403);
    expect([await connections(), await attempts()]).toEqual([[], before]);
  });

  it.each(["/", "/me", "/login", "/admin", "/admin/connections", "/admin/agents", "/oauth/consent"])(
    "R1: there is no page %s",
    async (path) => {
      expect((await get(path)).status).toBe(404);
    },
  );

  it("R1: pages are answered on loopback hosts only", async () => {
    const response = await harness.fetch("https://gateway.example/connect/vendor");
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(await response.text()).not.toContain("Vendor");
  });
});
