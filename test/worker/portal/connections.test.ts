/** "My connections", what the consent page says of them, and the administrators' list. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { begin, connectFrom, createConnectWorld, held, link, person, type World } from "./connect-support.ts";
import { alice, atConsent, Browser, connect, create, register, tokenAt, vera } from "./support.ts";

const none = { type: "none" };

let world: World;
let client: string;
beforeAll(async () => {
  world = await createConnectWorld();
  client = await register(world, "Desk helper");
}, 30_000);

let browser: Browser;
let id: string;
beforeEach(async () => {
  ({ browser, id } = await person(world));
});

const mine = async () => (await world.connections()).filter(({ user_id }) => user_id === id);
const shown = async (path = "/me/connections"): Promise<string> => (await browser.get(path)).text();
const first = async (): Promise<string> => String((await mine())[0]?.["id"]);
const reload = (): void => world.advance(limits.snapshotLife_ms);

const post = async (verb: string, connection: string): Promise<Response> =>
  browser.post(`/me/connections/${connection}/${verb}`, [await tokenAt(browser, "/me/connections")]);

describe("my connections (U14)", () => {
  it("U14: shows what can be connected, and nothing else", async () => {
    const slug = `payroll-${crypto.randomUUID().slice(0, 8)}`;
    const access = { everyone: false, groups: ["finance"] };
    const authentication = { type: "oauth" };
    await world.tenant.addServer(slug, { name: "Payroll", url: world.vendor.resource, access, authentication });
    reload();
    const html = await shown();
    for (const words of ["Vendor", "mcp.vendor.test", "Not connected", 'href="/connect/vendor"']) {
      expect(html).toContain(words);
    }
    for (const words of ["Payroll", "Tickets", "Company wiki"]) expect(html).not.toContain(words);
  });

  it("U14, U10: shows state, provider, permissions and the default of each account", async () => {
    await link(world, browser);
    await link(world, browser, "/connect/vendor?another=yes", [["account", "work"]]);
    const html = await shown("/me/connections?done=connected");
    for (const words of [
      "It is connected",
      "auth.vendor.test",
      "read, write",
      "Your account",
      "work",
      "Default: calls use this one",
      "Connected",
    ]) {
      expect(html).toContain(words);
    }
    expect(html).toContain('href="/connect/vendor?account=work"');
    for (const secret of world.vendor.secrets()) expect(html).not.toContain(secret);
  });

  it("U10: another account is made the default", async () => {
    await link(world, browser);
    await link(world, browser, "/connect/vendor?another=yes", [["account", "work"]]);
    const work = (await mine()).find(({ account }) => account === "work");
    const response = await post("default", String(work?.["id"]));
    const location = response.headers.get("location") ?? "";
    expect([response.status, location]).toEqual([303, `/me/connections?uses=${String(work?.["id"])}`]);
    expect(await shown(location)).toContain("Calls to Vendor use “work” from now on.");
    expect(await shown(`/me/connections?uses=${crypto.randomUUID()}`)).not.toContain("from now on");
    const rows = await mine();
    expect(rows.filter(({ is_default }) => is_default === 1).map(({ account }) => account)).toEqual(["work"]);
  });

  it("U10, U14: connecting one again begins it anew and leaves the accounts in their order", async () => {
    await link(world, browser);
    for (const name of ["beta", "alpha", "gamma"]) {
      await link(world, browser, "/connect/vendor?another=yes", [["account", name]]);
    }
    const order = (html: string): string[] =>
      [...html.matchAll(/<h3[^>]*><bdi>([^<]*)</g)].map(([, name = ""]) => name.trim());
    const before = await shown();
    expect(order(before)).toEqual(["Your account", "alpha", "beta", "gamma"]);
    world.advance(limits.snapshotLife_ms * 30);
    await link(world, browser, "/connect/vendor?account=alpha");
    expect(order(await shown())).toEqual(order(before));
    const made = async (account: string): Promise<number> =>
      (
        await env.DB.prepare("select created_at as at from connections where user_id = ? and account = ?")
          .bind(id, account)
          .first<{ at: number }>()
      )?.at ?? 0;
    expect((await made("alpha")) - (await made("gamma"))).toBeGreaterThanOrEqual(limits.snapshotLife_ms * 30);
  });

  it("U14, UP-21: disconnecting is asked once more, ends it at once and revokes both tokens at the provider", async () => {
    await link(world, browser);
    const tokens = world.vendor.tokens.slice(-2);
    const connection = await first();
    const page = await shown(`/me/connections/${connection}/disconnect`);
    expect(page).toContain("Disconnect <bdi>Vendor</bdi>?");
    expect(await mine()).toHaveLength(1);
    const response = await post("disconnect", connection);
    expect([response.status, response.headers.get("location")]).toEqual([303, "/me/connections?done=disconnected"]);
    expect(await mine()).toEqual([]);
    const revoked = world.vendor.revoked.map((parameters) => parameters.get("token"));
    expect(revoked.slice(-2).toSorted()).toEqual(tokens.toSorted());
    expect(await held(world, id)).toBeUndefined();
    const event = world.harness.events.findLast((one) => "action" in one && one.action === "connection.unlink");
    expect(event).toMatchObject({ outcome: "ok", actor: { user: id } });
    expect((await post("disconnect", connection)).status).toBe(404);
  });

  it.each(["disconnect", "default"])("U14: somebody else's connection does not exist (%s)", async (verb) => {
    const other = await person(world, "Mallory");
    await link(world, other.browser);
    const theirs = (await world.connections()).find(({ user_id }) => user_id === other.id);
    expect((await post(verb, String(theirs?.["id"]))).status).toBe(404);
    expect((await browser.get(`/me/connections/${String(theirs?.["id"])}/disconnect`)).status).toBe(404);
    expect(await world.connections()).toContainEqual(theirs);
  });

  it.each(["disconnect", "default"])("CO-06: a form without its token changes nothing (%s)", async (verb) => {
    await link(world, browser);
    const before = await mine();
    expect((await browser.post(`/me/connections/${await first()}/${verb}`, [])).status).toBe(403);
    expect(await mine()).toEqual(before);
  });

  it("CO-06: opening an address changes nothing", async () => {
    await link(world, browser);
    const before = await mine();
    expect((await browser.get(`/me/connections/${await first()}/default`)).status).toBe(404);
    await browser.get(`/me/connections/${await first()}/disconnect`);
    expect(await mine()).toEqual(before);
  });

  it("U14: one that must be connected again says so", async () => {
    await link(world, browser);
    await env.DB.prepare(
      "update connections set state = 'needs_reauth', reason = 'x' where user_id = ? and target <> 'idp'",
    )
      .bind(id)
      .run();
    expect(await shown()).toContain("Must be connected again");
  });

  it("U14, U8: one whose server changed says so, and connecting again mends it", async () => {
    const slug = `turned-${crypto.randomUUID().slice(0, 8)}`;
    const server = await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access: { everyone: true }, authentication: { type: "oauth" } },
    });
    reload();
    await link(world, browser, `/connect/${slug}`);
    const issuer = world.vendor.issuer;
    expect(
      (await world.tenant.api("PATCH", `/servers/${server}`, { authentication: { type: "oauth", issuer } })).status,
    ).toBe(200);
    reload();
    expect(await shown()).toContain("Server changed: connect again");
    await link(world, browser, `/connect/${slug}?account=default`);
    expect(await shown()).not.toContain("Server changed: connect again");
  });

  it("U14: one whose server is gone, or closed, is shown apart and can only be disconnected", async () => {
    const slug = `gone-${crypto.randomUUID().slice(0, 8)}`;
    const server = await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access: { everyone: true }, authentication: { type: "oauth" } },
    });
    reload();
    await link(world, browser, `/connect/${slug}`);
    await world.tenant.api("PATCH", `/servers/${server}`, { enabled: false });
    reload();
    const html = await shown();
    expect(html).toContain("The server is switched off, or not open to you any more.");
    expect(html).not.toContain(`href="/connect/${slug}`);
    expect((await post("disconnect", await first())).status).toBe(303);
    expect(await mine()).toEqual([]);
  });

  it.each([
    ["asks for no account any more", (path: string) => world.tenant.api("PATCH", path, { authentication: none })],
    ["is removed", (path: string) => world.tenant.api("DELETE", path)],
  ] as const)("U14: a server that %s: the page says what is true of it", async (what, change) => {
    const slug = `left-${crypto.randomUUID().slice(0, 8)}`;
    const server = await world.tenant.addServer(slug, {
      ...{ name: `The ${slug}`, url: world.vendor.resource, access: { everyone: true } },
      authentication: { type: "oauth" },
    });
    reload();
    await link(world, browser, `/connect/${slug}`);
    expect((await change(`/servers/${server}`)).ok).toBe(true);
    reload();
    const html = await shown();
    const isGone = what === "is removed";
    expect(html).toContain(isGone ? "The server was removed." : "does not ask for an account or key of yours any more");
    expect(html).toContain(isGone ? "A server that was removed" : `The ${slug}`);
    expect(html).not.toContain("not open to you any more");
  });

  it("U7, U14: a stored credential keeps its name while it exists, and the page says that nothing asks for it", async () => {
    const name = `stored-${crypto.randomUUID().slice(0, 8)}`;
    const made = await create(world.tenant, "/credentials", { name, holder: "user", hint: "" });
    const credential_id = String(made["id"]);
    const server = await world.tenant.addServer(name, {
      ...{ access: { everyone: true }, authentication: none },
      outbound_headers: [{ source: "stored_credential", name: "X-Own", credential_id }],
    });
    reload();
    await begin(browser, `/connect/credentials/${credential_id}`, [["key", "a-key"]]);
    const connection = await first();
    expect(await shown(`/me/connections/${connection}/disconnect`)).toContain(`Disconnect <bdi>${name}</bdi>?`);
    await world.tenant.api("PATCH", `/servers/${server}`, { outbound_headers: [] });
    reload();
    const html = await shown();
    expect(html).toContain(`<bdi>${name}</bdi>`);
    expect(html).toContain("No server that you may use asks for it any more.");
    expect(html).toContain("Your key");
  });

  it("U14: an account at a server that no application may use says where to allow it, until one may", async () => {
    const words = "None of your applications may use this server yet";
    expect(await shown()).not.toContain(words);
    await link(world, browser);
    expect(await shown()).toContain(words);
    await connect(world, client, browser);
    expect(await shown()).not.toContain(words);
  });

  it("CO-24: names of servers, hints and accounts are text", async () => {
    const slug = `xss-${crypto.randomUUID().slice(0, 8)}`;
    const evil = '"><img src=x onerror=alert(1)>';
    await world.tenant.addServer(slug, {
      ...{ name: evil, url: world.vendor.resource, access: { everyone: true } },
      authentication: { type: "oauth", hint: evil },
    });
    reload();
    await link(world, browser, `/connect/${slug}`);
    await env.DB.prepare("update connections set scope = ? where user_id = ? and target <> 'idp'").bind(evil, id).run();
    for (const path of ["/me/connections", `/connect/${slug}`, `/me/connections/${await first()}/disconnect`]) {
      const html = await shown(path);
      expect(html).toContain("&lt;img src=x");
      expect(html).not.toContain("<img");
    }
  });

  it("U14: the page takes no words from its address", async () => {
    expect(await shown("/me/connections?done=canary")).not.toContain("canary");
  });

  it("U14: tokens of the sign-in and those that Gatehouse gets by itself are not shown", async () => {
    const html = await shown();
    expect(html).not.toContain("idp");
    const row = await env.DB.prepare("select id from connections where user_id = ? and target = 'idp'")
      .bind(id)
      .first();
    expect((await post("disconnect", String(row?.["id"]))).status).toBe(404);
  });

  it("U14: who is not signed in signs in first", async () => {
    expect((await new Browser(world).get("/me/connections")).headers.get("location")).toMatch(/^\/login\?to=/);
  });
});

describe("on the consent page (A2)", () => {
  it("A2: each server says what it needs; connecting leads back, and nobody has to", async () => {
    const before = await atConsent(world, client, { browser });
    expect(before.html).toContain("Account not connected");
    expect(before.html).toContain("No account needed");
    const connected = await link(world, browser, await connectFrom(browser, before.fields));
    expect(connected.status).toBe(303);
    const back = connected.headers.get("location") ?? "";
    expect(back).toMatch(/^\/oauth\/consent\?request=/);
    const html = await shown(back);
    expect(html).toContain("Account connected");
    const missing = (text: string): number => text.split("Account not connected").length - 1;
    expect(missing(before.html) - missing(html)).toBe(1);
  });

  it("A2: going on without an account is possible", async () => {
    const { fields } = await atConsent(world, client, { browser });
    const response = await browser.post("/oauth/consent", [...fields, ["decision", "allow"]]);
    expect(response.headers.get("location")).toContain("code=");
  });

  it("A2, U14: one that must be connected again has its own words", async () => {
    await link(world, browser);
    await env.DB.prepare("update connections set state = 'needs_reauth' where user_id = ? and target <> 'idp'")
      .bind(id)
      .run();
    const { html } = await atConsent(world, client, { browser });
    expect(html).toContain("Must be connected again");
    expect(html).toContain("Connect again");
  });

  it("AS-20: the way back is one of our own pages, whatever the address says", async () => {
    const begun = await begin(browser, "/connect/vendor?to=https%3A%2F%2Fevil.test%2F");
    const response = await browser.get(world.vendor.authorize(begun.headers.get("location") ?? ""));
    expect(response.headers.get("location")).toBe("/me/connections?done=connected");
  });
});

describe("the administrators' list (U14)", () => {
  const staff = async (claims: Record<string, unknown>): Promise<Browser> => {
    const one = new Browser(world);
    await one.signIn(claims);
    return one;
  };

  it("U14, VT-12: shows who, server, account and state, and no secret", async () => {
    await link(world, browser);
    const html = await (await (await staff(alice)).get("/admin/connections")).text();
    for (const words of ["Bob Example", "<bdi>Vendor</bdi>", "<bdi>Account</bdi>", "Connected", "auth.vendor.test"])
      expect(html).toContain(words);
    for (const secret of world.vendor.secrets()) expect(html).not.toContain(secret);
  });

  it("A11: an administrator removes one, an auditor only looks, a member not even that", async () => {
    await link(world, browser);
    const connection = await first();
    const path = `/admin/connections/${connection}/remove`;
    const auditor = await staff(vera);
    const page = await auditor.get("/admin/connections");
    expect([page.status, (await page.text()).includes("Remove")]).toEqual([200, false]);
    expect((await auditor.post(path, [await tokenAt(auditor, "/me")])).status).toBe(403);
    expect((await browser.get("/admin/connections")).status).toBe(403);
    expect((await browser.post(path, [await tokenAt(browser, "/me")])).status).toBe(403);
    expect(await mine()).toHaveLength(1);
    const administrator = await staff(alice);
    const removed = await administrator.post(path, [await tokenAt(administrator, "/me")]);
    expect([removed.status, removed.headers.get("location")]).toEqual([303, "/admin/connections?done=removed"]);
    expect(await mine()).toEqual([]);
  });

  it("CO-06: a form without its token removes nothing", async () => {
    await link(world, browser);
    const administrator = await staff(alice);
    expect((await administrator.post(`/admin/connections/${await first()}/remove`, [])).status).toBe(403);
    expect(await mine()).toHaveLength(1);
  });
});
