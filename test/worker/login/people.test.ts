import { eq } from "drizzle-orm";
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connections, servers, web_sessions } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import {
  admitUser,
  displayName,
  providerOptionsSchema,
  providersRepository,
  setUserEnabled,
  usersRepository,
  type User,
} from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNothing, reasonOf, type World } from "./support.ts";

let key: Key;
let world: World;
let provider: FakeProvider;

beforeAll(async () => {
  key = await makeKey("k1");
});

beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", key);
});

async function userAfterSignIn(who = provider, provider_id?: string): Promise<User> {
  const completed = await new Browser(world).signIn(who, { provider_id });
  if (completed.kind !== "done") throw new Error(completed.reason);
  return completed.user;
}

/** A server whose access rule names groups. */
async function addServer(groups: readonly string[]): Promise<void> {
  await world.database.insert(servers).values({
    ...{ tenant_id: world.tenant, id: crypto.randomUUID(), slug: "up", name: "Up", url: "https://up.test/mcp" },
    ...{ enabled: true, timeout_ms: 5_000, authentication: '{"type":"none"}', credential: null, revision: 1 },
    ...{ access: JSON.stringify({ everyone: false, groups }), created_at: 1, updated_at: 1 },
  });
  await world.announce();
}

const roles = {
  administrator: { groups: ["admins"], emails: ["Root@a.test"] },
  auditor: { groups: ["auditors"] },
  member: { groups: ["staff"], emails: ["bob@a.test"] },
};

describe("roles", () => {
  it.each([
    [{ groups: ["admins", "staff"] }, "administrator"],
    [{ groups: ["staff", "auditors"] }, "auditor"],
    [{ groups: ["staff"] }, "member"],
    [{ groups: "staff" }, "member"],
    [{ email: "root@A.test", email_verified: true }, "administrator"],
    [{ email: "bob@a.test", email_verified: true }, "member"],
  ])("A11: %j makes a person %s", async (claims, role) => {
    await world.configure(provider, { options: { roles } });
    provider.claims = { sub: "s", ...claims };
    expect((await userAfterSignIn()).role).toBe(role);
  });

  it.each([
    ["no group and no address", {}],
    ["a group that only looks like one", { groups: ["Admins", " staff", "staff "] }],
    ["groups as an object", { groups: { admins: true } }],
    ["an unverified address", { email: "root@a.test", email_verified: false }],
    ["an address of which nothing is said", { email: "root@a.test" }],
    ["an address that is verified in words", { email: "root@a.test", email_verified: "true" }],
    ["an address with another before it", { email: "evil@evil.test,root@a.test", email_verified: true }],
    ["a group of the prototype", { groups: ["constructor"] }],
  ])("A11: with %s nobody gets in", async (_name, claims) => {
    const { id } = await world.configure(provider, { options: { roles } });
    provider.claims = { sub: "s", name: "S", ...claims };
    provider.discovery = { userinfo_endpoint: undefined };
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("not_admitted");
    expect(world.events).toMatchObject([
      { action: "sign_in.refuse", outcome: "refused", reason: "not_admitted", provider: id },
    ]);
    expect(world.unknown).toEqual([]);
    await expectNothing(world, provider);
  });

  it("A11: without role rules nobody gets in", async () => {
    await world.configure(provider, { options: {} });
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("not_admitted");
  });

  it("A11: an administrator may take the addresses of a directory for verified", async () => {
    await world.configure(provider, { options: { roles, trusts_email: true } });
    provider.claims = { sub: "s", email: "root@a.test", name: "R" };
    expect(await userAfterSignIn()).toMatchObject({ role: "administrator", email_verified: true });
  });

  it("A11: but not against the directory's own word", async () => {
    await world.configure(provider, { options: { roles, trusts_email: true } });
    provider.claims = { sub: "s", email: "root@a.test", email_verified: false, name: "R" };
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("not_admitted");
  });

  it("A11: a role that the provider took away is gone at the next sign-in", async () => {
    await world.configure(provider, { options: { roles } });
    provider.claims = { ...provider.claims, groups: ["admins"] };
    expect((await userAfterSignIn()).role).toBe("administrator");
    provider.claims = { ...provider.claims, groups: ["staff"] };
    expect((await userAfterSignIn()).role).toBe("member");
    provider.claims = { ...provider.claims, groups: [] };
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("not_admitted");
  });

  it("A11: Google people of another domain do not get in", async () => {
    const google = new FakeProvider("https://accounts.google.com", await makeKey("g", "RS256"));
    await world.configure(google, {
      kind: "google",
      options: { domains: ["a.test"], roles: { member: { everyone: true } } },
    });
    expect(reasonOf(await new Browser(world).signIn(google))).toBe("domain_not_admitted");
    google.claims = { ...google.claims, hd: "evil.test" };
    expect(reasonOf(await new Browser(world).signIn(google))).toBe("domain_not_admitted");
    google.claims = { ...google.claims, hd: "a.test" };
    expect((await userAfterSignIn(google)).role).toBe("member");
  });
});

describe("groups", () => {
  it("RP-23: only those are kept that a rule names: of roles, and of servers", async () => {
    await addServer(["engineers"]);
    await world.configure(provider, { options: { roles } });
    const many = Array.from({ length: 5_000 }, (_, index) => `group-${index}`);
    // An ID token has no room for so many; the userinfo endpoint does.
    provider.userInfo = { ...provider.claims, groups: [...many, "engineers", "staff", 7, null, "engineers"] };
    expect((await userAfterSignIn()).groups).toEqual(["engineers", "staff"]);
  });

  it.each([
    ["that are told elsewhere", { _claim_names: { groups: "src1" }, groups: ["admins"] }],
    ["that are too many for the token", { hasgroups: true, groups: ["admins"] }],
  ])("RP-23: of groups %s none is believed, and the event says so", async (_name, claims) => {
    await world.configure(provider, { options: { roles: { ...roles, member: { everyone: true } } } });
    provider.claims = { ...provider.claims, ...claims };
    provider.discovery = { userinfo_endpoint: undefined };
    expect(await userAfterSignIn()).toMatchObject({ role: "member", groups: [] });
    expect(world.events).toMatchObject([{ action: "sign_in.complete", reason: "groups_overage" }]);
  });

  it("RP-23: past the bound none is believed", async () => {
    await world.configure(provider, { options: { roles: { ...roles, member: { everyone: true } } } });
    const groups = Array.from({ length: limits.groupsClaim_count + 1 }, () => "admins");
    provider.userInfo = { ...provider.claims, groups };
    expect(await userAfterSignIn()).toMatchObject({ role: "member", groups: [] });
    expect(world.events).toMatchObject([{ action: "sign_in.complete", reason: "groups_overage" }]);
  });

  it("RP-23: a group of another tenant is nothing here", async () => {
    await world.configure(provider, { options: { roles: { member: { everyone: true } } } });
    provider.claims = { ...provider.claims, groups: ["admins"] };
    expect(await userAfterSignIn()).toMatchObject({ role: "member", groups: [] });
  });

  it("RP-23: the claim has the name that the administrator gives", async () => {
    await world.configure(provider, { options: { roles, groups_claim: "https://a.test/groups" } });
    provider.claims = { ...provider.claims, groups: ["admins"], "https://a.test/groups": ["staff"] };
    expect((await userAfterSignIn()).role).toBe("member");
  });
});

describe("userinfo", () => {
  const entra = "https://login.microsoftonline.com/9b2f4a2e-0c3d-4e5f-8a9b-0c1d2e3f4a5b/v2.0";

  it("RP-21: is asked for what the ID token leaves out", async () => {
    await world.configure(provider, { options: { roles } });
    provider.idToken = { email: undefined, email_verified: undefined, name: undefined };
    provider.userInfo = { sub: "alice", email: "bob@a.test", email_verified: true, name: "Bob" };
    expect(await userAfterSignIn()).toMatchObject({ role: "member", email: "bob@a.test", name: "Bob" });
    expect(provider.userInfoRequests[0]?.headers.get("authorization")).toBe("Bearer the-access-token");
  });

  it("RP-21: is not asked when the ID token says it all", async () => {
    await world.configure(provider);
    await userAfterSignIn();
    expect(provider.userInfoRequests).toEqual([]);
  });

  it("RP-21: of somebody else is refused", async () => {
    await world.configure(provider);
    provider.idToken = { name: undefined };
    provider.userInfo = { sub: "mallory", name: "Mallory" };
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("userinfo_mismatch");
    await expectNothing(world, provider);
  });

  it("RP-21: does not overrule the ID token, nor verify its address", async () => {
    await world.configure(provider, { options: { roles: { ...roles, member: { everyone: true } } } });
    provider.idToken = { name: undefined, email: "root@a.test", email_verified: undefined };
    provider.userInfo = { sub: "alice", email: "x@a.test", email_verified: true, name: "Alice" };
    expect(await userAfterSignIn()).toMatchObject({ email: "root@a.test", email_verified: false, role: "member" });
  });

  it("RP-21: an address of userinfo is not verified by the word of an ID token without one", async () => {
    await world.configure(provider, { options: { roles: { ...roles, member: { everyone: true } } } });
    provider.idToken = { email: undefined, email_verified: true };
    provider.userInfo = { sub: "alice", email: "root@a.test" };
    expect(await userAfterSignIn()).toMatchObject({ email: "root@a.test", email_verified: false, role: "member" });
  });

  it("RP-21: nor by the word of Entra in such a token", async () => {
    provider = new FakeProvider(entra, await makeKey("r1", "RS256"));
    await world.configure(provider, {
      kind: "entra",
      options: { roles: { ...roles, member: { everyone: true } } },
    });
    provider.idToken = { email: undefined, email_verified: undefined, xms_edov: true };
    provider.userInfo = { sub: "alice", email: "root@a.test" };
    expect(await userAfterSignIn()).toMatchObject({ email: "root@a.test", email_verified: false, role: "member" });
  });

  it("RP-21: what userinfo says of its own address counts, whatever the ID token says", async () => {
    provider = new FakeProvider(entra, await makeKey("r1", "RS256"));
    await world.configure(provider, { kind: "entra", options: { roles } });
    provider.idToken = { email: undefined, email_verified: false };
    provider.userInfo = { sub: "alice", email: "root@a.test", xms_edov: true };
    expect(await userAfterSignIn()).toMatchObject({ email_verified: true, role: "administrator" });
  });

  it.each([
    ["a JWT", new Response("e30.e30.", { headers: { "content-type": "application/jwt" } })],
    ["no JSON", new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["an error", new Response("{}", { status: 500, headers: { "content-type": "application/json" } })],
    ["a redirect", new Response(null, { status: 302, headers: { location: "https://evil.test/" } })],
  ])("RP-21: %s is refused", async (_name, answer) => {
    await world.configure(provider);
    provider.idToken = { name: undefined };
    provider.userInfo = answer;
    expect(["provider_error", "provider_unreachable"]).toContain(reasonOf(await new Browser(world).signIn(provider)));
    await expectNothing(world, provider);
  });
});

describe("who is who", () => {
  it("CO-17: an e-mail address joins nothing", async () => {
    const first = await world.configure(provider);
    const other = new FakeProvider("https://other.test", key);
    const second = await world.configure(other);
    other.claims = { sub: "someone", email: "alice@a.test", email_verified: true, name: "Alice" };
    const [one, two] = [await userAfterSignIn(provider, first.id), await userAfterSignIn(other, second.id)];
    expect(two.id).not.toBe(one.id);
    expect([one.email, two.email]).toEqual(["alice@a.test", "alice@a.test"]);
  });

  it("CO-17: the same subject of two issuers is two people", async () => {
    const first = await world.configure(provider);
    const other = new FakeProvider("https://other.test", key);
    const second = await world.configure(other);
    const [one, two] = [await userAfterSignIn(provider, first.id), await userAfterSignIn(other, second.id)];
    expect(two.id).not.toBe(one.id);
  });

  it("CO-17: the same person of one issuer is nobody in another tenant", async () => {
    await world.configure(provider);
    await userAfterSignIn();
    const other = await createWorld();
    expect(await usersRepository(other.database, other.tenant).byIdentity(provider.issuer, "alice")).toBeUndefined();
  });

  it("A11: names lose what nobody can see", async () => {
    await world.configure(provider);
    provider.claims = { ...provider.claims, name: "Ali\u202Ece\u0000 \u200B<b>" };
    const user = await userAfterSignIn();
    expect(user.name).toBe("Alice <b>");
  });

  it("A11: a person without name and address is called by number", () => {
    expect(displayName({ id: "0193-12345678", name: null, email: null })).toBe("User 12345678");
    expect(displayName({ id: "x", name: null, email: "a@b.test" })).toBe("a@b.test");
    expect(displayName({ id: "x", name: "A", email: "a@b.test" })).toBe("A");
  });

  it("A11: a disabled person does not come back", async () => {
    await world.configure(provider);
    const user = await userAfterSignIn();
    await setUserEnabled(await world.visit(), user.id, false);
    provider.claims = { ...provider.claims, name: "Changed" };
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("user_disabled");
    const stored = await usersRepository(world.database, world.tenant).get(user.id);
    expect(stored).toMatchObject({ enabled: false, name: "Alice Example" });
    expect(world.events.at(-1)).toMatchObject({
      ...{ action: "sign_in.refuse", reason: "user_disabled", actor: { user: user.id } },
    });
  });

  it("A11: disabling destroys sessions, ends credentials, voids tokens, and is an event", async () => {
    await world.configure(provider);
    const user = await userAfterSignIn();
    const other = await (async () => {
      provider.claims = { ...provider.claims, sub: "bob" };
      return userAfterSignIn();
    })();
    const disabled = await setUserEnabled(await world.visit(), user.id, false);
    expect(disabled).toMatchObject({ id: user.id, enabled: false });
    const theirs = await world.database.select().from(web_sessions).where(eq(web_sessions.tenant_id, world.tenant));
    expect(theirs.map((row) => row.user_id)).toEqual([other.id]);
    const kept = await world.database.select().from(connections).where(eq(connections.tenant_id, world.tenant));
    expect(new Map(kept.map((row) => [row.user_id, row.state]))).toEqual(
      new Map([
        [user.id, "ending"],
        [other.id, "linked"],
      ]),
    );
    const { snapshot } = await world.visit();
    expect([...snapshot.revocations.keys()]).toEqual([`user:${user.id}`]);
    expect(world.events.at(-1)).toMatchObject({ action: "user.disable", outcome: "ok", actor: { user: user.id } });
    expect(await usersRepository(world.database, world.tenant).living(user.id)).toBeUndefined();
    expect(await usersRepository(world.database, world.tenant).living(other.id)).toMatchObject({ id: other.id });
  });

  it("TK-18: disabling is announced although the object of the tenant fails at first", async () => {
    await world.configure(provider);
    const user = await userAfterSignIn();
    const visit = await world.visit();
    const real = env.TENANT.getByName(world.tenant);
    let failures = 1;
    const announce = () => (failures-- > 0 ? Promise.reject(new Error("reset")) : real.announce());
    const TENANT = { getByName: () => ({ announce }) } as unknown as Env["TENANT"];
    const platform = { ...visit.platform, bindings: { ...visit.platform.bindings, TENANT } };
    const before = await real.version();
    await setUserEnabled({ ...visit, platform }, user.id, false);
    expect(await real.version()).toBe(before + 1);
  });

  it("A11: nobody is disabled who is not there, nor in another tenant", async () => {
    await world.configure(provider);
    const user = await userAfterSignIn();
    const other = await createWorld();
    expect(await setUserEnabled(await other.visit(), user.id, false)).toBeUndefined();
    expect((await usersRepository(world.database, world.tenant).get(user.id))?.enabled).toBe(true);
    expect(other.events).toEqual([]);
  });

  it("CVE-2026-1486: nobody lives whose provider is disabled", async () => {
    const { id } = await world.configure(provider);
    const user = await userAfterSignIn();
    const repository = providersRepository(world.database, world.tenant);
    await repository.update(id, (await repository.get(id))?.updated_at ?? 0, { enabled: false }, world.now());
    expect(await usersRepository(world.database, world.tenant).living(user.id)).toBeUndefined();
  });

  it("A12: an assertion leaves what it does not say as the sign-in told it", async () => {
    const stored = await world.configure(provider, { options: { roles } });
    provider.claims = { ...provider.claims, groups: ["admins"] };
    const user = await userAfterSignIn();
    const admitted = await admitUser(await world.visit(), stored, { sub: "alice" }, "assertion");
    expect(admitted).toMatchObject({ ok: true, value: { id: user.id, role: "administrator", groups: ["admins"] } });
    const renewed = await admitUser(await world.visit(), stored, { sub: "alice", groups: ["staff"] }, "assertion");
    expect(renewed).toMatchObject({ ok: true, value: { id: user.id, role: "member" } });
  });

  it("A12: an assertion makes no person that no rule admits", async () => {
    const stored = await world.configure(provider, { options: { roles } });
    const admitted = await admitUser(await world.visit(), stored, { sub: "stranger" }, "assertion");
    expect(admitted).toEqual({ ok: false, error: "not_admitted" });
    await expectNothing(world, provider);
  });
});

describe("options of a provider", () => {
  it.each([
    [{ scopes: ["profile"] }],
    [{ scopes: ["openid", "two words"] }],
    [{ signing_algorithms: ["HS256"] }],
    [{ signing_algorithms: ["none"] }],
    [{ roles: { owner: {} } }],
    [{ roles: { member: { emails: ["no address"] } } }],
    [{ unknown: true }],
  ])("A11: %j is refused", (options) => {
    expect(providerOptionsSchema.safeParse(options).success).toBe(false);
  });

  it("A11: nothing set admits nobody", () => {
    const { roles: rules } = providerOptionsSchema.parse({});
    expect(rules.member).toEqual({ everyone: false, groups: [], emails: [] });
  });
});
