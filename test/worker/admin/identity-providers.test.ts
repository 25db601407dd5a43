import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { openDatabase, web_sessions } from "../../../src/db/index.ts";
import { providersRepository } from "../../../src/login/index.ts";
import { openProviderSecret } from "../../../src/login/providers.ts";
import { harness, type Harness } from "./harness.ts";
import { addUser, revokedSubjects } from "./people.ts";

const secret = "hush-hush-client-secret";
const body = { name: "Company", issuer: "https://id.example.com", client_id: "gatehouse", client_secret: secret };
const database = openDatabase(env.DB);

const create = async (admin: Harness, over: object = {}) => {
  const made = await admin.post("/identity-providers", { ...body, ...over });
  if (made.status !== 201) throw new Error(made.text);
  return made.body;
};

async function storedSecret(admin: Harness, id: string): Promise<string | undefined> {
  const provider = await providersRepository(database, admin.tenant).get(id);
  if (provider === undefined) throw new Error("There is no such provider.");
  const opened = await openProviderSecret(admin.vault, admin.tenant, provider);
  if (!opened.ok) throw new Error("The secret does not open.");
  return opened.value;
}

async function addSession(admin: Harness, user_id: string, provider_id: string): Promise<void> {
  await database.insert(web_sessions).values({
    ...{ tenant_id: admin.tenant, hash: user_id, user_id, provider_id, provider_session: null, source: "{}" },
    ...{ authenticated_at: admin.now, created_at: admin.now, last_seen_at: admin.now, expires_at: admin.now + 1000 },
  });
}

const sessions = async (admin: Harness) =>
  (await env.DB.prepare("select user_id from web_sessions where tenant_id = ?").bind(admin.tenant).all()).results
    .length;

describe("A1 identity providers", () => {
  it("A1: a provider is registered; the answer names what to register there", async () => {
    const admin = await harness();
    const answer = await admin.post("/identity-providers", body);
    expect(answer.status).toBe(201);
    expect(answer.headers.get("etag")).not.toBeNull();
    expect(answer.body).toMatchObject({
      kind: "generic",
      enabled: true,
      redirect_uri: "https://a.gw.test/login/callback",
      backchannel_logout_uri: "https://a.gw.test/login/backchannel-logout",
      client_secret: { set: true },
      token_endpoint_origin: null,
    });
    expect(await storedSecret(admin, answer.body.id)).toBe(secret);
  });

  it("AD-16: no answer and no event holds the client secret", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const path = `/identity-providers/${id}`;
    const answers = [
      await admin.get(path),
      await admin.get("/identity-providers"),
      await admin.patch(path, { name: "x" }),
    ];
    for (const { text } of answers) expect(text).not.toContain(secret);
    expect(JSON.stringify(admin.events)).not.toContain(secret);
  });

  it("A1: a second provider with the same issuer is refused", async () => {
    const admin = await harness();
    await create(admin);
    expect((await admin.post("/identity-providers", body)).status).toBe(409);
    expect((await admin.get("/identity-providers")).body.items).toHaveLength(1);
  });

  it.each([
    ["an issuer in the own network", { issuer: "https://10.0.0.1" }, "issuer"],
    ["an issuer on plain http", { issuer: "http://id.example.com" }, "issuer"],
    ["an issuer with a query", { issuer: "https://id.example.com/?x=1" }, "issuer"],
    ["Entra for all directories", { kind: "entra", issuer: "https://login.microsoftonline.com/common/v2.0" }, "issuer"],
    ["another issuer as Google", { kind: "google" }, "issuer"],
    ["an unknown option", { options: { everybody: true } }, "options.everybody"],
    ["scopes without openid", { options: { scopes: ["email"] } }, "options.scopes"],
    ["a secret of control characters", { client_secret: "a\nb" }, "client_secret"],
  ])("A1: %s is refused by name", async (_name, over, path) => {
    const admin = await harness();
    const answer = await admin.post("/identity-providers", { ...body, ...over });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0]?.path).toBe(path);
    expect((await admin.get("/identity-providers")).body.items).toEqual([]);
  });

  it("AD-12: a change from an old version is refused", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const path = `/identity-providers/${id}`;
    const etag = (await admin.get(path)).headers.get("etag") ?? "";
    await admin.patch(path, { name: "first" });
    expect((await admin.patch(path, { name: "second" }, { "if-match": etag })).status).toBe(412);
    expect((await admin.remove(path, { "if-match": etag })).status).toBe(412);
    expect((await admin.get(path)).body).toMatchObject({ name: "first", enabled: true });
  });
});

describe("AD-18 a provider that is turned against its people", () => {
  it("AD-18: the issuer cannot be changed", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const answer = await admin.patch(`/identity-providers/${id}`, {
      issuer: "https://evil.example",
      client_secret: "x",
    });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0]?.path).toBe("issuer");
    expect((await admin.get(`/identity-providers/${id}`)).body.issuer).toBe(body.issuer);
    expect(await storedSecret(admin, id)).toBe(secret);
  });

  it("AD-18: another client id drops the secret and says so", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const answer = await admin.patch(`/identity-providers/${id}`, { client_id: "other" });
    expect(answer.body).toMatchObject({
      client_secret: { set: false },
      warnings: [expect.stringContaining("dropped")],
    });
    expect(await storedSecret(admin, id)).toBeUndefined();
    expect(admin.events.at(-1)?.fields).toEqual(["client_id", "client_secret"]);
  });

  it("AD-18: a new secret with the new client id is kept", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const answer = await admin.patch(`/identity-providers/${id}`, { client_id: "other", client_secret: "second" });
    expect(answer.body.warnings).toBeUndefined();
    expect(await storedSecret(admin, id)).toBe("second");
  });

  it("AD-18: the pinned token endpoint holds until client or secret change", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    await providersRepository(database, admin.tenant).pinTokenEndpoint(id, 1, "https://id.example.com");
    const path = `/identity-providers/${id}`;
    expect((await admin.patch(path, { name: "x" })).body.token_endpoint_origin).toBe("https://id.example.com");
    expect((await admin.patch(path, { client_secret: "second" })).body.token_endpoint_origin).toBeNull();
    expect(await storedSecret(admin, id)).toBe("second");
  });

  it("AD-18: null removes the secret", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const answer = await admin.patch(`/identity-providers/${id}`, { client_secret: null });
    expect(answer.body).toMatchObject({ client_secret: { set: false } });
    expect(await storedSecret(admin, id)).toBeUndefined();
  });
});

describe("RP the end of a provider", () => {
  it.each(["DELETE", "PATCH"])("A13: %s ends sessions and tokens of its people and of nobody else", async (method) => {
    const admin = await harness();
    const { id } = await create(admin);
    const other = await create(admin, { issuer: "https://other.example.com" });
    const [mine, theirs] = [await addUser(admin, { provider_id: id }), await addUser(admin, { provider_id: other.id })];
    await addSession(admin, mine, id);
    await addSession(admin, theirs, other.id);
    const done = await admin.send(
      method,
      `/identity-providers/${id}`,
      method === "PATCH" ? { enabled: false } : undefined,
    );
    expect(done.status).toBeLessThan(300);
    expect(await sessions(admin)).toBe(1);
    expect(await revokedSubjects(admin)).toEqual({ [`user:${mine}`]: admin.now });
  });
});
