import { eq } from "drizzle-orm";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { web_sessions } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import {
  checkForm,
  currentSession,
  endProvider,
  endSession,
  formToken,
  formTokenField,
  providersRepository,
  setUserEnabled,
  type WebSession,
} from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, type World } from "./support.ts";

const cookie = "__Host-gatehouse";
let key: Key;
let world: World;
let provider: FakeProvider;
let browser: Browser;

beforeAll(async () => {
  key = await makeKey("k1");
});

beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", key);
  browser = new Browser(world);
  await world.configure(provider);
});

const sessionOf = async (who: Browser): Promise<WebSession | undefined> =>
  currentSession(await world.visit(), who.headers);

async function signedIn(who = browser): Promise<WebSession> {
  await who.signIn(provider);
  const session = await sessionOf(who);
  if (session === undefined) throw new Error("no session");
  return session;
}

describe("web sessions", () => {
  it("CO-13: a cookie from before the sign-in is none afterwards", async () => {
    const planted = "A".repeat(43);
    browser.cookies.set(cookie, planted);
    await signedIn();
    expect(browser.cookies.get(cookie)).not.toBe(planted);
    const attacker = new Browser(world);
    attacker.cookies.set(cookie, planted);
    expect(await sessionOf(attacker)).toBeUndefined();
  });

  it("CO-13: the session that the browser had ends with the next sign-in", async () => {
    await signedIn();
    const former = new Browser(world);
    former.cookies.set(cookie, browser.cookies.get(cookie) ?? "");
    await signedIn();
    expect(await sessionOf(former)).toBeUndefined();
    expect(await sessionOf(browser)).toBeDefined();
  });

  it("CO-14: the cookie is __Host-, Secure, HttpOnly, Lax, for the whole host and no other", async () => {
    const completed = await browser.signIn(provider);
    expect(completed.cookies).toEqual([
      expect.stringMatching(
        /^__Host-gatehouse=[A-Za-z0-9_-]{43}; Max-Age=43200; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
      ),
      expect.stringMatching(
        /^__Host-gatehouse-signin-[0-9a-f]{8}=; Max-Age=0; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
      ),
    ]);
  });

  it("CO-14: D1 keeps the hash of the cookie only", async () => {
    await signedIn();
    const rows = await world.database.select().from(web_sessions).where(eq(web_sessions.tenant_id, world.tenant));
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(browser.cookies.get(cookie));
  });

  it.each([
    ["two cookies by the name", (value: string) => `${cookie}=${value}; ${cookie}=${"B".repeat(43)}`],
    ["the same one twice", (value: string) => `${cookie}=${value}; ${cookie}=${value}`],
    ["a cookie without the prefix", (value: string) => `gatehouse=${value}`],
    ["a cookie with another case", (value: string) => `__host-gatehouse=${value}`],
    ["a value with something behind it", (value: string) => `${cookie}=${value}=`],
    ["a value in quotes", (value: string) => `${cookie}="${value}"`],
    ["a name behind a comma in another cookie", (value: string) => `theme=x,${cookie}=${value}`],
    ["a name behind a comma and a space", (value: string) => `theme=x, ${cookie}=${value}`],
    ["one with a second one behind a comma", (value: string) => `${cookie}=${value}; theme=x,${cookie}=${value}`],
    ["two headers that were joined", (value: string) => `${cookie}=${value}, ${cookie}=${"B".repeat(43)}`],
    ["a value with a comma behind it", (value: string) => `${cookie}=${value},x=1`],
  ])("CO-15: %s is no session", async (_name, header) => {
    await signedIn();
    const headers = new Headers({ cookie: header(browser.cookies.get(cookie) ?? "") });
    expect(await currentSession(await world.visit(), headers)).toBeUndefined();
  });

  it("CO-16: the cookie of one tenant is none at another", async () => {
    await signedIn();
    const other = await createWorld("b.gw.test");
    expect(await currentSession(await other.visit(), browser.headers)).toBeUndefined();
  });

  it("A1: a session ends after twelve hours, however busy", async () => {
    await signedIn();
    for (let passed = 0; passed + limits.webSessionIdle_ms / 2 < limits.webSession_ms;) {
      world.advance(limits.webSessionIdle_ms / 2);
      passed += limits.webSessionIdle_ms / 2;
      expect(await sessionOf(browser)).toBeDefined();
    }
    world.advance(limits.webSessionIdle_ms / 2);
    expect(await sessionOf(browser)).toBeUndefined();
  });

  it("A1: a session ends after two hours without a page", async () => {
    await signedIn();
    world.advance(limits.webSessionIdle_ms);
    expect(await sessionOf(browser)).toBeUndefined();
  });

  it("A1: being seen is written down rarely", async () => {
    const { hash } = await signedIn();
    const seen = async () =>
      (await world.database.select().from(web_sessions).where(eq(web_sessions.hash, hash)))[0]?.last_seen_at;
    const first = await seen();
    world.advance(limits.webSessionTouch_ms - 60_000);
    await sessionOf(browser);
    expect(await seen()).toBe(first);
    world.advance(120_000);
    await sessionOf(browser);
    expect(await seen()).toBeGreaterThan(first ?? Infinity);
  });

  it("A1: a person has at most fifty sessions; the oldest goes", async () => {
    const { hash } = await signedIn();
    const [row] = await world.database.select().from(web_sessions).where(eq(web_sessions.hash, hash));
    if (row === undefined) throw new Error("no row");
    const later = Array.from({ length: limits.webSessionsPerUser_count - 1 }, (_, index) =>
      world.database.insert(web_sessions).values({ ...row, hash: `${index}`, created_at: row.created_at + 1 }),
    );
    await Promise.all(later);
    world.advance(2);
    await signedIn(new Browser(world));
    const rows = await world.database.select().from(web_sessions).where(eq(web_sessions.tenant_id, world.tenant));
    expect(rows).toHaveLength(limits.webSessionsPerUser_count);
    expect(await sessionOf(browser)).toBeUndefined();
  });

  it("CO-19: signing out ends the session and clears the cookie", async () => {
    const session = await signedIn();
    const clearing = await endSession(await world.visit(), session);
    expect(clearing).toBe(`${cookie}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax`);
    expect(await sessionOf(browser)).toBeUndefined();
    expect(world.events.at(-1)).toMatchObject({ action: "sign_out.complete", actor: { user: session.user.id } });
  });

  it("A1: other sessions of the person stay", async () => {
    const session = await signedIn();
    const other = new Browser(world);
    await signedIn(other);
    await endSession(await world.visit(), session);
    expect(await sessionOf(other)).toBeDefined();
  });

  it("A11: disabling a person ends all sessions", async () => {
    const { user } = await signedIn();
    const other = new Browser(world);
    await signedIn(other);
    await setUserEnabled(await world.visit(), user.id, false);
    expect([await sessionOf(browser), await sessionOf(other)]).toEqual([undefined, undefined]);
    await setUserEnabled(await world.visit(), user.id, true);
    expect(await sessionOf(browser)).toBeUndefined();
  });

  it("CVE-2026-1486: a disabled provider ends the sessions that it vouched for", async () => {
    const { provider_id } = await signedIn();
    const repository = providersRepository(world.database, world.tenant);
    const stored = await repository.get(provider_id);
    await repository.update(provider_id, stored?.updated_at ?? 0, { enabled: false }, world.now());
    expect(await sessionOf(browser)).toBeUndefined();
  });

  it("CVE-2026-1486: a removed provider ends them as well, and voids tokens that are out", async () => {
    const { provider_id, user } = await signedIn();
    const repository = providersRepository(world.database, world.tenant);
    const stored = await repository.get(provider_id);
    await repository.remove(provider_id, stored?.updated_at ?? 0);
    await endProvider(await world.visit(), provider_id);
    expect(await sessionOf(browser)).toBeUndefined();
    const { snapshot } = await world.visit();
    expect([...snapshot.revocations.keys()]).toEqual([`user:${user.id}`]);
  });
});

describe("forms of a signed-in person", () => {
  const post = (headers: Record<string, string> = {}): Request =>
    new Request("https://a.gw.test/me/sign-out", { method: "POST", headers });

  async function check(headers: Record<string, string>, ...tokens: string[]): Promise<boolean> {
    const session = await signedIn();
    const token = await formToken(await world.visit(), session);
    const fields = new URLSearchParams((tokens.length === 0 ? [token] : tokens).map((one) => [formTokenField, one]));
    return checkForm(await world.visit(), session, post(headers), fields);
  }

  it("CO-06: a form of our own page is taken", async () => {
    expect(await check({ origin: "https://a.gw.test", "sec-fetch-site": "same-origin" })).toBe(true);
    expect(await check({})).toBe(true);
  });

  it.each([
    ["a foreign origin", { origin: "https://evil.test" }],
    ["a sibling's origin", { origin: "https://b.gw.test" }],
    ["plain http", { origin: "http://a.gw.test" }],
    ["Origin: null", { origin: "null" }],
    ["a cross-site request", { "sec-fetch-site": "cross-site" }],
    ["a same-site request", { "sec-fetch-site": "same-site" }],
  ])("CO-06: %s is refused", async (_name, headers) => {
    expect(await check(headers)).toBe(false);
  });

  it("CO-06: without a token, with two, or with a made-up one it is refused", async () => {
    const session = await signedIn();
    const visit = await world.visit();
    const token = await formToken(visit, session);
    for (const tokens of [[], [token, token], ["made-up"], [`${token}A`]]) {
      const fields = new URLSearchParams(tokens.map((one) => [formTokenField, one]));
      expect(await checkForm(visit, session, post(), fields)).toBe(false);
    }
  });

  it("CO-06: the token of another session is refused", async () => {
    const session = await signedIn();
    const other = await signedIn(new Browser(world));
    const visit = await world.visit();
    const fields = new URLSearchParams({ [formTokenField]: await formToken(visit, other) });
    expect(await checkForm(visit, session, post(), fields)).toBe(false);
  });
});
