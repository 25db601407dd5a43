import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { attempts, isDatabaseFailure, used_ids } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { beginSignIn, completeSignIn } from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNothing, reasonOf, type World } from "./support.ts";

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

async function refused(answer: URL, reason: string, who = browser): Promise<void> {
  expect(reasonOf(await who.complete(answer))).toBe(reason);
  expect(world.unknown).toEqual([reason]);
  expect(provider.tokenRequests).toEqual([]);
  await expectNothing(world, provider);
}

describe("the way back from the provider", () => {
  it("CO-02: the provider's URL of one browser, opened in another, signs nobody in", async () => {
    const answer = provider.authorize(await browser.begin());
    await refused(answer, "state_unknown", new Browser(world));
    // The one that began it still can.
    expect((await browser.complete(answer)).kind).toBe("done");
  });

  it("CO-02: the cookie of another sign-in does not do", async () => {
    const answer = provider.authorize(await browser.begin());
    const victim = new Browser(world);
    await victim.begin();
    const [planted = ""] = [...victim.cookies.values()];
    for (const name of browser.cookies.keys()) victim.cookies.set(name, planted);
    await refused(answer, "other_browser", victim);
  });

  it("CO-03: only the start of a sign-in sets its cookie, and only on that answer", async () => {
    const begun = await beginSignIn(await world.visit(), { return_to: "/me" }, new Headers());
    const cookies = begun.kind === "redirect" ? begun.cookies : [];
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatch(
      /^__Host-gatehouse-signin-[0-9a-f]{8}=test\.[A-Za-z0-9_-]{400,1000}; Max-Age=600; Path=\/; Secure; HttpOnly; SameSite=Lax$/,
    );
  });

  it("CO-10: an answer that the attacker got is nothing in the victim's browser", async () => {
    const attacker = new Browser(world);
    const answer = provider.authorize(await attacker.begin());
    await browser.begin();
    await refused(answer, "state_unknown");
  });

  it("CO-10: the cookie of a sign-in behind a comma in another cookie is none", async () => {
    const attacker = new Browser(world);
    const answer = provider.authorize(await attacker.begin());
    const [[name, value] = []] = [...attacker.cookies];
    browser.cookies.set("theme", `x,${name}=${value}`);
    await refused(answer, "state_unknown");
  });

  it("CO-11: no state", async () => {
    const answer = provider.authorize(await browser.begin());
    answer.searchParams.delete("state");
    await refused(answer, "state_missing");
  });

  it("CO-11: an unknown state", async () => {
    const answer = provider.authorize(await browser.begin());
    answer.searchParams.set("state", "A".repeat(43));
    await refused(answer, "state_unknown");
  });

  it("CO-11: a state of another form", async () => {
    const answer = provider.authorize(await browser.begin());
    answer.searchParams.set("state", "' OR 1=1");
    await refused(answer, "state_unknown");
  });

  it("CO-11: two states", async () => {
    const answer = provider.authorize(await browser.begin());
    answer.searchParams.append("state", "A".repeat(43));
    await refused(answer, "response_invalid");
  });

  it("CO-11: the state of another tenant", async () => {
    const other = await createWorld();
    await other.configure(provider);
    const stranger = new Browser(other);
    const answer = provider.authorize(await stranger.begin());
    for (const [name, value] of stranger.cookies) browser.cookies.set(name, value);
    await refused(answer, "state_unknown");
  });

  it("CO-11: a state is used once", async () => {
    const answer = provider.authorize(await browser.begin());
    const cookies = [...browser.cookies];
    expect((await browser.complete(answer)).kind).toBe("done");
    for (const [name, value] of cookies) browser.cookies.set(name, value);
    expect(reasonOf(await browser.complete(answer))).toBe("state_used");
    expect(provider.tokenRequests).toHaveLength(1);
  });

  it("FT-04: a database that fails uses up nothing: the same answer works when the page is loaded again", async () => {
    const answer = provider.authorize(await browser.begin());
    const DB = new Proxy(env.DB, {
      get(target, property) {
        if (property === "batch") return () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
        const member: unknown = Reflect.get(target, property);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const visit = await world.visit();
    const bindings = { ...visit.platform.bindings, DB };
    const failing = { ...visit, platform: { ...visit.platform, bindings } };
    const request = new Request(answer, { headers: browser.headers });
    const thrown = await completeSignIn(failing, request).catch((cause: unknown) => cause);
    expect(isDatabaseFailure(thrown)).toBe(true);
    await expectNothing(world, provider);
    expect((await browser.complete(answer)).kind).toBe("done");
  });

  it("CO-11: of twenty requests with one state exactly one gets through", async () => {
    const answer = provider.authorize(await browser.begin());
    const visit = await world.visit();
    const { headers } = browser;
    const completed = await Promise.all(
      Array.from({ length: 20 }, () => completeSignIn(visit, new Request(answer, { headers }))),
    );
    expect(completed.filter(({ kind }) => kind === "done")).toHaveLength(1);
    expect(provider.tokenRequests).toHaveLength(1);
  });

  it("CO-11: a sign-in ends after ten minutes", async () => {
    const answer = provider.authorize(await browser.begin());
    world.advance(limits.signIn_ms);
    await refused(answer, "state_expired");
  });

  it("CO-11: a POST is no answer", async () => {
    const answer = provider.authorize(await browser.begin());
    const request = new Request(answer, { method: "POST", headers: browser.headers });
    expect(reasonOf(await completeSignIn(await world.visit(), request))).toBe("response_invalid");
    await expectNothing(world, provider);
  });

  it("CO-11: the cookie shows no secret, and opens for nobody who changes it", async () => {
    const location = await browser.begin();
    const [[name = "", cookie = ""] = []] = [...browser.cookies];
    const bytes = Uint8Array.fromBase64(cookie.split(".")[1] ?? "", { alphabet: "base64url" });
    const shown = cookie + new TextDecoder("latin1").decode(bytes);
    const secrets = ["state", "nonce", "code_challenge"].map((one) => location.searchParams.get(one) ?? "none");
    expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
    browser.cookies.set(name, `${cookie.slice(0, 60)}${cookie[60] === "A" ? "B" : "A"}${cookie.slice(61)}`);
    await refused(provider.authorize(location), "state_unknown");
  });

  it("CO-11: sign-ins that nobody finishes leave nothing behind but one count, so that they keep nobody out", async () => {
    for (let count = 0; count < 20; count += 1) await new Browser(world).begin();
    expect(await world.database.select().from(used_ids).where(eq(used_ids.tenant_id, world.tenant))).toEqual([]);
    const counts = await world.database.select().from(attempts).where(eq(attempts.tenant_id, world.tenant));
    expect(counts.map((row) => row.attempts)).toEqual([20]);
  });

  it("CO-11: a browser holds the newest sign-ins; the oldest make room, and its session stays", async () => {
    await browser.signIn(provider);
    const session = browser.cookies.get("__Host-gatehouse");
    const return_to = `/me?${"a".repeat(6_000)}`;
    const answers: URL[] = [];
    for (let count = 0; count < 4; count += 1) answers.push(provider.authorize(await browser.begin({ return_to })));
    const held = [...browser.cookies]
      .map(([name, value]) => name.length + value.length)
      .reduce((sum, one) => sum + one);
    expect(held).toBeLessThan(limits.signInCookies_chars + 200);
    expect(browser.cookies.get("__Host-gatehouse")).toBe(session);
    const [first, , , last] = answers;
    expect(await browser.complete(last ?? "")).toMatchObject({ kind: "done", return_to });
    expect(reasonOf(await browser.complete(first ?? ""))).toBe("state_unknown");
  });

  it("CO-18: an answer with the issuer of another provider gets no token request", async () => {
    provider.answerParameters = { iss: "https://other.test" };
    await refused(provider.authorize(await browser.begin()), "issuer_mismatch");
  });

  it("CO-18: an answer without issuer, though the provider sends one, gets no token request", async () => {
    provider.answerParameters = { iss: undefined };
    await refused(provider.authorize(await browser.begin()), "issuer_missing");
  });

  it("CO-18: with two providers the code of one does not go to the other", async () => {
    const other = new FakeProvider("https://other.test", key);
    const [first, second] = [await world.configure(other), provider];
    const location = await browser.begin({ provider_id: first.id });
    // The mix-up: the person is sent to the second provider with the first one's state.
    const answer = second.authorize(location);
    await refused(answer, "issuer_mismatch");
    expect(other.tokenRequests).toEqual([]);
  });

  it("CO-18: a provider that says at the end that it names no issuer, unlike at the start, is not believed", async () => {
    const answer = provider.authorize(await browser.begin());
    answer.searchParams.delete("iss");
    provider.discovery = { authorization_response_iss_parameter_supported: undefined };
    world.advance(2 * limits.documentLife_ms_min);
    await refused(answer, "issuer_missing");
  });

  it("CO-18: a provider that sends no issuer, and does not say that it would, is accepted", async () => {
    provider.discovery = { authorization_response_iss_parameter_supported: undefined };
    provider.answerParameters = { iss: undefined };
    expect((await browser.signIn(provider)).kind).toBe("done");
  });

  it.each([
    ["access_denied", "access_denied"],
    ["login_required", "login_required"],
    ["interaction_required", "login_required"],
    ["temporarily_unavailable", "provider_unreachable"],
    ["server_error", "provider_error"],
    ["<script>alert(1)</script>", "provider_error"],
  ])("CO-20: the provider's error %s becomes a reason of ours and nothing of its text", async (error, reason) => {
    const text = "<script>alert(1)</script>";
    provider.answerParameters = { error, error_description: text, error_uri: "javascript:alert(1)", code: undefined };
    const completed = await browser.complete(provider.authorize(await browser.begin()));
    expect(completed).toMatchObject({ kind: "failed", reason, return_to: "/me" });
    expect(JSON.stringify([completed, world.logged, world.unknown])).not.toContain("alert");
    await expectNothing(world, provider);
  });

  it("CO-20: an error with the issuer of another provider is not even read", async () => {
    provider.answerParameters = { error: "access_denied", iss: "https://evil.test", code: undefined };
    await refused(provider.authorize(await browser.begin()), "issuer_mismatch");
  });

  it("CO-11: an answer with neither code nor error", async () => {
    provider.answerParameters = { code: undefined };
    await refused(provider.authorize(await browser.begin()), "response_invalid");
  });

  it("CO-25: two tabs sign in at once, and both get where they wanted", async () => {
    const [first, second] = [await browser.begin({ return_to: "/one" }), await browser.begin({ return_to: "/two" })];
    expect(await browser.complete(provider.authorize(second))).toMatchObject({ kind: "done", return_to: "/two" });
    expect(await browser.complete(provider.authorize(first))).toMatchObject({ kind: "done", return_to: "/one" });
  });

  it("CO-11: a provider that an administrator changed meanwhile gets no code", async () => {
    const { providersRepository } = await import("../../../src/login/index.ts");
    const repository = providersRepository(world.database, world.tenant);
    const answer = provider.authorize(await browser.begin());
    const [stored] = await repository.enabled();
    if (stored === undefined) throw new Error("no provider");
    await repository.update(stored.id, stored.updated_at, { client_id: "another", revision: 2 }, world.now());
    await refused(answer, "provider_unavailable");
  });
});
