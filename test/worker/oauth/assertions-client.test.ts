/** Clients that act for themselves: by secret, by their own signature. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { json, sign, type Signer } from "../trust/support.ts";
import {
  assertionType,
  authEvents,
  createSigner,
  createWorld,
  origin,
  written,
  type Asked,
  type World,
} from "./assertions-support.ts";

let world: World;
let signer: Signer;
let other: Signer;
let client_id: string;

beforeAll(async () => {
  signer = await createSigner("c1");
  other = await createSigner("c2");
});

beforeEach(async () => {
  world = await createWorld();
  client_id = await world.addClient({
    authentication: "private_key_jwt",
    grant_types: ["client_credentials"],
    jwks: { keys: [{ ...signer.jwk }] },
  });
});

let serial = 0;
const claims = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: client_id,
  sub: client_id,
  aud: origin,
  iat: world.seconds(),
  exp: world.seconds() + 60,
  jti: `j-${(serial += 1)}`,
  ...more,
});
const asserting = async (more?: Record<string, unknown>, header?: Record<string, unknown>, by = signer) => ({
  grant_type: "client_credentials",
  client_assertion_type: assertionType,
  client_assertion: await sign(by, claims(more), header),
});

/** Nobody is known yet: it is counted, nothing is stored, and nothing of the assertion is written down. */
async function expectRefused(asked: Asked, error = "invalid_client"): Promise<void> {
  expect([asked.status, asked.error]).toEqual([error === "invalid_client" ? 401 : 400, error]);
  expect(world.events).toEqual([]);
  expect(world.unknown).toHaveLength(1);
  expect((await world.rows()).used_ids).toBe(0);
}

describe("private_key_jwt", () => {
  it("A10: a client gets a token for itself, by its signature alone", async () => {
    const asked = await world.ask(await asserting());
    expect(asked.status).toBe(200);
    expect(asked.headers.get("cache-control")).toBe("no-store");
    expect(Object.keys(asked.body).toSorted()).toEqual(["access_token", "expires_in", "scope", "token_type"]);
    const token = await world.claims(asked);
    expect(token).toMatchObject({ client_id, subject: client_id, registered: true, user: undefined });
    expect(authEvents(world)).toMatchObject([
      { action: "token.issue", outcome: "ok", actor: { agent: client_id }, resource: `${origin}/mcp` },
    ]);
    expect(written(world)).not.toContain(String(asked.body["access_token"]));
  });

  it.each([
    ["issuer", origin],
    ["token endpoint", `${origin}/oauth/token`],
    ["a list of one", [origin]],
  ])("A10: the audience may be the %s", async (_title, aud) => {
    expect((await world.ask(await asserting({ aud }))).status).toBe(200);
  });

  it("A10: client_id beside the assertion must be the same", async () => {
    expect((await world.ask({ ...(await asserting()), client_id })).status).toBe(200);
    const another = await world.addClient({
      authentication: "private_key_jwt",
      grant_types: ["client_credentials"],
      jwks: { keys: [{ ...other.jwk }] },
    });
    expect((await world.ask({ ...(await asserting()), client_id: another })).error).toBe("invalid_client");
  });

  it.each<readonly [string, Record<string, unknown>]>([
    ["RP-11: another issuer", { iss: "somebody" }],
    ["RP-10: another audience", { aud: "https://b.gw.test" }],
    ["RP-10: an audience besides ours", { aud: [origin, "https://evil.example"] }],
    ["RP-18: an expired one", { iat: 1, exp: 2 }],
    ["A10: one that lives too long", { exp: Math.floor(Date.now() / 1000) + 3600 }],
    ["A10: one without jti", { jti: undefined }],
    ["A10: one without exp", { exp: undefined }],
  ])("%s is refused", async (_title, more) => {
    await expectRefused(await world.ask(await asserting(more)));
  });

  it("A10: one that names another subject is refused", async () => {
    await expectRefused(await world.ask({ ...(await asserting({ sub: "somebody" })), client_id }));
  });

  it("RP-09: a signature of another key is refused", async () => {
    await expectRefused(await world.ask(await asserting({}, { kid: "c1" }, other)));
  });

  it("RP-07: an access token is no client assertion", async () => {
    await expectRefused(await world.ask(await asserting({}, { typ: "at+jwt" })));
  });

  it("A10: the type of the assertion must be said", async () => {
    const wrong = {
      ...(await asserting()),
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2",
    };
    await expectRefused(await world.ask(wrong));
  });

  it("A10: a client that signs cannot be named without a signature", async () => {
    await expectRefused(await world.ask({ grant_type: "client_credentials", client_id }));
  });

  it("A10: the same assertion gets one token of 50 parallel requests", async () => {
    const parameters = await asserting();
    const asked = await Promise.all(Array.from({ length: 50 }, () => world.ask(parameters)));
    expect(asked.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(asked.every(({ status }) => status < 500)).toBe(true);
    expect(authEvents(world)).toHaveLength(1);
  });

  it("RP-18: a used assertion stays used for as long as it could be accepted", async () => {
    const parameters = await asserting();
    expect((await world.ask(parameters)).status).toBe(200);
    // Past its own end, and within what the skew of clocks still admits.
    world.advance(60_000 + limits.clockSkew_ms - 10_000);
    // Another use sweeps; the row of the first must stand.
    expect((await world.ask(await asserting())).status).toBe(200);
    expect((await world.ask(parameters)).error).toBe("invalid_client");
  });

  it("A10: keys may be published; while they cannot be had it says so", async () => {
    const jwks_uri = "https://ci.example/keys";
    client_id = await world.addClient({
      authentication: "private_key_jwt",
      grant_types: ["client_credentials"],
      jwks_uri,
    });
    const asked = await world.ask(await asserting());
    expect([asked.status, asked.error, asked.headers.get("retry-after")]).toEqual([
      503,
      "temporarily_unavailable",
      "10",
    ]);
    world.serve("ci.example", () => json({ keys: [signer.jwk] }));
    expect((await world.ask(await asserting())).status).toBe(200);
    expect(new Set(world.seen)).toEqual(new Set([jwks_uri]));
  });
});

describe("client_credentials", () => {
  let secret: string;
  const basic = (): Record<string, string> => ({ authorization: `Basic ${btoa(`${client_id}:${secret}`)}` });
  const ask = (more: Record<string, string> = {}): Promise<Asked> =>
    world.ask({ grant_type: "client_credentials", ...more }, basic());

  beforeEach(async () => {
    secret = `secret-${crypto.randomUUID()}`;
    client_id = await world.addClient({ authentication: "client_secret_basic", grant_types: ["client_credentials"] });
    await world.addSecret(client_id, secret);
  });

  it("A10: a client with a secret gets a token for the resource that it names", async () => {
    const resource = `${origin}/mcp/github`;
    const asked = await ask({ resource, scope: "mcp" });
    expect(asked.body["scope"]).toBe("mcp");
    expect(await world.claims(asked, resource)).toMatchObject({ client_id, audience: resource });
    await expect(world.claims(asked)).rejects.toThrow("token_audience");
  });

  it.each([
    ["A10: a resource of somebody else", { resource: "https://b.gw.test/mcp" }, "invalid_target"],
    ["A10: a resource that is not written as it is", { resource: `${origin}/mcp/` }, "invalid_target"],
    ["A10: a scope that is no list", { scope: 'a"b' }, "invalid_scope"],
  ])("%s is refused, with one event", async (_title, more, error) => {
    const asked = await ask(more);
    expect([asked.status, asked.error]).toEqual([400, error]);
    expect(authEvents(world)).toMatchObject([
      { action: "token.refuse", outcome: "refused", actor: { agent: client_id } },
    ]);
    expect(world.unknown).toEqual([]);
  });

  it("TK-22: a client that is not registered for the grant is refused", async () => {
    client_id = await world.addClient({ authentication: "client_secret_basic", grant_types: ["authorization_code"] });
    await world.addSecret(client_id, `${secret}x`);
    const asked = await world.ask(
      { grant_type: "client_credentials" },
      { authorization: `Basic ${btoa(`${client_id}:${secret}x`)}` },
    );
    expect([asked.status, asked.error]).toEqual([400, "unauthorized_client"]);
  });

  it("TK-22: a public client never acts for itself, whatever it is registered for", async () => {
    const named = await world.addClient({ authentication: "none", grant_types: ["client_credentials"] });
    const asked = await world.ask({ grant_type: "client_credentials", client_id: named });
    expect([asked.status, asked.error]).toEqual([400, "unauthorized_client"]);
    expect(world.events).toEqual([]);
    expect(world.unknown).toEqual(["grant_type_not_registered"]);
  });

  it("A10: no token leaves that could not be recorded", async () => {
    world.failAudit();
    const asked = await ask();
    expect([asked.status, asked.error]).toEqual([503, "temporarily_unavailable"]);
    expect(asked.body).not.toHaveProperty("access_token");
  });
});

describe("keys that strangers name", () => {
  const [id, jwks_uri] = ["https://app.example/c.json", "https://keys.example/keys"];

  beforeEach(() => {
    client_id = id;
    const document = {
      ...{ client_id: id, client_name: "App", redirect_uris: ["https://app.example/cb"], jwks_uri },
      token_endpoint_auth_method: "private_key_jwt",
    };
    world.serve("app.example", () => json(document));
    world.serve("keys.example", () => json({ keys: [signer.jwk] }));
  });

  /** `invalid_grant`: the client was authenticated, and has no such token. */
  const refresh = async (by = signer, header: Record<string, unknown> = { kid: "c1" }): Promise<unknown> =>
    (await world.ask({ ...(await asserting({}, header, by)), grant_type: "refresh_token", refresh_token: "x" })).error;

  const kept = (name: string): Promise<number> =>
    runInDurableObject(env.DOCUMENTS.getByName(`${world.tenant}:${name}`), (_instance, { storage: { sql } }) =>
      sql.exec("SELECT name FROM sqlite_master WHERE name = 'documents'").toArray().length === 0
        ? 0
        : sql.exec<{ count: number }>("SELECT count(*) AS count FROM documents").one().count,
    );

  it("CR-12: they are kept apart from those of providers, and only once they signed something", async () => {
    expect(await refresh(other)).toBe("invalid_client");
    expect(await refresh(other, { kid: "c9" })).toBe("invalid_client");
    expect(await kept("clients/keys.example")).toBe(0);
    expect(await refresh()).toBe("invalid_grant");
    expect([await kept("clients/keys.example"), await kept("keys.example")]).toEqual([1, 0]);
    const asked = world.seen.length;
    expect(await refresh()).toBe("invalid_grant");
    expect(world.seen).toHaveLength(asked);
  });

  it("CR-12: an assertion that no key can have signed costs one request for keys", async () => {
    expect(await refresh(other, { kid: "c9" })).toBe("invalid_client");
    expect(world.seen.filter((seen) => seen === jwks_uri)).toHaveLength(1);
  });

  it("CR-12: they are under the budget of strangers, and the keys of a client that is known are not", async () => {
    expect(await refresh()).toBe("invalid_grant");
    world.advance(limits.documentLife_ms_max);
    for (let count = 0; count <= limits.documentsPerNetwork_count; count += 1) {
      const named = `https://h${count}.example/c`;
      await world.ask({ grant_type: "refresh_token", refresh_token: "x", client_id: named });
    }
    expect(await refresh()).toBe("invalid_grant");
    const another = "https://app.example/d.json";
    world.serve("app.example", () =>
      json({
        ...{ client_id: another, client_name: "App", redirect_uris: ["https://app.example/cb"] },
        ...{ jwks_uri: "https://keys.example/others", token_endpoint_auth_method: "private_key_jwt" },
      }),
    );
    client_id = another;
    expect(await refresh()).toBe("temporarily_unavailable");
    world.advance(limits.documentsPerNetwork_ms);
    expect(await refresh()).toBe("invalid_grant");
  });

  it("RP-16: a key that was taken out of the set signs no more once the set was fetched", async () => {
    expect(await refresh()).toBe("invalid_grant");
    world.advance(limits.documentLife_ms_max);
    world.serve("keys.example", () => json({ keys: [other.jwk] }));
    expect(await refresh()).toBe("invalid_client");
    world.close("keys.example");
    expect(await refresh()).toBe("invalid_client");
  });
});
