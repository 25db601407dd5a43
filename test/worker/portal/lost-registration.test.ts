/** A provider that has lost our registration, through the whole Worker: the person is asked to connect again, and that mends it. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { createHarness, meta, modernPost, modernUpstream, objectAt, type Harness } from "../gateway/support.ts";
import { connectFields } from "./connect-support.ts";
import { FakeVendor } from "./fake-vendor.ts";

const origin = "http://localhost:8911";
const again = "Must be connected again";

let harness: Harness;
let vendor: FakeVendor;
let tenant: string;
let ahead_ms: number;

/** @param more of the server's authentication */
async function serve(more: JsonObject = {}): Promise<void> {
  const made = await harness.fetch(`${origin}/api/v1/servers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ slug: "mail", name: "Mail", url: vendor.resource, authentication: { type: "oauth", ...more } },
    }),
  });
  expect(made.status).toBe(201);
}

beforeEach(() => {
  tenant = `lost-${crypto.randomUUID().slice(0, 8)}`;
  vendor = new FakeVendor();
  ahead_ms = 0;
  const clock = { ...systemPorts.clock, now: () => systemPorts.clock.now() + ahead_ms };
  const server = modernUpstream(({ message }): JsonObject => {
    if (message["method"] === "tools/list") return { tools: [{ name: "read", inputSchema: { type: "object" } }] };
    return { content: [{ type: "text", text: "mail" }] };
  });
  const network = async (request: Request): Promise<Response> => {
    const { url, method, headers, signal } = request;
    const token = headers.get("authorization")?.split(" ")[1] ?? "";
    if (new URL(url).hostname === "mcp.vendor.test" && vendor.tokens.includes(token)) {
      const content = await request.text();
      return server({ url, method, headers, text: content, message: JSON.parse(content) as JsonObject, signal });
    }
    const answered = vendor.answer(request);
    if (answered === undefined) throw new TypeError("connection refused");
    return answered;
  };
  harness = createHarness({
    ports: { clock, network },
    bindings: { GATEHOUSE_MODE: "development", GATEHOUSE_TENANTS: `${tenant}=localhost` },
  });
});

const text = async (path: string): Promise<string> => (await harness.fetch(origin + path)).text();

async function call(): Promise<string> {
  const params = { _meta: meta({}), name: "read", arguments: {} };
  const response = await harness.fetch(`${origin}/mcp/mail`, modernPost("tools/call", params));
  const body = (await response.json()) as JsonObject;
  return JSON.stringify("result" in body ? objectAt(body, "result")["content"] : body["error"]);
}

async function connect(): Promise<void> {
  const begun = await harness.fetch(`${origin}/connect/mail`, {
    method: "POST",
    body: new URLSearchParams(connectFields(await text("/connect/mail"))).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded", origin, "sec-fetch-site": "same-origin" },
    redirect: "manual",
  });
  const back = await harness.fetch(origin + vendor.authorize(begun.headers.get("location") ?? ""), {
    redirect: "manual",
  });
  expect([begun.status, back.status]).toEqual([303, 303]);
}

const row = () =>
  env.DB.prepare("select id, state, reason, revision from connections where tenant_id = ?").bind(tenant).first();
const registered_count = (): number => vendor.arrived.filter((one) => one.includes("redirect_uris")).length;
const refuses = (error: string) => () => Response.json({ error }, { status: 401 });

describe("a registration that its provider has lost", () => {
  it.each(["invalid_client", "unauthorized_client"])(
    "U9, UP-16: asks for a link after %s, and the link mends it with a new registration",
    async (error) => {
      await serve();
      await connect();
      expect(await call()).toContain("mail");
      const before = await row();
      vendor.tokenAnswer = refuses(error);
      ahead_ms = 3_600_000;
      // The first asks the provider; the second stands in the pause after it.
      for (let count = 0; count < 2; count += 1) expect(await call()).toContain("/connect/mail?link=");
      expect(await row()).toEqual({ ...before, reason: "registration_gone" });
      expect(await text("/me/connections")).toContain(again);
      vendor.tokenAnswer = undefined;
      vendor.client_id = "registered-anew";
      expect(registered_count()).toBe(1);
      await connect();
      expect(registered_count()).toBe(2);
      expect(await call()).toContain("mail");
      expect(await text("/me/connections")).not.toContain(again);
    },
  );

  it("U9: so it does where the registration itself is gone from here", async () => {
    await serve();
    await connect();
    await env.DB.prepare("delete from upstream_clients where tenant_id = ?").bind(tenant).run();
    ahead_ms = 3_600_000;
    for (let count = 0; count < 2; count += 1) expect(await call()).toContain("/connect/mail?link=");
    expect(await row()).toMatchObject({ state: "linked", reason: "registration_gone" });
  });

  it("UP-16: goes on as before if the provider knows it again", async () => {
    await serve();
    await connect();
    vendor.tokenAnswer = refuses("invalid_client");
    ahead_ms = 3_600_000;
    expect(await call()).toContain("/connect/mail?link=");
    ahead_ms += limits.renewPause_ms;
    vendor.tokens.push("access-anew");
    vendor.tokenAnswer = () => Response.json({ access_token: "access-anew", token_type: "Bearer", expires_in: 3600 });
    expect(await call()).toContain("mail");
    expect(await row()).toMatchObject({ state: "linked", reason: null });
  });

  it("U13: a client that an administrator set is theirs to mend, and nobody is asked to connect again", async () => {
    await serve({ client_id: "ours", client_authentication: "none" });
    await connect();
    vendor.tokenAnswer = refuses("invalid_client");
    ahead_ms = 3_600_000;
    for (let count = 0; count < 2; count += 1) expect(await call()).toContain("try again later");
    expect(await row()).toMatchObject({ state: "linked", reason: "invalid_client" });
    expect(await text("/me/connections")).not.toContain(again);
  });
});
