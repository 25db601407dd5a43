/** A page to connect an account that finds no usable provider: what the person, the log and the events are told. */
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { begin, connectFields, createConnectWorld, person, type World } from "./connect-support.ts";
import type { Browser } from "./support.ts";

let world: World;
beforeAll(async () => {
  world = await createConnectWorld();
}, 30_000);

let browser: Browser;
let id: string;
let logged: JsonObject[];
beforeEach(async () => {
  ({ browser, id } = await person(world));
  world.vendor.metadata = {};
  world.vendor.resourceMetadata = {};
  world.vendor.tokenAnswer = undefined;
  [world.vendor.down, world.vendor.resourceDown] = [false, false];
  logged = [];
  vi.spyOn(console, "info").mockImplementation((line: unknown) => void logged.push(JSON.parse(String(line))));
});
afterEach(() => void vi.restoreAllMocks());

const refusals = () =>
  world.harness.events.flatMap((event) =>
    event.type === "auth.activity" && event.action === "connection.link" && event.outcome === "refused" ? [event] : [],
  );

/** The page that the person sees, its line of the log, and the events that it wrote. */
async function look(path = "/connect/vendor") {
  const before = refusals().length;
  const response = await browser.get(path);
  const html = await response.text();
  const reference = /class="code">([0-9a-f-]{36})</.exec(html)?.[1];
  const line = logged.find((one) => one["reference"] === reference);
  return { status: response.status, html, line, events: refusals().slice(before) };
}

const evil = "https://canary.evil.test";

describe("what is in the way before the provider", () => {
  it.each([
    ["no_registration", { registration_endpoint: undefined }, {}],
    ["pkce_missing", { code_challenge_methods_supported: undefined }, {}],
    ["pkce_missing", { code_challenge_methods_supported: ["plain"] }, {}],
    ["token_endpoint_not_allowed", { token_endpoint: "http://169.254.169.254/canary" }, {}],
    ["authorization_endpoint_not_allowed", { authorization_endpoint: "javascript:canary" }, {}],
    ["metadata_issuer", { issuer: evil }, {}],
    ["resource_mismatch", {}, { resource: evil }],
    ["authorization_server_unusable", {}, { authorization_servers: ["https://10.0.0.1/canary"] }],
  ])("UP-11, U9: %s is in the log by its reference, and an event", async (because, metadata, resource) => {
    [world.vendor.metadata, world.vendor.resourceMetadata] = [metadata, resource];
    const { status, html, line, events } = await look();
    expect([status, html.includes("cannot be connected right now")]).toEqual([400, true]);
    expect(line).toMatchObject({ reason: "provider_misconfigured", because, server: "vendor", tenant: world.id });
    expect(events).toMatchObject([
      { reason: because, actor: { user: id }, resource: `${world.tenant.origin}/mcp/vendor` },
    ]);
    expect(JSON.stringify([html, logged, events])).not.toMatch(/canary|evil/);
    expect(html).toContain("/api/v1/events?type=auth.activity");
  });

  it("UP-16, U9: a provider that does not answer is told apart from one that is wrong", async () => {
    world.vendor.down = true;
    const { status, html, line, events } = await look();
    expect([status, html.includes("The provider does not answer")]).toEqual([502, true]);
    expect(line).toMatchObject({ reason: "provider_unreachable", because: "metadata_network_error", server: "vendor" });
    expect(events).toMatchObject([{ reason: "metadata_network_error" }]);
  });

  it.each([
    ["resource_network_error", true],
    ["resource_status", 503],
  ] as const)("UP-16, U9: of a server that is down (%s) its provider is not blamed", async (because, down) => {
    world.vendor.resourceDown = down;
    const { status, html, line, events } = await look();
    expect([status, html.includes("The server does not answer")]).toEqual([502, true]);
    expect(html).not.toMatch(/provider/i);
    expect(line).toMatchObject({ reason: "server_unreachable", because, server: "vendor" });
    expect(events).toMatchObject([{ reason: because }]);
  });

  it("U9: the way back tells its reason as well", async () => {
    const begun = await begin(browser, "/connect/vendor");
    world.vendor.tokenAnswer = () =>
      Response.json({ error: "invalid_client", error_description: "canary" }, { status: 401 });
    const { html, line, events } = await look(world.vendor.authorize(begun.headers.get("location") ?? ""));
    expect(line).toMatchObject({ reason: "provider_misconfigured", because: "invalid_client", server: "vendor" });
    expect(events).toMatchObject([{ reason: "invalid_client" }]);
    expect(html).toContain("redirect URI");
    expect(JSON.stringify([html, logged, events])).not.toContain("canary");
  });

  it("U9: a page that finds its provider is no event", async () => {
    const { status, events } = await look();
    expect([status, events]).toEqual([200, []]);
  });
});

describe("what the page showed", () => {
  it.each([
    ["scopes", {}, { scopes_supported: ["read", "admin"] }],
    ["a token endpoint", { token_endpoint: "https://auth2.vendor.test/token" }, {}],
    ["an authorization endpoint", { authorization_endpoint: "https://auth.vendor.test/other" }, {}],
  ])("UP-02: %s that changed between page and button is shown first", async (_what, metadata, resource) => {
    const fields = connectFields(await (await browser.get("/connect/vendor")).text());
    [world.vendor.metadata, world.vendor.resourceMetadata] = [metadata, resource];
    const answer = await browser.post("/connect/vendor", fields);
    const html = await answer.text();
    expect([answer.status, answer.headers.get("location")]).toEqual([422, null]);
    expect(html).toContain("The provider of this server, or what it is asked for, has changed");
    // Agreed to as it is now.
    expect((await browser.post("/connect/vendor", connectFields(html))).status).toBe(303);
  });

  it("UP-02: the same scopes in another order are the same", async () => {
    const fields = connectFields(await (await browser.get("/connect/vendor")).text());
    world.vendor.resourceMetadata = { scopes_supported: ["write", "read"] };
    world.advance(limits.snapshotLife_ms);
    expect((await browser.post("/connect/vendor", fields)).status).toBe(303);
  });
});
