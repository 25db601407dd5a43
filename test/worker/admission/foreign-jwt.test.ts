import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { requestEvents } from "../gateway/support.ts";
import { ask, expectRefused } from "../security/support.ts";
import { createSigner, json, sign, signText, type Signer } from "../trust/support.ts";
import {
  call,
  createPassthroughWorld,
  origin,
  passthrough,
  pathOf,
  reached,
  type PassthroughWorld,
} from "./passthrough-support.ts";

const issuer = "https://issuer.test";
const audience = "https://orders.test";
const keysUrl = "https://keys.test/jwks.json";

let world: PassthroughWorld;
let signer: Signer;
let stranger: Signer;
let rsa: Signer;
let client: { id: string; token: string };
let published: () => Response;

beforeAll(async () => {
  world = await createPassthroughWorld();
  [signer, stranger, rsa] = await Promise.all([createSigner("k1"), createSigner("k1"), createSigner("k2", "RS256")]);
  world.harness.serve("keys.test", () => published());
  published = () => json({ keys: [signer.jwk, rsa.jwk] });
  await world.add("remote", passthrough({ jwt: { jwks_url: keysUrl, issuer, audience } }));
  await world.add("pasted", passthrough({ anonymous: "allow", jwt: { jwks: { keys: [signer.jwk as JsonObject] } } }));
  await world.add("paid", passthrough({ jwt: { jwks: { keys: [signer.jwk as JsonObject] }, issuer } }), {
    authentication: { type: "api_key_header", header: "DD-API-KEY" },
    credential: { type: "api_key_header", key: "organisation-key" },
  });
  client = await world.tenant.addClient(["remote", "pasted"]);
});

beforeEach(() => {
  published = () => json({ keys: [signer.jwk, rsa.jwk] });
});

function claims(more: Record<string, unknown> = {}): Record<string, unknown> {
  const iat = Math.floor(world.clock.now() / 1000);
  return { iss: issuer, aud: audience, sub: "job-7", iat, exp: iat + 600, ...more };
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const status = async (slug: string, headers: Record<string, string>): Promise<number> =>
  (await ask(world.harness, pathOf(slug), call(headers))).status;
const lastEvent = () => requestEvents(world.harness).at(-1);

const challenge = 'Bearer error="invalid_token"';
const refuse = (slug: string, headers: Record<string, string>, reason: string) =>
  expectRefused(world.harness, pathOf(slug), call(headers), { status: 401, challenge, event: ["auth.failed", reason] });

describe("a caller's own JWT", () => {
  it("A7: is let in when it is valid, goes on as it came, and is named in the record", async () => {
    const token = await sign(signer, claims());
    expect(await status("remote", bearer(token))).toBe(200);
    expect(reached(world, "remote").at(-1)?.headers.get("authorization")).toBe(`Bearer ${token}`);
    expect(lastEvent()).toMatchObject({
      actor: { agent: "passthrough:remote", user: "passthrough:remote:job-7" },
      decision: { effect: "allow", policy: "passthrough:jwt" },
    });
    expect(JSON.stringify(world.harness.events)).not.toContain(token);
  });

  it.each<[string, () => Promise<string>]>([
    ["RS256", () => sign(rsa, claims())],
    ["of type JWT", () => sign(signer, claims(), { typ: "JWT" })],
    ["of type at+jwt (RFC 9068)", () => sign(signer, claims(), { typ: "at+jwt" })],
    ["without kid, where one key fits", () => sign(signer, claims(), { kid: undefined })],
    ["for several audiences", () => sign(signer, claims({ aud: ["https://other.test", audience] }))],
    ["without subject", () => sign(signer, claims({ sub: undefined }))],
    [
      "just over, within what clocks may differ",
      () => sign(signer, claims({ exp: Math.floor(world.clock.now() / 1000) - 1 })),
    ],
  ])("A7: is valid: %s", async (_title, make) => {
    expect(await status("remote", bearer(await make()))).toBe(200);
  });

  it("A7: of any issuer and audience is taken where the rule names none", async () => {
    const token = await sign(signer, claims({ iss: "https://any.test", aud: "https://any.test" }));
    expect(await status("pasted", bearer(token))).toBe(200);
    await refuse("remote", bearer(token), "jwt_issuer");
  });

  it("A7: is let in past `anonymous: deny`, and gets the organisation's credential: the check is the rule", async () => {
    expect(await status("paid", bearer(await sign(signer, claims())))).toBe(200);
    expect(reached(world, "paid").at(-1)?.headers.get("dd-api-key")).toBe("organisation-key");
  });

  const minute = 60;
  const seconds = () => Math.floor(world.clock.now() / 1000);
  const rejected: readonly (readonly [string, () => Promise<string> | string, string])[] = [
    ["no JWT", () => "sk-random", "jwt_form"],
    ["in five segments", () => "a.b.c.d.e", "jwt_form"],
    ["no JSON", () => "bm8.bm8.bm8", "jwt_encoding"],
    ["signed by another key of the same name", () => sign(stranger, claims()), "jwt_signature"],
    ["changed after it was signed", async () => changed(await sign(signer, claims())), "jwt_signature"],
    ["signed with alg none", () => unsigned({ alg: "none", typ: "JWT" }), "jwt_form"],
    ["signed with alg none and something behind", () => `${unsigned({ alg: "none" })}c2ln`, "jwt_algorithm"],
    ["signed with a shared secret", () => `${unsigned({ alg: "HS256", kid: "k1" })}c2ln`, "jwt_algorithm"],
    ["of an algorithm that nobody knows", () => `${unsigned({ alg: "constructor", kid: "k1" })}c2ln`, "jwt_algorithm"],
    ["of another issuer", () => sign(signer, claims({ iss: "https://other.test" })), "jwt_issuer"],
    ["of an issuer with a slash more", () => sign(signer, claims({ iss: `${issuer}/` })), "jwt_issuer"],
    ["without issuer", () => sign(signer, claims({ iss: undefined })), "jwt_claims"],
    ["for another audience", () => sign(signer, claims({ aud: "https://other.test" })), "jwt_audience"],
    ["for no audience", () => sign(signer, claims({ aud: undefined })), "jwt_claims"],
    ["over", () => sign(signer, claims({ exp: seconds() - 10 * minute })), "jwt_expired"],
    ["without an end", () => sign(signer, claims({ exp: undefined })), "jwt_claims"],
    ["not yet begun", () => sign(signer, claims({ nbf: seconds() + 10 * minute })), "jwt_not_yet"],
    ["issued in the future", () => sign(signer, claims({ iat: seconds() + 10 * minute })), "jwt_issued_ahead"],
    ["with a critical extension", () => sign(signer, claims(), { crit: ["b64"], b64: true }), "jwt_crit"],
    ["a logout token", () => sign(signer, claims(), { typ: "logout+jwt" }), "jwt_type"],
    ["an assertion", () => sign(signer, claims(), { typ: "oauth-id-jag+jwt" }), "jwt_type"],
    [
      "with a claim twice",
      () => signText(signer, '{"alg":"ES256","kid":"k1"}', `{"iss":"${issuer}","iss":"x"}`),
      "jwt_encoding",
    ],
  ];

  it.each(rejected)("A7: is refused when it is %s; the server sees nothing", async (_title, make, reason) => {
    await status("remote", bearer(await sign(signer, claims())));
    const refused = await refuse("remote", bearer(await make()), reason);
    expect(refused.text).not.toContain(reason);
    expect(refused.headers.get("www-authenticate")).not.toContain("resource_metadata");
  });

  it.each<[string, Record<string, string>, string]>([
    ["a password", { authorization: "Basic dXNlcjpwYXNz" }, "jwt_malformed"],
    ["a JWT of another scheme", { authorization: "JWT eyJhbGciOiJFUzI1NiJ9.e30.c2ln" }, "jwt_malformed"],
    ["a JWT with more behind", { authorization: "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln, x" }, "jwt_malformed"],
  ])("A7: %s is none", async (_title, headers, reason) => {
    await refuse("remote", headers, reason);
  });

  it("A7: a call without one is refused, also where anonymous callers would be let in", async () => {
    for (const slug of ["remote", "pasted"]) {
      await expectRefused(world.harness, pathOf(slug), call(), {
        ...{ status: 401, challenge: "Bearer", event: ["auth.failed", "jwt_missing"] },
      });
    }
  });

  it("A7: in another header is none", async () => {
    const token = await sign(signer, claims());
    await expectRefused(world.harness, pathOf("remote"), call({ "x-authorization": `Bearer ${token}` }), {
      ...{ status: 401, challenge: "Bearer", event: ["auth.failed", "jwt_missing"] },
    });
  });

  it("PL-15: that Gatehouse issued is none, whatever the keys say", async () => {
    await refuse("pasted", bearer(await sign(signer, claims({ iss: origin }))), "token_misplaced");
  });
});

describe("a known caller at a server that requires a JWT", () => {
  const known = { "x-gatehouse-token": "" };

  it("A7: needs one as well", async () => {
    const headers = { ...known, "x-gatehouse-token": client.token };
    await expectRefused(world.harness, pathOf("remote"), call(headers), {
      ...{ status: 401, challenge: "Bearer", event: ["auth.failed", "jwt_missing"] },
    });
    const token = await sign(signer, claims({ sub: "known" }));
    expect(await status("remote", { ...headers, ...bearer(token) })).toBe(200);
    expect(lastEvent()).toMatchObject({ actor: { agent: client.id }, decision: { policy: `allow-list:${client.id}` } });
    expect(lastEvent()?.actor).not.toHaveProperty("user");
  });

  it("RS-09: and is not let in by one when their own token is wrong", async () => {
    const token = await sign(signer, claims());
    const headers = { ...bearer(token), "x-gatehouse-token": "ghc_wrong" };
    const before = reached(world, "remote").length;
    expect([await status("remote", headers), reached(world, "remote").length]).toEqual([401, before]);
  });
});

describe("the keys", () => {
  const add = async (slug: string, url: string): Promise<void> => {
    await world.add(slug, passthrough({ jwt: { jwks_url: url, issuer } }));
  };
  const asked = (host: string) => world.harness.seen.filter(({ url }) => new URL(url).hostname === host).length;

  const broken: readonly (readonly [string, () => Response])[] = [
    [
      "out of reach",
      () => {
        throw new TypeError("connection refused");
      },
    ],
    ["behind an error", () => new Response("no", { status: 500 })],
    ["not there", () => new Response("no", { status: 404 })],
    ["behind a redirect", () => new Response(null, { status: 302, headers: { location: keysUrl } })],
    ["no JSON", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["no key set", () => json({ keys: "none" })],
    ["secret", () => json({ keys: [{ ...signer.jwk, d: "AAAA" }] })],
  ];

  it.each(broken)("A7: when they are %s, nobody passes, and it is not the caller's fault", async (title, answer) => {
    const slug = `down-${title.toLowerCase().replaceAll(" ", "-")}`.slice(0, 30);
    world.harness.serve(`${slug}.keys.test`, answer);
    await add(slug, `https://${slug}.keys.test/jwks.json`);
    const answered = await ask(world.harness, pathOf(slug), call(bearer(await sign(signer, claims()))));
    expect([answered.status, answered.headers.get("www-authenticate")]).toEqual([503, null]);
    expect(reached(world, slug)).toEqual([]);
  });

  it("SS-01: are not asked for at an address that is not allowed", async () => {
    await add("inside", "https://169.254.169.254/jwks.json");
    expect(await status("inside", bearer(await sign(signer, claims())))).toBe(503);
    expect([reached(world, "inside"), asked("169.254.169.254")]).toEqual([[], 0]);
  });

  it("A7: are asked for once, and again for a key that they did not have", async () => {
    const newer = await createSigner("k9");
    let keys = [signer.jwk];
    world.harness.serve("turning.test", () => json({ keys }));
    await add("turning", "https://turning.test/jwks.json");
    for (const sub of ["a", "b", "c"]) await status("turning", bearer(await sign(signer, claims({ sub }))));
    expect(asked("turning.test")).toBe(1);
    const token = await sign(newer, claims());
    world.clock.jump(limits.documentCooldown_ms + 1);
    await ask(world.harness, pathOf("turning"), call(bearer(token)));
    const called = reached(world, "turning").filter(({ message }) => message["method"] === "tools/call");
    expect([called.length, asked("turning.test")]).toEqual([3, 2]);
    keys = [signer.jwk, newer.jwk];
    world.clock.jump(limits.documentCooldown_ms + 1);
    expect(await status("turning", bearer(await sign(newer, claims())))).toBe(200);
    expect(asked("turning.test")).toBe(3);
  });

  it("A7: a verified JWT is remembered for a minute at most, and never past its end", async () => {
    world.harness.serve("short.test", () => json({ keys: [signer.jwk] }));
    await add("short", "https://short.test/jwks.json");
    const token = await sign(signer, claims({ exp: Math.floor(world.clock.now() / 1000) + 20 }));
    expect(await status("short", bearer(token))).toBe(200);
    world.clock.jump(20_000 + limits.clockSkew_ms + 1_000);
    await refuse("short", bearer(token), "jwt_expired");
  });

  it("A7: another rule is another check", async () => {
    const id = await world.add("stricter", passthrough({ jwt: { jwks: { keys: [signer.jwk as JsonObject] } } }));
    const token = await sign(signer, claims());
    expect(await status("stricter", bearer(token))).toBe(200);
    await world.change(id, passthrough({ jwt: { jwks: { keys: [stranger.jwk as JsonObject] } } }));
    await refuse("stricter", bearer(token), "jwt_signature");
  });
});

const part = (value: object): string =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });
const unsigned = (header: object): string => `${part(header)}.${part(claims())}.`;

function changed(token: string): string {
  const [header = "", , signature = ""] = token.split(".");
  return [header, part(claims({ sub: "somebody-else" })), signature].join(".");
}
