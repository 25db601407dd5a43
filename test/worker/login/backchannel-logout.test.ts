import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { currentSession, handleBackChannelLogout, providersRepository } from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, type World } from "./support.ts";

const event = "http://schemas.openid.net/event/backchannel-logout";
let key: Key;
let stranger: Key;
let world: World;
let provider: FakeProvider;
let browser: Browser;
let other: Browser;

beforeAll(async () => {
  [key, stranger] = await Promise.all([makeKey("k1"), makeKey("k1")]);
});

/** One person in two browsers, of which the provider knows each by its own session. */
beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", key);
  [browser, other] = [new Browser(world), new Browser(world)];
  await world.configure(provider);
  provider.idToken = { sid: "session-1" };
  await browser.signIn(provider);
  provider.idToken = { sid: "session-2" };
  await other.signIn(provider);
  world.events.length = 0;
});

const logoutClaims = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...{ sub: "alice", sid: undefined, jti: crypto.randomUUID(), events: { [event]: {} } },
  ...{ email: undefined, email_verified: undefined, name: undefined },
  ...more,
});

async function post(token: string, more: { type?: string; body?: string; DB?: D1Database } = {}): Promise<Response> {
  const request = new Request("https://a.gw.test/login/backchannel-logout", {
    method: "POST",
    headers: { "content-type": more.type ?? "application/x-www-form-urlencoded" },
    body: more.body ?? new URLSearchParams({ logout_token: token }).toString(),
  });
  const visit = await world.visit();
  if (more.DB === undefined) return handleBackChannelLogout(visit, request);
  const bindings = { ...visit.platform.bindings, DB: more.DB };
  return handleBackChannelLogout({ ...visit, platform: { ...visit.platform, bindings } }, request);
}

const signed = (claims: Record<string, unknown> = {}, header = {}, by = key): Promise<string> =>
  provider.sign(logoutClaims(claims), { typ: "logout+jwt", ...header }, by);

const living = async (): Promise<boolean[]> =>
  Promise.all(
    [browser, other].map(async (one) => (await currentSession(await world.visit(), one.headers)) !== undefined),
  );

const revoked = async (): Promise<number> => (await world.visit()).snapshot.revocations.size;

describe("back-channel logout", () => {
  it("CO-19: of a person ends all sessions and voids the tokens that are out", async () => {
    const response = await post(await signed());
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await living()).toEqual([false, false]);
    expect(await revoked()).toBe(1);
    expect(world.events).toMatchObject([
      { action: "sign_out.complete", reason: "back_channel", actor: { user_email: "alice@a.test" } },
    ]);
  });

  it("CO-19: of a session of the provider ends what came from it, and voids the tokens", async () => {
    expect((await post(await signed({ sub: undefined, sid: "session-1" }))).status).toBe(200);
    expect(await living()).toEqual([false, true]);
    expect(await revoked()).toBe(1);
  });

  it("CO-19: with both it is that session of that person", async () => {
    expect((await post(await signed({ sid: "session-2" }))).status).toBe(200);
    expect(await living()).toEqual([true, false]);
  });

  it("CO-19: the session of one person does not end under the name of another", async () => {
    provider.claims = { ...provider.claims, sub: "bob" };
    await new Browser(world).signIn(provider);
    expect((await post(await signed({ sub: "bob", sid: "session-1" }))).status).toBe(200);
    expect(await living()).toEqual([true, true]);
  });

  it("CO-19: of somebody who is not here nothing happens, and nothing tells so", async () => {
    const response = await post(await signed({ sub: "nobody" }));
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(await living()).toEqual([true, true]);
    expect(world.events).toEqual([]);
  });

  it("CO-19: a token without type is taken, since the type is only recommended", async () => {
    expect((await post(await signed({}, { typ: undefined }))).status).toBe(200);
    expect(await living()).toEqual([false, false]);
  });

  it("CO-19: the same token twice", async () => {
    const token = await signed();
    expect((await post(token)).status).toBe(200);
    await browser.signIn(provider);
    expect((await post(token)).status).toBe(400);
    expect((await living())[0]).toBe(true);
    expect(world.unknown).toEqual(["logout_replayed"]);
  });

  it("CO-19: a token that a failure of the database stopped works when the provider tries again", async () => {
    const DB = new Proxy(env.DB, {
      get(target, property) {
        if (property === "batch") return () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
        const member: unknown = Reflect.get(target, property);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const token = await signed();
    await expect(post(token, { DB })).rejects.toThrow();
    expect(await living()).toEqual([true, true]);
    expect((await post(token)).status).toBe(200);
    expect(await living()).toEqual([false, false]);
    expect((await post(token)).status).toBe(400);
  });

  it.each([
    ["a nonce", { nonce: "n" }],
    ["an empty nonce", { nonce: "" }],
    ["no events", { events: undefined }],
    ["other events", { events: { "http://schemas.openid.net/event/other": {} } }],
    ["an event that is no object", { events: { [event]: true } }],
    ["events as a list", { events: [event] }],
    ["neither sub nor sid", { sub: undefined }],
    ["no jti", { jti: undefined }],
    ["no iat", { iat: undefined }],
    ["no exp", { exp: undefined }],
    ["an old exp", { exp: Math.floor(Date.now() / 1000) - 90 }],
    ["a life of a week", { exp: Math.floor(Date.now() / 1000) + 7 * 86_400 }],
    ["another audience", { aud: "somebody-else" }],
    ["another issuer", { iss: "https://evil.test" }],
  ])("CO-19: a logout token with %s", async (_name, claims) => {
    await refused(await signed(claims));
  });

  async function refused(token: string, more = {}): Promise<void> {
    const response = await post(token, more);
    expect([response.status, response.headers.get("cache-control")]).toEqual([400, "no-store"]);
    expect(await response.json()).toEqual({
      error: "invalid_request",
      error_description: "The logout token is not valid",
    });
    expect(await living()).toEqual([true, true]);
    expect(await revoked()).toBe(0);
    expect(world.events).toEqual([]);
    expect(world.unknown).toHaveLength(1);
  }

  it("CO-19: signed by another key", async () => {
    await refused(await signed({}, {}, stranger));
  });

  it.each(["at+jwt", "oauth-id-jag+jwt"])("RP-07: a token of type %s is no logout token", async (typ) => {
    await refused(await signed({}, { typ }));
  });

  it("RP-07: an ID token is no logout token", async () => {
    await refused(await provider.sign({ jti: "1", nonce: "n" }));
  });

  it.each([
    ["no token", { body: "" }],
    ["another field", { body: "token=x" }],
    ["JSON", { type: "application/json", body: "{}" }],
    ["no JWT", { body: "logout_token=x" }],
    ["a body past the bound", { body: `logout_token=${"a".repeat(limits.logoutBody_bytes)}` }],
  ])("CO-19: %s", async (_name, more) => {
    await refused("", more);
  });

  it("CO-19: two tokens in one form", async () => {
    const token = await signed();
    await refused("", { body: `logout_token=${token}&logout_token=${token}` });
  });

  it("CVE-2026-1486: a disabled provider is not listened to", async () => {
    const repository = providersRepository(world.database, world.tenant);
    const stored = await repository.byIssuer(provider.issuer);
    await repository.update(stored?.id ?? "", stored?.updated_at ?? 0, { enabled: false }, world.now());
    expect((await post(await signed())).status).toBe(400);
    expect(await revoked()).toBe(0);
  });
});
