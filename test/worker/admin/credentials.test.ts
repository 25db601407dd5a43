import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { openStoredCredential, storedCredentialsRepository } from "../../../src/connections/index.ts";
import { connections, openDatabase, servers } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { harness, type Answered, type Body, type Harness } from "./harness.ts";

const value = "sk-live-0123456789-top-secret";
const body = { name: "Search service", value };
const database = openDatabase(env.DB);

async function create(admin: Harness, over: object = {}): Promise<Body> {
  const made = await admin.post("/credentials", { ...body, ...over });
  if (made.status !== 201) throw new Error(made.text);
  return made.body;
}

const stored = (admin: Harness, id: string) => storedCredentialsRepository(database, admin.tenant).get(id);

/** What a header is filled with. */
async function valueOf(admin: Harness, id: string): Promise<unknown> {
  const row = await stored(admin, id);
  if (row === undefined) return undefined;
  const opened = await openStoredCredential(admin.vault, admin.tenant, row);
  return opened.ok ? opened.value : opened.error.reason;
}

/** A server with these headers, as it stands in the database. */
async function addServer(admin: Harness, slug: string, headers: readonly object[]): Promise<void> {
  await database.insert(servers).values({
    ...{ tenant_id: admin.tenant, id: slug, slug, name: slug, url: "https://mcp.example.com/", enabled: true },
    ...{ timeout_ms: 1000, authentication: '{"type":"none"}', revision: 1, created_at: 1, updated_at: 1 },
    outbound_headers: JSON.stringify(headers),
  });
}

const header = (credential_id: string) => ({ source: "stored_credential", name: "X-Service-Key", credential_id });

describe("A8 stored credentials", () => {
  it("A8: one of the organisation is stored, and its value shown never again", async () => {
    const admin = await harness();
    const answer = await admin.post("/credentials", { ...body, hint: "of the search team" });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      ...{ id: answer.body.id, name: body.name, holder: "organisation", hint: "of the search team" },
      ...{ value: { set: true }, created_at: admin.now, updated_at: admin.now },
    });
    expect(answer.headers.get("location")).toBe(`https://a.gw.test/api/v1/credentials/${answer.body.id}`);
    expect(await valueOf(admin, answer.body.id)).toBe(value);
    expect(admin.events).toEqual([
      expect.objectContaining({
        ...{ action: "credential.create", resource: "credential", outcome: "ok", resource_id: answer.body.id },
        fields: ["name", "value", "hint"],
      }),
    ]);
  });

  it("A8: one that each person has their own of has no value here", async () => {
    const admin = await harness();
    const { id, ...made } = await create(admin, { holder: "user", value: undefined, hint: "Settings, Developer" });
    expect(made).toMatchObject({ holder: "user", hint: "Settings, Developer", value: { set: false } });
    expect(await valueOf(admin, id)).toBe("no_credential");
  });

  it("AD-16: no answer, no event and no column holds the value", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const path = `/credentials/${id}`;
    const answers: Answered[] = [
      await admin.get(path),
      await admin.get("/credentials"),
      await admin.patch(path, { value: `${value}-2` }),
      await admin.patch(path, { value: `${value} \u0000` }),
      await admin.post("/credentials", body),
      await admin.remove(path),
    ];
    const row = await env.DB.prepare("select * from stored_credentials where id = ?").bind(id).first();
    const shown = JSON.stringify([answers.map(({ text, headers }) => [text, ...headers]), admin.events, row]);
    expect(shown).not.toContain("top-secret");
    expect(shown).not.toContain(btoa(value).slice(0, 16));
  });

  it("A8: a new value takes the place of the former one under another revision", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const former = await stored(admin, id);
    expect((await admin.patch(`/credentials/${id}`, { value: "another" })).status).toBe(200);
    expect(await valueOf(admin, id)).toBe("another");
    expect((await stored(admin, id))?.revision).toBe(2);
    await env.DB.prepare("update stored_credentials set credential = ? where id = ?")
      .bind(former?.credential, id)
      .run();
    expect(await valueOf(admin, id)).toBe("vault_tamper");
  });

  it("A8: another name and hint leave the value", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const before = await stored(admin, id);
    const { status, body: changed } = await admin.patch(`/credentials/${id}`, { name: "Other", hint: "there" });
    expect([status, changed]).toEqual([200, expect.objectContaining({ name: "Other", hint: "there" })]);
    const { credential, revision } = (await stored(admin, id)) ?? {};
    expect({ credential, revision }).toEqual({ credential: before?.credential, revision: before?.revision });
    expect(admin.events.at(-1)?.fields).toEqual(["name", "hint"]);
  });

  it("A8: a list goes on from page to page", async () => {
    const admin = await harness();
    const ids: string[] = [];
    for (const name of ["a", "b", "c"]) ids.push((await create(admin, { name })).id);
    const first = (await admin.get("/credentials?limit=2")).body;
    const second = (await admin.get(`/credentials?limit=2&cursor=${first.next}`)).body;
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.next).toBeNull();
  });

  it("A8: the same request under one Idempotency-Key stores one", async () => {
    const admin = await harness();
    const keyed = { "idempotency-key": "once-and-only-once" };
    const [first, again] = [
      await admin.post("/credentials", body, keyed),
      await admin.post("/credentials", body, keyed),
    ];
    expect(again.body).toEqual(first.body);
    expect((await admin.get("/credentials")).body.items).toHaveLength(1);
  });

  it.each([
    ["without a value", { value: undefined }, "value"],
    ["of people with a value", { holder: "user" }, "value"],
    ["with an empty value", { value: "" }, "value"],
    ["with a value that breaks a line", { value: "a\r\nX-Admin: 1" }, "value"],
    ["with a value beyond ASCII", { value: "schlüssel" }, "value"],
    ["with a value that is too long", { value: "x".repeat(8193) }, "value"],
    ["without a name", { name: "" }, "name"],
    ["with a name of two lines", { name: "a\nb" }, "name"],
    ["of another holder", { holder: "team" }, "holder"],
    ["with a hint that is too long", { hint: "x".repeat(limits.credentialHint_chars + 1) }, "hint"],
    ["with an unknown member", { id: "1" }, "id"],
  ])("AD-08: one %s is refused by name", async (_what, over, path) => {
    const admin = await harness();
    const answer = await admin.post("/credentials", { ...body, ...over });
    expect([answer.status, answer.body.errors[0]?.path]).toEqual([422, path]);
    expect(answer.text).not.toContain("top-secret");
    expect((await admin.get("/credentials")).body.items).toEqual([]);
  });

  it("AD-08: the holder cannot be changed", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const answer = await admin.patch(`/credentials/${id}`, { holder: "user" });
    expect([answer.status, answer.body.errors[0]?.path]).toEqual([422, "holder"]);
    expect(await valueOf(admin, id)).toBe(value);
  });

  it("AD-08: one of people takes no value later either", async () => {
    const admin = await harness();
    const { id } = await create(admin, { holder: "user", value: undefined });
    expect((await admin.patch(`/credentials/${id}`, { value })).status).toBe(422);
    expect(await valueOf(admin, id)).toBe("no_credential");
  });

  it("A8: a name can be used once in a tenant", async () => {
    const admin = await harness();
    await create(admin);
    const answer = await admin.post("/credentials", body);
    expect(answer.status).toBe(409);
    expect(admin.events.at(-1)).toMatchObject({ outcome: "refused", reason: "name_taken" });
    await create(await harness());
  });

  it("A8: nor can one be renamed to a name that is taken", async () => {
    const admin = await harness();
    await create(admin);
    const { id } = await create(admin, { name: "Other" });
    const answer = await admin.patch(`/credentials/${id}`, { name: body.name });
    expect(answer.status).toBe(409);
    expect(admin.events.at(-1)).toMatchObject({ outcome: "refused", reason: "name_taken" });
    expect((await admin.patch(`/credentials/${id}`, { name: "Other" })).status).toBe(200);
  });

  it("A8: a tenant has a bounded number of them", async () => {
    const admin = await harness();
    const row = "?1, 'id-' || value, 'name-' || value, 'user', '', null, 1, 1, 1";
    await env.DB.prepare(
      `with recursive n(value) as (select 1 union all select value + 1 from n where value < ?2) insert into stored_credentials select ${row} from n`,
    )
      .bind(admin.tenant, limits.storedCredentials_count)
      .run();
    const answer = await admin.post("/credentials", body);
    expect(answer.status).toBe(422);
    expect(admin.events.at(-1)).toMatchObject({ outcome: "refused", reason: "stored_credentials_limit" });
  });
});

describe("AD-12 and VT-17 stale versions of stored credentials", () => {
  it.each(["patch", "remove"] as const)("AD-12: %s from a version that has changed is refused", async (method) => {
    const admin = await harness();
    const { id } = await create(admin);
    const stale = { "if-match": (await admin.get(`/credentials/${id}`)).headers.get("etag") ?? "" };
    await admin.patch(`/credentials/${id}`, { hint: "newer" });
    const answer =
      method === "patch"
        ? await admin.patch(`/credentials/${id}`, { value: "lost" }, stale)
        : await admin.remove(`/credentials/${id}`, stale);
    expect(answer.status).toBe(412);
    expect(await valueOf(admin, id)).toBe(value);
  });

  it("VT-17: of two that write at once the statement lets one through", async () => {
    const admin = await harness();
    const { id, updated_at } = await create(admin);
    const repository = storedCredentialsRepository(database, admin.tenant);
    const results = await Promise.all(
      ["one", "two"].map((hint) => repository.update(id, updated_at, { hint }, admin.now)),
    );
    expect(results.filter((result) => result === "changed")).toHaveLength(1);
    expect(await repository.remove(id, updated_at)).toBe(false);
  });
});

describe("A8 the end of a stored credential", () => {
  const row: Omit<typeof connections.$inferInsert, "tenant_id" | "id" | "target"> = {
    ...{ user_id: "u1", account: "default", is_default: true, state: "linked", credential: "{}", issuer: "" },
    ...{
      token_endpoint: "",
      client_id: "",
      fit: "",
      step_ups: 0,
      revision: 1,
      tries: 0,
      created_at: 1,
      updated_at: 1,
    },
  };

  it("A8: it goes with what people gave of their own for it, and nobody else's goes", async () => {
    const admin = await harness();
    const { id } = await create(admin, { holder: "user", value: undefined });
    const other = (await harness()).tenant;
    await database
      .insert(connections)
      .values({ ...row, tenant_id: admin.tenant, id: "n1", target: `credential:${id}` });
    await database.insert(connections).values({ ...row, tenant_id: admin.tenant, id: "n2", target: "credential:else" });
    await database.insert(connections).values({ ...row, tenant_id: other, id: "n3", target: `credential:${id}` });
    expect((await admin.remove(`/credentials/${id}`)).status).toBe(204);
    expect((await admin.get(`/credentials/${id}`)).status).toBe(404);
    const left = await env.DB.prepare("select id from connections where id in ('n1', 'n2', 'n3') order by id").all();
    expect(left.results).toEqual([{ id: "n2" }, { id: "n3" }]);
    expect(admin.events.at(-1)).toMatchObject({ action: "credential.delete", outcome: "ok", resource_id: id });
  });

  it("A8: while servers have a header with it, it stays, and they are named", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const unused = await create(admin, { name: "unused" });
    const own = { ...row, tenant_id: admin.tenant, id: "n4", target: `credential:${id}` };
    await database.insert(connections).values(own);
    await addServer(admin, "wiki", [{ source: "custom", name: "X-A" }, header(id)]);
    await addServer(admin, "mail", [header(id)]);
    await addServer(admin, "none", [header(crypto.randomUUID())]);
    const answer = await admin.remove(`/credentials/${id}`);
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ servers: ["mail", "wiki"] });
    expect(admin.events.at(-1)).toMatchObject({ outcome: "refused", reason: "credential_in_use", resource_id: id });
    expect(await valueOf(admin, id)).toBe(value);
    expect(await env.DB.prepare("select id from connections where id = 'n4'").first()).toEqual({ id: "n4" });
    expect((await admin.remove(`/credentials/${unused.id}`)).status).toBe(204);
  });

  it("A8: a server of another tenant that names the same id does not keep it", async () => {
    const [admin, other] = [await harness(), await harness()];
    const { id } = await create(admin);
    await addServer(other, "wiki", [header(id)]);
    expect((await admin.remove(`/credentials/${id}`)).status).toBe(204);
  });
});

describe("TN and AD: whose stored credentials they are", () => {
  it.each(["get", "patch", "remove"] as const)("TN-01: %s finds none of another tenant", async (method) => {
    const [admin, other] = [await harness(), await harness()];
    const { id } = await create(admin);
    const path = `/credentials/${id}`;
    const answer = method === "patch" ? await other.patch(path, { name: "x" }) : await other[method](path);
    expect(answer.status).toBe(404);
    expect(await valueOf(admin, id)).toBe(value);
  });

  it("AD-01: an auditor reads the list and changes nothing", async () => {
    const admin = await harness();
    const { id } = await create(admin);
    const auditor = admin.as({ readonly: true });
    expect((await auditor.get("/credentials")).body.items).toHaveLength(1);
    const answers = [
      await auditor.post("/credentials", { ...body, name: "x" }),
      await auditor.patch(`/credentials/${id}`, { value: "x" }),
      await auditor.remove(`/credentials/${id}`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect(await valueOf(admin, id)).toBe(value);
  });
});
