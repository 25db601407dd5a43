import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/sha256.ts";
import { harness, type Harness } from "./harness.ts";
import { addGrant, confidential, revokedSubjects } from "./people.ts";

const key = { kty: "EC", crv: "P-256", x: "x", y: "y" };
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const machine = { authentication: "client_secret_basic", grant_types: ["client_credentials"] };
const workload = { issuer: "https://ci.example.com", claims: { repository: "acme/app" } };

const secretsOf = async (admin: Harness) =>
  (await env.DB.prepare("select kind, hash, revoked_at from tokens where tenant_id = ?").bind(admin.tenant).all())
    .results;

describe("A5 registrations of clients", () => {
  it.each([
    ["a confidential client for people", confidential],
    ["a public client", { ...confidential, authentication: "none", grant_types: ["authorization_code"] }],
    ["a machine with a secret", machine],
    ["a machine with a key", { ...machine, authentication: "private_key_jwt", jwks: { keys: [key] } }],
    ["a machine with a key set", { ...machine, authentication: "private_key_jwt", jwks_uri: "https://a.example/jwks" }],
    ["a workload", { authentication: "none", grant_types: [jwtBearer], workloads: [workload] }],
    ["a pre-approved client", { ...confidential, pre_approved: true }],
    ["a client on loopback", { ...confidential, redirect_uris: ["http://127.0.0.1/callback"] }],
  ])("A5: %s is registered and shown as it is", async (_name, oauth) => {
    const admin = await harness();
    const client = await admin.client({ oauth });
    const defaults = { redirect_uris: [], pre_approved: false, workloads: [] };
    expect(client.oauth).toEqual({ ...defaults, ...oauth });
    expect((await admin.get(`/clients/${client.id}`)).body.oauth).toEqual({ ...defaults, ...oauth });
  });

  it.each([
    [
      "a redirect URI with a wildcard",
      { ...confidential, redirect_uris: ["https://*.example/cb"] },
      "oauth.redirect_uris.0",
    ],
    [
      "a redirect URI with a fragment",
      { ...confidential, redirect_uris: ["https://a.example/#x"] },
      "oauth.redirect_uris.0",
    ],
    ["a script as redirect URI", { ...confidential, redirect_uris: ["javascript:alert(1)"] }, "oauth.redirect_uris.0"],
    [
      "plain http to another host",
      { ...confidential, redirect_uris: ["http://a.example/cb"] },
      "oauth.redirect_uris.0",
    ],
    ["codes without a redirect URI", { ...confidential, redirect_uris: [] }, "oauth.redirect_uris"],
    ["a redirect URI without codes", { ...machine, redirect_uris: ["https://a.example/cb"] }, "oauth.redirect_uris"],
    ["refresh tokens without codes", { ...machine, grant_types: ["refresh_token"] }, "oauth.grant_types"],
    ["a grant twice", { ...machine, grant_types: ["client_credentials", "client_credentials"] }, "oauth.grant_types"],
    ["client credentials of a public client", { ...machine, authentication: "none" }, "oauth.grant_types"],
    ["private_key_jwt without keys", { ...machine, authentication: "private_key_jwt" }, "oauth.jwks"],
    [
      "private_key_jwt with two sources of keys",
      { ...machine, authentication: "private_key_jwt", jwks: { keys: [key] }, jwks_uri: "https://a.example/jwks" },
      "oauth.jwks",
    ],
    ["keys beside a secret", { ...machine, jwks: { keys: [key] } }, "oauth.jwks"],
    [
      "a private key",
      { ...machine, authentication: "private_key_jwt", jwks: { keys: [{ ...key, d: "hush-hush" }] } },
      "oauth.jwks",
    ],
    [
      "a shared key",
      { ...machine, authentication: "private_key_jwt", jwks: { keys: [{ kty: "oct", k: "hush-hush" }] } },
      "oauth.jwks",
    ],
    [
      "a key set in the own network",
      { ...machine, authentication: "private_key_jwt", jwks_uri: "https://10.0.0.1/jwks" },
      "oauth.jwks_uri",
    ],
    [
      "pre-approval of a public client",
      { ...confidential, authentication: "none", grant_types: ["authorization_code"], pre_approved: true },
      "oauth.pre_approved",
    ],
    ["pre-approval of a machine", { ...machine, pre_approved: true }, "oauth.pre_approved"],
    ["workloads without their grant", { ...machine, workloads: [workload] }, "oauth.workloads"],
    [
      "a workload of any claims",
      { authentication: "none", grant_types: [jwtBearer], workloads: [{ ...workload, claims: {} }] },
      "oauth.workloads.0.claims",
    ],
    [
      "a workload's issuer in the own network",
      { authentication: "none", grant_types: [jwtBearer], workloads: [{ ...workload, issuer: "https://127.0.0.1" }] },
      "oauth.workloads.0.issuer",
    ],
    ["an unknown member", { ...machine, client_secret: "hush-hush" }, "oauth.client_secret"],
  ])("A5: %s is refused by name and changes nothing", async (_name, oauth, path) => {
    const admin = await harness();
    const client = await admin.client({ oauth: confidential });
    for (const answer of [
      await admin.post("/clients", { name: "x", oauth }),
      await admin.patch(`/clients/${client.id}`, { oauth }),
    ]) {
      expect(answer.status).toBe(422);
      expect(answer.body.errors.map((error) => error.path)).toContain(path);
      expect(answer.text).not.toContain("hush-hush");
    }
    expect((await admin.get("/clients")).body.items).toHaveLength(1);
    expect((await admin.get(`/clients/${client.id}`)).body.updated_at).toBe(client.updated_at);
    expect(JSON.stringify(admin.events)).not.toContain("hush-hush");
  });
});

describe("what ends with a registration", () => {
  it.each([
    ["is disabled", { enabled: false }],
    ["loses its registration", { oauth: null }],
    ["loses the grant of codes", { oauth: machine }],
  ])("A13: a client that %s has its tokens void and its grants revoked", async (_name, change) => {
    const admin = await harness();
    const { id } = await admin.client({ oauth: confidential });
    const grant = await addGrant(admin, { client_id: id });
    const other = await addGrant(admin);
    admin.now += 5;
    expect((await admin.patch(`/clients/${id}`, change)).status).toBe(200);
    expect(await revokedSubjects(admin)).toEqual({ [`client:${id}`]: admin.now });
    expect((await admin.get(`/grants/${grant}`)).body).toMatchObject({
      living: false,
      revoked_reason: "client_disabled",
    });
    expect((await admin.get(`/grants/${other}`)).body.living).toBe(true);
  });

  it("A13: a client that is removed has its tokens void, its secrets gone and its grants revoked", async () => {
    const admin = await harness();
    const { id } = await admin.client({ oauth: confidential });
    await admin.token(id);
    await admin.post(`/clients/${id}/secrets`, {});
    const grant = await addGrant(admin, { client_id: id });
    expect((await admin.remove(`/clients/${id}`)).status).toBe(204);
    expect(await secretsOf(admin)).toEqual([]);
    expect(await revokedSubjects(admin)).toEqual({ [`client:${id}`]: admin.now });
    expect((await admin.get(`/grants/${grant}`)).body).toMatchObject({
      living: false,
      revoked_reason: "client_deleted",
    });
  });

  it("A13: another registration voids the tokens of before and leaves the grants", async () => {
    const admin = await harness();
    const { id } = await admin.client({ oauth: confidential });
    const grant = await addGrant(admin, { client_id: id });
    await admin.patch(`/clients/${id}`, { oauth: { ...confidential, pre_approved: true } });
    expect(await revokedSubjects(admin)).toEqual({ [`client:${id}`]: admin.now });
    expect((await admin.get(`/grants/${grant}`)).body.living).toBe(true);
  });

  it.each([{ name: "renamed" }, { oauth: confidential }, { enabled: true }])(
    "A13: a change that takes nothing away voids nothing: %o",
    async (change) => {
      const admin = await harness();
      const { id } = await admin.client({ oauth: { ...confidential, pre_approved: false, workloads: [] } });
      const grant = await addGrant(admin, { client_id: id });
      expect((await admin.patch(`/clients/${id}`, change)).status).toBe(200);
      expect(await revokedSubjects(admin)).toEqual({});
      expect((await admin.get(`/grants/${grant}`)).body.living).toBe(true);
    },
  );
});

describe("A10 secrets of clients", () => {
  it("A10: a secret is shown once and stored as its hash", async () => {
    const admin = await harness();
    const { id } = await admin.client({ oauth: machine });
    const { status, body } = await admin.post(`/clients/${id}/secrets`, { name: "ci" });
    expect(status).toBe(201);
    expect(body.secret).toMatch(/^ghs_[A-Za-z0-9_-]{43}$/);
    expect(await secretsOf(admin)).toEqual([{ kind: "secret", hash: await sha256(body.secret), revoked_at: null }]);
    for (const path of [`/clients/${id}`, `/clients/${id}/secrets`, "/clients"]) {
      expect((await admin.get(path)).text).not.toContain(body.secret.slice(4));
    }
    expect(JSON.stringify(admin.events)).not.toContain(body.secret);
  });

  it("A10: secrets and tokens of a client are apart", async () => {
    const admin = await harness();
    const { id } = await admin.client({ oauth: machine });
    const secret = (await admin.post(`/clients/${id}/secrets`, {})).body.id;
    const token = (await admin.token(id)).id;
    expect((await admin.get(`/clients/${id}/secrets`)).body.items.map((one) => one.id)).toEqual([secret]);
    expect((await admin.get(`/clients/${id}/tokens`)).body.items.map((one) => one.id)).toEqual([token]);
    expect((await admin.remove(`/clients/${id}/tokens/${secret}`)).status).toBe(404);
    expect((await admin.remove(`/clients/${id}/secrets/${token}`)).status).toBe(404);
    expect((await admin.remove(`/clients/${id}/secrets/${secret}`)).status).toBe(204);
    expect((await admin.get(`/clients/${id}/secrets`)).body.items[0]?.live).toBe(false);
  });

  it.each([
    ["no registration", null],
    ["a key", { ...machine, authentication: "private_key_jwt", jwks: { keys: [key] } }],
    ["nothing to prove itself with", { authentication: "none", grant_types: [jwtBearer], workloads: [workload] }],
  ])("A10: a client with %s gets no secret", async (_name, oauth) => {
    const admin = await harness();
    const { id } = await admin.client({ oauth });
    expect((await admin.post(`/clients/${id}/secrets`, {})).status).toBe(409);
    expect(await secretsOf(admin)).toEqual([]);
  });
});
