/** A key that its server refuses, and a client that a provider refuses, through the whole Worker: the lists say so while it lasts, and calls go on trying it. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { createHarness, meta, modernPost, modernUpstream, objectAt, sent, type Harness } from "../gateway/support.ts";
import { connectFields, createConnectWorld, link, person } from "./connect-support.ts";
import { alice, Browser } from "./support.ts";

const origin = "http://localhost:8911";
const key = "canary-key-of-the-developer";
const again = "Must be connected again";

let harness: Harness;
let tenant: string;
let ahead_ms: number;
/** What the server does with the key: takes it by default. */
let status: number;

beforeEach(async () => {
  tenant = `refused-${crypto.randomUUID().slice(0, 8)}`;
  [ahead_ms, status] = [0, 200];
  const clock = { ...systemPorts.clock, now: () => systemPorts.clock.now() + ahead_ms };
  harness = createHarness({
    ports: { clock },
    bindings: { GATEHOUSE_MODE: "development", GATEHOUSE_TENANTS: `${tenant}=localhost` },
  });
  const server = modernUpstream(({ message }): JsonObject => {
    if (message["method"] === "tools/list") return { tools: [{ name: "read", inputSchema: { type: "object" } }] };
    return { content: [{ type: "text", text: "mail" }] };
  });
  harness.serve("mail.upstream.test", (seen) => {
    if (seen.headers.get("x-key") !== key) return new Response(null, { status: 401 });
    return status === 200 ? server(seen) : new Response(null, { status });
  });
  const made = await harness.fetch(`${origin}/api/v1/servers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ slug: "mail", name: "Mail", url: "https://mail.upstream.test/mcp" },
      authentication: { type: "api_key_header", header: "X-Key", holder: "user" },
    }),
  });
  expect(made.status).toBe(201);
  const fields = connectFields(await text("/connect/mail"));
  const done = await harness.fetch(`${origin}/connect/mail`, {
    method: "POST",
    body: new URLSearchParams([...fields, ["key", key]]).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded", origin, "sec-fetch-site": "same-origin" },
  });
  expect(done.status).toBe(303);
}, 30_000);

const text = async (path: string): Promise<string> => (await harness.fetch(origin + path)).text();

async function call(): Promise<string> {
  const params = { _meta: meta({}), name: "read", arguments: {} };
  const response = await harness.fetch(`${origin}/mcp/mail`, modernPost("tools/call", params));
  const body = (await response.json()) as JsonObject;
  return JSON.stringify(objectAt(body, "result")["content"]);
}

const listed = async (): Promise<JsonObject | undefined> =>
  ((JSON.parse(await text("/api/v1/connections")) as JsonObject)["items"] as JsonObject[])[0];

const row = async () =>
  env.DB.prepare("select state, reason, revision, updated_at from connections where tenant_id = ?")
    .bind(tenant)
    .first();

describe("a key that its server refuses", () => {
  it("U14, UP-18: is shown as one that must be connected again, and no call is kept from trying it", async () => {
    expect(await call()).toContain("mail");
    const before = await row();
    status = 401;
    expect(await call()).toContain("/connect/mail?link=");
    expect(await row()).toEqual({ ...before, reason: "refused" });
    expect(await text("/me/connections")).toContain(again);
    expect(await listed()).toMatchObject({ state: "needs_reauth", reason: "refused" });
    const sent_count = sent(harness, "tools/call").length;
    expect(await call()).toContain("/connect/mail?link=");
    expect(sent(harness, "tools/call").length).toBe(sent_count + 1);
  });

  it("U14, UP-18: is shown as connected again as soon as the server takes it, whoever had the bad minute", async () => {
    const before = await row();
    status = 401;
    await call();
    status = 200;
    expect(await call()).toContain("mail");
    expect(await row()).toEqual(before);
    expect(await text("/me/connections")).not.toContain(again);
    expect(await listed()).toMatchObject({ state: "linked", reason: null });
  });

  it.each([400, 403, 404, 429, 500, 503])("U14: an answer %d neither makes nor unmakes that", async (other) => {
    status = other;
    await call().catch(() => undefined);
    expect(await row()).toMatchObject({ state: "linked", reason: null });
    status = 401;
    await call();
    status = other;
    await call().catch(() => undefined);
    expect(await row()).toMatchObject({ state: "linked", reason: "refused" });
  });

  it("U14, UP-18: a key that takes its place is connected", async () => {
    status = 401;
    await call();
    status = 200;
    const fields = connectFields(await text("/connect/mail"));
    await harness.fetch(`${origin}/connect/mail`, {
      method: "POST",
      body: new URLSearchParams([...fields, ["key", key]]).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded", origin, "sec-fetch-site": "same-origin" },
    });
    ahead_ms += limits.snapshotLife_ms;
    expect(await listed()).toMatchObject({ state: "linked", reason: null });
  });
});

describe("the administrators' list", () => {
  it.each([
    ["refused", again],
    ["invalid_client", "Connected"],
  ])(
    "U14: says why (%s), which the person's own page does not",
    async (reason, words) => {
      const world = await createConnectWorld();
      const { browser, id } = await person(world);
      await link(world, browser);
      await env.DB.prepare("update connections set reason = ? where user_id = ? and target = ?")
        .bind(reason, id, world.server)
        .run();
      const administrator = new Browser(world);
      await administrator.signIn(alice);
      const html = await (await administrator.get("/admin/connections")).text();
      const [, shown = ""] = html.split("<bdi>Vendor</bdi>");
      expect([shown.includes(`>${words}<`), shown.includes(`>${reason}<`)]).toEqual([true, true]);
      const own = await (await browser.get("/me/connections")).text();
      expect([own.includes(`>${words}<`), own.includes(`>${reason}<`)]).toEqual([true, false]);
    },
    30_000,
  );
});
