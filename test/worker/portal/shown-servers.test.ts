/** Between the page on which somebody connects and its form the servers may change: nothing goes to an address that was not shown. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { connectFields, createConnectWorld, held, link, person, type World } from "./connect-support.ts";
import { create, type Browser } from "./support.ts";

type Field = [string, string];

const access = { everyone: true };
const none = { type: "none" };

let world: World;
beforeAll(async () => {
  world = await createConnectWorld();
}, 30_000);

let browser: Browser;
let id: string;
let key: string;
let slug: string;
beforeEach(async () => {
  ({ browser, id } = await person(world));
  key = `canary-key-${crypto.randomUUID()}`;
  slug = `s-${crypto.randomUUID().slice(0, 8)}`;
  world.vendor.keys.clear();
  world.vendor.keys.add(key);
});

const reload = (): void => world.advance(limits.snapshotLife_ms);
const fieldsOf = async (path: string): Promise<Field[]> => connectFields(await (await browser.get(path)).text());

async function attempts(): Promise<number> {
  const row = await env.DB.prepare("select count(*) as count from link_attempts where user_id = ?").bind(id).first();
  return Number(row?.["count"]);
}

/** Asserts that the page is shown again and nothing else happened. @returns it */
async function expectShownAgain(response: Response, words: string): Promise<string> {
  const html = await response.text();
  expect([response.status, response.headers.get("location")]).toEqual([422, null]);
  expect(html).toContain(words);
  expect(JSON.stringify([html, [...response.headers], world.harness.events])).not.toContain(key);
  expect((await world.connections()).filter(({ user_id }) => user_id === id)).toEqual([]);
  expect(await attempts()).toBe(0);
  return html;
}

describe("a credential for headers of servers", () => {
  const words = "The servers that this is used by have changed.";
  let credential: string;
  let path: string;
  const uses = async (name: string, host: string): Promise<string> =>
    world.tenant.addServer(name, {
      ...{ name: `The ${name}`, url: `https://${host}/mcp`, access, authentication: none },
      outbound_headers: [{ source: "stored_credential", name: "X-Own", credential_id: credential }],
    });

  beforeEach(async () => {
    const made = await create(world.tenant, "/credentials", { name: slug, holder: "user", hint: "" });
    credential = String(made["id"]);
    path = `/connect/credentials/${credential}`;
    await uses(slug, "first.headers.test");
    reload();
  });

  it("U7, U8: a server that came after the page is shown first, and gets it only then", async () => {
    const fields = await fieldsOf(path);
    await uses(`${slug}-more`, "second.headers.test");
    reload();
    const html = await expectShownAgain(await browser.post(path, [...fields, ["key", key]]), words);
    expect(html).toContain("second.headers.test");
    const again = await browser.post(path, [...connectFields(html), ["key", key]]);
    expect([again.status, again.headers.get("location")]).toEqual([303, "/me/connections?done=connected"]);
    expect((await held(world, id, `credential:${credential}`))?.fit).toContain("second.headers.test");
  });

  it("U7, U8: so is a server whose header begins to use it", async () => {
    const other = await world.tenant.addServer(`${slug}-old`, {
      ...{ url: "https://third.headers.test/mcp", access, authentication: none },
    });
    reload();
    const fields = await fieldsOf(path);
    const outbound_headers = [{ source: "stored_credential", name: "X-Own", credential_id: credential }];
    expect((await world.tenant.api("PATCH", `/servers/${other}`, { outbound_headers })).status).toBe(200);
    reload();
    const html = await expectShownAgain(await browser.post(path, [...fields, ["key", key]]), words);
    expect(html).toContain("third.headers.test");
  });

  it("U7, U8: so is a server that moved, also where an application asks for it by a link", async () => {
    const server = await uses(`${slug}-moves`, "before.headers.test");
    reload();
    const asked = await world.mint({ user_id: id, server_id: server, target: `credential:${credential}` });
    const fields = await fieldsOf(asked);
    await world.tenant.api("PATCH", `/servers/${server}`, { url: "https://after.headers.test/mcp" });
    reload();
    const response = await browser.post(`/connect/${slug}-moves`, [...fields, ["key", key]]);
    expect(await expectShownAgain(response, words)).toContain("after.headers.test");
  });

  it.each([
    ["none", []],
    ["another one", [["shown", "x"]]],
    ["two", [["shown", "x"]]],
  ] as const)("U8: a form that tells of %s is shown again", async (what, told) => {
    const fields = await fieldsOf(path);
    const kept = what === "two" ? fields : fields.filter(([name]) => name !== "shown");
    await expectShownAgain(await browser.post(path, [...kept, ...told, ["key", key]]), words);
  });

  it("U8: the name of a server may change meanwhile", async () => {
    const fields = await fieldsOf(path);
    const [server] = [...(await world.visit()).snapshot.servers.values()].filter((one) => one.slug === slug);
    await world.tenant.api("PATCH", `/servers/${server?.id ?? ""}`, { name: "Another name" });
    reload();
    expect((await browser.post(path, [...fields, ["key", key]])).status).toBe(303);
  });
});

describe("a server with keys or accounts of people", () => {
  const words = "The server has changed.";

  it.each([
    ["address", { url: "https://moved.keys.test/mcp" }],
    ["header", { authentication: { type: "api_key_header", header: "X-Other", holder: "user" } }],
  ])("U8: a key is not tried at a server whose %s changed after the page", async (_what, changes) => {
    const server = await world.tenant.addServer(slug, {
      ...{ url: "https://stays.keys.test/mcp", access },
      authentication: { type: "api_key_header", header: "X-Key", holder: "user" },
    });
    reload();
    const path = `/connect/${slug}`;
    const fields = await fieldsOf(path);
    expect((await world.tenant.api("PATCH", `/servers/${server}`, changes)).status).toBe(200);
    reload();
    const sent = world.vendor.arrived.length;
    await expectShownAgain(await browser.post(path, [...fields, ["key", key]]), words);
    expect(world.vendor.arrived.length).toBe(sent);
  });

  it("U8, UP-02: nobody goes to the provider for a server that moved after the page, although the provider is the same", async () => {
    const server = await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access, authentication: { type: "oauth" } },
    });
    reload();
    const path = `/connect/${slug}`;
    const fields = await fieldsOf(path);
    await world.tenant.api("PATCH", `/servers/${server}`, { url: "https://other.vendor.test/mcp" });
    reload();
    const html = await expectShownAgain(await browser.post(path, fields), words);
    expect(html).toContain("other.vendor.test");
    const begun = await browser.post(path, connectFields(html));
    expect([begun.status, begun.headers.get("location")?.startsWith(world.vendor.issuer)]).toEqual([303, true]);
  });

  it("U8: a wrong name for another account does not hide that the server changed", async () => {
    const server = await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access, authentication: { type: "oauth" } },
    });
    reload();
    await link(world, browser, `/connect/${slug}`);
    const fields = await fieldsOf(`/connect/${slug}?another=yes`);
    await world.tenant.api("PATCH", `/servers/${server}`, { url: "https://other.vendor.test/mcp" });
    reload();
    const response = await browser.post(`/connect/${slug}`, [...fields, ["account", "/"]]);
    const html = await response.text();
    expect([response.status, html.includes(words), html.includes("at both ends")]).toEqual([422, true, true]);
  });
});
