/** What an administrator changes about a provider holds for those who are signed in, too. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  admitUser,
  currentRole,
  currentSession,
  providerOptionsSchema,
  providersRepository,
  usersRepository,
  type StoredProvider,
  type WebSession,
} from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, reasonOf, type World } from "./support.ts";

let key: Key;
let world: World;
let provider: FakeProvider;
let browser: Browser;
let stored: StoredProvider;

beforeAll(async () => {
  key = await makeKey("k1");
});

beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", key);
  browser = new Browser(world);
  provider.claims = { ...provider.claims, groups: ["admins", "staff"] };
  stored = await world.configure(provider, {
    options: { roles: { administrator: { groups: ["admins"] }, member: { groups: ["staff"] } }, id_jag: true },
  });
});

const session = async (): Promise<WebSession | undefined> => currentSession(await world.visit(), browser.headers);

async function change(options: unknown): Promise<void> {
  const repository = providersRepository(world.database, world.tenant);
  const row = await repository.get(stored.id);
  const changes = { options: providerOptionsSchema.parse(options) };
  if ((await repository.update(stored.id, row?.updated_at ?? 0, changes, world.now())) === undefined) throw new Error();
}

describe("rules that an administrator tightens", () => {
  it("AD-02: whose group administrates no longer is what the rules say now, in the session that there is", async () => {
    await browser.signIn(provider);
    expect((await session())?.user.role).toBe("administrator");
    await change({ roles: { administrator: { groups: ["board"] }, member: { groups: ["staff"] } } });
    expect((await session())?.user.role).toBe("member");
    await change({ roles: { administrator: { groups: ["admins"] } } });
    expect((await session())?.user.role).toBe("administrator");
  });

  it("AD-02: whom no rule admits any more has no session, and does not live", async () => {
    await browser.signIn(provider);
    const { id } = (await session())?.user ?? { id: "" };
    const users = usersRepository(world.database, world.tenant);
    expect(await users.living(id)).toMatchObject({ role: "administrator" });
    await change({ roles: { member: { groups: ["others"] } } });
    expect(await session()).toBeUndefined();
    expect(await users.living(id)).toBeUndefined();
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("not_admitted");
  });

  it("AD-02: an address gives a role only while it is verified", () => {
    const options = providerOptionsSchema.parse({ roles: { auditor: { emails: ["Root@a.test"] } } });
    const person = { groups: [], email: "root@A.test", email_verified: true };
    expect(currentRole(options, person)).toBe("auditor");
    expect(currentRole(options, { ...person, email_verified: false })).toBeUndefined();
    expect(currentRole(options, { ...person, email: null })).toBeUndefined();
  });
});

describe("an identity assertion", () => {
  const roles = { administrator: { emails: ["alice@a.test"] }, member: { groups: ["staff"] } };

  async function afterAssertion(claims: Record<string, unknown>, options: Record<string, unknown> = {}) {
    await change({ roles, id_jag: true, ...options });
    await browser.signIn(provider);
    const now = await providersRepository(world.database, world.tenant).get(stored.id);
    const admitted = await admitUser(await world.visit(), now ?? stored, { sub: "alice", ...claims }, "assertion");
    if (!admitted.ok) throw new Error(admitted.error);
    const { email, email_verified, role } = admitted.value;
    return { email, email_verified, role };
  }
  const verified = { email: "alice@a.test", email_verified: true, role: "administrator" };

  it.each([
    ["the same address", { email: "alice@a.test" }],
    ["another address", { email: "other@a.test" }],
    ["no address", {}],
  ])("A12: with %s of which it says nothing takes no verified one away, and no role", async (_name, claims) => {
    expect(await afterAssertion(claims)).toEqual(verified);
  });

  it("A12: that says that the address is not verified is believed", async () => {
    const claims = { email: "alice@a.test", email_verified: false };
    expect(await afterAssertion(claims)).toEqual({ ...verified, email_verified: false, role: "member" });
  });

  it("A12: with another address, of a directory whose addresses are trusted, renews it", async () => {
    const told = await afterAssertion({ email: "other@a.test" }, { trusts_email: true });
    expect(told).toEqual({ email: "other@a.test", email_verified: true, role: "member" });
  });
});
