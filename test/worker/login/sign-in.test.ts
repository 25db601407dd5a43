import { eq } from "drizzle-orm";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { attempts, connections } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { beginSignIn, currentSession, usersRepository } from "../../../src/login/index.ts";
import { connectionStore } from "../../../src/vault/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNoSecret, expectNothing, reasonOf, type World } from "./support.ts";

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
});

describe("sign-in", () => {
  it("A1: a person signs in through the organisation's provider and has a session", async () => {
    const stored = await world.configure(provider);
    const completed = await browser.signIn(provider);
    expect(completed).toMatchObject({ kind: "done", return_to: "/me" });
    const session = await currentSession(await world.visit(), browser.headers);
    expect(session).toMatchObject({
      user: { issuer: provider.issuer, subject: "alice", email: "alice@a.test", role: "member", name: "Alice Example" },
      provider_id: stored.id,
      source: { country: "CH", network: "192.0.2.0/24" },
    });
    expect(world.unknown).toEqual([]);
    expect(world.events).toMatchObject([
      {
        type: "auth.activity",
        action: "sign_in.complete",
        outcome: "ok",
        actor: { user: session?.user.id, user_email: "alice@a.test" },
        provider: stored.id,
      },
    ]);
    expectNoSecret(world, provider);
  });

  it("A1: the same person is the same user at the next sign-in, with what the provider says now", async () => {
    await world.configure(provider);
    await browser.signIn(provider);
    provider.claims = { ...provider.claims, email: "alice@new.test", name: "Alice New" };
    await new Browser(world).signIn(provider);
    const users = await usersRepository(world.database, world.tenant).page(undefined, 10);
    expect(users).toMatchObject([{ email: "alice@new.test", name: "Alice New" }]);
  });

  it("A1: six first sign-ins at once make one user", async () => {
    await world.configure(provider);
    const browsers = Array.from({ length: 6 }, () => new Browser(world));
    const completed = await Promise.all(browsers.map((one) => one.signIn(provider)));
    expect(completed.map(({ kind }) => kind)).toEqual(browsers.map(() => "done"));
    expect(await usersRepository(world.database, world.tenant).page(undefined, 10)).toHaveLength(1);
  });

  it("A1: an existing session at the provider means no second prompt", async () => {
    await world.configure(provider);
    const location = await browser.begin();
    expect(location.searchParams.has("prompt")).toBe(false);
  });

  it("TK-06: state, nonce, verifier and session are four values of 256 bits, drawn anew for each sign-in", async () => {
    await world.configure(provider);
    await browser.signIn(provider);
    await browser.signIn(provider);
    const [first, second] = provider.authorizations.map(({ searchParams }) => searchParams);
    const [verifier, next] = provider.tokenRequests.map(({ parameters }) => parameters.get("code_verifier"));
    const values = [first, second].flatMap((one) => [one?.get("state"), one?.get("nonce")]);
    const drawn = [...values, verifier, next, ...browser.cookies.values()];
    expect(drawn.filter((value) => /^[A-Za-z0-9_-]{43}$/.test(value ?? ""))).toHaveLength(drawn.length);
    expect(new Set(drawn).size).toBe(drawn.length);
    expect(first?.get("code_challenge_method")).toBe("S256");
    expect(first?.get("code_challenge")).not.toBe(verifier);
  });

  it("TK-06: neither verifier nor secret is in a URL", async () => {
    await world.configure(provider);
    await browser.signIn(provider);
    const verifier = provider.tokenRequests[0]?.parameters.get("code_verifier") ?? "none";
    const urls = [...provider.authorizations.map(String), ...world.sent.map(({ url }) => url)].join(" ");
    expect(urls).not.toContain(verifier);
    expect(urls).not.toContain("the-client-secret");
  });

  it("A1: the request names our callback and nothing of another host", async () => {
    await world.configure(provider);
    const { searchParams } = await browser.begin();
    expect(Object.fromEntries(searchParams)).toMatchObject({
      response_type: "code",
      client_id: "gatehouse-client",
      redirect_uri: "https://a.gw.test/login/callback",
      scope: "openid profile email offline_access",
    });
  });

  it("A1: Google is asked for a refresh token in its own way", async () => {
    const google = new FakeProvider("https://accounts.google.com", key);
    google.discovery = { scopes_supported: ["openid", "email", "profile"] };
    google.discovery["id_token_signing_alg_values_supported"] = ["RS256"];
    const options = { domains: ["a.test"], roles: { member: { everyone: true } } };
    await world.configure(google, { kind: "google", options });
    const { searchParams } = await browser.begin();
    expect(Object.fromEntries(searchParams)).toMatchObject({
      ...{ scope: "openid profile email", access_type: "offline", hd: "a.test" },
    });
  });

  it("A1: the secret goes by Basic, or in the form where the provider takes only that", async () => {
    await world.configure(provider);
    await browser.signIn(provider);
    expect(provider.tokenRequests[0]?.authorization).toBe(
      // RFC 6749 section 2.3.1: both parts are form-encoded first; this library encodes the hyphen as well.
      `Basic ${btoa("gatehouse%2Dclient:the%2Dclient%2Dsecret")}`,
    );
    const other = new FakeProvider("https://post.test", key);
    other.discovery = { token_endpoint_auth_methods_supported: ["client_secret_post"] };
    const { id } = await world.configure(other);
    await browser.signIn(other, { provider_id: id });
    expect(other.tokenRequests[0]?.authorization).toBeNull();
    expect(other.tokenRequests[0]?.parameters.get("client_secret")).toBe("the-client-secret");
  });

  it("A1: a public client sends no secret", async () => {
    await world.configure(provider, { secret: null });
    expect((await browser.signIn(provider)).kind).toBe("done");
    expect(provider.tokenRequests[0]?.authorization).toBeNull();
    expect(provider.tokenRequests[0]?.parameters.get("client_id")).toBe("gatehouse-client");
  });

  it("A1: with several providers the person chooses", async () => {
    const first = await world.configure(provider);
    const other = new FakeProvider("https://other.test", key);
    const second = await world.configure(other, { name: "Contractors", kind: "okta" });
    await world.configure(new FakeProvider("https://off.test", key), { enabled: false });
    const begun = await beginSignIn(await world.visit(), { return_to: "/" }, new Headers());
    expect(begun).toEqual({
      kind: "choose",
      providers: [
        { id: first.id, name: "Directory", kind: "generic" },
        { id: second.id, name: "Contractors", kind: "okta" },
      ],
    });
  });

  it("A1: without a provider nobody can sign in", async () => {
    expect(await beginSignIn(await world.visit(), { return_to: "/" }, new Headers())).toEqual({
      kind: "failed",
      reason: "no_provider",
    });
  });

  it("CVE-2026-1486: a disabled provider begins no sign-in", async () => {
    const { id } = await world.configure(provider, { enabled: false });
    const begun = await beginSignIn(await world.visit(), { return_to: "/", provider_id: id }, new Headers());
    expect(begun).toMatchObject({ kind: "failed" });
    expect(world.sent).toEqual([]);
  });

  it("A1: sign-ins of one network are limited; another network is not", async () => {
    await world.configure(provider);
    const begin = async (network: string) => beginSignIn(await world.visit(network), { return_to: "/" }, new Headers());
    expect((await begin("198.51.100.0/24")).kind).toBe("redirect");
    const counted = { attempts: limits.signInsPerNetwork_count - 1 };
    await world.database.update(attempts).set(counted).where(eq(attempts.tenant_id, world.tenant));
    expect((await begin("198.51.100.0/24")).kind).toBe("redirect");
    expect(await begin("198.51.100.0/24")).toEqual({ kind: "failed", reason: "too_many_sign_ins" });
    expect((await begin("203.0.113.0/24")).kind).toBe("redirect");
    world.advance(limits.signInsPerNetwork_ms);
    expect((await begin("198.51.100.0/24")).kind).toBe("redirect");
  });

  it("A1: the provider's tokens are kept sealed as the connection `idp`", async () => {
    await world.configure(provider);
    await browser.signIn(provider);
    const [row] = await world.database.select().from(connections).where(eq(connections.tenant_id, world.tenant));
    expect(row).toMatchObject({ target: "idp", state: "linked", issuer: provider.issuer });
    expect(row?.credential).not.toMatch(/the-access-token|the-refresh-token/);
    const [user] = await usersRepository(world.database, world.tenant).page(undefined, 1);
    const key_ = { user_id: user?.id ?? "", target: "idp", account: "default" };
    const found = await connectionStore(await world.visit()).read(key_);
    expect(found).toMatchObject({
      ok: true,
      value: { credential: { access_token: "the-access-token", refresh_token: "the-refresh-token" } },
    });
  });

  it("A1: a later sign-in keeps the refresh token where the provider gives one at the first only, as Google does", async () => {
    await world.configure(provider);
    await browser.signIn(provider);
    provider.tokenMembers = { refresh_token: undefined, access_token: "another-access-token" };
    expect((await browser.signIn(provider)).kind).toBe("done");
    const [user] = await usersRepository(world.database, world.tenant).page(undefined, 1);
    const where = { user_id: user?.id ?? "", target: "idp", account: "default" };
    expect(await connectionStore(await world.visit()).read(where)).toMatchObject({
      ok: true,
      value: { credential: { access_token: "another-access-token", refresh_token: "the-refresh-token" } },
    });
  });

  it("A1: a sign-in that cannot be recorded does not happen", async () => {
    await world.configure(provider);
    const answer = provider.authorize(await browser.begin());
    world.failAudit(true);
    expect(reasonOf(await browser.complete(answer))).toBe("unavailable");
    expect(await currentSession(await world.visit(), browser.headers)).toBeUndefined();
  });

  it("A1: a code that the provider does not know is refused", async () => {
    await world.configure(provider);
    const answer = provider.authorize(await browser.begin());
    answer.searchParams.set("code", "another");
    expect(reasonOf(await browser.complete(answer))).toBe("code_refused");
    await expectNothing(world, provider);
  });

  it.each([
    ["invalid_client", 401, "client_refused"],
    ["invalid_grant", 400, "code_refused"],
    ["server_error", 400, "provider_error"],
  ])("A1: the token endpoint answers %s", async (error, status, reason) => {
    await world.configure(provider);
    provider.tokenAnswer = () => Response.json({ error, error_description: "the-client-secret" }, { status });
    expect(reasonOf(await browser.signIn(provider))).toBe(reason);
    await expectNothing(world, provider);
  });

  it.each([
    ["no JSON", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["an internal error", () => new Response("oops", { status: 500 })],
    ["no content", () => new Response(null, { status: 204, headers: { "content-type": "application/json" } })],
    ["broken JSON", () => new Response("{", { headers: { "content-type": "application/json" } })],
    ["no tokens", () => Response.json({})],
    ["no ID token", () => Response.json({ access_token: "the-access-token", token_type: "Bearer" })],
  ])("A1: the token endpoint answers with %s", async (_name, answer) => {
    await world.configure(provider);
    provider.tokenAnswer = answer;
    expect(["provider_error", "id_token_invalid"]).toContain(reasonOf(await browser.signIn(provider)));
    await expectNothing(world, provider);
  });

  it("A1: whatever JSON the token endpoint answers, it is a failure with a reason and no crash", async () => {
    await world.configure(provider);
    const good = await provider.sign();
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom("Bearer", "dpop", good, `${good}x`, "a.b.c", "..", ""));
    const names = fc.constantFrom(
      "access_token",
      "token_type",
      "id_token",
      "expires_in",
      "error",
      "refresh_token",
      "x",
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.dictionary(names, value)), async (body) => {
        provider.tokenAnswer = () => Response.json(body);
        reasonOf(await new Browser(world).signIn(provider));
      }),
      { numRuns: 30, seed: 7 },
    );
    await expectNothing(world, provider);
  });

  it("A1: an answer with more or other parameters is a failure with a reason and no crash", async () => {
    await world.configure(provider);
    const names = fc.constantFrom("code", "iss", "error", "response", "id_token", "token", "x", "session_state");
    const value = fc.oneof(fc.string(), fc.constantFrom("https://idp.test", "https://evil.test"));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(names, value), { minLength: 1, maxLength: 4 }), async (parameters) => {
        provider.tokenAnswer = () => Response.json({});
        const answer = provider.authorize(await browser.begin());
        for (const [name, text] of parameters) answer.searchParams.append(name, text);
        reasonOf(await browser.complete(answer));
      }),
      { numRuns: 30, seed: 7 },
    );
    await expectNothing(world, provider);
  });

  it.each([1e300, -5, 0, 1.5, undefined])("A1: an access token that lives %s seconds is kept", async (expires_in) => {
    await world.configure(provider);
    provider.tokenMembers = { expires_in };
    const completed = await browser.signIn(provider);
    if (completed.kind === "failed") expect(completed.reason).toBe("id_token_invalid");
    else {
      const where = { user_id: completed.user.id, target: "idp", account: "default" };
      const found = await connectionStore(await world.visit()).read(where);
      expect(found?.ok).toBe(true);
    }
  });

  it("A1: a token endpoint that redirects gets no second request", async () => {
    await world.configure(provider);
    provider.tokenAnswer = () => new Response(null, { status: 307, headers: { location: "https://evil.test/token" } });
    expect(reasonOf(await browser.signIn(provider))).toBe("provider_unreachable");
    expect(world.sent.filter(({ url }) => url.startsWith("https://evil.test"))).toEqual([]);
    await expectNothing(world, provider);
  });

  it("FT-24: a provider that is down fails the sign-in and nothing else", async () => {
    await world.configure(provider);
    const answer = provider.authorize(await browser.begin());
    provider.down = true;
    expect(reasonOf(await browser.complete(answer))).toBe("provider_unreachable");
    await expectNothing(world, provider);
  });
});
