/** CR-14 to CR-19, A5: clients that register themselves. */
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { dynamic_clients } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { agentsRepository, findClient } from "../../../src/oauth/index.ts";
import { sha256 } from "../../../src/sha256.ts";
import { createWorld, later_ms, register, rowCounts, type World } from "./clients-support.ts";

const publicClient = {
  client_name: "Tool",
  redirect_uris: ["https://app.test/cb"],
  token_endpoint_auth_method: "none",
};

const rowsOf = ({ database, tenant }: World) =>
  database.select().from(dynamic_clients).where(eq(dynamic_clients.tenant_id, tenant));

describe("a registration", () => {
  it("A5: is answered as it is stored", async () => {
    const world = await createWorld();
    const { status, headers, body } = await register(world.visit, publicClient);
    expect(status).toBe(201);
    expect([headers.get("cache-control"), headers.get("pragma")]).toEqual(["no-store", "no-cache"]);
    expect(body).toEqual({
      client_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      client_id_issued_at: Math.floor(world.clock.now() / 1_000),
      client_name: "Tool",
      redirect_uris: ["https://app.test/cb"],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      scope: "mcp",
    });
    expect(await findClient(world.visit, String(body["client_id"]))).toMatchObject({
      ok: true,
      value: {
        kind: "dynamic",
        name: "Tool",
        domain: undefined,
        redirect_uris: ["https://app.test/cb"],
        pre_approved: false,
      },
    });
  });

  it("A5: of a client that names no method gets a secret, shown once and stored as its hash", async () => {
    const world = await createWorld();
    const { body } = await register(world.visit, { redirect_uris: ["https://app.test/cb"] });
    const secret = String(body["client_secret"]);
    expect(body).toMatchObject({ token_endpoint_auth_method: "client_secret_basic", client_secret_expires_at: 0 });
    expect(secret).toMatch(/^ghs_[A-Za-z0-9_-]{43}$/);
    const [row] = await rowsOf(world);
    expect(row?.secret_hash).toBe(await sha256(secret));
    expect(JSON.stringify([row, world.events])).not.toContain(secret);
  });

  it("A5: of a client that signs keeps its public keys", async () => {
    const world = await createWorld();
    const jwks = { keys: [{ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] };
    const { status, body } = await register(world.visit, {
      ...publicClient,
      token_endpoint_auth_method: "private_key_jwt",
      jwks,
    });
    expect([status, body["jwks"], body["client_secret"]]).toEqual([201, jwks, undefined]);
    const found = await findClient(world.visit, String(body["client_id"]));
    expect(found).toMatchObject({ ok: true, value: { authentication: "private_key_jwt", keys: { jwks } } });
  });

  it("CR-19: names no endpoint to change it", async () => {
    const { body } = await register((await createWorld()).visit, publicClient);
    expect(Object.keys(body).filter((name) => name.startsWith("registration_"))).toEqual([]);
  });

  it("S10: is in the inventory and the log", async () => {
    const world = await createWorld();
    const { body } = await register(world.visit, publicClient);
    const id = String(body["client_id"]);
    expect(await agentsRepository(world.database, world.tenant).get(id)).toMatchObject({
      kind: "dynamic",
      name: "Tool",
    });
    expect(world.events).toMatchObject([
      { action: "client.register", outcome: "ok", actor: { agent: id, client_name: "Tool" } },
    ]);
  });

  it("CR-16: shows a clean name", async () => {
    const { body } = await register((await createWorld()).visit, {
      ...publicClient,
      client_name: `\u202eGoogle\u200b Login${"x".repeat(500)}`,
    });
    expect(body["client_name"]).toBe(`Google Login${"x".repeat(limits.clientName_chars - 12)}`);
  });

  it("CR-16: without a name says so", async () => {
    const { body } = await register((await createWorld()).visit, { ...publicClient, client_name: undefined });
    expect(body["client_name"]).toBe("Unnamed client");
  });

  it("CR-17: ignores what it does not know", async () => {
    const text = `{"constructor":{"redirect_uris":["https://evil.test/"]},"software_statement":"e30.e30.","application_type":"native","scope":"admin","contacts":null,"logo_uri":null,"redirect_uris":["https://app.test/cb"],"token_endpoint_auth_method":"none"}`;
    const { status, body } = await register((await createWorld()).visit, text);
    expect([status, body["redirect_uris"], body["scope"], body["application_type"]]).toEqual([
      201,
      ["https://app.test/cb"],
      "mcp",
      "native",
    ]);
    expect(body["software_statement"]).toBeUndefined();
  });

  it("A5: keeps of its grants those that exist here", async () => {
    const grant_types = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "implicit"];
    const { body } = await register((await createWorld()).visit, { ...publicClient, grant_types });
    expect(body["grant_types"]).toEqual(["authorization_code"]);
  });
});

describe("a refusal", () => {
  it.each([
    ["a member of the prototype", `{"__proto__":{"a":1},"redirect_uris":["https://app.test/cb"]}`],
    ["a member twice", `{"redirect_uris":["https://app.test/cb"],"redirect_uris":["https://evil.test/cb"]}`],
  ])("CR-17: %s is no registration, whichever of its readings is meant", async (_title, text) => {
    const { visit } = await createWorld();
    const { status, body } = await register(visit, text);
    expect([status, body["error"]]).toEqual([400, "invalid_client_metadata"]);
  });

  it.each([
    ["AS-04", { redirect_uris: ["https://*.app.test/cb"] }, "invalid_redirect_uri"],
    ["AS-04", { redirect_uris: ["https://app.test/*"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["javascript:alert(1)"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["JaVaScRiPt:alert(1)"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["java\tscript:alert(1)"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: [" data:text/html,x"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["vbscript:x"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["file:///x"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["blob:https://app.test/1"] }, "invalid_redirect_uri"],
    ["AS-05", { redirect_uris: ["about:blank"] }, "invalid_redirect_uri"],
    ["AS-06", { redirect_uris: ["http://app.test/cb"] }, "invalid_redirect_uri"],
    ["AS-10", { redirect_uris: ["https://app.test/cb?code=x"] }, "invalid_redirect_uri"],
    ["CR-18", { redirect_uris: ["https://app.test/cb", "https://user@app.test/cb"] }, "invalid_redirect_uri"],
    ["CR-18", { redirect_uris: [] }, "invalid_redirect_uri"],
    ["CR-18", { redirect_uris: undefined }, "invalid_redirect_uri"],
    ["CR-18", { redirect_uris: "https://app.test/cb" }, "invalid_redirect_uri"],
    [
      "CR-18",
      {
        redirect_uris: Array.from(
          { length: limits.redirectUrisPerClient_count + 1 },
          (_, n) => `https://app.test/${n}`,
        ),
      },
      "invalid_redirect_uri",
    ],
    ["CR-18", { token_endpoint_auth_method: "client_secret_jwt" }, "invalid_client_metadata"],
    ["CR-18", { token_endpoint_auth_method: "private_key_jwt" }, "invalid_client_metadata"],
    ["CR-18", { grant_types: ["client_credentials", "authorization_code"] }, "invalid_client_metadata"],
    [
      "CR-18",
      { grant_types: ["client_credentials"], token_endpoint_auth_method: "client_secret_basic" },
      "invalid_client_metadata",
    ],
    ["CR-18", { grant_types: ["password"] }, "invalid_client_metadata"],
    ["CR-18", { grant_types: [] }, "invalid_client_metadata"],
    ["CR-18", { response_types: ["token"] }, "invalid_client_metadata"],
    ["CR-08", { jwks_uri: "http://app.test/k" }, "invalid_client_metadata"],
    ["CR-08", { logo_uri: "javascript:alert(1)" }, "invalid_client_metadata"],
    ["CR-07", { jwks: { keys: [{ kty: "RSA", n: "x", e: "AQAB", d: "y" }] } }, "invalid_client_metadata"],
    ["CR-07", { jwks: { keys: [{ kty: "oct" }] } }, "invalid_client_metadata"],
    ["CR-07", { jwks: { keys: "x" } }, "invalid_client_metadata"],
  ])("%s: %j", async (_id, more, error) => {
    const world = await createWorld();
    const { status, headers, body } = await register(world.visit, { ...publicClient, ...more });
    expect([status, body["error"], headers.get("cache-control")]).toEqual([400, error, "no-store"]);
    expect(typeof body["error_description"]).toBe("string");
    expect(await rowCounts(world)).toMatchObject({ dynamic_clients: 0, agents: 0 });
    expect(world.unknown).toHaveLength(1);
    expect(world.events).toEqual([]);
  });

  it.each([
    ["a form", "redirect_uris=https://app.test/cb", "application/x-www-form-urlencoded"],
    ["two types", publicClient, "application/json, text/plain"],
    ["text", JSON.stringify(publicClient), "text/plain"],
    ["no JSON", "{", "application/json"],
    ["an array", [publicClient], "application/json"],
    ["null", "null", "application/json"],
    ["a byte order mark", `\ufeff${JSON.stringify(publicClient)}`, "application/json"],
    ["64 KiB", { ...publicClient, x: "y".repeat(limits.registrationBody_bytes) }, "application/json"],
  ])("CR-06: %s is no registration", async (_what, body, contentType) => {
    const world = await createWorld();
    const answered = await register(world.visit, body, contentType);
    expect([answered.status, answered.body["error"]]).toEqual([400, "invalid_client_metadata"]);
    expect(await rowCounts(world)).toMatchObject({ dynamic_clients: 0 });
  });

  it("CR-14: where the tenant switched it off, of new clients and of those that did it before", async () => {
    const world = await createWorld();
    const { body } = await register(world.visit, publicClient);
    const off = world.with({ dynamic: false });
    expect((await register(off, publicClient)).status).toBe(403);
    expect(await findClient(off, String(body["client_id"]))).toMatchObject({
      ok: false,
      error: { reason: "client_unknown" },
    });
  });
});

describe("floods", () => {
  it("CR-14: one network registers so many an hour, refused ones included", async () => {
    const world = await createWorld();
    for (let n = 0; n < limits.registrationsPerNetwork_count; n += 1)
      await register(world.visit, n % 2 === 0 ? publicClient : {});
    const { status, headers, body } = await register(world.visit, publicClient);
    expect([status, body["error"], headers.get("retry-after")]).toEqual([429, "slow_down", "3600"]);
    expect((await register(world.from("198.51.100.0/24"), publicClient)).status).toBe(201);
    world.clock.advance(later_ms);
    expect((await register(world.visit, publicClient)).status).toBe(201);
  });

  it("CR-14: many networks together register so many an hour", async () => {
    const world = await createWorld();
    const each = Array.from({ length: limits.registrationsPerTenant_count + 3 }, (_, n) =>
      register(world.from(`net-${n}`), publicClient),
    );
    const statuses = (await Promise.all(each)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 429)).toHaveLength(3);
    expect(await rowsOf(world)).toHaveLength(limits.registrationsPerTenant_count);
  }, 20_000);

  /** As many clients as a tenant holds, the oldest first; the first `used_count` of them have a living grant. */
  async function fill(world: Awaited<ReturnType<typeof createWorld>>, used_count: number): Promise<void> {
    const { DB } = world.visit.platform.bindings;
    const numbers = JSON.stringify(Array.from({ length: limits.dynamicClients_count }, (_, n) => n));
    const end = world.clock.now() + 2 * later_ms;
    await DB.batch([
      DB.prepare("INSERT INTO dynamic_clients SELECT ?1, 'c' || value, '{}', NULL, value, ?2 FROM json_each(?3)").bind(
        ...[world.tenant, end, numbers],
      ),
      DB.prepare(
        `INSERT INTO grants (tenant_id, id, user_id, client_id, client_name, redirect_uri, resource, scope, servers, source, created_at, expires_at)
         SELECT ?1, 'g' || value, 'u', 'c' || value, '', '', '', '', '[]', '{}', 0, ?2 FROM json_each(?3) WHERE value < ?4`,
      ).bind(...[world.tenant, end, numbers, used_count]),
    ]);
  }

  it("CR-14, RX-16: a full table makes room by forgetting the oldest client that nobody allows anything", async () => {
    const world = await createWorld();
    await fill(world, 2);
    expect((await register(world.visit, publicClient)).status).toBe(201);
    const ids = (await rowsOf(world)).map(({ id }) => id);
    expect(ids).toHaveLength(limits.dynamicClients_count);
    expect([ids.includes("c0"), ids.includes("c1"), ids.includes("c2"), ids.includes("c3")]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it("CR-14, RX-16: a table full of clients in use takes no other, until some expire", async () => {
    const world = await createWorld();
    await fill(world, limits.dynamicClients_count);
    const { status, body } = await register(world.visit, publicClient);
    expect([status, body["error"]]).toEqual([503, "temporarily_unavailable"]);
    world.clock.advance(2 * later_ms);
    expect((await register(world.visit, publicClient)).status).toBe(201);
    expect(await rowsOf(world)).toHaveLength(limits.dynamicClients_count - limits.dynamicClientsSweep_count + 1);
  });
});
