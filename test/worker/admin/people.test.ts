import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { agent_uses, openDatabase } from "../../../src/db/index.ts";
import { harness, type Body } from "./harness.ts";
import { addAgent, addGrant, addProvider, addUser, documentAgent, keyOf, revokedSubjects } from "./people.ts";

describe("A11 users", () => {
  it("A11: people are listed in the order of their first sign-in, page by page", async () => {
    const admin = await harness();
    const provider_id = await addProvider(admin);
    const ids = [];
    for (const _ of [1, 2, 3]) ids.push(await addUser(admin, { provider_id }));
    const first = (await admin.get("/users?limit=2")).body;
    const second = (await admin.get(`/users?limit=2&cursor=${first.next}`)).body;
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.next).toBeNull();
  });

  it.each(["ADA@Example.com", "ada@example.com"])("A11: %s finds exactly who has this address", async (email) => {
    const admin = await harness();
    const ada = await addUser(admin, { email: "Ada@example.com" });
    await addUser(admin, { email: "xada@example.com" });
    await addUser(await harness(), { email: "ada@example.com" });
    expect((await admin.get(`/users?email=${email}`)).body.items.map(({ id }) => id)).toEqual([ada]);
  });

  it.each(["%25", "_da@example.com", "' or '1'='1"])("AD-08: the address %s finds nobody", async (email) => {
    const admin = await harness();
    await addUser(admin, { email: "ada@example.com" });
    expect((await admin.get(`/users?email=${email}`)).body.items).toEqual([]);
  });

  it("A11: disabling a person ends what the person has, and enabling lets them in again", async () => {
    const admin = await harness();
    const id = await addUser(admin);
    expect((await admin.patch(`/users/${id}`, { enabled: false })).body.enabled).toBe(false);
    expect(await revokedSubjects(admin)).toEqual({ [`user:${id}`]: admin.now });
    expect((await admin.patch(`/users/${id}`, { enabled: true })).body.enabled).toBe(true);
  });

  it("AD-02: nobody makes somebody an administrator here", async () => {
    const admin = await harness();
    const id = await addUser(admin);
    expect((await admin.patch(`/users/${id}`, { enabled: true, role: "administrator" })).status).toBe(422);
    expect((await admin.get(`/users/${id}`)).text).toContain('"role":"member"');
  });

  it("AD-02: an administrator cannot disable themselves", async () => {
    const admin = await harness();
    const id = await addUser(admin, { role: "administrator" });
    const user = { id, email_verified: false, groups: new Set<string>(), chosen: new Set<string>() };
    const own = admin.as({ principal: { id: `user:${id}`, kind: "administrator", agent: "console", user } });
    expect((await own.patch(`/users/${id}`, { enabled: false })).status).toBe(409);
    expect((await admin.get(`/users/${id}`)).body.enabled).toBe(true);
  });

  it("AD-12: a change from an old version is refused", async () => {
    const admin = await harness();
    const path = `/users/${await addUser(admin)}`;
    const etag = (await admin.get(path)).headers.get("etag") ?? "";
    await admin.patch(path, { enabled: true });
    expect((await admin.patch(path, { enabled: false }, { "if-match": etag })).status).toBe(412);
    expect((await admin.get(path)).body.enabled).toBe(true);
  });
});

describe("A13 grants", () => {
  it("A13: grants are listed the newest first, with their person", async () => {
    const admin = await harness();
    const user_id = await addUser(admin, { name: "Ada", email: "ada@example.com" });
    const older = await addGrant(admin, { user_id });
    const newer = await addGrant(admin, { user_id, revoked_at: 5, revoked_reason: "user" });
    const { items } = (await admin.get("/grants")).body;
    expect(items.map(({ id, living }) => [id, living])).toEqual([
      [newer, false],
      [older, true],
    ]);
    expect(items[0]?.user).toEqual({ id: user_id, name: "Ada", email: "ada@example.com" });
  });

  it("A13: the list is narrowed by person, by client and to living ones", async () => {
    const admin = await harness();
    const user_id = await addUser(admin);
    const mine = await addGrant(admin, { user_id });
    const client_id = "https://other.example/client.json";
    const other = await addGrant(admin, { client_id, expires_at: admin.now });
    const idsOf = async (query: string) => (await admin.get(`/grants?${query}`)).body.items.map(({ id }) => id);
    expect(await idsOf(`user_id=${user_id}`)).toEqual([mine]);
    expect(await idsOf(`client_id=${encodeURIComponent(client_id)}`)).toEqual([other]);
    expect(await idsOf("living=true")).toEqual([mine]);
  });

  it("A13: a grant is revoked with its tokens, once", async () => {
    const admin = await harness();
    const id = await addGrant(admin);
    expect((await admin.remove(`/grants/${id}`)).status).toBe(204);
    const first = (await admin.get(`/grants/${id}`)).body;
    expect(first).toMatchObject({ living: false, revoked_reason: "administrator" });
    expect(await revokedSubjects(admin)).toEqual({ [`grant:${id}`]: admin.now });
    admin.now += 1000;
    expect((await admin.remove(`/grants/${id}`)).status).toBe(204);
    expect((await admin.get(`/grants/${id}`)).body).toEqual(first);
  });
});

describe("S10 agents", () => {
  it("S10: every client is listed, blocked ones included, the last seen first, page by page", async () => {
    const admin = await harness();
    const owner_id = await addUser(admin, { name: "Ada", email: "ada@example.com" });
    const long = `https://long.example/${"a".repeat(1900)}`;
    await addAgent(admin, {
      id: "https://blocked.example/",
      kind: "unknown",
      last_seen_at: 3,
      blocked_at: 3,
      blocked_reason: "client_domain_untrusted",
    });
    await addAgent(admin, { id: long, last_seen_at: 2, owner_id });
    await addAgent(admin, { id: "https://old.example/", last_seen_at: 2 });
    const seen = [];
    let next: string | null = "";
    while (next !== null) {
      const page: Body = (await admin.get(`/agents?limit=1${next === "" ? "" : `&cursor=${next}`}`)).body;
      seen.push(...page.items);
      next = page.next;
    }
    expect(seen.map(({ id }) => id)).toEqual(["https://blocked.example/", "https://old.example/", long]);
    expect(seen[2]).toMatchObject({ key: keyOf(long), owner: { id: owner_id, name: "Ada", email: "ada@example.com" } });
  });

  it("S10: an agent is read with what it used", async () => {
    const admin = await harness();
    const agent_id = await addAgent(admin);
    const use = { server: "github", name: "tools/call create_issue", calls: 3, denied: 1, last_at: 7 };
    await openDatabase(env.DB)
      .insert(agent_uses)
      .values({ tenant_id: admin.tenant, agent_id, ...use });
    const { body } = await admin.get(`/agents/${keyOf(agent_id)}`);
    expect(body).toMatchObject({ id: documentAgent, uses: [use] });
  });

  it("A13: an agent that is switched off has its tokens void and its grants revoked", async () => {
    const admin = await harness();
    const id = await addAgent(admin);
    const grant = await addGrant(admin, { client_id: id });
    const { status, body } = await admin.patch(`/agents/${keyOf(id)}`, { disabled: true });
    expect([status, body.disabled_at]).toEqual([200, admin.now]);
    expect(await revokedSubjects(admin)).toEqual({ [`client:${id}`]: admin.now });
    expect((await admin.get(`/grants/${grant}`)).body.living).toBe(false);
    expect((await admin.patch(`/agents/${keyOf(id)}`, { disabled: false })).body.disabled_at).toBeNull();
    expect(admin.events.at(-1)).toMatchObject({ action: "agent.update", resource_id: id });
  });

  it("S10: a registered client is switched where it is registered", async () => {
    const admin = await harness();
    const { id } = await admin.client();
    await addAgent(admin, { id, kind: "registered" });
    expect((await admin.patch(`/agents/${keyOf(id)}`, { disabled: true })).status).toBe(409);
    expect((await admin.get(`/agents/${keyOf(id)}`)).body.disabled_at).toBeNull();
  });

  it.each([documentAgent, `${keyOf(documentAgent)}=`, `${keyOf(documentAgent)}A`, "%FF", keyOf("")])(
    "AD-08: %s is no key of an agent",
    async (key) => {
      const admin = await harness();
      await addAgent(admin);
      const answer = await admin.get(`/agents/${encodeURIComponent(key)}`);
      expect(answer.status).toBe(404);
    },
  );
});
