/** KV is a cache only: with none, people still sign in, allow a client, connect an account, and their client still calls. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { modernPost } from "../gateway/support.ts";
import { begin } from "../portal/connect-support.ts";
import { FakeVendor } from "../portal/fake-vendor.ts";
import { alice, atConsent, bob, Browser, callback, createWorld, register, type World } from "../portal/support.ts";
import { ask, echoUpstream, watched } from "./support.ts";

const origin = "https://a.gw.test";
const session = "__Host-gatehouse";
const message = "KV GET failed: 500 Internal Server Error";

/** What every operation of the namespace does, from the set-up of the tenant on. */
const faults: Readonly<Record<string, () => unknown>> = {
  "refuses every operation": () => Promise.reject(new Error(message)),
  "throws at every operation": () => {
    throw new TypeError(message);
  },
};

describe.each(Object.keys(faults))("KV that %s", (kind) => {
  let world: World;
  let vendor: FakeVendor;
  let tenant: string;
  /** Operations that KV was asked for. */
  let asked: string[];

  beforeEach(async () => {
    vendor = new FakeVendor();
    asked = [];
    tenant = `kv-${crypto.randomUUID().slice(0, 8)}`;
    const CACHE = watched(env.CACHE, (method) => {
      asked.push(method);
      return faults[kind]?.();
    });
    const bindings = { CACHE, GATEHOUSE_TENANTS: `${tenant}=a.gw.test` };
    world = await createWorld(origin, { bindings, network: (request) => vendor.answer(request) ?? upstream(request) });
  });

  const redeem = async (parameters: Readonly<Record<string, string>>): Promise<Record<string, string>> => {
    const body = new URLSearchParams({ ...parameters, resource: `${origin}/mcp` });
    const response = await world.harness.fetch(`${origin}/oauth/token`, { method: "POST", body });
    expect(response.status).toBe(200);
    return response.json();
  };
  /** Allows the client. @returns its tokens */
  const allow = async (client_id: string, browser: Browser, fields: readonly [string, string][]) => {
    const allowed = await browser.post("/oauth/consent", [...fields, ["decision", "allow"]]);
    const code = new URL(allowed.headers.get("location") ?? "").searchParams.get("code") ?? "";
    return redeem({
      ...{ grant_type: "authorization_code", client_id, code, redirect_uri: callback },
      code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    });
  };
  const call = async (token = "") => {
    const init = modernPost("tools/call", { name: "tickets__echo", arguments: {} }, { token });
    const { status, text } = await ask(world.harness, `${origin}/mcp`, init);
    return [status, text.includes("did echo")];
  };
  const count = async (table: string): Promise<unknown> =>
    (await env.DB.prepare(`select count(*) as n from ${table} where tenant_id = ?`).bind(tenant).first())?.["n"];

  it("FT-03: stops neither sign-in nor consent, tokens, calls and what is renewed hours later", async () => {
    const client_id = await register(world);
    const { browser, fields } = await atConsent(world, client_id);
    expect([browser.cookies.has(session), await count("users"), await count("web_sessions")]).toEqual([true, 1, 1]);

    let tokens = await allow(client_id, browser, fields);
    expect(await call(tokens["access_token"])).toEqual([200, true]);
    // It was asked, so it was in the way of this call.
    expect(asked).toEqual(expect.arrayContaining(["get", "put"]));

    for (let hour = 1; hour <= 3; hour += 1) {
      world.advance(3_600_000);
      expect(await call(tokens["access_token"])).toEqual([401, false]);
      tokens = await redeem({
        ...{ grant_type: "refresh_token", client_id, refresh_token: tokens["refresh_token"] ?? "" },
      });
      expect(await call(tokens["access_token"])).toEqual([200, true]);
    }
    const other = new Browser(world);
    expect([(await other.signIn(bob)).status, (await other.get("/me")).status, await count("users")]).toEqual([
      ...[303, 200, 2],
    ]);
    expect(JSON.stringify(world.harness.events)).not.toContain(message);
  });

  it("FT-03: keeps nobody from ending access: a token is refused once its person took it back", async () => {
    const client_id = await register(world);
    const { browser, fields } = await atConsent(world, client_id);
    const tokens = await allow(client_id, browser, fields);
    expect(await call(tokens["access_token"])).toEqual([200, true]);
    const body = new URLSearchParams({ client_id, token: tokens["refresh_token"] ?? "" });
    expect((await world.harness.fetch(`${origin}/oauth/revoke`, { method: "POST", body })).status).toBe(200);
    world.advance(limits.snapshotFresh_ms);
    expect(await call(tokens["access_token"])).toEqual([401, false]);
  });

  it("FT-03: keeps nobody from connecting an account", async () => {
    await world.tenant.addServer("vendor", {
      ...{ name: "Vendor", url: vendor.resource, access: { everyone: true } },
      authentication: { type: "oauth" },
    });
    const browser = new Browser(world);
    await browser.signIn(alice);
    const begun = await begin(browser, "/connect/vendor");
    const linked = await browser.get(vendor.authorize(begun.headers.get("location") ?? ""));
    expect(linked.status).toBeLessThan(400);
    const { results } = await env.DB.prepare("select state from connections where tenant_id = ? and target <> 'idp'")
      .bind(tenant)
      .all();
    expect(results).toEqual([{ state: "linked" }]);
  });
});

/** Any host at `.upstream.test`. */
function upstream(request: Request): Promise<Response> | undefined {
  const { url, method, headers, signal } = request;
  if (!new URL(url).hostname.endsWith(".upstream.test")) return undefined;
  return request.text().then(async (text) => {
    const seen = { url, method, headers, text, signal, message: JSON.parse(text) as JsonObject };
    return echoUpstream()(seen);
  });
}
