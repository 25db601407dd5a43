import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { readSealedCredential } from "../../../src/registry/index.ts";
import { harness, type Harness } from "./harness.ts";

const url = "https://mcp.example.com/mcp";
const secret = "sk-live-0123456789-top-secret";

interface Row {
  readonly url: string;
  readonly credential: string | null;
  readonly revision: number;
}

async function row(admin: Harness, id: string): Promise<Row> {
  const found = await env.DB.prepare("select url, credential, revision from servers where tenant_id = ? and id = ?")
    .bind(admin.tenant, id)
    .first<Row>();
  if (found === null) throw new Error("There is no such row.");
  return found;
}

/** What `outbound/` will find when it opens the row. */
async function opened(admin: Harness, id: string): Promise<unknown> {
  const { credential, revision } = await row(admin, id);
  if (credential === null) return null;
  const binding = { purpose: "server-credential", tenant: admin.tenant, record: id, field: "credential", revision };
  const text = await admin.vault.open(binding, credential);
  return text.ok ? readSealedCredential(text.value)?.credential : text.error;
}

const kinds = [
  ["U4", { type: "bearer" }, { type: "bearer", token: secret }],
  ["U5", { type: "basic", username: "svc" }, { type: "basic", password: secret }],
  ["U3", { type: "api_key_header", header: "X-Api-Key" }, { type: "api_key_header", key: secret }],
  ["U3", { type: "api_key_query", parameter: "api_key" }, { type: "api_key_query", key: secret }],
  ["U7", { type: "headers", headers: ["X-One", "X-Two"] }, { type: "headers", values: [secret, "two"] }],
] as const;

/** As release 0.1.0 sealed it. */
async function sealedWithoutPlace(admin: Harness, id: string, credential: object): Promise<string> {
  const { revision } = await row(admin, id);
  const binding = { purpose: "server-credential", tenant: admin.tenant, record: id, field: "credential", revision };
  return admin.vault.seal(binding, JSON.stringify(credential));
}

describe("R4 servers", () => {
  it("VT-03: a credential that does not say what it was given for is not sealed for what the server is now", async () => {
    const admin = await harness();
    const credential = { type: "bearer", token: secret };
    const { body } = await admin.post("/servers", {
      slug: "github",
      url,
      authentication: { type: "bearer" },
      credential,
    });
    await env.DB.prepare("update servers set credential = ? where tenant_id = ? and id = ?")
      .bind(await sealedWithoutPlace(admin, body.id, credential), admin.tenant, body.id)
      .run();
    const answer = await admin.patch(`/servers/${body.id}`, { authentication: { type: "bearer" } });
    expect(answer.body).toMatchObject({ ready: false, credential: { set: false } });
    expect(answer.text).toContain("Send it again");
    expect(await opened(admin, body.id)).toBeNull();
  });

  it("R4: a server is registered with its defaults", async () => {
    const admin = await harness();
    const answer = await admin.post("/servers", { slug: "github", url });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe(`https://a.gw.test/api/v1/servers/${answer.body.id}`);
    expect(answer.body).toEqual({
      id: answer.body.id,
      slug: "github",
      name: "github",
      url,
      endpoint: "https://a.gw.test/mcp/github",
      enabled: true,
      timeout_ms: 60_000,
      access: { everyone: false, groups: [] },
      authentication: { type: "none" },
      credential: { set: false },
      outbound_headers: [],
      header_secrets: {},
      agent_authentication: { type: "any" },
      inbound_headers: { forward: null, restrict: [] },
      ready: true,
      created_at: admin.now,
      updated_at: admin.now,
    });
    expect((await admin.get(`/servers/${answer.body.id}`)).body).toEqual(answer.body);
  });

  it("R4: a server is changed", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    const answer = await admin.patch(`/servers/${id}`, { name: "New name", enabled: false, timeout_ms: 5000 });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ name: "New name", enabled: false, timeout_ms: 5000, url });
  });

  it("R4: a server is removed, and its id from every allow-list", async () => {
    const admin = await harness();
    const [one, two] = [await admin.server(), await admin.server()];
    const client = await admin.client({ servers: [one.id, two.id] });
    const bystander = await admin.client({ servers: [two.id] });
    expect((await admin.remove(`/servers/${one.id}`)).status).toBe(204);
    expect((await admin.get(`/servers/${one.id}`)).status).toBe(404);
    expect((await admin.get(`/clients/${client.id}`)).body.servers).toEqual([two.id]);
    expect((await admin.get(`/clients/${bystander.id}`)).body.updated_at).toBe(bystander.updated_at);
  });

  it("R4: the list is in the order of slugs and goes on at its cursor", async () => {
    const admin = await harness();
    for (const slug of ["c", "a", "b"]) await admin.server({ slug });
    const first = (await admin.get("/servers?limit=2")).body;
    expect(first.items.map(({ slug }) => slug)).toEqual(["a", "b"]);
    const second = (await admin.get(`/servers?limit=2&cursor=${first.next}`)).body;
    expect(second.items.map(({ slug }) => slug)).toEqual(["c"]);
    expect(second.next).toBeNull();
  });

  it("R4: a slug that is taken is refused with 409", async () => {
    const admin = await harness();
    await admin.server({ slug: "github" });
    expect((await admin.post("/servers", { slug: "github", url })).status).toBe(409);
  });

  it("R4: a slug cannot be changed", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    const answer = await admin.patch(`/servers/${id}`, { slug: "other" });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([{ path: "slug", message: expect.stringContaining("cannot be changed") }]);
  });

  it("R4: past the limit of servers a tenant gets 422, also with parallel requests", async () => {
    const admin = await harness();
    const rows = Array.from({ length: 198 }, (_, index) =>
      env.DB.prepare(
        "insert into servers (tenant_id, id, slug, name, url, enabled, timeout_ms, authentication, credential, revision, created_at, updated_at) values (?1, ?2, ?2, 'x', 'https://x.example/', 1, 1000, '{\"type\":\"none\"}', null, 1, 1, 1)",
      ).bind(admin.tenant, `x${index}`),
    );
    await env.DB.batch(rows);
    const answers = await Promise.all(["a", "b", "c", "d", "e"].map((slug) => admin.post("/servers", { slug, url })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 422, 422, 422]);
  });
});

describe("the status of a server", () => {
  it("R4: is what became of the last question to it", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    const status = { outcome: "upstream_http_503", at: 2, ok_at: 1, counts: { tools: 3 }, dropped: { tools: 1 } };
    admin.statuses.set(id, status);
    expect(await admin.get(`/servers/${id}/status`)).toMatchObject({ status: 200, body: status });
  });

  it("R4: is unknown where nothing was asked", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    expect((await admin.get(`/servers/${id}/status`)).body).toEqual({ outcome: "unknown" });
  });

  it("R4: of a server of another tenant does not exist", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    const other = await harness();
    other.statuses.set(id, { outcome: "ok", at: 1, counts: {}, dropped: {} });
    expect((await other.get(`/servers/${id}/status`)).status).toBe(404);
  });
});

describe("credentials", () => {
  it.each(kinds)(
    "%s: a credential is stored sealed and opens for its row (%o)",
    async (_id, authentication, credential) => {
      const admin = await harness();
      const server = await admin.server({ authentication, credential });
      expect(server).toMatchObject({ authentication, credential: { set: true }, ready: true });
      expect((await row(admin, server.id)).credential).not.toContain(secret);
      expect(await opened(admin, server.id)).toEqual(credential);
    },
  );

  it.each(kinds)("AD-16: no answer shows a secret (%s %o)", async (_id, authentication, credential) => {
    const admin = await harness();
    const made = await admin.post("/servers", { slug: "x", url, authentication, credential });
    const path = `/servers/${made.body.id}`;
    const answers = [made, await admin.get(path), await admin.get("/servers"), await admin.patch(path, { credential })];
    for (const { text } of answers) expect(text).not.toContain(secret);
  });

  it.each(kinds)("VT-12: nothing that is recorded holds a secret (%s %o)", async (_id, authentication, credential) => {
    const admin = await harness();
    const { id } = await admin.server({ authentication, credential });
    await admin.patch(`/servers/${id}`, { credential });
    expect(JSON.stringify(admin.events)).not.toContain(secret);
  });

  it.each(kinds)(
    "%s: without its secret a server is saved, but not ready, and says why (%o)",
    async (_id, authentication) => {
      const admin = await harness();
      const server = await admin.server({ authentication });
      expect(server).toMatchObject({ ready: false, ready_detail: expect.stringContaining("needs a credential") });
    },
  );

  it("U11: a sealed credential does not open for another row", async () => {
    const admin = await harness();
    const bearer = { authentication: { type: "bearer" }, credential: { type: "bearer", token: secret } };
    const [one, two] = [await admin.server(bearer), await admin.server(bearer)];
    await env.DB.prepare(
      "update servers set credential = (select credential from servers where tenant_id = ?1 and id = ?2) where tenant_id = ?1 and id = ?3",
    )
      .bind(admin.tenant, one.id, two.id)
      .run();
    expect(await opened(admin, two.id)).toMatchObject({ code: "unavailable" });
  });

  it("U11: a credential can be removed", async () => {
    const admin = await harness();
    const { id } = await admin.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    const { body } = await admin.patch(`/servers/${id}`, { credential: null });
    expect(body).toMatchObject({ credential: { set: false }, ready: false });
    expect((await row(admin, id)).credential).toBeNull();
  });

  it.each([
    ["another origin", { url: "https://evil.example.net/mcp" }],
    ["another port", { url: "https://mcp.example.com:8443/mcp" }],
    ["another path", { url: "https://mcp.example.com/other" }],
    ["another type", { authentication: { type: "api_key_header", header: "X-Key" } }],
    ["no authentication", { authentication: { type: "none" } }],
  ])("AD-17: %s drops the stored credential and the answer says so", async (_name, change) => {
    const admin = await harness();
    const { id } = await admin.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    const { status, body } = await admin.patch(`/servers/${id}`, change);
    expect(status).toBe(200);
    expect(body.credential).toEqual({ set: false });
    expect(body.warnings).toEqual([expect.stringContaining("dropped")]);
    expect((await row(admin, id)).credential).toBeNull();
    expect(admin.events.at(-1)?.fields).toContain("credential");
  });

  it("AD-17: another header name drops the stored key", async () => {
    const admin = await harness();
    const { id } = await admin.server({
      authentication: { type: "api_key_header", header: "X-Key" },
      credential: { type: "api_key_header", key: secret },
    });
    const { body } = await admin.patch(`/servers/${id}`, {
      authentication: { type: "api_key_header", header: "X-Log" },
    });
    expect(body.credential.set).toBe(false);
  });

  it("AD-17: a new credential in the same request goes with the new address", async () => {
    const admin = await harness();
    const { id } = await admin.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    const credential = { type: "bearer", token: "another-token" };
    const { body } = await admin.patch(`/servers/${id}`, { url: "https://new.example.net/mcp", credential });
    expect(body.credential).toEqual({ set: true });
    expect(body.warnings).toBeUndefined();
    expect(await opened(admin, id)).toEqual(credential);
  });

  it.each([
    ["the name", { name: "Other" }],
    ["the query of the address", { url: `${url}?team=7` }],
    ["the same authentication again", { authentication: { type: "bearer" } }],
    ["the same address again", { url }],
  ])("U11: changing %s keeps the credential, and it still opens", async (_name, change) => {
    const admin = await harness();
    const credential = { type: "bearer", token: secret };
    const { id } = await admin.server({ authentication: { type: "bearer" }, credential });
    expect((await admin.patch(`/servers/${id}`, change)).body.credential).toEqual({ set: true });
    expect(await opened(admin, id)).toEqual(credential);
  });

  it("U8: the authentication type can be changed after creation", async () => {
    const admin = await harness();
    const { id } = await admin.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    const credential = { type: "basic", password: "hunter2-hunter2" };
    const { body } = await admin.patch(`/servers/${id}`, {
      authentication: { type: "basic", username: "svc" },
      credential,
    });
    expect(body).toMatchObject({ authentication: { type: "basic", username: "svc" }, credential: { set: true } });
    expect(await opened(admin, id)).toEqual(credential);
  });
});

describe("what a server may not be", () => {
  const refused = async (body: object) => {
    const admin = await harness();
    const answer = await admin.post("/servers", { slug: "x", url, ...body });
    const { results } = await env.DB.prepare("select id from servers where tenant_id = ?").bind(admin.tenant).all();
    expect(results).toEqual([]);
    expect(admin.announced_count).toBe(0);
    expect(answer.text).not.toContain(secret);
    return answer;
  };

  it.each([
    "http://mcp.example.com/mcp",
    "https://127.0.0.1/mcp",
    "https://localhost/mcp",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/mcp",
    "https://10.0.0.7/mcp",
    "https://user:password@mcp.example.com/mcp",
    "https://mcp.example.com/mcp#fragment",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "not a url",
  ])("SS-16: the address %s is refused", async (bad) => {
    const answer = await refused({ url: bad });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([{ path: "url", message: expect.any(String) }]);
  });

  it("SS-16: a change to a refused address is refused", async () => {
    const admin = await harness();
    const { id } = await admin.server();
    expect((await admin.patch(`/servers/${id}`, { url: "https://127.0.0.1/mcp" })).status).toBe(422);
    expect((await row(admin, id)).url).toBe(url);
  });

  it.each([
    "Host",
    "Content-Length",
    "Connection",
    "Cookie",
    "CF-Connecting-IP",
    "X-Forwarded-For",
    "Mcp-Session-Id",
    "X\r\nY",
    "X: y",
    "Ünïcode",
    "",
  ])("HD-07: the header name %j is refused", async (header) => {
    const answer = await refused({ authentication: { type: "api_key_header", header } });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0]?.path).toBe("authentication.header");
  });

  it.each(["line\r\nX-Injected: 1", "line\nbreak", "nul\0", " leading", "trailing ", "ünïcode", ""])(
    "HD-07: the header value %j is refused",
    async (value) => {
      const answer = await refused({
        authentication: { type: "api_key_header", header: "X-Key" },
        credential: { type: "api_key_header", key: value },
      });
      expect(answer.status).toBe(422);
      expect(answer.body.errors[0]?.path).toBe("credential.key");
    },
  );

  it.each([
    ["a header twice", { type: "headers", headers: ["X-A", "x-a"] }, undefined, "authentication.headers"],
    [
      "fewer values than headers",
      { type: "headers", headers: ["X-A", "X-B"] },
      { type: "headers", values: [secret] },
      "credential.values",
    ],
    ["a credential of another type", { type: "bearer" }, { type: "basic", password: secret }, "credential.type"],
    ["a credential without authentication", { type: "none" }, { type: "bearer", token: secret }, "credential"],
    [
      "a user name with a colon",
      { type: "basic", username: "a:b" },
      { type: "basic", password: secret },
      "authentication.username",
    ],
    ["an unknown type", { type: "magic" }, undefined, "authentication.type"],
    ["an unknown member of authentication", { type: "bearer", token: secret }, undefined, "authentication.token"],
    [
      "an unknown member of credential",
      { type: "bearer" },
      { type: "bearer", token: secret, extra: secret },
      "credential.extra",
    ],
  ])("HD-07: %s is refused by name", async (_name, authentication, credential, path) => {
    const answer = await refused({ authentication, credential });
    expect(answer.status).toBe(422);
    expect(answer.body.errors[0]?.path).toBe(path);
  });

  it("U3: a key in a query parameter that the address has already is refused", async () => {
    const answer = await refused({
      url: `${url}?team=1`,
      authentication: { type: "api_key_query", parameter: "team" },
      credential: { type: "api_key_query", key: secret },
    });
    expect(answer.body.errors[0]?.path).toBe("url");
  });

  it.each(["api_key", "token", "access_token", "client_secret", "Password", "sig"])(
    "AD-16: a credential in the address (%s) is refused, since addresses are shown",
    async (parameter) => {
      const answer = await refused({ url: `${url}?${parameter}=${secret}` });
      expect(answer.body.errors[0]?.path).toBe("url");
    },
  );

  it.each(["", "A", "a_b", "a__b", "-a", "a-", "a/b", "a".repeat(33), "..", "a b"])(
    "R4: the slug %j is refused",
    async (slug) => {
      expect((await refused({ slug })).body.errors[0]?.path).toBe("slug");
    },
  );
});
