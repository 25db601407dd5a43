/** The inventory of agents and the trusted redirect URLs, as administrators see and change them. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import {
  agentKey,
  alice,
  authorizePath,
  bob,
  Browser,
  connect,
  createWorld,
  fieldsOf,
  register,
  tokenAt,
  vera,
  type World,
} from "./support.ts";

let world: World;
let staff: Browser;
beforeAll(async () => {
  world = await createWorld();
  staff = new Browser(world);
  await staff.signIn();
}, 30_000);

const blocked = "https://blocked.client.test/cb";

async function trusted(of = world): Promise<{ id: string; uri: string }[]> {
  const response = await of.tenant.api("GET", "/redirect-uris");
  return ((await response.json()) as { items: { id: string; uri: string }[] }).items;
}

const agentState = async (client: string): Promise<{ disabled_at: number | null; kind: string }> =>
  (await world.tenant.api("GET", `/agents/${agentKey(client)}`)).json();

describe("agents (S10)", () => {
  it("S10: the inventory shows every client, blocked ones included, with kind, owner, first and last use", async () => {
    const used = await register(world, "Used helper");
    const ben = new Browser(world);
    await ben.signIn(bob);
    await connect(world, used, ben);
    const turnedAway = await register(world, "Blocked helper", blocked);
    await new Browser(world).get(authorizePath(world, turnedAway, { redirect_uri: blocked }));
    const html = await (await staff.get("/admin/agents")).text();
    for (const words of [
      "Used helper",
      "Blocked helper",
      "Registered itself",
      "Bob Example",
      "Active",
      "Turned away",
      "redirect uri untrusted",
    ]) {
      expect(html).toContain(words);
    }
    const details = await (await staff.get(`/admin/agents/${agentKey(used)}`)).text();
    for (const words of [used, "Bob Example", "Tickets, Company wiki"]) expect(details).toContain(words);
  });

  it("S10: disabling ends what the client has, and it gets nothing any more", async () => {
    const client = await register(world, "Doomed helper");
    const ben = new Browser(world);
    await ben.signIn(bob);
    const grant = await connect(world, client, ben);
    const path = `/admin/agents/${agentKey(client)}`;
    const response = await staff.post(`${path}/disable`, [await tokenAt(staff, path)]);
    expect([response.status, response.headers.get("location")]).toEqual([303, path]);
    expect(await agentState(client)).toMatchObject({ disabled_at: expect.any(Number) });
    const row = await env.DB.prepare("select revoked_reason from grants where id = ?").bind(grant).first();
    expect(row).toEqual({ revoked_reason: "client_disabled" });
    const stopped = await ben.get(authorizePath(world, client));
    expect(stopped.status).toBe(400);
    expect(await stopped.text()).toContain("This application is switched off");
    expect((await staff.post(`${path}/enable`, [await tokenAt(staff, path)])).status).toBe(303);
    expect(await agentState(client)).toMatchObject({ disabled_at: null });
  });

  it("S10: a grant is revoked from the page of its client", async () => {
    const client = await register(world, "Shared helper");
    const ben = new Browser(world);
    await ben.signIn(bob);
    const grant = await connect(world, client, ben);
    const path = `/admin/agents/${agentKey(client)}`;
    const token = await tokenAt(staff, path);
    expect((await staff.post(`${path}/grants/${grant}/revoke`, [token])).headers.get("location")).toBe(path);
    const row = await env.DB.prepare("select revoked_reason from grants where id = ?").bind(grant).first();
    expect(row).toEqual({ revoked_reason: "administrator" });
  });

  it.each([
    ["a member", bob],
    ["an auditor", vera],
  ])("A11: %s cannot disable a client", async (_who, claims) => {
    const client = await register(world, "Safe helper");
    const browser = new Browser(world);
    await browser.signIn(claims);
    const token = await tokenAt(browser, "/me");
    expect((await browser.post(`/admin/agents/${agentKey(client)}/disable`, [token])).status).toBe(403);
    expect(await agentState(client)).toMatchObject({ disabled_at: null });
  });

  it.each(["/admin/agents", "/admin/agents/eA", "/admin/redirect-uris"])(
    "A11: a member does not see %s",
    async (path) => {
      const browser = new Browser(world);
      await browser.signIn(bob);
      const response = await browser.get(path);
      expect(response.status).toBe(403);
      expect(await response.text()).toContain("for administrators");
    },
  );

  it("S10: an agent that nobody saw has no page", async () => {
    expect((await staff.get(`/admin/agents/${agentKey("nobody")}`)).status).toBe(404);
    expect((await staff.get("/admin/agents/%21%21")).status).toBe(404);
  });
});

describe("redirect URLs (A3)", () => {
  it("A3: what was blocked is listed, and can be trusted from there", async () => {
    const client = await register(world, "New helper", "https://new.client.test/cb");
    const path = authorizePath(world, client, { redirect_uri: "https://new.client.test/cb" });
    expect((await staff.get(path)).status).toBe(400);
    const html = await (await staff.get("/admin/redirect-uris")).text();
    const [, row = ""] = html.split("Blocked lately</caption>");
    const fields = fieldsOf(
      `<form ${row
        .split("<form ")
        .slice(1)
        .find((part) => part.includes("new.client.test"))}`,
      "/admin/redirect-uris",
    );
    expect(fields).toContainEqual(["uri", "https://new.client.test/cb"]);
    expect((await staff.post("/admin/redirect-uris", fields)).status).toBe(303);
    expect((await trusted()).map(({ uri }) => uri)).toContain("https://new.client.test/cb");
    expect((await staff.get(path)).headers.get("location")).toMatch(/^\/oauth\/consent/);
  });

  it("A3: removing one ends the grants that used it", async () => {
    const own = await createWorld();
    const browser = new Browser(own);
    await browser.signIn();
    const grant = await connect(own, await register(own), browser);
    const [entry] = await trusted(own);
    const token = await tokenAt(browser, "/admin/redirect-uris");
    const response = await browser.post(`/admin/redirect-uris/${entry?.id}/remove`, [token]);
    expect(response.headers.get("location")).toBe("/admin/redirect-uris");
    expect(await trusted(own)).toEqual([]);
    const row = await env.DB.prepare("select revoked_reason from grants where id = ?").bind(grant).first();
    expect(row).toEqual({ revoked_reason: "redirect_untrusted" });
  });

  it("A3: what cannot be trusted is refused with a sentence, and what was typed stays", async () => {
    const fields = [
      await tokenAt(staff, "/admin/redirect-uris"),
      ["uri", "javascript:alert(1)//x"],
      ["note", "My note"],
    ] as const;
    const before = await trusted();
    const response = await staff.post("/admin/redirect-uris", fields);
    const html = await response.text();
    expect(response.status).toBe(422);
    expect(html).toContain('aria-invalid="true"');
    expect(html).toContain('value="My note"');
    expect(await trusted()).toEqual(before);
  });

  it("A3, AD-14: changes need a fresh sign-in, and lead back with what was typed", async () => {
    const own = await createWorld();
    const browser = new Browser(own);
    await browser.signIn();
    const token = await tokenAt(browser, "/admin/redirect-uris");
    own.advance(limits.freshSignIn_ms + 1000);
    const before = await trusted(own);
    const fields = [token, ["uri", "https://late.client.test/cb"], ["note", ""]] as const;
    const stale = await browser.post("/admin/redirect-uris", fields);
    expect(stale.status).toBe(403);
    expect(await trusted(own)).toEqual(before);
    const again = /href="(\/login[^"]*)"/.exec(await stale.text())?.[1]?.replaceAll("&amp;", "&") ?? "";
    const back = await browser.signIn(alice, again);
    const html = await (await browser.get(back.headers.get("location") ?? "")).text();
    expect(html).toContain('value="https://late.client.test/cb"');
    const renewed = [await tokenAt(browser, "/admin/redirect-uris"), ...fields.slice(1)];
    expect((await browser.post("/admin/redirect-uris", renewed)).status).toBe(303);
  });

  it("CO-06: a form of another site trusts nothing", async () => {
    const before = await trusted();
    const fields = [await tokenAt(staff, "/admin/redirect-uris"), ["uri", "https://evil.test/cb"]] as const;
    expect((await staff.post("/admin/redirect-uris", fields, { origin: "https://evil.test" })).status).toBe(403);
    expect(await trusted()).toEqual(before);
  });
});
