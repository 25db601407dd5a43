import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { beginSignIn, checkProvider, providerOptionsSchema, providersRepository } from "../../../src/login/index.ts";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNothing, reasonOf, type World } from "./support.ts";

let key: Key;
let next: Key;
let world: World;
let provider: FakeProvider;

beforeAll(async () => {
  [key, next] = await Promise.all([makeKey("k1"), makeKey("k2")]);
});

beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", key);
});

const begin = async () => beginSignIn(await world.visit(), { return_to: "/" }, new Headers());

describe("what a provider publishes", () => {
  it.each([
    ["another issuer", { issuer: "https://evil.test" }],
    ["the issuer with a slash", { issuer: "https://idp.test/" }],
    ["Entra's template", { issuer: "https://idp.test/{tenantid}/v2.0" }],
    ["no issuer", { issuer: undefined }],
    ["no token endpoint", { token_endpoint: undefined }],
    ["a script as authorization endpoint", { authorization_endpoint: "javascript:alert(1)" }],
    ["a token endpoint without TLS", { token_endpoint: "http://idp.test/token" }],
    ["a key set without TLS", { jwks_uri: "http://idp.test/jwks" }],
    ["symmetric algorithms only", { id_token_signing_alg_values_supported: ["HS256", "none"] }],
  ])("RP-13: discovery with %s: no sign-in", async (_name, discovery) => {
    await world.configure(provider);
    provider.discovery = discovery;
    expect(await begin()).toEqual({ kind: "failed", reason: "provider_misconfigured" });
    await expectNothing(world, provider);
  });

  it("RP-14: discovery on a private address is not asked for", async () => {
    await world.configure(new FakeProvider("https://10.0.0.1", key));
    expect((await begin()).kind).toBe("failed");
    expect(world.sent).toEqual([]);
  });

  it("RP-14: a key set on a private address is not asked for", async () => {
    await world.configure(provider);
    provider.discovery = { jwks_uri: "https://169.254.169.254/latest" };
    expect(reasonOf(await new Browser(world).signIn(provider))).toMatch(/id_token_invalid|provider_unreachable/);
    expect(world.sent.filter(({ url }) => url.includes("169.254"))).toEqual([]);
    await expectNothing(world, provider);
  });

  it("RP-14: a token endpoint on a private address is not asked", async () => {
    await world.configure(provider);
    provider.discovery = { token_endpoint: "https://127.0.0.1/token" };
    expect(reasonOf(await new Browser(world).signIn(provider))).toBe("provider_unreachable");
    expect(world.sent.filter(({ url }) => url.includes("127.0.0.1"))).toEqual([]);
  });

  it("RP-15: a new key of the provider is found", async () => {
    await world.configure(provider);
    await new Browser(world).signIn(provider);
    provider.key = next;
    provider.keys = [next.jwk, key.jwk];
    world.advance(limits.documentCooldown_ms + 1);
    expect((await new Browser(world).signIn(provider)).kind).toBe("done");
  });

  it("RP-16: many tokens with unknown keys cost few requests for keys", async () => {
    await world.configure(provider);
    provider.header = { kid: "unknown" };
    for (let count = 0; count < 10; count += 1) await new Browser(world).signIn(provider);
    expect(world.sent.filter(({ url }) => url.endsWith("/jwks")).length).toBeLessThanOrEqual(2);
  });

  it("RP-24: the origin of the token endpoint is kept at the first discovery", async () => {
    const { id } = await world.configure(provider);
    await begin();
    const stored = await providersRepository(world.database, world.tenant).get(id);
    expect(stored?.token_endpoint_origin).toBe("https://idp.test");
  });

  it("RP-24: a token endpoint that moves to another origin gets neither secret nor code", async () => {
    const evil = new FakeProvider("https://evil.test", key);
    world.connect(evil);
    await world.configure(provider);
    await begin();
    provider.discovery = { token_endpoint: "https://evil.test/token" };
    world.advance(2 * limits.documentLife_ms_min);
    expect(await begin()).toEqual({ kind: "failed", reason: "token_endpoint_changed" });
    expect(evil.tokenRequests).toEqual([]);
    await expectNothing(world, provider);
  });

  it("RP-24: in the middle of a sign-in it is refused as well", async () => {
    const evil = new FakeProvider("https://evil.test", key);
    world.connect(evil);
    await world.configure(provider, { token_endpoint_origin: "https://idp.test" });
    const browser = new Browser(world);
    const answer = provider.authorize(await browser.begin());
    provider.discovery = { token_endpoint: "https://evil.test/token" };
    world.advance(2 * limits.documentLife_ms_min);
    expect(reasonOf(await browser.complete(answer))).toBe("token_endpoint_changed");
    expect(evil.tokenRequests).toEqual([]);
    await expectNothing(world, provider);
  });

  it("RP-24: an administrator who changes the provider accepts the new origin", async () => {
    const stored = await world.configure(provider, { token_endpoint_origin: "https://old.test", secret: null });
    expect(await begin()).toEqual({ kind: "failed", reason: "token_endpoint_changed" });
    const repository = providersRepository(world.database, world.tenant);
    await repository.update(stored.id, stored.updated_at, { client_id: "new", revision: 2 }, world.now());
    expect((await begin()).kind).toBe("redirect");
    expect((await repository.get(stored.id))?.token_endpoint_origin).toBe("https://idp.test");
  });

  it("RP-24: a change of the name alone accepts nothing", async () => {
    const stored = await world.configure(provider, { token_endpoint_origin: "https://old.test" });
    const repository = providersRepository(world.database, world.tenant);
    await repository.update(stored.id, stored.updated_at, { name: "Renamed" }, world.now());
    expect(await begin()).toEqual({ kind: "failed", reason: "token_endpoint_changed" });
  });

  it("RP-24: the secret of one revision does not open under another", async () => {
    const stored = await world.configure(provider);
    const repository = providersRepository(world.database, world.tenant);
    await repository.update(stored.id, stored.updated_at, { issuer: "https://evil.test", revision: 2 }, world.now());
    world.connect(new FakeProvider("https://evil.test", key));
    expect(await begin()).toEqual({ kind: "failed", reason: "unavailable" });
  });
});

describe("which issuers can be configured", () => {
  const options = providerOptionsSchema.parse({ roles: { member: { everyone: true } } });
  const guid = "9b2f4a2e-0c3d-4e5f-8a9b-0c1d2e3f4a5b";

  it.each([
    ["entra", "https://login.microsoftonline.com/{tenantid}/v2.0"],
    ["entra", "https://login.microsoftonline.com/common/v2.0"],
    ["entra", "https://login.microsoftonline.com/organizations/v2.0"],
    ["entra", `https://login.microsoftonline.com/${guid}/`],
    ["generic", "https://login.microsoftonline.com/{tenantid}/v2.0"],
    ["generic", "https://login.microsoftonline.com/common/v2.0"],
    ["generic", "https://idp.test/%7Btenantid%7D"],
    ["google", "https://accounts.google.com.evil.test"],
    ["generic", "https://user:secret@idp.test"],
    ["generic", "https://idp.test/?x"],
    ["generic", "https://idp.test/#x"],
    ["generic", "https://IDP.test"],
    ["generic", "ftp://idp.test"],
    ["generic", "idp.test"],
  ] as const)("RP-11: %s %s is refused", (kind, issuer) => {
    expect(checkProvider(kind, issuer, { ...options, domains: kind === "google" ? ["a.test"] : [] }).ok).toBe(false);
  });

  it.each([
    ["entra", `https://login.microsoftonline.com/${guid}/v2.0`],
    ["okta", "https://a.okta.test/oauth2/default"],
    ["generic", "https://a.auth0.test/"],
    ["generic", "https://idp.test"],
  ] as const)("RP-11: %s %s is accepted", (kind, issuer) => {
    expect(checkProvider(kind, issuer, options)).toEqual({ ok: true, value: undefined });
  });

  it("RP-11: Google admits everyone of a named domain only", () => {
    expect(checkProvider("google", "https://accounts.google.com", options).ok).toBe(false);
    expect(checkProvider("google", "https://accounts.google.com", { ...options, domains: ["a.test"] }).ok).toBe(true);
  });
});
