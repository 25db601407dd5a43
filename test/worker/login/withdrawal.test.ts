/** What an administrator withdraws from a provider by the admin API, of people who are signed in. */
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { identity_providers, openDatabase } from "../../../src/db/index.ts";
import * as p from "../portal/support.ts";

const database = openDatabase(env.DB);

async function providerOf(world: p.World): Promise<{ id: string; options: Record<string, unknown> }> {
  const list = (await (await world.tenant.api("GET", "/identity-providers")).json()) as {
    items: { id: string; options: Record<string, unknown> }[];
  };
  const [item] = list.items;
  if (item === undefined) throw new Error("no provider");
  return item;
}

/** @returns the warnings of the answer */
async function change(world: p.World, options: Record<string, unknown>): Promise<readonly string[]> {
  const provider = await providerOf(world);
  const path = `/identity-providers/${provider.id}`;
  const answer = await world.tenant.api("PATCH", path, { options: { ...provider.options, ...options } });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { warnings?: string[] }).warnings ?? [];
}

const status = async (browser: p.Browser, path: string): Promise<number> => (await browser.get(path)).status;

describe("rules that are tightened while people are signed in", () => {
  it("AD-02: who is in no administrators' group any more administrates no longer", async () => {
    const world = await p.createWorld();
    const browser = new p.Browser(world);
    await browser.signIn(p.alice);
    expect(await status(browser, "/admin/agents")).toBe(200);
    await change(world, { roles: { administrator: { groups: ["board"] }, member: { everyone: true } } });
    expect(await status(browser, "/admin/agents")).toBe(403);
    await change(world, { roles: { member: { groups: ["board"] } } });
    expect(await status(browser, "/me")).toBe(303);
  });

  it("AD-02: an address that only the administrator's trust had verified gives no role without it", async () => {
    const world = await p.createWorld();
    await change(world, { trusts_email: true, roles: { administrator: { emails: ["alice@a.test"] } } });
    const browser = new p.Browser(world);
    await browser.signIn({ sub: "alice", email: "alice@a.test", name: "Alice" });
    expect(await status(browser, "/admin/agents")).toBe(200);
    expect(await change(world, { trusts_email: false })).toHaveLength(1);
    expect(await status(browser, "/admin/agents")).toBe(303);
  });

  it("AD-02: groups of a claim that is believed no longer give no role", async () => {
    const world = await p.createWorld();
    const browser = new p.Browser(world);
    await browser.signIn(p.alice);
    expect(await change(world, { groups_claim: "https://a.test/groups" })).toHaveLength(1);
    expect(await status(browser, "/admin/agents")).toBe(403);
  });

  it("AD-02: a domain less signs everybody out and ends what they allowed, since nobody's domain is known", async () => {
    const world = await p.createWorld();
    const client = await p.register(world);
    const browser = new p.Browser(world);
    await browser.signIn(p.alice);
    await p.connect(world, client, browser);
    const grants = async () => {
      const answer = await world.tenant.api("GET", "/grants");
      return ((await answer.json()) as { items: { revoked_reason: string | null }[] }).items;
    };
    expect((await grants())[0]?.revoked_reason ?? null).toBeNull();
    const { id } = await providerOf(world);
    await database
      .update(identity_providers)
      .set({ kind: "google", issuer: "https://accounts.google.com" })
      .where(eq(identity_providers.id, id));
    expect(await change(world, { domains: ["a.test"] })).toHaveLength(1);
    expect(await status(browser, "/me")).toBe(303);
    expect((await grants())[0]?.revoked_reason).toBe("domain_withdrawn");
  });

  it("AD-02: other changes sign nobody out", async () => {
    const world = await p.createWorld();
    const browser = new p.Browser(world);
    await browser.signIn(p.alice);
    expect(await change(world, { trusts_email: true, prompt: "select_account" })).toEqual([]);
    expect(await status(browser, "/admin/agents")).toBe(200);
  });
});

describe("where a sign-in leads", () => {
  it("AS-20: a request within all limits finds back after signing in", async () => {
    const world = await p.createWorld();
    const uri = `https://app.client.test/${"p".repeat(990)}`;
    await p.trust(world.tenant, uri);
    const id = await p.register(world, "Long", uri);
    const browser = new p.Browser(world);
    const path = p.authorizePath(world, id, { redirect_uri: uri, state: "\u0001".repeat(1024) });
    const first = await browser.get(path);
    const done = await browser.signIn(p.alice, first.headers.get("location") ?? "");
    expect(done.headers.get("location")).toMatch(/^\/oauth\/consent/);
  });

  it("AS-20: one past the bound ends on a page before anybody signs in", async () => {
    const browser = new p.Browser(await p.createWorld());
    const asked = await browser.get(`/me?${"a".repeat(12_000)}`);
    const response = await browser.get(asked.headers.get("location") ?? "");
    expect([response.status, response.headers.get("location")]).toEqual([400, null]);
    expect(await response.text()).toContain("This request is too long");
    expect(browser.received).toEqual([]);
  });
});
