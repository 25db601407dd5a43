import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeProvider, makeKey, type Key } from "./fake-provider.ts";
import { Browser, createWorld, expectNothing, reasonOf, type World } from "./support.ts";

let key: Key;
let rsa: Key;
let stranger: Key;
let world: World;
let provider: FakeProvider;

beforeAll(async () => {
  [key, rsa, stranger] = await Promise.all([makeKey("k1"), makeKey("r1", "RS256"), makeKey("k1")]);
});

beforeEach(async () => {
  world = await createWorld();
  provider = new FakeProvider("https://idp.test", key);
  await world.configure(provider);
});

/** The way to the end with a provider that is wrong in one thing. */
async function refused(reason = "id_token_invalid"): Promise<void> {
  expect(reasonOf(await new Browser(world).signIn(provider))).toBe(reason);
  expect(world.unknown).toEqual([reason]);
  expect(world.events).toEqual([]);
  await expectNothing(world, provider);
}

const part = (value: unknown): string =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });

/** The token with another header or payload under its old signature. */
function replaced(text: string, at: 0 | 1, value: unknown): string {
  const parts = text.split(".");
  parts[at] = part(value);
  return parts.join(".");
}

const seconds = (): number => Math.floor(Date.now() / 1000);

describe("the ID token", () => {
  it.each(["none", "None", "nOnE", ""])("RP-01: alg %j is refused", async (alg) => {
    provider.mangle = (text) => `${replaced(text, 0, { alg, kid: "k1" }).split(".").slice(0, 2).join(".")}.`;
    await refused();
  });

  it("RP-02: a token under the public key as HMAC secret is refused", async () => {
    provider.key = rsa;
    provider.keys = [rsa.jwk];
    provider.mangle = async (text) => {
      const signed = `${part({ alg: "HS256", kid: "r1" })}.${text.split(".")[1]}`;
      const secret = new TextEncoder().encode(JSON.stringify(rsa.jwk));
      const hmac = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      const mac = await crypto.subtle.sign("HMAC", hmac, new TextEncoder().encode(signed));
      return `${signed}.${new Uint8Array(mac).toBase64({ alphabet: "base64url", omitPadding: true })}`;
    };
    await refused();
  });

  it("RP-02: an algorithm that the provider does not announce is refused", async () => {
    provider.discovery = { id_token_signing_alg_values_supported: ["RS256"] };
    await refused();
  });

  it("RP-02: an algorithm that the administrator left out is refused, though the provider announces it", async () => {
    world = await createWorld();
    const roles = { member: { everyone: true } };
    await world.configure(provider, { options: { roles, signing_algorithms: ["RS256"] } });
    await refused();
  });

  it("RP-04: a key in the header counts for nothing, and its URL is not asked", async () => {
    const evil = "https://evil.test/jwks";
    provider.key = stranger;
    provider.header = { jwk: stranger.jwk, jku: evil, x5u: evil };
    await refused();
    expect(world.sent.filter(({ url }) => url.startsWith("https://evil.test"))).toEqual([]);
  });

  it("RP-05: an unknown key id is refused after one more look at the key set", async () => {
    provider.header = { kid: "../../x' OR 1=1" };
    await refused();
    expect(world.sent.filter(({ url }) => url.endsWith("/jwks")).length).toBeLessThanOrEqual(2);
  });

  it("RP-06: a critical extension that nobody understands is refused", async () => {
    provider.mangle = (text) => replaced(text, 0, { alg: "ES256", kid: "k1", crit: ["b64"], b64: false });
    await refused();
  });

  it.each(["at+jwt", "logout+jwt", "oauth-id-jag+jwt"])("RP-07: a token of type %s is no ID token", async (typ) => {
    provider.header = { typ };
    await refused();
  });

  it.each([
    ["five parts", (text: string) => `${text}.x.y`],
    ["six parts", (text: string) => `${text}.x.y.z`],
    ["JSON serialisation", (text: string) => JSON.stringify({ payload: text.split(".")[1] })],
  ])("RP-08: %s", async (_name, mangle) => {
    provider.mangle = mangle;
    await refused();
  });

  it("RP-09: a signature of another key is refused", async () => {
    provider.key = stranger;
    await refused();
  });

  it("RP-09: a changed payload is refused", async () => {
    provider.mangle = (text) => {
      const claims: Record<string, unknown> = JSON.parse(
        new TextDecoder().decode(Uint8Array.fromBase64(text.split(".")[1] ?? "", { alphabet: "base64url" })),
      );
      return replaced(text, 1, { ...claims, sub: "administrator" });
    };
    await refused();
  });

  it.each([
    ["without a signature", (text: string) => `${text.split(".").slice(0, 2).join(".")}.`],
    ["with trailing bytes", (text: string) => `${text}AAAA`],
    ["with padding", (text: string) => `${text}==`],
  ])("RP-09: %s", async (_name, mangle) => {
    provider.mangle = mangle;
    await refused();
  });

  it.each([
    ["a number as sub", { sub: 7 }],
    ["an empty sub", { sub: "" }],
    ["no sub", { sub: undefined }],
    ["exp as text", { exp: "9999999999" }],
    ["a negative exp", { exp: -1 }],
    ["no exp", { exp: undefined }],
    ["no iat", { iat: undefined }],
  ])("RP-10: %s", async (_name, claims) => {
    provider.idToken = claims;
    await refused();
  });

  it("RP-10: a claim that is there twice is refused, under a good signature", async () => {
    provider.mangle = async (text) => {
      const claims = new TextDecoder().decode(
        Uint8Array.fromBase64(text.split(".")[1] ?? "", { alphabet: "base64url" }),
      );
      const payload = new TextEncoder().encode(claims.replace("{", '{"sub":"administrator",'));
      const { CompactSign } = await import("jose");
      return new CompactSign(payload).setProtectedHeader({ alg: "ES256", kid: "k1" }).sign(key.privateKey);
    };
    await refused();
  });

  it.each([
    "https://idp.test/",
    "https://IDP.test",
    "http://idp.test",
    "https://idp.test:443",
    "https://idp.test/x",
    "https://other.test",
  ])("RP-11: issuer %s is not https://idp.test", async (iss) => {
    provider.idToken = { iss };
    await refused();
  });

  it.each([
    ["another audience", { aud: "somebody-else" }],
    ["ours among others, without azp", { aud: ["gatehouse-client", "evil"] }],
    ["ours among others, azp another", { aud: ["gatehouse-client", "evil"], azp: "evil" }],
    ["ours alone, azp another", { azp: "evil" }],
  ])("RP-12: %s", async (_name, claims) => {
    provider.idToken = claims;
    await refused();
  });

  it("RP-12: several audiences with our azp are accepted", async () => {
    provider.idToken = { aud: ["gatehouse-client", "api"], azp: "gatehouse-client" };
    expect((await new Browser(world).signIn(provider)).kind).toBe("done");
  });

  it.each([
    ["expired 90 s ago", () => ({ exp: seconds() - 90 })],
    ["not valid for 90 s", () => ({ nbf: seconds() + 90 })],
    ["issued in 90 s", () => ({ iat: seconds() + 90 })],
    ["issued 12 minutes ago", () => ({ iat: seconds() - 720 })],
  ])("RP-18: %s", async (_name, claims) => {
    provider.idToken = claims();
    await refused();
  });

  it("RP-18: clocks may differ by half a minute", async () => {
    provider.idToken = { iat: seconds() + 30, nbf: seconds() + 30, exp: seconds() - 30 };
    expect((await new Browser(world).signIn(provider)).kind).toBe("done");
  });

  it("RP-25: a token of a megabyte is refused", async () => {
    provider.mangle = (text) => `${text}${"A".repeat(100_000)}`;
    await refused();
  });

  it("RP-25: ten thousand parts are refused", async () => {
    provider.mangle = (text) => `${text}${".".repeat(10_000)}`;
    await refused();
  });

  it.each([
    ["missing", undefined],
    ["another", "somebody-else's"],
    ["a number", 1],
  ])("CO-12: nonce %s", async (_name, nonce) => {
    provider.idToken = { nonce };
    await refused("nonce_mismatch");
  });

  it("CO-12: the nonce of an earlier sign-in", async () => {
    const first = await new Browser(world).begin();
    provider.idToken = { nonce: first.searchParams.get("nonce") };
    await refused("nonce_mismatch");
  });

  it("RP-20: max_age that the provider does not honour is refused", async () => {
    provider.auth_time = seconds() - 3600;
    const browser = new Browser(world);
    const completed = await browser.signIn(provider, { max_age_s: 300 });
    expect(reasonOf(completed)).toBe("authentication_too_old");
    await expectNothing(world, provider);
  });

  it("RP-20: max_age without auth_time is refused", async () => {
    const completed = await new Browser(world).signIn(provider, { max_age_s: 300 });
    expect(reasonOf(completed)).toBe("authentication_too_old");
    await expectNothing(world, provider);
  });

  it("RP-20: prompt=login that the provider answers from its old session is refused", async () => {
    provider.auth_time = seconds() - 3600;
    const completed = await new Browser(world).signIn(provider, { prompt: "login" });
    expect(reasonOf(completed)).toBe("authentication_too_old");
    expect(provider.authorizations[0]?.searchParams.get("max_age")).toBe("0");
  });

  it("RP-20: max_age that the provider honours is accepted", async () => {
    provider.auth_time = seconds() - 200;
    expect((await new Browser(world).signIn(provider, { max_age_s: 300 })).kind).toBe("done");
  });
});
