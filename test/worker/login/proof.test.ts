/** When a person last proved who they are: what sensitive changes and `max_age` go by. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { currentSession, type ProviderKind, type SignInWish } from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNothing, reasonOf, type World } from "./support.ts";

const guid = "9b2f4a2e-0c3d-4e5f-8a9b-0c1d2e3f4a5b";
const issuers = {
  entra: `https://login.microsoftonline.com/${guid}/v2.0`,
  google: "https://accounts.google.com",
  generic: "https://idp.test",
  okta: "https://a.okta.test",
};

let key: Key;
let world: World;
let provider: FakeProvider;

beforeAll(async () => {
  key = await makeKey("r1", "RS256");
});

beforeEach(async () => {
  world = await createWorld();
});

async function configure(kind: ProviderKind, options: Record<string, unknown> = {}): Promise<void> {
  provider = new FakeProvider(issuers[kind], key);
  await world.configure(provider, { kind, options: { roles: { member: { everyone: true } }, ...options } });
}

const seconds = (): number => Math.floor(world.now() / 1000);

/** @returns how long before the end of the sign-in the proof was, in milliseconds; the time itself where it is 0 */
async function age(wish: Partial<SignInWish> = {}): Promise<number> {
  const browser = new Browser(world);
  const answer = provider.authorize(await browser.begin(wish));
  world.advance(60_000);
  if ((await browser.complete(answer)).kind !== "done") throw new Error("failed");
  const session = await currentSession(await world.visit(), browser.headers);
  return session?.authenticated_at === 0 ? 0 : world.now() - (session?.authenticated_at ?? NaN);
}

describe("when the person last proved who they are", () => {
  it.each(["entra", "google", "generic", "okta"] as const)(
    "AD-14: %s answers and tells no time: it may have asked nobody, so the sign-in is not fresh",
    async (kind) => {
      await configure(kind);
      expect(await age()).toBe(0);
    },
  );

  it.each(["entra", "google"] as const)(
    "AD-14: %s never tells the time: a sign-in for which it was to ask anew counts from its begin",
    async (kind) => {
      await configure(kind);
      const passed = await age({ prompt: "login" });
      expect(passed).toBeGreaterThanOrEqual(60_000);
      expect(passed).toBeLessThan(70_000);
    },
  );

  it("AD-14: a provider that asks anew at every sign-in by the administrator's option counts as well", async () => {
    await configure("entra", { prompt: "login" });
    expect(await age()).toBeGreaterThanOrEqual(60_000);
    await expect(age({ prompt: "none" })).resolves.toBe(0);
  });

  it("AD-14: choosing an account is no proof", async () => {
    await configure("entra", { prompt: "select_account" });
    expect(await age()).toBe(0);
  });

  it("AD-14: what the provider tells counts", async () => {
    await configure("generic");
    provider.auth_time = seconds() - 3_600;
    expect(Math.round((await age()) / 60_000)).toBe(61);
  });

  it.each(["entra", "google", "generic", "okta"] as const)(
    "RP-20: %s was to ask anew and tells an old time: a page, and no session that would send the browser round",
    async (kind) => {
      await configure(kind);
      provider.auth_time = seconds() - 3_600;
      expect(reasonOf(await new Browser(world).signIn(provider, { prompt: "login" }))).toBe("authentication_too_old");
      await expectNothing(world, provider);
    },
  );
});
