import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { ok } from "../../../src/ports.ts";
import { harness, unavailable, type Harness } from "./harness.ts";

const key = { "idempotency-key": "7d1b0c0e-key-1" };
const server = { slug: "github", url: "https://mcp.example.com/mcp" };

async function count(admin: Harness, table: string): Promise<number> {
  const found = await env.DB.prepare(`select count(*) as n from ${table} where tenant_id = ?`)
    .bind(admin.tenant)
    .first<{ n: number }>();
  return found?.n ?? 0;
}

describe("Idempotency-Key", () => {
  it("R4: a repeated request gets the first answer and does nothing again", async () => {
    const admin = await harness();
    const first = await admin.post("/servers", server, key);
    const again = await admin.post("/servers", server, key);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect([again.status, again.text]).toEqual([201, first.text]);
    for (const name of ["etag", "location", "content-type"]) {
      expect(again.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(await count(admin, "servers")).toBe(1);
    expect(admin.events).toHaveLength(1);
    expect(admin.announced_count).toBe(1);
  });

  it("A9: a token whose answer was lost comes again and is one token", async () => {
    const admin = await harness();
    const { id } = await admin.client();
    const first = await admin.post(`/clients/${id}/tokens`, { name: "ci" }, key);
    const again = await admin.post(`/clients/${id}/tokens`, { name: "ci" }, key);
    expect(again.body.token).toBe(first.body.token);
    expect(await count(admin, "tokens")).toBe(1);
  });

  it("A9: the remembered token is stored sealed", async () => {
    const admin = await harness();
    const { id } = await admin.client();
    const { body } = await admin.post(`/clients/${id}/tokens`, {}, key);
    const { results } = await env.DB.prepare("select * from idempotency_keys where tenant_id = ?")
      .bind(admin.tenant)
      .all();
    expect(results).toHaveLength(1);
    expect(JSON.stringify(results)).not.toContain(body.token.slice(4));
  });

  it("R4: a repeated DELETE answers 204 again", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    expect((await admin.remove(`/servers/${id}`, key)).status).toBe(204);
    expect((await admin.remove(`/servers/${id}`, key)).status).toBe(204);
  });

  it("R4: a refusal is remembered as well, and each one is recorded", async () => {
    const admin = await harness();
    await admin.post("/servers", server);
    expect((await admin.post("/servers", server, key)).status).toBe(409);
    await admin.patch(`/servers/${(await admin.get("/servers")).body.items[0]?.id}`, { enabled: false });
    const again = await admin.post("/servers", server, key);
    expect(again.status).toBe(409);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(admin.events.filter(({ outcome }) => outcome === "refused")).toHaveLength(2);
  });

  it("R4: a body that is not valid does not use the key up", async () => {
    const admin = await harness();
    expect((await admin.post("/servers", { slug: "github" }, key)).status).toBe(422);
    expect((await admin.post("/servers", server, key)).status).toBe(201);
  });

  it.each([
    ["another body", "POST", "/clients", { name: "other" }, {}],
    ["another path", "POST", "/tokens", { name: "x" }, {}],
    ["another precondition", "POST", "/clients", { name: "x" }, { "if-match": "*" }],
  ])("R4: the same key with %s is refused with 422", async (_name, method, path, body, headers) => {
    const admin = await harness();
    await admin.post("/clients", { name: "x" }, key);
    const answer = await admin.send(method, path, body, { headers: { ...key, ...headers } });
    expect(answer.status).toBe(422);
    expect(answer.body.type).toBe("urn:gatehouse:error:idempotency_mismatch");
    expect(await count(admin, "clients")).toBe(1);
    expect(await count(admin, "tokens")).toBe(0);
  });

  it("R4: of parallel requests with one key one is done; the others get its answer or 409", async () => {
    const admin = await harness();
    const answers = await Promise.all(Array.from({ length: 10 }, () => admin.post("/clients", { name: "x" }, key)));
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].toSorted()).toEqual([201, 409]);
    expect(await count(admin, "clients")).toBe(1);
  });

  it("TN-05: the same key in another tenant is another key", async () => {
    const [a, b] = [await harness(), await harness()];
    await a.post("/clients", { name: "x" }, key);
    const other = await b.post("/clients", { name: "y" }, key);
    expect(other.status).toBe(201);
    expect(other.body.name).toBe("y");
  });

  it("AD-01: the same key of another administrator is another key", async () => {
    const admin = await harness();
    const principal = { id: "administrator:two", kind: "administrator", agent: "two", token_id: "two" } as const;
    const first = await admin.post("/tokens", { name: "x" }, key);
    const two = admin.as({ principal });
    const other = await two.post("/tokens", { name: "x" }, key);
    expect(other.status).toBe(201);
    expect(other.body.token).not.toBe(first.body.token);
    expect((await admin.post("/tokens", { name: "x" }, key)).text).toBe(first.text);
    expect((await two.post("/tokens", { name: "x" }, key)).text).toBe(other.text);
  });

  it("R4: a key is forgotten after a day", async () => {
    const admin = await harness();
    await admin.post("/clients", { name: "x" }, key);
    admin.now += limits.idempotency_ms + 1;
    const later = await admin.post("/clients", { name: "y" }, key);
    expect(later.body.name).toBe("y");
    expect(await count(admin, "idempotency_keys")).toBe(1);
  });

  it("R4: expired keys are cleared by later writes", async () => {
    const admin = await harness();
    for (const name of ["a", "b", "c"]) await admin.post("/clients", { name }, { "idempotency-key": name });
    admin.now += limits.idempotency_ms + 1;
    await admin.post("/clients", { name: "d" }, { "idempotency-key": "d" });
    expect(await count(admin, "idempotency_keys")).toBe(1);
  });

  it("R4: a request that crashed before its change frees its key after a minute", async () => {
    const admin = await harness();
    await admin.post("/clients", { name: "x" }, key);
    await env.DB.prepare("update idempotency_keys set status = null, response = null where tenant_id = ?")
      .bind(admin.tenant)
      .run();
    expect((await admin.post("/clients", { name: "x" }, key)).status).toBe(409);
    admin.now += limits.idempotencyLease_ms + 1;
    expect((await admin.post("/clients", { name: "x" }, key)).status).toBe(201);
  });

  it("S5: a request that crashed after its change is finished, not done again", async () => {
    const admin = await harness();
    const first = await admin.post("/clients", { name: "x" }, key);
    await env.DB.prepare("update idempotency_keys set status = null where tenant_id = ?").bind(admin.tenant).run();
    admin.now += limits.idempotencyLease_ms + 1;
    const again = await admin.post("/clients", { name: "x" }, key);
    expect(again.text).toBe(first.text);
    expect(await count(admin, "clients")).toBe(1);
    expect(admin.events.map(({ id }) => id)).toEqual([admin.events[0]?.id, admin.events[0]?.id]);
  });

  it.each(["", " ", "a b", "ü", "x".repeat(129)])("R4: the key %j is refused", async (bad) => {
    const admin = await harness();
    // Fetch trims the value of a header and refuses what is not a byte string.
    const value = bad === "ü" ? "\u00fc" : bad;
    expect((await admin.post("/clients", { name: "x" }, { "idempotency-key": value })).status).toBe(400);
    expect(await count(admin, "clients")).toBe(0);
  });
});

describe("S5: a change that could not be made known", () => {
  it.each(["announcing", "recording"] as const)(
    "S5: when %s fails the answer is 503, and the same key finishes the change with one event id",
    async (what) => {
      const admin = await harness();
      admin[what] = unavailable;
      const refused = await admin.post("/clients", { name: "x" }, key);
      expect(refused.status).toBe(503);
      expect(refused.body.detail).toContain("same Idempotency-Key");
      expect(admin.events).toEqual([]);
      admin[what] = ok(undefined);
      const again = await admin.post("/clients", { name: "x" }, key);
      expect(again.status).toBe(201);
      expect(await count(admin, "clients")).toBe(1);
      expect(admin.events).toHaveLength(1);
      const third = await admin.post("/clients", { name: "x" }, key);
      expect(third.text).toBe(again.text);
      expect(admin.events).toHaveLength(1);
    },
  );

  it.each(["announcing", "recording"] as const)(
    "S5: without a key, when %s fails the answer says what is stored",
    async (what) => {
      const admin = await harness();
      admin[what] = unavailable;
      const refused = await admin.post("/clients", { name: "x" });
      expect(refused.status).toBe(503);
      expect(refused.body.detail).toContain("stored");
      expect(refused.headers.get("retry-after")).toBe("1");
    },
  );

  it("S5: a token is not shown while its event is not durable", async () => {
    const admin = await harness();
    const { id } = await admin.client();
    admin.recording = unavailable;
    expect((await admin.post(`/clients/${id}/tokens`, {}, key)).text).not.toContain("ghc_");
  });

  it("S5: a refusal that cannot be recorded is answered with 503", async () => {
    const admin = await harness();
    admin.recording = unavailable;
    expect((await admin.post("/clients", {})).status).toBe(503);
  });
});
