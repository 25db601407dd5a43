/** Keys that people paste, through the whole Worker: tried at their server first, then kept, and never seen again. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { limits } from "../../../src/limits.ts";
import { begin, connectFields, createConnectWorld, held, person, type World } from "./connect-support.ts";
import { create, type Browser } from "./support.ts";

const access = { everyone: true };
const kinds: Readonly<Record<string, JsonObject>> = {
  bearer: { type: "bearer", holder: "user", hint: "Settings > Tokens <b>here</b>" },
  header: { type: "api_key_header", header: "X-Key", holder: "user" },
  query: { type: "api_key_query", parameter: "key", holder: "user" },
};

let world: World;
const servers = new Map<string, string>();
beforeAll(async () => {
  world = await createConnectWorld();
  for (const [kind, authentication] of Object.entries({ ...kinds, basic: { type: "basic", holder: "user" } })) {
    const url = `https://${kind}.keys.test/mcp`;
    servers.set(kind, await world.tenant.addServer(kind, { name: `The ${kind} server`, url, access, authentication }));
  }
  world.advance(limits.snapshotLife_ms);
}, 30_000);

let browser: Browser;
let id: string;
let key: string;
beforeEach(async () => {
  ({ browser, id } = await person(world));
  key = `canary-key-${crypto.randomUUID()}`;
  world.vendor.keys.clear();
  world.vendor.keys.add(key);
  world.vendor.down = false;
});

const mine = async () => (await world.connections()).filter(({ user_id }) => user_id === id);

/** Asserts that nothing was kept, and that what was typed is nowhere. */
async function expectRefused(response: Response, status: number, words: string, typed: string): Promise<void> {
  const html = await response.text();
  expect([response.status, response.headers.get("location")]).toEqual([status, null]);
  expect(html).toContain(words);
  expect(JSON.stringify([html, [...response.headers], world.harness.events])).not.toContain(typed);
  expect(await mine()).toEqual([]);
}

describe.each(Object.keys(kinds))("a key for %s", (kind) => {
  it("U3, U9: a good one is kept, sealed, after the server took it", async () => {
    const response = await begin(browser, await world.mint({ user_id: id, server_id: servers.get(kind) ?? "" }), [
      ["key", ` ${key} `],
    ]);
    const html = await response.text();
    expect([response.status, html.includes("is connected")]).toEqual([200, true]);
    expect(await mine()).toMatchObject([{ target: servers.get(kind), state: "linked", issuer: "", client_id: "" }]);
    const read = await held(world, id, servers.get(kind));
    expect(read?.credential).toEqual({ kind: "secret", value: key });
    const row = await env.DB.prepare("select * from connections where user_id = ?").bind(id).first();
    expect(JSON.stringify([row, html, world.harness.events])).not.toContain(key);
  });

  it("U3: one that the server refuses is not kept and not shown again", async () => {
    const wrong = `canary-wrong-${crypto.randomUUID()}`;
    const response = await begin(browser, `/connect/${kind}`, [["key", wrong]]);
    await expectRefused(response, 422, "tried at the server, which refused it", wrong);
  });

  it("U3: one that cannot be tried is not kept", async () => {
    world.vendor.down = true;
    const response = await begin(browser, `/connect/${kind}`, [["key", key]]);
    await expectRefused(response, 422, "could not be asked whether it takes the key", key);
  });

  it.each([
    ["nothing", ""],
    ["a space", " "],
    ["a NUL", "a\u0000b"],
    ["a line break", "line\r\nX-Admin: 1"],
    ["a letter that is not ASCII", "naïve"],
    ["one character too many", "x".repeat(8193)],
  ])("HD-07: %s is no key, and no server sees it", async (_name, typed) => {
    const sent = world.vendor.arrived.length;
    const response = await begin(browser, `/connect/${kind}`, [["key", typed]]);
    expect([response.status, (await response.text()).includes("characters that a key cannot have")]).toEqual([
      422,
      true,
    ]);
    expect([await mine(), world.vendor.arrived.length]).toEqual([[], sent]);
  });
});

describe("basic", () => {
  it("U5, U9: user name and password are kept together", async () => {
    world.vendor.keys.add(btoa(`bob:${key}`));
    const response = await begin(browser, "/connect/basic", [
      ["username", "bob"],
      ["key", key],
    ]);
    expect([response.status, response.headers.get("location")]).toEqual([303, "/me/connections?done=connected"]);
    const read = await held(world, id, servers.get("basic"));
    expect(read?.credential).toEqual({ kind: "secret", username: "bob", value: key });
  });

  it.each(["", "a:b", "a\nb"])("U5: %j is no user name", async (username) => {
    const response = await begin(browser, "/connect/basic", [
      ["username", username],
      ["key", key],
    ]);
    await expectRefused(response, 422, "characters that a key cannot have", key);
  });
});

describe("the form", () => {
  it("U3, CO-07: keeps browsers from remembering, stays here, and says the hint as text", async () => {
    const response = await browser.get("/connect/bearer");
    const html = await response.text();
    expect(html).toMatch(/<input id="key" name="key" type="password" autocomplete="off"/);
    expect(html).toContain("Settings &gt; Tokens &lt;b&gt;here&lt;/b&gt;");
    expect(response.headers.get("content-security-policy")).toContain("form-action 'self'");
    expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it("VT-12: what is kept is in no page, neither here nor in the list", async () => {
    await begin(browser, "/connect/header", [["key", key]]);
    for (const path of ["/connect/header", "/me/connections", "/me"]) {
      expect(await (await browser.get(path)).text()).not.toContain(key);
    }
    const listed = await world.tenant.api("GET", "/connections");
    expect([listed.status, (await listed.text()).includes(key)]).toEqual([200, false]);
  });

  it("CO-06: without its token nothing is tried and nothing kept", async () => {
    const fields = connectFields(await (await browser.get("/connect/header")).text());
    const sent = world.vendor.arrived.length;
    const forged = [...fields.filter(([name]) => name !== "form_token"), ["key", key] as [string, string]];
    await expectRefused(await browser.post("/connect/header", forged), 403, "was not accepted", key);
    expect(world.vendor.arrived.length).toBe(sent);
  });

  it("CO-06: of a client that sends its key in the address nothing is taken", async () => {
    const page = await browser.get(`/connect/header?key=${key}`);
    expect(await page.text()).not.toContain(key);
    expect(await mine()).toEqual([]);
  });

  it("U9: of 20 parallel pastes with one link one is kept, and the link is used", async () => {
    const path = await world.mint({ user_id: id, server_id: servers.get("header") ?? "" });
    const fields = connectFields(await (await browser.get(path)).text());
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => browser.post("/connect/header", [...fields, ["key", key]])),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 19 }, () => 410)]);
    expect(await mine()).toHaveLength(1);
    expect((await browser.get(path)).status).toBe(410);
  });

  it("CO-26: a link of somebody else takes no key", async () => {
    const path = await world.mint({ user_id: id, server_id: servers.get("header") ?? "" });
    const fields = connectFields(await (await browser.get(path)).text());
    const other = await person(world, "Mallory");
    const token = connectFields(await (await other.browser.get("/connect/header")).text());
    const posted = [...fields.filter(([name]) => name === "link"), ...token, ["key", key] as [string, string]];
    await expectRefused(await other.browser.post("/connect/header", posted), 403, "for somebody else", key);
    expect((await world.connections()).filter(({ user_id }) => user_id === other.id)).toEqual([]);
  });

  it("U11: a sealed vault takes no key", async () => {
    const fields = connectFields(await (await browser.get("/connect/header")).text());
    await world.tenant.api("PATCH", "/settings", { vault_sealed: true });
    world.advance(limits.snapshotLife_ms);
    const response = await browser.post("/connect/header", [...fields, ["key", key]]);
    await expectRefused(response, 503, "Credentials are sealed", key);
    await world.tenant.api("PATCH", "/settings", { vault_sealed: false });
    world.advance(limits.snapshotLife_ms);
  });
});

describe("a credential for headers, each person's own (U7)", () => {
  let credential: string;
  let slug: string;
  let server: string;
  beforeEach(async () => {
    slug = `uses-${crypto.randomUUID().slice(0, 8)}`;
    const made = await create(world.tenant, "/credentials", { name: slug, holder: "user", hint: "From the wiki" });
    credential = String(made["id"]);
    server = await world.tenant.addServer(slug, {
      ...{ name: "Uses it", access, authentication: { type: "none" } },
      outbound_headers: [{ source: "stored_credential", name: "X-Own", credential_id: credential }],
    });
    world.advance(limits.snapshotLife_ms);
  }, 30_000);

  it("U7, U9: is given on a page of its own, with hint and the servers that use it", async () => {
    const html = await (await browser.get(`/connect/credentials/${credential}`)).text();
    for (const words of [slug, "From the wiki", "Uses it"]) expect(html).toContain(words);
    const response = await begin(browser, `/connect/credentials/${credential}`, [["key", key]]);
    expect(response.headers.get("location")).toBe("/me/connections?done=connected");
    expect((await held(world, id, `credential:${credential}`))?.credential).toEqual({ kind: "secret", value: key });
  });

  it("U7, U9: is asked for by a link of the server that needs it", async () => {
    const target = `credential:${credential}`;
    const response = await begin(browser, await world.mint({ user_id: id, server_id: server, target }), [["key", key]]);
    expect([response.status, (await response.text()).includes("is connected")]).toEqual([200, true]);
    expect(await mine()).toMatchObject([{ target, account: "default", state: "linked" }]);
  });

  it("U7: nobody gives one for servers that they may not reach", async () => {
    await world.tenant.api("PATCH", `/servers/${server}`, { access: { everyone: false, groups: ["finance"] } });
    world.advance(limits.snapshotLife_ms);
    expect((await browser.get(`/connect/credentials/${credential}`)).status).toBe(404);
  });

  it("U7: the organisation's are nobody's to give", async () => {
    const made = await create(world.tenant, "/credentials", {
      ...{ name: `${slug}-org`, holder: "organisation", hint: "", value: "the-organisations-own" },
    });
    const outbound_headers = [{ source: "stored_credential", name: "X-Own", credential_id: made["id"] }];
    await world.tenant.api("PATCH", `/servers/${server}`, { outbound_headers });
    world.advance(limits.snapshotLife_ms);
    expect((await browser.get(`/connect/credentials/${String(made["id"])}`)).status).toBe(404);
    expect(await (await browser.get(`/connect/${slug}`)).text()).toContain("needs no account of yours");
  });
});
