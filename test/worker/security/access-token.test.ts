/** What an MCP endpoint takes for an access token: exactly what this tenant signed, for this endpoint, for now. */
import { eq } from "drizzle-orm";
import * as fc from "fast-check";
import { CompactSign, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { clients, signing_keys } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { verifyAccessToken } from "../../../src/oauth/index.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { announceChange, currentSnapshot, type Snapshot } from "../../../src/tenant/index.ts";
import { modernPost } from "../gateway/support.ts";
import { createGrantWorld, type GrantWorld } from "../oauth/grant-world.ts";
import { challengeOf, expectRefused } from "./support.ts";

const origin = "https://a.gw.test";
const url = `${origin}/mcp/up`;
const kid = crypto.randomUUID();

let world: GrantWorld;
let pair: CryptoKeyPair;
let publicKey: Record<string, unknown>;

beforeAll(async () => {
  world = await createGrantWorld();
  pair = (await generateKeyPair("ES256", { extractable: true })) as CryptoKeyPair;
  publicKey = { ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" };
  const now = world.clock.now();
  await world.database.insert(signing_keys).values({
    ...{ tenant_id: world.tenant, kid, public_key: JSON.stringify(publicKey), private_key: "", created_at: now },
    ...{ active_at: now - 1, retired_at: now + 10 ** 9, expires_at: now + 2 * 10 ** 9 },
  });
  await announceChange(world.platform, world.tenant);
});

const short = (id: string): string =>
  Uint8Array.fromHex(id.replaceAll("-", "")).toBase64({ alphabet: "base64url", omitPadding: true });

/** Right claims of a person's token; undefined takes one away. */
function claims(more: Record<string, unknown> = {}): JsonObject {
  const issued_ms = world.clock.now();
  const iat = Math.floor(issued_ms / 1000);
  const all = {
    ...{ iss: origin, aud: url, sub: world.user.id, client_id: world.client_id, iat, exp: iat + 600 },
    ...{ jti: crypto.randomUUID(), scope: "mcp", issued_ms, grant_id: crypto.randomUUID(), registered: true },
    ...{ servers: [short(world.up)], groups: ["staff"], roles: ["member"], email: "alice@a.test" },
    ...more,
  };
  return JSON.parse(JSON.stringify(all)) as JsonObject;
}

const header = (more: Record<string, unknown> = {}) => ({ alg: "ES256", typ: "at+jwt", kid, ...more });

function sign(payload: JsonObject, protectedHeader: Record<string, unknown> = header()): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  return new CompactSign(bytes).setProtectedHeader(protectedHeader as { alg: string }).sign(pair.privateKey);
}

const post = (token: string): RequestInit => modernPost("tools/call", { name: "echo", arguments: {} }, { token });
const status = async (token: string, at = url): Promise<number> => (await world.harness.fetch(at, post(token))).status;

const refuse = (token: string, reason: string): Promise<unknown> =>
  expectRefused(world.harness, url, post(token), {
    status: 401,
    challenge: challengeOf(origin, "/mcp/up", "invalid_token"),
    event: ["auth.failed", reason],
  });

const base64url = (text: string): string =>
  new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });

describe("an access token", () => {
  it("A4: that this tenant signed for this endpoint is taken, and names person and agent", async () => {
    const payload = claims();
    expect(await status(await sign(payload))).toBe(200);
    const event = world.harness.events.filter(({ type }) => type === "mcp.request").at(-1);
    expect(event?.actor).toMatchObject({
      user: world.user.id,
      user_email: "alice@a.test",
      agent: world.client_id,
      grant: payload["grant_id"],
    });
  });

  it.each<[string, string, Record<string, unknown>]>([
    ["of another server", "token_audience", { aud: `${origin}/mcp/down` }],
    ["of the aggregate", "token_audience", { aud: `${origin}/mcp` }],
    ["that only begins like this one", "token_audience", { aud: `${url}2` }],
    ["with a trailing slash", "token_audience", { aud: `${url}/` }],
    ["of another tenant", "token_audience", { aud: "https://b.gw.test/mcp/up" }],
    ["in a list", "token_malformed", { aud: [url] }],
    ["that is missing", "token_malformed", { aud: undefined }],
  ])("RS-05: with the audience %s is refused", async (_name, reason, more) => {
    await refuse(await sign(claims(more)), reason);
  });

  it.each<[string, string, Record<string, unknown>]>([
    ["another issuer", "token_issuer", { iss: "https://b.gw.test" }],
    ["an issuer with a trailing slash", "token_issuer", { iss: `${origin}/` }],
    ["an issuer over http", "token_issuer", { iss: "http://a.gw.test" }],
    ["no issuer", "token_malformed", { iss: undefined }],
    ["no end", "token_malformed", { exp: undefined }],
    ["an end in words", "token_malformed", { exp: "9999999999" }],
    ["an end in fractions", "token_malformed", { exp: 9_999_999_999.5 }],
    ["no subject", "token_malformed", { sub: undefined }],
    ["a subject that is a number", "token_malformed", { sub: 1 }],
    ["no client", "token_malformed", { client_id: undefined }],
    ["no scope", "token_malformed", { scope: undefined }],
    ["a server that is none", "token_malformed", { servers: ["x"] }],
    ["a claim that we do not write", "token_malformed", { cnf: { jkt: "x" } }],
  ])("RS-04: with %s is refused", async (_name, reason, more) => {
    await refuse(await sign(claims(more)), reason);
  });

  it.each<[string, Record<string, unknown>]>([
    ["the type JWT, as identity tokens have", { typ: "JWT" }],
    ["no type", { typ: undefined }],
    ["the type of a logout token", { typ: "logout+jwt" }],
    ["the type in its long form", { typ: "application/at+jwt" }],
    ["a key of its own", { jwk: { kty: "EC" } }],
    ["a key elsewhere", { jku: "https://evil.test/jwks" }],
    ["a certificate elsewhere", { x5u: "https://evil.test/x" }],
    ["an extension that must be understood", { crit: ["b64"], b64: true }],
  ])("RP-07: with %s in its header is refused, and nothing is fetched", async (_name, more) => {
    await refuse(await sign(claims(), JSON.parse(JSON.stringify(header(more))) as JsonObject), "token_malformed");
  });

  it("RP-01: without a signature is refused", async () => {
    const unsecured = new UnsecuredJWT(claims()).encode();
    await refuse(unsecured, "token_malformed");
    for (const alg of ["none", "None", "nOnE", ""]) {
      const parts = [base64url(JSON.stringify(header({ alg }))), base64url(JSON.stringify(claims())), "A".repeat(86)];
      await refuse(parts.join("."), "token_malformed");
    }
  });

  it("RP-02: that is signed with the public key as a secret is refused", async () => {
    const secret = new TextEncoder().encode(JSON.stringify(publicKey));
    const forged = await new SignJWT(claims()).setProtectedHeader(header({ alg: "HS256" })).sign(secret);
    await refuse(forged, "token_malformed");
  });

  it("RP-02: that another key signed under this key id is refused", async () => {
    const other = await generateKeyPair("ES256");
    const forged = await new SignJWT(claims()).setProtectedHeader(header()).sign(other.privateKey);
    await refuse(forged, "token_signature");
  });

  it.each(["../../x", "' OR 1=1", "\u{1F511}", "k".repeat(65), "__proto__"])(
    "RP-05: under the key id %j is refused",
    async (name) => {
      await refuse(
        await sign(claims(), header({ kid: name })),
        name.length > 64 ? "token_malformed" : "token_key_unknown",
      );
    },
  );

  it("RP-05: under a key id that is no text is refused", async () => {
    const parts = (await sign(claims())).split(".");
    parts[0] = base64url(JSON.stringify(header({ kid: [kid] })));
    await refuse(parts.join("."), "token_malformed");
  });

  it.each<[string, (token: string) => string]>([
    ["a padding", (token) => `${token}=`],
    ["a second spelling of its signature", (token) => token.slice(0, -1) + (token.endsWith("A") ? "B" : "x")],
    ["a part more", (token) => `${token}.x`],
    ["six parts", (token) => `${token}.x.y.z`],
    ["no signature", (token) => `${token.split(".").slice(0, 2).join(".")}.`],
    ["a signature that is cut", (token) => token.slice(0, -2)],
    ["ten thousand points", () => ".".repeat(10_000)],
  ])("RP-09: with %s is refused", async (_name, change) => {
    await refuse(change(await sign(claims())), "token_malformed");
  });

  it("RP-25: of more characters than are read is refused", async () => {
    await refuse(await sign(claims({ email: "x".repeat(limits.bearer_chars) })), "token_malformed");
  });

  it("RP-09: with any one character changed is refused", async () => {
    const token = await sign(claims());
    const snapshot = await snapshotOf(world);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    const change = fc.tuple(fc.nat(token.length - 1), fc.constantFrom(...alphabet));
    await fc.assert(
      fc.asyncProperty(change, async ([at, character]) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        const verified = await verifyAccessToken(snapshot, origin, url, changed, world.clock.now());
        expect(verified.ok).toBe(changed === token);
      }),
      { numRuns: 300, seed: 20261121 },
    );
  });

  it("TK-32: is good from 30 seconds before its time, and to the millisecond of its end", async () => {
    const issued_ms = Math.floor(world.clock.now() / 1000) * 1000;
    const token = await sign(claims({ issued_ms, iat: issued_ms / 1000, exp: issued_ms / 1000 + 600 }));
    const snapshot = await snapshotOf(world);
    const at = async (now: number): Promise<string> => {
      const verified = await verifyAccessToken(snapshot, origin, url, token, now);
      return verified.ok ? "ok" : verified.error;
    };
    const ends_at = issued_ms + 600_000;
    expect(await Promise.all([-30_001, -30_000, 0].map((ms) => at(issued_ms + ms)))).toEqual([
      "token_early",
      "ok",
      "ok",
    ]);
    expect(await Promise.all([ends_at - 1, ends_at].map(at))).toEqual(["ok", "token_expired"]);
    // Remembered as verified, it is judged anew each time.
    expect(await at(ends_at)).toBe("token_expired");
  });

  it("RS-04: that has expired is refused", async () => {
    const iat = Math.floor(world.clock.now() / 1000) - 600;
    await refuse(await sign(claims({ iat, issued_ms: iat * 1000, exp: iat + 600 })), "token_expired");
  });

  it("RS-04: that is not yet valid is refused", async () => {
    const issued_ms = world.clock.now() + 31_000;
    await refuse(await sign(claims({ issued_ms })), "token_early");
  });

  it("RS-04: is remembered for its own tenant alone", async () => {
    const token = await sign(claims());
    const [own, now] = [await snapshotOf(world), world.clock.now()];
    expect((await verifyAccessToken(own, origin, url, token, now)).ok).toBe(true);
    const foreign: Snapshot = { ...own, tenant: "another", verificationKeys: new Map() };
    expect(await verifyAccessToken(foreign, origin, url, token, now)).toEqual({
      ok: false,
      error: "token_key_unknown",
    });
    const removed: Snapshot = { ...own, verificationKeys: new Map() };
    expect(await verifyAccessToken(removed, origin, url, token, now)).toEqual({
      ok: false,
      error: "token_key_unknown",
    });
  });

  it("RS-07: without the scope is told which one it needs", async () => {
    await expectRefused(world.harness, url, post(await sign(claims({ scope: "offline_access" }))), {
      status: 403,
      challenge:
        `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp/up", scope="mcp", ` +
        'error="insufficient_scope"',
      event: ["auth.failed", "insufficient_scope"],
    });
  });

  it("RS-13: is refused in the same words for every reason", async () => {
    const tokens = [
      "x",
      await sign(claims({ aud: `${origin}/mcp` })),
      await sign(claims({ iss: "https://b.gw.test" })),
      await sign(claims(), header({ typ: "JWT" })),
      await sign(claims({ issued_ms: 0, iat: 0, exp: 1 })),
    ];
    const answers = await Promise.all(
      tokens.map(async (token) => {
        const response = await world.harness.fetch(url, post(token));
        return [response.status, [...response.headers], await response.text()];
      }),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  });

  it("RS-14: of a registered client that is switched off, or gone, is refused", async () => {
    const client_id = await world.addClient();
    const token = await sign(claims({ client_id }));
    expect(await status(token)).toBe(200);
    await world.database.update(clients).set({ enabled: false }).where(eq(clients.id, client_id));
    await announceChange(world.platform, world.tenant);
    await refuse(token, "client_disabled");
    await refuse(await sign(claims({ client_id: crypto.randomUUID() })), "client_disabled");
  });

  it("CR-12: of a client that nobody registered is refused once the tenant takes such clients no more", async () => {
    const settings = async (registration: object): Promise<void> => {
      expect((await world.admin.api("PATCH", "/settings", { registration })).status).toBe(200);
    };
    const unregistered = { registered: undefined };
    const document = await sign(claims({ ...unregistered, client_id: "https://cli.vendor.test/client.json" }));
    const dynamic = await sign(claims({ ...unregistered, client_id: crypto.randomUUID() }));
    const both = async () => [await status(document), await status(dynamic)];
    expect(await both()).toEqual([200, 200]);
    await settings({ documents: "off" });
    await refuse(document, "client_disabled");
    await settings({ documents: "domains", document_domains: ["other.test"] });
    await refuse(document, "client_disabled");
    await settings({ documents: "domains", document_domains: ["vendor.test"], dynamic: false });
    expect(await both()).toEqual([200, 401]);
    await settings({ documents: "any", document_domains: [], dynamic: true });
    expect(await both()).toEqual([200, 200]);
  });

  it("A10: of a machine needs its client to be registered", async () => {
    const machine = { sub: world.client_id, grant_id: undefined, servers: undefined, groups: undefined };
    const own = { ...machine, roles: undefined, email: undefined };
    expect(await status(await sign(claims(own)))).toBe(200);
    const client_id = crypto.randomUUID();
    await refuse(await sign(claims({ ...own, client_id, sub: client_id, registered: undefined })), "client_disabled");
  });

  it("RS-06: is none of the other tokens that there are", async () => {
    const own = await createGrantWorld();
    const code = await own.consent();
    const { body } = await own.redeem(code);
    for (const token of [code, String(body["refresh_token"]), own.admin.administrator]) {
      expect((await own.call(token, "/mcp/up")).status).toBe(401);
    }
    const api = await own.harness.fetch(`${origin}/api/v1/servers`, {
      headers: { authorization: `Bearer ${String(body["access_token"])}` },
    });
    expect(api.status).toBe(401);
  });

  it("TK-21: of one server is of no use at another, nor at another tenant", async () => {
    const own = await createGrantWorld();
    const { body } = await own.redeem(await own.consent({ resource: url }));
    expect((await own.call(body["access_token"], "/mcp/up")).status).toBe(200);
    for (const path of ["/mcp", "/mcp/down", "/mcp/nope"]) {
      expect((await own.call(body["access_token"], path)).status).toBe(401);
    }
    const elsewhere = await own.harness.fetch("https://b.gw.test/mcp/up", post(String(body["access_token"])));
    expect(elsewhere.status).toBe(401);
  });
});

describe("a key that an isolate does not know yet", () => {
  it("A4: is asked for once its first token comes, so that no token is refused for being early", async () => {
    const own = await createGrantWorld();
    const snapshot = await snapshotOf(own);
    expect(snapshot.verificationKeys.size).toBe(0);
    // What another isolate does: the key is made and announced, and this isolate's memory is not touched.
    const elsewhere = { ...own.platform, bindings: own.platform.bindings };
    await own.database.insert(signing_keys).values({
      ...{ tenant_id: own.tenant, kid, public_key: JSON.stringify(publicKey), private_key: "", created_at: 0 },
      ...{ active_at: 0, retired_at: own.clock.now() + 10 ** 9, expires_at: own.clock.now() + 2 * 10 ** 9 },
    });
    await elsewhere.bindings.TENANT.getByName(own.tenant).announce();
    const token = await sign(claims({ sub: own.user.id, client_id: own.client_id, servers: [short(own.up)] }));
    expect((await own.call(token, "/mcp/up")).status).toBe(200);
  });

  it("RP-16: is asked for so often and not more", async () => {
    let asked = 0;
    const own = await createGrantWorld();
    const TENANT = new Proxy(own.platform.bindings.TENANT, {
      get(target, property) {
        if (property === "getByName") asked += 1;
        const member: unknown = Reflect.get(target, property);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const { renewSnapshot } = await import("../../../src/admission/index.ts");
    const platform = { ...own.platform, bindings: { ...own.platform.bindings, TENANT } };
    await snapshotOf(own);
    for (let i = 0; i < 3 * limits.renewals_count; i += 1) await renewSnapshot(platform, own.tenant);
    expect(asked).toBe(limits.renewals_count);
    own.clock.jump(limits.snapshotFresh_ms);
    expect(await renewSnapshot(platform, own.tenant)).toBeDefined();
  });
});

async function snapshotOf({ platform, tenant }: GrantWorld): Promise<Snapshot> {
  const current = await currentSnapshot(platform, tenant);
  if (!current.ok) throw new Error("no snapshot");
  return current.value;
}
