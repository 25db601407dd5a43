/** Identity assertions (ID-JAG): the organisation's provider decided, our rules still hold, and each is good for one token. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { json, sign, type Signer } from "../trust/support.ts";
import {
  assertionType,
  authEvents,
  createSigner,
  createWorld,
  idp,
  jwtBearer,
  origin,
  written,
  type Asked,
  type World,
} from "./assertions-support.ts";

const typ = "oauth-id-jag+jwt";

let world: World;
let signer: Signer;
let clientKey: Signer;
let client_id: string;
let provider_id: string;
let open: string;
let engineers: string;

beforeAll(async () => {
  signer = await createSigner("i1");
  clientKey = await createSigner("c1");
});

beforeEach(async () => {
  world = await createWorld();
  open = await world.addServer("open");
  engineers = await world.addServer("engineers", { everyone: false, groups: ["engineering"] });
  provider_id = await world.addProvider(signer);
  client_id = await world.addClient({ authentication: "private_key_jwt", jwks: { keys: [{ ...clientKey.jwk }] } }, [
    open,
    engineers,
  ]);
});

let serial = 0;
const claims = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: idp,
  sub: "person-1",
  aud: origin,
  client_id,
  resource: `${origin}/mcp`,
  scope: "mcp",
  email: "ada@acme.example",
  email_verified: true,
  iat: world.seconds(),
  exp: world.seconds() + 300,
  jti: `i-${(serial += 1)}`,
  ...more,
});

const proof = async (): Promise<Record<string, string>> => ({
  client_assertion_type: assertionType,
  client_assertion: await sign(clientKey, {
    ...{ iss: client_id, sub: client_id, aud: origin, exp: world.seconds() + 60, jti: `c-${(serial += 1)}` },
  }),
});

const present = async (assertion: string, parameters: Record<string, string> = {}): Promise<Asked> =>
  world.ask({ grant_type: jwtBearer, assertion, ...(await proof()), ...parameters });

const ask = async (more?: Record<string, unknown>, parameters?: Record<string, string>): Promise<Asked> =>
  present(await sign(signer, claims(more), { typ }), parameters);

/** One event with its reason, no person made, and only the client's own assertion used up. */
async function expectRefused(asked: Asked, reason: string, error = "invalid_grant"): Promise<void> {
  expect([asked.status, asked.error]).toEqual([400, error]);
  expect(authEvents(world)).toMatchObject([
    { action: "token.refuse", outcome: "refused", reason, actor: { agent: client_id } },
  ]);
  expect(world.unknown).toEqual([]);
  expect(await world.rows()).toEqual({ users: 0, used_ids: 1 });
}

it("A12: a client acts for a person of whom only the provider spoke, on the servers that our rules admit", async () => {
  const asked = await ask();
  expect(asked.status).toBe(200);
  expect(Object.keys(asked.body).toSorted()).toEqual(["access_token", "expires_in", "scope", "token_type"]);
  const token = await world.claims(asked);
  expect(token).toMatchObject({ client_id, user: { email: "ada@acme.example" }, grant_id: undefined });
  expect([...(token.user?.servers ?? [])]).toEqual([open]);
  expect(authEvents(world)).toMatchObject([
    {
      action: "token.issue",
      outcome: "ok",
      actor: { user: token.user?.id, user_email: "ada@acme.example", agent: client_id },
      provider: provider_id,
      resource: `${origin}/mcp`,
    },
  ]);
  expect(written(world)).not.toContain(String(asked.body["access_token"]));
  expect(await world.rows()).toEqual({ users: 1, used_ids: 2 });
});

it("A12: groups that the provider tells open what the rules give to them", async () => {
  const token = await world.claims(await ask({ groups: ["engineering", "unknown"] }));
  expect(new Set(token.user?.servers)).toEqual(new Set([open, engineers]));
});

it("A12: the allow-list of the client is a limit, whoever it acts for", async () => {
  client_id = await world.addClient({ authentication: "private_key_jwt", jwks: { keys: [{ ...clientKey.jwk }] } }, [
    engineers,
  ]);
  const asked = await ask();
  expect([asked.status, asked.error]).toEqual([400, "invalid_grant"]);
  expect(authEvents(world)).toMatchObject([{ action: "token.refuse", reason: "policy_no_server" }]);
});

it("A12: the same person comes back as the same user", async () => {
  const first = await world.claims(await ask());
  const second = await world.claims(await ask());
  expect(second.user?.id).toBe(first.user?.id);
  expect((await world.rows()).users).toBe(1);
});

it("A12: a person who was switched off gets nothing", async () => {
  const { user } = await world.claims(await ask());
  await world.setUserEnabled(user?.id ?? "", false);
  const asked = await ask();
  expect([asked.status, asked.error]).toEqual([400, "invalid_grant"]);
  expect(authEvents(world).at(-1)).toMatchObject({ action: "token.refuse", reason: "user_disabled" });
});

it("A12: the resource of the assertion is the audience, whatever else is asked for", async () => {
  const resource = `${origin}/mcp/open`;
  expect(await world.claims(await ask({ resource }), resource)).toMatchObject({ audience: resource });
  expect(await world.claims(await ask({ resource: undefined }, { resource }), resource)).toMatchObject({
    audience: resource,
  });
  expect(await world.claims(await ask({ resource: undefined }))).toMatchObject({ audience: `${origin}/mcp` });
  const both = [resource, `${origin}/mcp`];
  expect(await world.claims(await ask({ resource: both }, { resource }), resource)).toMatchObject({
    audience: resource,
  });
});

it("A12: a client that publishes its metadata needs no registration", async () => {
  client_id = "https://client.example/oauth.json";
  world.serve("client.example", () =>
    json({
      client_id,
      client_name: "Desk",
      redirect_uris: ["https://client.example/cb"],
      token_endpoint_auth_method: "none",
    }),
  );
  const assertion = await sign(signer, claims(), { typ });
  const asked = await world.ask({ grant_type: jwtBearer, assertion, client_id });
  expect(asked.body["error"]).toBeUndefined();
  expect(await world.claims(asked)).toMatchObject({ client_id, registered: false });
});

describe("what is refused", () => {
  it.each<readonly [string, Record<string, unknown>, string]>([
    ["TK-24: the audience of another server", { aud: "https://b.gw.test" }, "jwt_audience"],
    ["TK-24: the token endpoint as audience", { aud: `${origin}/oauth/token` }, "jwt_audience"],
    ["TK-24: an audience besides ours", { aud: [origin, "https://evil.example"] }, "jwt_audience_many"],
    ["TK-24: one that is bound to a key", { cnf: { jkt: "x" } }, "id_jag_cnf"],
    ["TK-24: the assertion of another client", { client_id: "somebody" }, "id_jag_client"],
    ["TK-24: no client", { client_id: undefined }, "jwt_claim_missing"],
    ["TK-24: no jti", { jti: undefined }, "jwt_claim_missing"],
    ["TK-24: no subject", { sub: undefined }, "jwt_claim_missing"],
    ["TK-24: no iat", { iat: undefined }, "jwt_claim_missing"],
    ["A12: a resource of somebody else", { resource: "https://b.gw.test/mcp" }, "id_jag_resource"],
    [
      "A12: one of ours and one of somebody else",
      { resource: [`${origin}/mcp`, "https://b.gw.test/mcp"] },
      "id_jag_resource",
    ],
    [
      "A12: several resources and none asked for",
      { resource: [`${origin}/mcp`, `${origin}/mcp/open`] },
      "id_jag_resource_many",
    ],
    ["A12: a scope that is not ours", { scope: "chat.read" }, "id_jag_scope"],
    ["A12: a scope that is a list", { scope: ["mcp"] }, "id_jag_claims"],
    ["RP-11: an issuer with a slash", { iss: `${idp}/` }, "id_jag_issuer"],
    ["RP-18: an expired one", { iat: 1, exp: 2 }, "jwt_expired"],
  ])("%s", async (_title, more, reason) => {
    await expectRefused(await ask(more), reason);
  });

  it("TK-24: one that lives longer than five minutes", async () => {
    await expectRefused(await ask({ exp: world.seconds() + 301 }), "jwt_life");
  });

  it("A12: another resource than the assertion's", async () => {
    await expectRefused(await ask({}, { resource: `${origin}/mcp/open` }), "id_jag_resource");
  });

  it.each(["JWT", "at+jwt", "oauth-id-jag"])("TK-24: type %s", async (wrong) => {
    const assertion = await sign(signer, claims(), { typ: wrong });
    const asked = await present(assertion);
    expect([asked.status, asked.error]).toEqual([400, "invalid_grant"]);
    expect(world.events).toEqual([]);
    expect(await world.rows()).toMatchObject({ users: 0 });
  });

  it("RP-09: the signature of somebody else", async () => {
    const forger = await createSigner("i1");
    await expectRefused(await present(await sign(forger, claims(), { typ })), "jwt_signature");
  });

  it("RP-02: an algorithm with which the provider, as configured, does not sign", async () => {
    const es384 = await createSigner("i1", "ES384");
    world = await createWorld();
    const roles = { member: { everyone: true } };
    await world.addProvider(es384, { id_jag: true, roles, signing_algorithms: ["ES256"] });
    client_id = await world.addClient({ authentication: "private_key_jwt", jwks: { keys: [{ ...clientKey.jwk }] } });
    await expectRefused(await present(await sign(es384, claims(), { typ })), "jwt_algorithm");
  });

  it.each<readonly [string, Record<string, unknown>, boolean]>([
    ["one that is trusted for sign-in only", { roles: { member: { everyone: true } } }, true],
    ["one that is switched off", { id_jag: true, roles: { member: { everyone: true } } }, false],
  ])("A12: a provider: %s", async (_title, options, enabled) => {
    world = await createWorld();
    await world.addProvider(signer, options, enabled);
    client_id = await world.addClient({ authentication: "private_key_jwt", jwks: { keys: [{ ...clientKey.jwk }] } });
    await expectRefused(await ask(), "id_jag_issuer");
  });

  it("A12: a person whom no role rule admits", async () => {
    world = await createWorld();
    await world.addProvider(signer, { id_jag: true, roles: { member: { groups: ["staff"] } } });
    client_id = await world.addClient({ authentication: "private_key_jwt", jwks: { keys: [{ ...clientKey.jwk }] } });
    const asked = await ask();
    expect([asked.status, asked.error]).toEqual([400, "invalid_grant"]);
    expect(authEvents(world)).toMatchObject([
      { action: "token.refuse", reason: "not_admitted", provider: expect.any(String) },
    ]);
    expect((await world.rows()).users).toBe(0);
  });

  it("A12: a client that does not prove who it is", async () => {
    const assertion = await sign(signer, claims(), { typ });
    const asked = await world.ask({ grant_type: jwtBearer, assertion, client_id });
    expect([asked.status, asked.error]).toEqual([401, "invalid_client"]);
    expect(world.events).toEqual([]);
    expect(await world.rows()).toEqual({ users: 0, used_ids: 0 });
  });

  it("TK-22: a client that is not registered for the grant", async () => {
    client_id = await world.addClient({
      ...{ authentication: "private_key_jwt", jwks: { keys: [{ ...clientKey.jwk }] } },
      grant_types: ["authorization_code"],
    });
    await expectRefused(await ask(), "grant_type_not_registered", "unauthorized_client");
  });

  it("RP-17: while the provider is down it says so, and the assertion is still good afterwards", async () => {
    world.close("idp.example");
    const assertion = await sign(signer, claims(), { typ });
    const asked = await present(assertion);
    expect([asked.status, asked.error]).toEqual([503, "temporarily_unavailable"]);
    expect((await world.rows()).users).toBe(0);
  });
});

it("TK-24: 50 parallel presentations get exactly one token", async () => {
  const assertion = await sign(signer, claims(), { typ });
  const asked = await Promise.all(Array.from({ length: 50 }, () => present(assertion)));
  expect(asked.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(asked.filter(({ error }) => error === "invalid_grant")).toHaveLength(49);
  const actions = authEvents(world).map(({ action }) => action);
  expect(actions.filter((action) => action === "token.issue")).toHaveLength(1);
  expect(actions.filter((action) => action === "token.refuse")).toHaveLength(49);
  expect((await world.rows()).users).toBe(1);
});
