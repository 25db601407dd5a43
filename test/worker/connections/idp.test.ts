/** The tokens of a person's sign-in, renewed with the identity provider's client. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { idpToken } from "../../../src/connections/index.ts";
import { providersRepository } from "../../../src/login/index.ts";
import { connectionStore } from "../../../src/vault/index.ts";
import { FakeProvider, makeKey, type Key } from "../login/fake-provider.ts";
import { Browser, createWorld, expectNoSecret, type World } from "../login/support.ts";

let signing: Key;
let world: World;
let provider: FakeProvider;
let user: string;

beforeAll(async () => {
  signing = await makeKey("k1");
});

beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", signing);
  await world.configure(provider);
  const completed = await new Browser(world).signIn(provider);
  if (completed.kind !== "done") throw new Error(completed.reason);
  user = completed.user.id;
  provider.tokenRequests.length = 0;
});

async function ask(which: "access_token" | "id_token" = "access_token"): Promise<string> {
  const found = await idpToken(await world.visit(), user, which);
  return found.ok ? found.value : `${found.error.code} ${found.error.reason}`;
}

const renewed = () => Response.json({ access_token: "renewed-access", token_type: "Bearer", expires_in: 3600 });

describe("the token of a sign-in", () => {
  it("U7: is given as it came, and renewed with the provider's client when it ends", async () => {
    expect(await ask()).toBe("the-access-token");
    expect(await ask("id_token")).toMatch(/^ey/);
    expect(provider.tokenRequests).toEqual([]);
    world.advance(3_600_000);
    provider.tokenAnswer = renewed;
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(Array(3).fill("renewed-access"));
    expect(provider.tokenRequests).toHaveLength(1);
    const [request] = provider.tokenRequests;
    expect(Object.fromEntries(request?.parameters ?? [])).toMatchObject({
      ...{ grant_type: "refresh_token", refresh_token: "the-refresh-token" },
    });
    expect(request?.authorization).toMatch(/^Basic /);
    expectNoSecret(world, provider);
  });

  it("U7: an ID token that has ended is not given on", async () => {
    world.advance(3_600_000);
    provider.tokenAnswer = renewed;
    expect(await ask("id_token")).toBe("upstream_credential no_id_token");
  });

  it("U7: and nobody is said to have refused it, since no server has seen it", async () => {
    world.advance(3_600_000);
    provider.tokenAnswer = renewed;
    const behind: Promise<unknown>[] = [];
    const visit = await world.visit();
    const platform = { ...visit.platform, waitUntil: (work: Promise<unknown>) => void behind.push(work) };
    for (let count = 0; count < 3; count += 1) {
      expect(await idpToken({ ...visit, platform }, user, "id_token")).toMatchObject({ ok: false });
    }
    for (const work of behind) await work;
    const key = { user_id: user, target: "idp", account: "default" };
    expect(await connectionStore(await world.visit()).find(key)).toMatchObject({ state: "linked", reason: null });
    expect(await ask()).toBe("renewed-access");
  });

  it("U14: a provider that takes it no more asks for another sign-in, which brings it back", async () => {
    world.advance(3_600_000);
    provider.tokenAnswer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
    expect(await ask()).toBe("link_needed needs_reauth");
    provider.tokenAnswer = undefined;
    expect((await new Browser(world).signIn(provider)).kind).toBe("done");
    expect(await ask()).toBe("the-access-token");
  });

  it("FT-24: a provider that is down ends nothing", async () => {
    world.advance(3_600_000);
    provider.down = true;
    expect(await ask()).toMatch(/^upstream_credential /);
    const key = { user_id: user, target: "idp", account: "default" };
    expect(await connectionStore(await world.visit()).find(key)).toMatchObject({ state: "linked" });
  });

  it("A11: a provider that was disabled is not asked", async () => {
    const repository = providersRepository(world.database, world.tenant);
    const stored = await repository.byIssuer(provider.issuer);
    await repository.update(stored?.id ?? "", stored?.updated_at ?? 0, { enabled: false }, world.now());
    world.advance(3_600_000);
    expect(await ask()).toBe("upstream_credential provider_unavailable");
    expect(provider.tokenRequests).toEqual([]);
  });

  it("U7: nobody has one who never signed in", async () => {
    user = crypto.randomUUID();
    expect(await ask()).toBe("link_needed not_linked");
  });
});
