/** Tokens of others: each way in which one may be no good, with a good one beside it. */
import { CompactEncrypt, exportSPKI, generateKeyPair, importJWK, SignJWT } from "jose";
import fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { foreignAlgorithms, verifyForeignJwt, type JwtExpectation } from "../../../src/trust/index.ts";
import { createSigner, createWorld, json, sign, signText, type Signer, type World } from "./support.ts";

const issuer = "https://idp.example";
const audience = "https://a.gw.test";
const jwks_uri = `${issuer}/keys`;

let world: World;
let signer: Signer;
let other: Signer;
let rsa: Signer;

beforeAll(async () => {
  signer = await createSigner("k1");
  other = await createSigner("k2");
  rsa = await createSigner("r1", "RS256");
});

beforeEach(() => {
  world = createWorld();
  publish({ keys: [signer.jwk, rsa.jwk] });
});

function publish(set: unknown, headers: Record<string, string> = {}): void {
  world.serve("idp.example", () => json(set, headers));
}

const seconds = (): number => Math.floor(world.clock.now() / 1000);
const good = (): Record<string, unknown> => ({
  iss: issuer,
  sub: "u1",
  aud: audience,
  iat: seconds(),
  exp: seconds() + 300,
});
const expected = (more: Partial<JwtExpectation> = {}): JwtExpectation => ({
  issuer,
  audience,
  keys: { jwks_uri },
  ...more,
});

async function verdict(text: string, more?: Partial<JwtExpectation>): Promise<string> {
  const verified = await verifyForeignJwt(world.inquirer, text, expected(more));
  return verified.ok ? "ok" : verified.error.reason;
}

const base64url = (value: string | Uint8Array): string =>
  (typeof value === "string" ? new TextEncoder().encode(value) : value).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });

it("RP-10: a good token verifies, and its claims come as they are", async () => {
  const claims = { ...good(), groups: ["a"], jti: "j" };
  const verified = await verifyForeignJwt(world.inquirer, await sign(signer, claims), expected());
  expect(verified).toMatchObject({
    ok: true,
    value: { iss: issuer, sub: "u1", aud: [audience], jti: "j", all: claims },
  });
});

it.each(foreignAlgorithms)("RP-02: %s is accepted", async (alg) => {
  const mine = await createSigner("mine", alg);
  expect(await verdict(await sign(mine, good()), { keys: { jwks: { keys: [mine.jwk] } } })).toBe("ok");
});

describe("algorithm", () => {
  it.each(["none", "None", "nOnE", ""])("RP-01: alg %j is refused", async (alg) => {
    const text = `${base64url(JSON.stringify({ alg, kid: "k1" }))}.${base64url(JSON.stringify(good()))}.`;
    expect(await verdict(text)).toBe("jwt_form");
    expect(await verdict(`${text}AA`)).toBe(alg === "" ? "jwt_header" : "jwt_algorithm");
    expect(world.seen).toEqual([]);
  });

  it("RP-02: a public key is no shared secret, in whatever form", async () => {
    const spki = await exportSPKI((await importJWK(rsa.jwk, "RS256", { extractable: true })) as CryptoKey);
    const der = Uint8Array.fromBase64(spki.replace(/-----[^-]+-----|\s/g, ""));
    const secrets = [spki, spki.trim(), `${spki.trim()}\n`, JSON.stringify(rsa.jwk), rsa.jwk.n ?? "", der];
    for (const secret of secrets) {
      const key = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
      const token = new SignJWT(good()).setProtectedHeader({ alg: "HS256", kid: rsa.kid });
      expect(await verdict(await token.sign(key))).toBe("jwt_algorithm");
      // Not even where somebody's configuration names it.
      expect(await verdict(await token.sign(key), { algorithms: ["HS256"] })).toBe("jwt_algorithm");
    }
  });

  it("RP-02: what is allowed comes from configuration", async () => {
    expect(await verdict(await sign(rsa, good()), { algorithms: ["ES256"] })).toBe("jwt_algorithm");
    expect(await verdict(await sign(rsa, good()), { algorithms: ["RS256"] })).toBe("ok");
  });

  it("RP-02: the key's own algorithm holds", async () => {
    publish({ keys: [{ ...rsa.jwk, alg: "PS256" }] });
    expect(await verdict(await sign(rsa, good()))).toBe("key_unknown");
  });

  it.each([
    ["a key for encryption", { use: "enc" }],
    ["a key that may not verify", { key_ops: ["encrypt"] }],
    ["a key of another curve", { crv: "P-384" }],
  ])("RP-02: %s is not taken", async (_title, more) => {
    publish({ keys: [{ ...signer.jwk, ...more }] });
    expect(await verdict(await sign(signer, good()))).toBe("key_unknown");
  });
});

describe("header", () => {
  it.each(["jwk", "x5c"])("RP-04: a key in the header (%s) is not looked at", async (name) => {
    const value = name === "jwk" ? { ...other.jwk, kid: "k1" } : ["MIIB"];
    const forged = await sign({ ...other, kid: "k1" }, good(), { [name]: value });
    expect(await verdict(forged)).toBe("jwt_signature");
    expect(await verdict(await sign(signer, good(), { [name]: value }))).toBe("ok");
  });

  it.each(["jku", "x5u"])("RP-04: a place of keys in the header (%s) is not called", async (name) => {
    world.serve("evil.example", () => json({ keys: [other.jwk] }));
    expect(await verdict(await sign(other, good(), { [name]: "https://evil.example/keys" }))).toBe("key_unknown");
    expect(world.seen.every((url) => url === jwks_uri)).toBe(true);
  });

  it.each(["../../x", "' OR 1=1", "ключ", "k1\u0000", "K1", " k1"])("RP-05: kid %j is only compared", async (kid) => {
    expect(await verdict(await sign({ ...signer, kid }, good()))).toBe("key_unknown");
    expect(world.seen).toEqual([jwks_uri]);
  });

  it("RP-05: a kid of 10 KB is refused unread", async () => {
    expect(await verdict(await sign({ ...signer, kid: "k".repeat(10_240) }, good()))).toBe("jwt_header");
    expect(world.seen).toEqual([]);
  });

  it("RP-05: a kid that is no string is refused", async () => {
    const claims = JSON.stringify(good());
    expect(await verdict(await signText(signer, '{"alg":"ES256","kid":["k1"]}', claims))).toBe("jwt_header");
  });

  it.each([
    ['{"alg":"ES256","kid":"k1","crit":["exp"],"exp":1}'],
    ['{"alg":"ES256","kid":"k1","crit":["b64"],"b64":true}'],
    ['{"alg":"ES256","kid":"k1","b64":false}'],
    ['{"alg":"ES256","kid":"k1","crit":[]}'],
  ])("RP-06: %s is refused", async (header) => {
    expect(await verdict(await signText(signer, header, JSON.stringify(good())))).toBe("jwt_crit");
  });

  it.each(["at+jwt", "application/at+jwt", "logout+jwt", "oauth-id-jag+jwt", "dpop+jwt", "AT+JWT"])(
    "RP-07: a token of type %s is no plain one",
    async (typ) => {
      expect(await verdict(await sign(signer, good(), { typ }))).toBe("jwt_type");
    },
  );

  it("RP-07: a plain token is none of a special type", async () => {
    const typ = "logout+jwt";
    expect(await verdict(await sign(signer, good()), { typ })).toBe("jwt_type");
    expect(await verdict(await sign(signer, good(), { typ: "JWT" }), { typ })).toBe("jwt_type");
    expect(await verdict(await sign(signer, good(), { typ: "application/Logout+JWT" }), { typ })).toBe("ok");
    expect(await verdict(await sign(signer, good()), { typ: [typ, undefined] })).toBe("ok");
  });
});

describe("form", () => {
  it("RP-08: an encrypted token is refused", async () => {
    const { publicKey } = await generateKeyPair("ECDH-ES");
    const encrypted = new CompactEncrypt(new TextEncoder().encode(JSON.stringify(good())));
    const jwe = await encrypted.setProtectedHeader({ alg: "ECDH-ES", enc: "A256GCM" }).encrypt(publicKey);
    expect(await verdict(jwe)).toBe("jwt_form");
  });

  it("RP-08: JSON serialisation and six segments are refused", async () => {
    const [header, payload, signature] = (await sign(signer, good())).split(".");
    expect(await verdict(JSON.stringify({ protected: header, payload, signature }))).toBe("jwt_form");
    expect(await verdict([header, payload, signature, header, payload, signature].join("."))).toBe("jwt_form");
    expect(await verdict(JSON.stringify(good()))).toBe("jwt_form");
  });

  it("RP-08: a nested token is no claims", async () => {
    const inner = await sign(signer, good());
    expect(await verdict(await signText(signer, '{"alg":"ES256","kid":"k1"}', inner))).toBe("jwt_encoding");
  });

  it("RP-09: padding, white space, trailing bytes and a stripped signature are refused", async () => {
    const text = await sign(signer, good());
    const spoilt = [
      `${text}=`,
      ` ${text}`,
      `${text}\n`,
      `${text}.`,
      `${text}A`,
      text.replace(/[^.]*$/, ""),
      `${text}AAAA`,
    ];
    for (const each of spoilt) expect(await verdict(each)).toMatch(/^jwt_(?:form|encoding|signature)$/);
  });

  it("RP-09: the spare bits of a signature's last character are no second spelling", async () => {
    const text = await sign(signer, good());
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(text.at(-1) ?? "");
    expect(await verdict(text.slice(0, -1) + alphabet[last + 1])).toBe("jwt_encoding");
  });

  it("RP-09: any other character makes another token", async () => {
    const text = await sign(signer, good());
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.constantFrom("A", "Q", "z", "-", "."), async (at, char) => {
        const changed = text.slice(0, at) + char + text.slice(at + 1);
        if (changed !== text) expect(await verdict(changed)).not.toBe("ok");
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ["1 MB", "a".repeat(1024 * 1024)],
    ["10,000 segments", ".".repeat(10_000)],
    ["one character too many", "a".repeat(limits.jwt_chars + 1)],
  ])("RP-25: %s", async (_title, text) => {
    expect(await verdict(text)).toBe(text.length > limits.jwt_chars ? "jwt_too_long" : "jwt_form");
    expect(world.seen).toEqual([]);
  });
});

describe("claims", () => {
  const header = '{"alg":"ES256","kid":"k1"}';
  const text = (claims: string): string => claims.replaceAll("NOW", String(seconds()));
  const base = `"iss":"${issuer}","aud":"${audience}"`;

  it.each([
    ["an issuer twice", `{"iss":"https://evil.example",${base},"sub":"u","exp":NOW}`, "jwt_encoding"],
    ["a subject twice, once escaped", `{${base},"sub":"u","s\\u0075b":"v","exp":NOW}`, "jwt_encoding"],
    ["__proto__", `{${base},"sub":"u","exp":NOW,"__proto__":{"admin":true}}`, "jwt_encoding"],
    ["a subject that is a number", `{${base},"sub":1,"exp":NOW}`, "jwt_claims"],
    ["a subject that is a list", `{${base},"sub":["u"],"exp":NOW}`, "jwt_claims"],
    ["an empty subject", `{${base},"sub":"","exp":NOW}`, "jwt_claims"],
    ["no exp", `{${base},"sub":"u"}`, "jwt_claims"],
    ["exp as text", `{${base},"sub":"u","exp":"NOW"}`, "jwt_claims"],
    ["a fraction", `{${base},"sub":"u","exp":NOW.5}`, "jwt_claims"],
    ["a negative exp", `{${base},"sub":"u","exp":-1}`, "jwt_claims"],
    ["a huge exp", `{${base},"sub":"u","exp":1e308}`, "jwt_claims"],
    ["an exp past all numbers", `{${base},"sub":"u","exp":1e999}`, "jwt_claims"],
    ["exp null", `{${base},"sub":"u","exp":null}`, "jwt_claims"],
    ["exp in milliseconds", `{${base},"sub":"u","exp":NOW000000}`, "jwt_claims"],
    ["NaN", `{${base},"sub":"u","exp":NaN}`, "jwt_encoding"],
    ["no audience", `{"iss":"${issuer}","sub":"u","exp":NOW}`, "jwt_claims"],
    ["an empty list of audiences", `{"iss":"${issuer}","aud":[],"sub":"u","exp":NOW}`, "jwt_claims"],
    ["an audience that is no text", `{"iss":"${issuer}","aud":[1,"${audience}"],"sub":"u","exp":NOW}`, "jwt_claims"],
    ["a list", `[{${base}}]`, "jwt_encoding"],
  ])("RP-10: %s is refused", async (_title, claims, reason) => {
    expect(await verdict(await signText(signer, header, text(claims)))).toBe(reason);
    expect(world.seen).toEqual([]);
  });

  it.each([
    `${issuer}/`,
    "https://IDP.example",
    "http://idp.example",
    "https://idp.example:443",
    `${issuer}/x`,
    `${issuer}/{tenantid}`,
  ])("RP-11: issuer %s is another one", async (iss) => {
    expect(await verdict(await sign(signer, { ...good(), iss }))).toBe("jwt_issuer");
  });

  it.each([`${audience}/`, "https://b.gw.test", "HTTPS://a.gw.test"])(
    "RP-10: audience %s is another one",
    async (aud) => {
      expect(await verdict(await sign(signer, { ...good(), aud }))).toBe("jwt_audience");
      expect(await verdict(await sign(signer, { ...good(), aud: [aud] }))).toBe("jwt_audience");
    },
  );

  it("RP-10: one of several audiences will do, and the caller sees them all", async () => {
    const aud = ["https://b.gw.test", audience];
    const verified = await verifyForeignJwt(world.inquirer, await sign(signer, { ...good(), aud }), expected());
    expect(verified).toMatchObject({ ok: true, value: { aud } });
  });

  it("RP-10: claims that are asked for must be there", async () => {
    expect(await verdict(await sign(signer, good()), { requires: ["jti"] })).toBe("jwt_claim_missing");
    expect(await verdict(await sign(signer, good()), { requires: ["toString"] })).toBe("jwt_claim_missing");
    expect(await verdict(await sign(signer, { ...good(), jti: "j" }), { requires: ["jti", "sub"] })).toBe("ok");
  });

  describe("on a clock that shows a whole second", () => {
    beforeEach(() => world.clock.advance(1000 - (world.clock.now() % 1000)));
    const at = (more: Record<string, number>, life_ms_max?: number): Promise<string> =>
      sign(signer, { ...good(), iat: undefined, ...more }).then((token) =>
        verdict(token, life_ms_max === undefined ? {} : { life_ms_max }),
      );

    it("RP-18: 60 seconds of skew are accepted, 61 are not", async () => {
      expect(await at({ exp: seconds() - 60 })).toBe("ok");
      expect(await at({ exp: seconds() - 61 })).toBe("jwt_expired");
      expect(await at({ nbf: seconds() + 60 })).toBe("ok");
      expect(await at({ nbf: seconds() + 61 })).toBe("jwt_not_yet");
      expect(await at({ iat: seconds() + 60 })).toBe("ok");
      expect(await at({ iat: seconds() + 61 })).toBe("jwt_issued_ahead");
    });

    it("TK-24: a token that lives too long is refused, whether it says when it was issued or not", async () => {
      expect(await at({ exp: seconds() + 360 }, 300_000)).toBe("ok");
      expect(await at({ exp: seconds() + 361 }, 300_000)).toBe("jwt_life");
      expect(await at({ iat: seconds(), exp: seconds() + 300 }, 300_000)).toBe("ok");
      expect(await at({ iat: seconds(), exp: seconds() + 301 }, 300_000)).toBe("jwt_life");
      expect(await at({ iat: seconds() - 3600, exp: seconds() + 10 }, 300_000)).toBe("jwt_life");
    });
  });
});

describe("key sets", () => {
  it.each([
    ["a private key", () => ({ keys: [signer.jwk, { ...other.jwk, d: "x" }] }), "key_set_not_public"],
    ["a symmetric key", () => ({ keys: [signer.jwk, { kty: "oct", k: "AAAA" }] }), "key_set_not_public"],
    ["65 keys", () => ({ keys: Array.from({ length: 65 }, () => signer.jwk) }), "key_set_too_large"],
    ["the same kid twice", () => ({ keys: [signer.jwk, { ...other.jwk, kid: "k1" }] }), "key_ambiguous"],
    ["no list", () => ({ keys: { k1: signer.jwk } }), "key_set_invalid"],
    ["nothing", () => ({}), "key_set_invalid"],
    ["no keys", () => ({ keys: [] }), "key_unknown"],
    [
      "a modulus of 100,000 characters",
      () => ({ keys: [{ ...rsa.jwk, kid: "k1", n: "A".repeat(100_000) }] }),
      "key_unknown",
    ],
  ])("RP-14: %s", async (_title, set, reason) => {
    publish(set());
    expect(await verdict(await sign(signer, good()))).toBe(reason);
  });

  it("RP-14: a key of 1,024 bits is no key", async () => {
    const pair = await crypto.subtle.generateKey(
      { name: "RSASSA-PKCS1-v1_5", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
      true,
      ["sign", "verify"],
    );
    const { publicKey, privateKey } = pair as CryptoKeyPair;
    const jwk = { ...(await crypto.subtle.exportKey("jwk", publicKey)), kid: "weak" } as Record<string, unknown>;
    delete jwk["key_ops"];
    const input = `${base64url('{"alg":"RS256","kid":"weak"}')}.${base64url(JSON.stringify(good()))}`;
    const signed = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", privateKey, new TextEncoder().encode(input));
    publish({ keys: [jwk] });
    expect(await verdict(`${input}.${base64url(new Uint8Array(signed))}`)).toBe("jwt_signature");
  });

  it("RP-14: keys of kinds that we do not know are passed over", async () => {
    publish({
      keys: [{ kty: "AKP", alg: "ML-DSA-65", pub: "AA" }, { kty: "EC", crv: "secp256k1", x: "A", y: "B" }, signer.jwk],
    });
    expect(await verdict(await sign(signer, good()))).toBe("ok");
  });

  it("RP-05: a token without kid is verified where only one key fits", async () => {
    const bare = await new SignJWT(good()).setProtectedHeader({ alg: "ES256" }).sign(signer.privateKey);
    expect(await verdict(bare)).toBe("ok");
    publish({ keys: [signer.jwk, other.jwk] });
    world.clock.advance(limits.documentLife_ms);
    const later = await new SignJWT(good()).setProtectedHeader({ alg: "ES256" }).sign(signer.privateKey);
    expect(await verdict(later)).toBe("key_ambiguous");
  });

  it("RP-14: a redirect of the key set is not followed", async () => {
    world.serve("idp.example", () => Response.redirect("https://evil.example/keys", 302));
    world.serve("evil.example", () => json({ keys: [signer.jwk] }));
    expect(await verdict(await sign(signer, good()))).toBe("document_redirect");
    expect(world.seen).toEqual([jwks_uri]);
  });

  it("RP-14: a key set on a private address is not called", async () => {
    expect(await verdict(await sign(signer, good()), { keys: { jwks_uri: "https://10.0.0.1/keys" } })).toBe(
      "document_url_private_ipv4",
    );
    expect(world.seen).toEqual([]);
  });

  it("RP-15: a new key is picked up with one more request, and the old one is refused once it is gone", async () => {
    expect(await verdict(await sign(signer, good()))).toBe("ok");
    publish({ keys: [other.jwk] });
    world.clock.advance(limits.documentCooldown_ms);
    expect(await verdict(await sign(other, good()))).toBe("ok");
    expect(world.seen).toHaveLength(2);
    expect(await verdict(await sign(signer, good()))).toBe("key_unknown");
    expect(world.seen).toHaveLength(2);
  });

  it("RP-16: any number of unknown key ids is one request in a cooldown", async () => {
    await verdict(await sign(signer, good()));
    world.clock.advance(limits.documentCooldown_ms);
    const flood = async (count: number): Promise<void> => {
      const unknown = await Promise.all(
        Array.from({ length: count }, (_, at) => sign({ ...other, kid: `x${at}` }, good())),
      );
      expect(new Set(await Promise.all(unknown.map((token) => verdict(token))))).toEqual(new Set(["key_unknown"]));
    };
    await flood(100);
    await flood(50);
    expect(world.seen).toHaveLength(2);
    world.clock.advance(limits.documentCooldown_ms);
    await flood(50);
    expect(world.seen).toHaveLength(3);
  });

  it("RP-17: known keys go on while the issuer is down, unknown ones are refused, and nothing crashes", async () => {
    expect(await verdict(await sign(signer, good()))).toBe("ok");
    world.close("idp.example");
    world.clock.advance(3_600_000);
    expect(await verdict(await sign(signer, good()))).toBe("ok");
    expect(await verdict(await sign(other, good()))).toBe("key_unknown");
  });

  it("RP-17: without any key the failure says that it will pass", async () => {
    world.close("idp.example");
    const verified = await verifyForeignJwt(world.inquirer, await sign(signer, good()), expected());
    expect(verified).toEqual({ ok: false, error: { reason: "document_network_error", transient: true } });
  });
});
