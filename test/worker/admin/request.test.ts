import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { failure } from "../../../src/errors.ts";
import { limits } from "../../../src/limits.ts";
import { encodeText as encodeCursor } from "../../../src/admin/page.ts";
import { harness, type Harness } from "./harness.ts";

const json = { "content-type": "application/json" };
const nobody = { principal: undefined, admissionFailure: failure("invalid_token") };
const unknownId = "00000000-0000-7000-8000-ffffffffffff";

async function nothingStored(admin: Harness): Promise<void> {
  for (const table of ["servers", "clients", "tokens"]) {
    const { results } = await env.DB.prepare(`select id from ${table} where tenant_id = ?`).bind(admin.tenant).all();
    expect(results).toEqual([]);
  }
  expect(admin.announced_count).toBe(0);
}

describe("who may call", () => {
  it.each([
    ["GET", "/servers"],
    ["POST", "/servers"],
    ["PATCH", `/servers/${unknownId}`],
    ["DELETE", `/clients/${unknownId}/tokens/${unknownId}`],
    ["GET", "/events"],
    ["GET", "/nothing"],
    ["PUT", "/servers"],
  ])("F8: %s %s without a good credential answers what admission said, before anything else", async (method, path) => {
    const admin = await harness(nobody);
    const answer = await admin.send(method, path, method === "GET" ? undefined : { slug: 7 });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(admin.events).toEqual([]);
    await nothingStored(admin);
  });

  it("AD-02: a client's principal gets 403, and the attempt is recorded", async () => {
    const admin = await harness({ principal: { id: "client:c", kind: "client", agent: "c", token_id: "t" } });
    expect((await admin.post("/clients", { name: "x" })).status).toBe(403);
    expect(admin.events).toEqual([expect.objectContaining({ outcome: "refused", reason: "not_an_administrator" })]);
    await nothingStored(admin);
  });
});

describe("the body", () => {
  it.each([
    ["no content type", {}],
    ["plain text", { "content-type": "text/plain" }],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }],
    ["multipart", { "content-type": "multipart/form-data; boundary=x" }],
    ["another JSON", { "content-type": "application/ld+json" }],
    ["a list of types", { "content-type": "text/plain, application/json" }],
    ["another charset", { "content-type": "application/json; charset=utf-7" }],
  ])("AD-04: %s is refused with 415", async (_name, headers) => {
    const admin = await harness();
    const raw = new TextEncoder().encode('{"name":"x"}');
    const answer = await admin.send("POST", "/clients", undefined, { raw, headers });
    expect(answer.status).toBe(415);
    await nothingStored(admin);
  });

  it("AD-04: DELETE with a form is refused with 415", async () => {
    const admin = await harness();
    const headers = { "content-type": "text/plain" };
    expect((await admin.send("DELETE", `/servers/${unknownId}`, undefined, { raw: "x", headers })).status).toBe(415);
  });

  it("AD-04: POST with a method override is a POST", async () => {
    const admin = await harness();
    const server = await admin.server();
    const answer = await admin.post(`/servers/${server.id}`, {}, { "x-http-method-override": "DELETE" });
    expect(answer.status).toBe(405);
    expect((await admin.get(`/servers/${server.id}`)).status).toBe(200);
  });

  it("MC-10: a body past the limit is refused with 413", async () => {
    const admin = await harness();
    const answer = await admin.post("/clients", { name: "x", description: "x".repeat(limits.adminBody_bytes) });
    expect(answer.status).toBe(413);
    await nothingStored(admin);
  });

  it("MC-10: an endless body without length is read no further than the limit", async () => {
    const admin = await harness();
    let pulled_bytes = 0;
    const raw = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled_bytes += 4096;
          controller.enqueue(new Uint8Array(4096).fill(0x20));
        },
      },
      { highWaterMark: 0 },
    );
    expect((await admin.send("POST", "/clients", undefined, { raw, headers: json })).status).toBe(413);
    expect(pulled_bytes).toBeLessThanOrEqual(limits.adminBody_bytes + 2 * 4096);
  });

  it("MC-10: a body that does not arrive in time is refused with 408", async () => {
    const admin = await harness();
    const raw = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"name":'));
      },
      pull() {
        // The client stalls; the deadline passes.
        for (const wake of admin.waiting) wake();
        return new Promise(() => undefined);
      },
    });
    expect((await admin.send("POST", "/clients", undefined, { raw, headers: json })).status).toBe(408);
    await nothingStored(admin);
  });

  it.each([
    ["no JSON", '{"name":'],
    ["a trailing comma", '{"name":"x",}'],
    ["a byte order mark", '\uFEFF{"name":"x"}'],
    ["an array", '[{"name":"x"}]'],
    ["a text", '"x"'],
    ["null", "null"],
    ["a duplicate member", '{"name":"x","name":"y"}'],
    ["a prototype", '{"name":"x","__proto__":{"admin":true}}'],
    ["depth", `{"name":${"[".repeat(65)}${"]".repeat(65)}}`],
    ["a great depth", `{"name":${"[".repeat(30_000)}${"]".repeat(30_000)}}`],
  ])("AD-19: %s is refused with 400", async (_name, raw) => {
    const admin = await harness();
    const answer = await admin.send("POST", "/clients", undefined, { raw, headers: json });
    expect(answer.status).toBe(400);
    await nothingStored(admin);
  });

  it("AD-19: bytes that are not UTF-8 are refused with 400", async () => {
    const admin = await harness();
    const raw = new Uint8Array([...new TextEncoder().encode('{"name":"'), 0xc3, 0x28, 0x22, 0x7d]);
    expect((await admin.send("POST", "/clients", undefined, { raw, headers: json })).status).toBe(400);
  });

  it("AD-16: an answer to broken JSON does not quote it", async () => {
    const admin = await harness();
    const raw = '{"credential":{"type":"bearer","token":"sk-secret"},';
    expect((await admin.send("POST", "/servers", undefined, { raw, headers: json })).text).not.toContain("sk-secret");
  });

  it("R4: every unknown member is named", async () => {
    const admin = await harness();
    const answer = await admin.post("/clients", { name: "x", roles: ["owner"], tenant_id: "other" });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([
      { path: "roles", message: "unknown member" },
      { path: "tenant_id", message: "unknown member" },
    ]);
  });

  it("R4: at most 20 problems are listed, with bounded names", async () => {
    const admin = await harness();
    const members = Array.from({ length: 50 }, (_, index) => [`${"n".repeat(500)}${index}`, 1]);
    const { errors } = (await admin.post("/clients", Object.fromEntries(members))).body;
    expect(errors).toHaveLength(20);
    expect(Math.max(...errors.map(({ path }) => path.length))).toBeLessThanOrEqual(64);
  });
});

describe("paths and methods", () => {
  it.each([
    ["PUT", "/servers", "GET, HEAD, POST"],
    ["DELETE", "/servers", "GET, HEAD, POST"],
    ["POST", `/servers/${unknownId}`, "GET, HEAD, PATCH, DELETE"],
    ["GET", "/setup", "POST"],
    ["PATCH", "/openapi.json", "GET, HEAD"],
    ["POST", "/events", "GET, HEAD"],
    ["OPTIONS", "/clients", "GET, HEAD, POST"],
  ])("R4: %s %s answers 405 and Allow", async (method, path, allow) => {
    const answer = await (await harness()).send(method, path, undefined, {});
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe(allow);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  it.each(["/", "/nothing", "/servers/", "/servers/x/y", "/Servers", "//servers"])(
    "R4: the path %s answers 404 as a problem",
    async (path) => {
      const answer = await (await harness()).get(path);
      expect(answer.status).toBe(404);
      expect(answer.body.type).toBe("urn:gatehouse:error:not_found");
    },
  );

  it.each(["x", "1", "..", "%00", "' or 1=1 --", "github", `${unknownId}0`])(
    "AD-01: the id %j exists nowhere",
    async (id) => {
      const admin = await harness();
      await admin.server({ slug: "github" });
      expect((await admin.get(`/servers/${encodeURIComponent(id)}`)).status).toBe(404);
    },
  );

  it("R4: HEAD answers as GET, without a body", async () => {
    const answer = await (await harness()).send("HEAD", "/servers");
    expect(answer.status).toBe(200);
    expect(answer.text).toBe("");
  });

  it("R4: the description needs no credential", async () => {
    const answer = await (await harness({ ...nobody, initialised: false })).get("/openapi.json");
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ openapi: "3.1.1" });
  });
});

describe("pages", () => {
  it.each([
    ["-1", 1],
    ["0", 1],
    ["2", 2],
    ["1000000000", 3],
  ])("AD-10: a limit of %s yields %i of 3", async (limit, count) => {
    const admin = await harness();
    for (const slug of ["a", "b", "c"]) await admin.server({ slug });
    expect((await admin.get(`/servers?limit=${limit}`)).body.items).toHaveLength(count);
  });

  it.each(["limit=all", "limit=1.5", "limit=", "limit=1e3", "offset=3", "limit=1&limit=2"])(
    "AD-10: the query %s is refused",
    async (query) => {
      expect((await (await harness()).get(`/servers?${query}`)).status).toBeGreaterThanOrEqual(400);
    },
  );

  it.each([
    ["no cursor", "x"],
    ["padding", `${encodeCursor("abcd")}==`],
    ["spare bits", "YR"],
    ["another list's", encodeCursor(unknownId)],
    ["SQL", encodeCursor("a' or '1'='1")],
    ["no UTF-8", "_w"],
    ["nothing", ""],
    ["too much", "YQ".repeat(100)],
  ])("MC-39: a cursor that is %s is refused", async (_name, cursor) => {
    const answer = await (await harness()).get(`/servers?cursor=${encodeURIComponent(cursor)}`);
    expect(answer.status).toBe(422);
  });

  it("MC-39: a cursor of another tenant shows nothing of it", async () => {
    const [a, b] = [await harness(), await harness()];
    for (const slug of ["a", "b", "c"]) await a.server({ slug });
    const { next } = (await a.get("/servers?limit=1")).body;
    expect((await b.get(`/servers?cursor=${next}`)).body).toEqual({ items: [], next: null });
  });
});

describe("AD-08 injection", () => {
  const attacks = [
    "'; drop table servers; --",
    "' or '1'='1",
    '" or ""="',
    "%",
    "_",
    "\\",
    "1;select 1",
    "x' union select hash from tokens --",
  ];

  it.each(attacks)("AD-08: %s is a name like any other", async (attack) => {
    const admin = await harness();
    const one = await admin.client({ name: attack, description: attack });
    const two = await admin.client();
    await admin.patch(`/clients/${one.id}`, { description: `${attack}!` });
    expect((await admin.get(`/clients/${one.id}`)).body).toMatchObject({ name: attack, description: `${attack}!` });
    expect((await admin.get(`/clients/${two.id}`)).body.description).toBe("");
  });

  it.each(attacks)("AD-08: %s in an allow-list is an unknown server", async (attack) => {
    const admin = await harness();
    await admin.server();
    expect((await admin.post("/clients", { name: "x", servers: [attack] })).status).toBe(422);
  });

  it("RX-16: servers past the most of a tenant are refused", async () => {
    const admin = await harness();
    const rows = Array.from({ length: limits.serversPerTenant_count }, (_, index) =>
      env.DB.prepare(
        "insert into servers (tenant_id, id, slug, name, url, enabled, timeout_ms, authentication, credential, revision, created_at, updated_at) values (?1, ?2, ?2, 'x', 'https://x.example/', 1, 1000, '{\"type\":\"none\"}', null, 1, 1, 1)",
      ).bind(admin.tenant, `x${index}`),
    );
    await env.DB.batch(rows);
    const refused = await admin.post("/servers", { slug: "one-more", url: "https://mcp.example.com/mcp" });
    expect(refused.status).toBe(422);
  });

  it("AD-08: an allow-list of the most servers needs no more parameters than D1 binds", async () => {
    const admin = await harness();
    const rows = Array.from({ length: limits.serversPerTenant_count }, (_, index) =>
      env.DB.prepare(
        "insert into servers (tenant_id, id, slug, name, url, enabled, timeout_ms, authentication, credential, revision, created_at, updated_at) values (?1, ?2, ?2, 'x', 'https://x.example/', 1, 1000, '{\"type\":\"none\"}', null, 1, 1, 1)",
      ).bind(admin.tenant, `x${index}`),
    );
    await env.DB.batch(rows);
    const servers = Array.from({ length: limits.serversPerTenant_count }, (_, index) => `x${index}`);
    expect((await admin.client({ servers })).servers).toHaveLength(limits.serversPerTenant_count);
  });
});

describe("AD-12 lost updates", () => {
  const resources = [
    ["server", async (admin: Harness) => `/servers/${(await admin.server()).id}`, { name: "new" }],
    ["client", async (admin: Harness) => `/clients/${(await admin.client()).id}`, { name: "new" }],
    ["settings", async () => "/settings", { audit_strict: true }],
  ] as const;

  it.each(resources)(
    "AD-12: a change of the %s that was read goes through and has a new ETag",
    async (_name, make, change) => {
      const admin = await harness();
      const path = await make(admin);
      const etag = (await admin.get(path)).headers.get("etag") ?? "";
      const answer = await admin.patch(path, change, { "if-match": etag });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("etag")).toMatch(/^"[0-9a-z]+"$/);
      // Also within one millisecond, in which both requests of this test run.
      expect(answer.headers.get("etag")).not.toBe(etag);
      expect((await admin.get(path)).headers.get("etag")).toBe(answer.headers.get("etag"));
    },
  );

  it.each(resources)(
    "AD-12: a change of a %s that somebody else has changed is refused with 412",
    async (_name, make, change) => {
      const admin = await harness();
      const path = await make(admin);
      const etag = (await admin.get(path)).headers.get("etag") ?? "";
      await admin.patch(path, change);
      const before = (await admin.get(path)).text;
      const answer = await admin.patch(path, change, { "if-match": etag });
      expect(answer.status).toBe(412);
      expect(answer.body.type).toBe("urn:gatehouse:error:precondition_failed");
      expect((await admin.get(path)).text).toBe(before);
    },
  );

  it.each(resources.slice(0, 2))(
    "AD-12: removing a %s that has changed is refused with 412",
    async (_name, make, change) => {
      const admin = await harness();
      const path = await make(admin);
      const etag = (await admin.get(path)).headers.get("etag") ?? "";
      await admin.patch(path, change);
      expect((await admin.remove(path, { "if-match": etag })).status).toBe(412);
      expect((await admin.get(path)).status).toBe(200);
    },
  );

  it("RFC 9110 section 13.1.1: a weak tag never matches", async () => {
    const admin = await harness();
    const path = `/servers/${(await admin.server()).id}`;
    const etag = (await admin.get(path)).headers.get("etag") ?? "";
    expect((await admin.patch(path, { name: "x" }, { "if-match": `W/${etag}` })).status).toBe(412);
  });

  it("RFC 9110 section 13.1.1: an asterisk matches what exists", async () => {
    const admin = await harness();
    const path = `/servers/${(await admin.server()).id}`;
    expect((await admin.patch(path, { name: "x" }, { "if-match": "*" })).status).toBe(200);
  });

  it("AD-12: of parallel changes from one version exactly one goes through", async () => {
    const admin = await harness();
    const path = `/clients/${(await admin.client()).id}`;
    const etag = (await admin.get(path)).headers.get("etag") ?? "";
    const answers = await Promise.all(
      ["a", "b", "c", "d"].map((name) => admin.patch(path, { name }, { "if-match": etag })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412, 412]);
  });
});
