import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/sha256.ts";
import { harness, type Harness } from "./harness.ts";

const day_ms = 24 * 60 * 60 * 1000;
const hour_ms = 60 * 60 * 1000;

interface Row {
  readonly id: string;
  readonly hash: string;
  readonly expires_at: number;
  readonly revoked_at: number | null;
}

async function rows(admin: Harness): Promise<Row[]> {
  const statement = env.DB.prepare(
    "select id, hash, expires_at, revoked_at from tokens where tenant_id = ? order by id",
  );
  return (await statement.bind(admin.tenant).all<Row>()).results;
}

describe("A9 clients", () => {
  it("A9: a client is created with its allow-list, by id or by slug", async () => {
    const admin = await harness();
    const [one, two] = [await admin.server({ slug: "one" }), await admin.server()];
    const answer = await admin.post("/clients", { name: "nightly", servers: ["one", two.id, one.id] });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: answer.body.id,
      name: "nightly",
      description: "",
      enabled: true,
      servers: [one.id, two.id],
      oauth: null,
      created_at: admin.now,
      updated_at: admin.now,
    });
  });

  it("P4: without an allow-list no server exists for a client", async () => {
    const admin = await harness();
    expect((await admin.client()).servers).toEqual([]);
  });

  it.each(["nothing", "00000000-0000-7000-8000-000000000000", "*", "ONE"])(
    "P4: the unknown server %s is refused by its place in the list",
    async (unknown) => {
      const admin = await harness();
      await admin.server({ slug: "one" });
      const answer = await admin.post("/clients", { name: "x", servers: ["one", unknown] });
      expect(answer.status).toBe(422);
      expect(answer.body.errors).toEqual([{ path: "servers.1", message: expect.any(String) }]);
    },
  );

  it("P4: another tenant's server is unknown", async () => {
    const [a, b] = [await harness(), await harness()];
    const { id } = await a.server();
    expect((await b.post("/clients", { name: "x", servers: [id] })).status).toBe(422);
  });

  it("P4: the allow-list is replaced by a change", async () => {
    const admin = await harness();
    const [one, two] = [await admin.server(), await admin.server()];
    const { id } = await admin.client({ servers: [one.id] });
    expect((await admin.patch(`/clients/${id}`, { servers: [two.slug] })).body.servers).toEqual([two.id]);
  });

  it("A9: a change leaves what it does not name", async () => {
    const admin = await harness();
    const one = await admin.server();
    const { id } = await admin.client({ servers: [one.id], description: "Runs at night", enabled: false });
    const { body } = await admin.patch(`/clients/${id}`, { name: "renamed" });
    expect(body).toMatchObject({ name: "renamed", servers: [one.id], description: "Runs at night", enabled: false });
  });

  it("A9: removing a client removes its tokens", async () => {
    const admin = await harness();
    const { id } = await admin.client();
    await admin.token(id);
    expect((await admin.remove(`/clients/${id}`)).status).toBe(204);
    expect(await rows(admin)).toEqual([]);
    expect((await admin.get(`/clients/${id}`)).status).toBe(404);
  });

  it("A9: removing a client leaves the tokens of others", async () => {
    const admin = await harness();
    const [one, two] = [await admin.client(), await admin.client()];
    await admin.token(one.id);
    const kept = await admin.token(two.id);
    await admin.remove(`/clients/${one.id}`);
    expect((await rows(admin)).map(({ id }) => id)).toEqual([kept.id]);
  });
});

describe("A9 tokens of a client", () => {
  it("A9: a token is shown once and stored as its hash", async () => {
    const admin = await harness();
    const client = await admin.client();
    const answer = await admin.post(`/clients/${client.id}/tokens`, { name: "ci" });
    expect(answer.status).toBe(201);
    expect(answer.body.token).toMatch(/^ghc_[A-Za-z0-9_-]{43}$/);
    expect(answer.body.expires_at).toBe(admin.now + 90 * day_ms);
    expect((await rows(admin))[0]?.hash).toBe(await sha256(answer.body.token));
    for (const path of [`/clients/${client.id}`, `/clients/${client.id}/tokens`, "/clients"]) {
      const { text } = await admin.get(path);
      expect(text).not.toContain(answer.body.token.slice(4));
      expect(text).not.toContain(await sha256(answer.body.token));
    }
    expect(JSON.stringify(admin.events)).not.toContain(answer.body.token);
  });

  it("A9: a client lists what its tokens show", async () => {
    const admin = await harness();
    const client = await admin.client();
    const { id } = await admin.token(client.id, { name: "ci", expires_in_days: 1 });
    const shown = {
      id,
      name: "ci",
      created_at: admin.now,
      expires_at: admin.now + day_ms,
      revoked_at: null,
      live: true,
    };
    expect((await admin.get(`/clients/${client.id}`)).body.tokens).toEqual([shown]);
    expect((await admin.get(`/clients/${client.id}/tokens`)).body.items).toEqual([shown]);
    admin.now += day_ms;
    expect((await admin.get(`/clients/${client.id}/tokens`)).body.items[0]?.live).toBe(false);
  });

  it("A9: a token expires when it is told to", async () => {
    const admin = await harness();
    const client = await admin.client();
    expect((await admin.token(client.id, { expires_at: admin.now + 5 })).expires_at).toBe(admin.now + 5);
  });

  it.each([
    ["in the past", (now: number) => ({ expires_at: now })],
    ["too late", (now: number) => ({ expires_at: now + 367 * day_ms })],
    ["in two ways", (now: number) => ({ expires_at: now + day_ms, expires_in_days: 1 })],
    ["in no days", () => ({ expires_in_days: 0 })],
    ["in too many days", () => ({ expires_in_days: 367 })],
    ["in half a day", () => ({ expires_in_days: 0.5 })],
    ["at a text", () => ({ expires_at: "tomorrow" })],
  ])("A9: a token that would expire %s is refused", async (_name, wish) => {
    const admin = await harness();
    const client = await admin.client();
    const answer = await admin.post(`/clients/${client.id}/tokens`, wish(admin.now));
    expect(answer.status).toBe(422);
    expect(await rows(admin)).toEqual([]);
  });

  it("A9: a revoked token stays revoked and is shown so", async () => {
    const admin = await harness();
    const client = await admin.client();
    const { id } = await admin.token(client.id);
    const revoked_at = admin.now;
    expect((await admin.remove(`/clients/${client.id}/tokens/${id}`)).status).toBe(204);
    admin.now += 1000;
    expect((await admin.remove(`/clients/${client.id}/tokens/${id}`)).status).toBe(204);
    expect((await admin.get(`/clients/${client.id}/tokens`)).body.items[0]).toMatchObject({ revoked_at, live: false });
  });

  it("A9: a rotated token works on for the overlap", async () => {
    const admin = await harness();
    const client = await admin.client();
    const old = await admin.token(client.id, { name: "ci", expires_in_days: 30 });
    admin.now += day_ms;
    const answer = await admin.post(`/clients/${client.id}/tokens/${old.id}/rotate`, { overlap_seconds: 60 });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ name: "ci", expires_at: admin.now + 30 * day_ms });
    expect(answer.body.token).not.toBe(old.token);
    expect(answer.body.replaces).toEqual({ id: old.id, expires_at: admin.now + 60_000 });
    expect((await rows(admin))[0]).toMatchObject({ id: old.id, expires_at: admin.now + 60_000, revoked_at: null });
  });

  it("A9: without a wish the overlap is an hour", async () => {
    const admin = await harness();
    const client = await admin.client();
    const old = await admin.token(client.id);
    const { body } = await admin.post(`/clients/${client.id}/tokens/${old.id}/rotate`);
    expect(body.replaces.expires_at).toBe(admin.now + hour_ms);
  });

  it("A9: a rotation never lengthens the life of the old token", async () => {
    const admin = await harness();
    const client = await admin.client();
    const old = await admin.token(client.id, { expires_at: admin.now + 1000 });
    const { body } = await admin.post(`/clients/${client.id}/tokens/${old.id}/rotate`, { overlap_seconds: 600 });
    expect(body.replaces.expires_at).toBe(old.expires_at);
  });

  it("A9: a rotation without overlap revokes the old token at once", async () => {
    const admin = await harness();
    const client = await admin.client();
    const old = await admin.token(client.id);
    await admin.post(`/clients/${client.id}/tokens/${old.id}/rotate`, { overlap_seconds: 0 });
    expect((await rows(admin))[0]).toMatchObject({ id: old.id, revoked_at: admin.now });
  });

  it.each([-1, 7 * 86_400 + 1, 1.5, "60"])("A9: the overlap %j is refused", async (overlap_seconds) => {
    const admin = await harness();
    const client = await admin.client();
    const { id } = await admin.token(client.id);
    const answer = await admin.post(`/clients/${client.id}/tokens/${id}/rotate`, { overlap_seconds });
    expect(answer.body.errors[0]?.path).toBe("overlap_seconds");
  });

  it("A9: a revoked token cannot be rotated", async () => {
    const admin = await harness();
    const client = await admin.client();
    const { id } = await admin.token(client.id);
    await admin.remove(`/clients/${client.id}/tokens/${id}`);
    expect((await admin.post(`/clients/${client.id}/tokens/${id}/rotate`)).status).toBe(409);
    expect(await rows(admin)).toHaveLength(1);
  });

  it("A9: an expired token cannot be rotated", async () => {
    const admin = await harness();
    const client = await admin.client();
    const { id } = await admin.token(client.id, { expires_in_days: 1 });
    admin.now += day_ms;
    expect((await admin.post(`/clients/${client.id}/tokens/${id}/rotate`)).status).toBe(409);
    expect(await rows(admin)).toHaveLength(1);
  });

  it("A9: a client has at most 20 live tokens, also with parallel requests", async () => {
    const admin = await harness();
    const client = await admin.client();
    const answers = await Promise.all(Array.from({ length: 23 }, () => admin.post(`/clients/${client.id}/tokens`, {})));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(20);
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(3);
  });

  it("A9: at the limit a token can still be rotated", async () => {
    const admin = await harness();
    const client = await admin.client();
    const made = await Promise.all(Array.from({ length: 20 }, () => admin.token(client.id)));
    const rotated = await admin.post(`/clients/${client.id}/tokens/${made[0]?.id}/rotate`, { overlap_seconds: 60 });
    expect(rotated.status).toBe(201);
    expect((await admin.post(`/clients/${client.id}/tokens/${made[1]?.id}/rotate`)).status).toBe(422);
  });

  it("A9: a revoked token makes room", async () => {
    const admin = await harness();
    const client = await admin.client();
    const made = await Promise.all(Array.from({ length: 20 }, () => admin.token(client.id)));
    await admin.remove(`/clients/${client.id}/tokens/${made[0]?.id}`);
    expect((await admin.post(`/clients/${client.id}/tokens`, {})).status).toBe(201);
  });

  it("A9: rows of tokens that ended long ago go", async () => {
    const admin = await harness();
    const client = await admin.client();
    await admin.token(client.id, { expires_in_days: 1 });
    admin.now += 92 * day_ms;
    const { id } = await admin.token(client.id);
    expect((await rows(admin)).map((row) => row.id)).toEqual([id]);
  });

  it("AD-01: a token of another client is unknown", async () => {
    const admin = await harness();
    const [one, two] = [await admin.client(), await admin.client()];
    const { id } = await admin.token(one.id);
    expect((await admin.remove(`/clients/${two.id}/tokens/${id}`)).status).toBe(404);
    expect((await rows(admin))[0]?.revoked_at).toBeNull();
  });
});
