/** "My access": what a person sees and ends. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bob, Browser, callback, connect, createWorld, fieldsOf, register, tokenAt, type World } from "./support.ts";

let world: World;
let client: string;
beforeAll(async () => {
  world = await createWorld();
  client = await register(world, "Desk helper");
}, 30_000);

let browser: Browser;
let grant: string;
beforeEach(async () => {
  browser = new Browser(world);
  await browser.signIn({ sub: crypto.randomUUID(), name: "Carol", groups: [] });
  grant = await connect(world, client, browser);
}, 30_000);

interface Stored {
  readonly revoked_at: number | null;
  readonly revoked_reason: string | null;
  readonly servers: string;
}

const stored = async (): Promise<Stored | null> =>
  env.DB.prepare("select revoked_at, revoked_reason, servers from grants where id = ?").bind(grant).first<Stored>();

const shown = async (): Promise<string> => (await browser.get("/me")).text();

describe("my access (A13)", () => {
  it("A13: shows client, servers, last use, place and address of each grant", async () => {
    const html = await shown();
    for (const words of [
      "Desk helper",
      "Tickets, Company wiki",
      "app.client.test",
      "network",
      `${world.tenant.origin}/mcp`,
    ]) {
      expect(html).toContain(words);
    }
    expect(html).toMatch(
      /<dt>Last used<\/dt><dd><time datetime="\d{4}-\d\d-\d\dT[\d:.]+Z">\d{4}-\d\d-\d\d \d\d:\d\d UTC/,
    );
  });

  it("A13: removing access ends the grant and is shown no more", async () => {
    const response = await browser.post(`/me/grants/${grant}/revoke`, [await tokenAt(browser, "/me")]);
    expect([response.status, response.headers.get("location")]).toEqual([303, "/me?done=revoked"]);
    expect(await stored()).toMatchObject({ revoked_reason: "user", revoked_at: expect.any(Number) });
    expect(await shown()).toContain("No application has access");
  });

  it("A13: a grant whose code was never redeemed is not shown", async () => {
    await env.DB.prepare("update grants set redeemed_at = null where id = ?").bind(grant).run();
    expect(await shown()).not.toContain("Desk helper");
  });

  it("A13: the servers of a grant can be changed", async () => {
    const path = `/me/grants/${grant}/servers`;
    const fields = fieldsOf(await (await browser.get(path)).text(), path);
    expect(fields.filter(([name]) => name === "server")).toHaveLength(2);
    const kept = fields.filter(([, value]) => value !== world.servers.wiki);
    expect((await browser.post(path, kept)).headers.get("location")).toBe("/me?done=changed");
    expect(JSON.parse((await stored())?.servers ?? "")).toEqual([world.servers.tickets]);
  });

  it("A13: a server that the person may not reach cannot be chosen", async () => {
    const hidden = await world.tenant.addServer(`payroll-${Date.now()}`, {
      access: { everyone: false, groups: ["finance"] },
    });
    const path = `/me/grants/${grant}/servers`;
    const response = await browser.post(path, [await tokenAt(browser, "/me"), ["server", hidden]]);
    expect(response.status).toBe(422);
    expect(JSON.parse((await stored())?.servers ?? "")).not.toContain(hidden);
  });

  it.each(["revoke", "servers"])("A13: somebody else's grant does not exist (%s)", async (verb) => {
    const bobs = new Browser(world);
    await bobs.signIn(bob);
    const before = await stored();
    const fields = [await tokenAt(bobs, "/me"), ["server", world.servers.tickets]] as const;
    expect((await bobs.post(`/me/grants/${grant}/${verb}`, fields)).status).toBe(404);
    expect(await stored()).toEqual(before);
  });

  it.each(["revoke", "servers"])("CO-06: a form without its token changes nothing (%s)", async (verb) => {
    const before = await stored();
    expect((await browser.post(`/me/grants/${grant}/${verb}`, [["server", world.servers.wiki]])).status).toBe(403);
    expect(await stored()).toEqual(before);
  });

  it("A13: the page takes no words from its address", async () => {
    const html = await (await browser.get("/me?done=canary")).text();
    expect(html).not.toContain("canary");
  });
});

describe("signing out (CO-19)", () => {
  it("CO-19: ends the session in this browser and on the server", async () => {
    const old = browser.cookies.get("__Host-gatehouse") ?? "";
    const response = await browser.post("/logout", [await tokenAt(browser, "/me")]);
    expect([response.status, response.headers.get("location")]).toEqual([303, "/"]);
    expect(browser.cookies.has("__Host-gatehouse")).toBe(false);
    const again = await new Browser(world).send("/me", { headers: { cookie: `__Host-gatehouse=${old}` } });
    expect(again.headers.get("location")).toMatch(/^\/login/);
  });

  it("CO-19: a form of another site signs nobody out", async () => {
    const token = await tokenAt(browser, "/me");
    expect((await browser.post("/logout", [token], { origin: "https://evil.test" })).status).toBe(403);
    expect((await browser.get("/me")).status).toBe(200);
  });

  it("CO-19: a link signs nobody out", async () => {
    expect((await browser.get("/logout")).status).toBe(404);
    expect((await browser.get("/me")).status).toBe(200);
  });

  it("AS-20: an address to go to afterwards is not looked at", async () => {
    const fields = [await tokenAt(browser, "/me"), ["to", "https://evil.test/"]] as const;
    expect((await browser.post("/logout", fields)).headers.get("location")).toBe("/");
  });
});

describe("after consent", () => {
  it("CO-09: a removed grant is asked for again, although the answer was remembered", async () => {
    expect(callback).toMatch(/^https:/);
    await browser.post(`/me/grants/${grant}/revoke`, [await tokenAt(browser, "/me")]);
    await expect(connect(world, client, browser)).resolves.not.toBe(grant);
  });
});
