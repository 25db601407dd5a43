/** App and agent authentication of a server in the admin API: what fits together, what is kept, and what is missing. */
import { describe, expect, it } from "vitest";
import { harness } from "./harness.ts";
import { headerSecrets, member, privateKey, refused, secret, url } from "./servers-support.ts";

const endpoints = { authorization: "https://as.example.com/a", token: "https://as.example.com/t" };
const clientCredentials = { type: "client_credentials", token_endpoint: endpoints.token, client_id: "svc" };
const oauth = { type: "oauth", client_id: "c", client_authentication: "client_secret_basic" };
const machine = { agent_authentication: { type: "machine" } };
const passthrough = { type: "passthrough" };
const tokenClient = { token_endpoint: endpoints.token, client_id: "c" };

describe("members that do not fit", () => {
  const cases: readonly (readonly [title: string, body: object, path: string])[] = [
    [
      "A6: passthrough for callers whose own credential is kept out",
      { authentication: passthrough },
      "authentication.type",
    ],
    [
      "A6: a credential for passthrough",
      { authentication: passthrough, agent_authentication: passthrough, credential: { type: "bearer", token: secret } },
      "credential",
    ],
    ["A9: OAuth for machines", { authentication: { type: "oauth" }, ...machine }, "authentication.type"],
    [
      "A9: people's own keys for machines",
      { authentication: { type: "bearer", holder: "user" }, ...machine },
      "authentication.holder",
    ],
    [
      "A9: the caller's token for machines",
      { outbound_headers: [{ source: "caller_token", name: "X-A" }], ...machine },
      "outbound_headers.0.source",
    ],
    [
      "A9: on behalf of nobody",
      { outbound_headers: [{ source: "on_behalf_of", name: "X-A", ...tokenClient }], ...machine },
      "outbound_headers.0.source",
    ],
    [
      "A9: the identity of a person for machines",
      { outbound_headers: [{ source: "caller_identity", name: "X-A", value: "id" }], ...machine },
      "outbound_headers.0.source",
    ],
    [
      "U5: basic of the organisation without user name",
      { authentication: { type: "basic" } },
      "authentication.username",
    ],
    [
      "U3: a secret of the organisation where people give theirs",
      { authentication: { type: "bearer", holder: "user" }, credential: { type: "bearer", token: secret } },
      "credential",
    ],
    ["U1: endpoints without a client", { authentication: { type: "oauth", endpoints } }, "authentication.client_id"],
    [
      "U1: a client authentication without a client",
      { authentication: { type: "oauth", client_authentication: "client_secret_post" } },
      "authentication.client_id",
    ],
    [
      "U1: a secret without a client",
      { authentication: { type: "oauth" }, credential: { type: "oauth", client_secret: secret } },
      "credential",
    ],
    [
      "U1: a parameter of our own",
      { authentication: { ...oauth, parameters: { redirect_uri: "https://evil.example/" } } },
      "authentication.parameters.redirect_uri",
    ],
    [
      "U1: a secret for a public client",
      {
        authentication: { ...oauth, client_authentication: "none" },
        credential: { type: "oauth", client_secret: secret },
      },
      "credential",
    ],
    [
      "U1: a key where a secret is due",
      { authentication: oauth, credential: { type: "oauth", private_key: secret, algorithm: "ES256" } },
      "credential.private_key",
    ],
    [
      "U2: a secret where a key is due",
      {
        authentication: { ...clientCredentials, client_authentication: "private_key_jwt" },
        credential: { type: "client_credentials", client_secret: secret },
      },
      "credential.private_key",
    ],
    [
      "U2: a key without algorithm",
      {
        authentication: { ...clientCredentials, client_authentication: "private_key_jwt" },
        credential: { type: "client_credentials", private_key: secret },
      },
      "credential.algorithm",
    ],
    [
      "U2: a key that is none",
      {
        authentication: { ...clientCredentials, client_authentication: "private_key_jwt" },
        credential: { type: "client_credentials", private_key: secret, algorithm: "ES256" },
      },
      "credential.private_key",
    ],
    [
      "U2: a secret and a key",
      {
        authentication: clientCredentials,
        credential: { type: "client_credentials", client_secret: secret, private_key: "x", algorithm: "ES256" },
      },
      "credential",
    ],
    ["U2: neither", { authentication: clientCredentials, credential: { type: "client_credentials" } }, "credential"],
    [
      "U2: issuer and token endpoint",
      { authentication: { ...clientCredentials, issuer: "https://as.example.com" } },
      "authentication.token_endpoint",
    ],
    [
      "U2: no authentication of the client",
      { authentication: { ...clientCredentials, client_authentication: "none" } },
      "authentication.client_authentication",
    ],
    [
      "A7: neither a URL of keys nor keys",
      { agent_authentication: { ...passthrough, jwt: {} } },
      "agent_authentication.jwt",
    ],
    [
      "A7: a pasted key with its private part",
      { agent_authentication: { ...passthrough, jwt: { jwks: { keys: [{ kty: "EC", d: secret }] } } } },
      "agent_authentication.jwt.jwks.keys.0",
    ],
    [
      "A7: a pasted symmetric key",
      { agent_authentication: { ...passthrough, jwt: { jwks: { keys: [{ kty: "oct", k: secret }] } } } },
      "agent_authentication.jwt.jwks.keys.0",
    ],
    ["A8: a header that never goes on", { inbound_headers: { forward: ["cookie"] } }, "inbound_headers.forward"],
  ];

  it.each(cases)("%s", async (_title, body, path) => {
    const answer = await refused(body);
    expect(answer).toMatchObject({ status: 422, path });
    expect(answer.message).not.toBe("");
  });
});

describe("each kind is stored", () => {
  const kinds: readonly (readonly [string, object])[] = [
    ["U1", { authentication: { type: "oauth" } }],
    ["U1", { authentication: { ...oauth, endpoints, scopes: ["a"], parameters: { access_type: "offline" } } }],
    ["U2", { authentication: clientCredentials }],
    ["U3", { authentication: { type: "api_key_query", parameter: "k", holder: "user", hint: "Settings" } }],
    ["U5", { authentication: { type: "basic", holder: "user" } }],
    ["U6", { authentication: passthrough, agent_authentication: passthrough }],
    [
      "A7",
      { agent_authentication: { ...passthrough, jwt: { jwks_url: "https://as.example.com/keys", audience: "x" } } },
    ],
    ["A8", { inbound_headers: { forward: ["x-app-*"], restrict: ["x-internal-*"] } }],
  ];

  it.each(kinds)("%s: %o", async (_id, body) => {
    const admin = await harness();
    const made = await admin.post("/servers", { slug: "x", url, ...body });
    expect(made.status).toBe(201);
    expect(JSON.parse(made.text)).toMatchObject(body);
    expect((await admin.get(`/servers/${made.body.id}`)).text).toBe(made.text);
    expect((await admin.get("/servers")).body.items).toEqual([made.body]);
  });

  it("U2: a private key is stored sealed", async () => {
    const admin = await harness();
    const authentication = { ...clientCredentials, client_authentication: "private_key_jwt" };
    const private_key = await privateKey();
    const credential = { type: "client_credentials", private_key, algorithm: "ES256", key_id: "k1" };
    const made = await admin.post("/servers", { slug: "x", url, authentication, credential });
    expect(made.body).toMatchObject({ credential: { set: true }, ready: true });
    expect(made.text).not.toContain("PRIVATE");
  });
});

describe("what is missing", () => {
  it.each([
    ["U1: the secret of a client that has one", { authentication: oauth }, "Authentication oauth"],
    ["U2: the secret of a service", { authentication: clientCredentials }, "Authentication client_credentials"],
    ["U7: the value of a custom header", { outbound_headers: [{ source: "custom", name: "X-A" }] }, "Header X-A"],
    [
      "U7: the secret of a service token",
      { outbound_headers: [{ source: "service_token", name: "X-A", ...tokenClient }] },
      "Header X-A",
    ],
  ])("%s", async (_title, body, detail) => {
    const server = await (await harness()).server(body);
    expect(server).toMatchObject({ ready: false, ready_detail: expect.stringContaining(detail) });
  });

  it.each([
    ["U1: nothing where the client registers itself", { authentication: { type: "oauth" } }],
    ["U1: nothing where the client is public", { authentication: { ...oauth, client_authentication: "none" } }],
    ["U3: nothing where people give theirs", { authentication: { type: "bearer", holder: "user" } }],
    ["U6: nothing where the caller brings it", { authentication: passthrough, agent_authentication: passthrough }],
    ["U7: nothing for headers without secret", { outbound_headers: [{ source: "caller_assertion", name: "X-A" }] }],
  ])("%s", async (_title, body) => {
    expect(await (await harness()).server(body)).toMatchObject({ ready: true });
  });
});

describe("U8: a change", () => {
  const kept = { type: "client_credentials", client_secret: secret };

  it.each([
    ["the token endpoint", { ...clientCredentials, token_endpoint: "https://evil.example.net/t" }],
    [
      "an issuer in place of the endpoint",
      { type: "client_credentials", client_id: "svc", issuer: "https://evil.example.net" },
    ],
    ["another client", { ...clientCredentials, client_id: "other" }],
    ["a key in place of the secret", { ...clientCredentials, client_authentication: "private_key_jwt" }],
  ])("UP-05: %s drops the client secret", async (_title, authentication) => {
    const admin = await harness();
    const { id } = await admin.server({ authentication: clientCredentials, credential: kept });
    const { body } = await admin.patch(`/servers/${id}`, { authentication });
    expect(body).toMatchObject({ credential: { set: false }, ready: false });
    expect(body.warnings).toEqual([expect.stringContaining("dropped")]);
  });

  it.each([
    ["other scopes", { ...clientCredentials, scopes: ["x"] }],
    ["the secret in the body", { ...clientCredentials, client_authentication: "client_secret_post" }],
  ])("U8: %s keep the client secret", async (_title, authentication) => {
    const admin = await harness();
    const { id } = await admin.server({ authentication: clientCredentials, credential: kept });
    const { body } = await admin.patch(`/servers/${id}`, { authentication });
    expect(body).toMatchObject({ credential: { set: true }, ready: true });
  });

  it.each([
    ["U1: the issuer", { ...oauth, issuer: "https://evil.example.net" }],
    ["U1: the endpoints", { ...oauth, endpoints: { ...endpoints, token: "https://evil.example.net/t" } }],
  ])(
    "UP-01: %s drops the client secret, and says that accounts must be connected again",
    async (_title, authentication) => {
      const admin = await harness();
      const { id } = await admin.server({
        authentication: oauth,
        credential: { type: "oauth", client_secret: secret },
      });
      const { body } = await admin.patch(`/servers/${id}`, { authentication });
      expect(body.credential.set).toBe(false);
      expect(body.warnings).toEqual([
        expect.stringContaining("dropped"),
        expect.stringContaining("connect theirs again"),
      ]);
    },
  );

  it("U14: what people's accounts do not depend on warns of nothing", async () => {
    const admin = await harness();
    const authentication = { type: "bearer", holder: "user" };
    const { id } = await admin.server({ authentication });
    const { body } = await admin.patch(`/servers/${id}`, {
      name: "New",
      authentication: { ...authentication, hint: "Where" },
    });
    expect(body.warnings).toBeUndefined();
  });

  it("U8: from the organisation's to each person's drops the key", async () => {
    const admin = await harness();
    const { id } = await admin.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    const { body } = await admin.patch(`/servers/${id}`, { authentication: { type: "bearer", holder: "user" } });
    expect(body).toMatchObject({ credential: { set: false }, ready: true });
    expect(body.warnings).toEqual([expect.stringMatching(/dropped: from now on each person connects their own/)]);
    expect(body.warnings.join(" ")).not.toContain('"credential"');
  });

  it("SS-16: what was allowed once does not stand in the way of disabling", async () => {
    const admin = await harness();
    const { id } = await admin.server({ authentication: clientCredentials });
    const stricter = admin.as({ checkUrl: () => ({ ok: false, error: { code: "not_allowed_upstream" } }) });
    expect((await stricter.patch(`/servers/${id}`, { enabled: false })).status).toBe(200);
    expect((await stricter.patch(`/servers/${id}`, { authentication: clientCredentials })).status).toBe(422);
  });
});

describe("U7: secrets of headers", () => {
  const custom = { source: "custom", name: "X-Custom" };
  const service = { source: "service_token", name: "X-Service", ...tokenClient };
  const both = {
    outbound_headers: [custom, service],
    header_secrets: { x_custom: { value: `v-${secret}` }, "X-Service": { client_secret: secret } },
  };

  it("U7: are stored sealed, and shown as set", async () => {
    const admin = await harness();
    const made = await admin.post("/servers", { slug: "x", url, ...both });
    expect(made.body.ready).toBe(true);
    expect(member(made, "header_secrets")).toEqual({ "X-Custom": { set: true }, "X-Service": { set: true } });
    expect(await headerSecrets(admin, made.body.id)).toEqual({
      "x-custom": { value: `v-${secret}` },
      "x-service": { client_secret: secret },
    });
    const answers = [made, await admin.get(`/servers/${made.body.id}`), await admin.get("/servers")];
    expect(answers.map(({ text }) => text).join("") + JSON.stringify(admin.events)).not.toContain(secret);
  });

  it("U7: those that are not named stay, and null removes one", async () => {
    const admin = await harness();
    const { id } = await admin.server(both);
    const changed = await admin.patch(`/servers/${id}`, { header_secrets: { "X-Custom": null } });
    expect(member(changed, "header_secrets")).toEqual({ "X-Custom": { set: false }, "X-Service": { set: true } });
    expect(changed.body.warnings).toBeUndefined();
    expect(await headerSecrets(admin, id)).toEqual({ "x-service": { client_secret: secret } });
  });

  it("U11: a change of the credential leaves them, and they still open", async () => {
    const admin = await harness();
    const { id } = await admin.server(both);
    await admin.patch(`/servers/${id}`, {
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    expect(await headerSecrets(admin, id)).toMatchObject({ "x-custom": { value: `v-${secret}` } });
  });

  it.each([
    [
      "another token endpoint",
      { outbound_headers: [custom, { ...service, token_endpoint: "https://evil.example.net/t" }] },
      ["x-custom"],
    ],
    ["another client", { outbound_headers: [custom, { ...service, client_id: "other" }] }, ["x-custom"]],
    ["another recipe of that name", { outbound_headers: [custom, { ...custom, name: "X-Service" }] }, ["x-custom"]],
    ["another name", { outbound_headers: [{ ...custom, name: "X-Log" }, service] }, ["x-service"]],
    ["another address", { url: "https://evil.example.net/mcp" }, []],
    ["no headers", { outbound_headers: [] }, []],
  ])("AD-17: %s drops the secret that was given for the former", async (_title, change, names) => {
    const admin = await harness();
    const { id } = await admin.server(both);
    expect((await admin.patch(`/servers/${id}`, change)).status).toBe(200);
    expect(Object.keys((await headerSecrets(admin, id)) ?? {})).toEqual(names);
  });

  it("AD-17: what was dropped is said, and recorded", async () => {
    const admin = await harness();
    const { id } = await admin.server(both);
    const { body } = await admin.patch(`/servers/${id}`, { url: "https://evil.example.net/mcp" });
    expect(body.warnings).toEqual([expect.stringContaining("X-Custom"), expect.stringContaining("X-Service")]);
    expect(admin.events.at(-1)?.fields).toContain("header_secrets");
  });

  it.each([
    ["HD-06: a name twice", { outbound_headers: [custom, { ...custom, name: "x_custom" }] }, "outbound_headers.1.name"],
    [
      "HD-06: the name of app authentication",
      { authentication: { type: "api_key_header", header: "x-custom" }, outbound_headers: [custom] },
      "outbound_headers.0.name",
    ],
    [
      "HD-06: Authorization beside a bearer token",
      { authentication: { type: "bearer" }, outbound_headers: [{ ...custom, name: "Authorization" }] },
      "outbound_headers.0.name",
    ],
    [
      "HD-06: Authorization beside the caller's own",
      {
        authentication: passthrough,
        agent_authentication: passthrough,
        outbound_headers: [{ ...custom, name: "Authorization" }],
      },
      "outbound_headers.0.name",
    ],
    ["U7: a secret without a header", { header_secrets: { "X-A": { value: secret } } }, "header_secrets.X-A"],
    [
      "U7: a secret for a header that takes none",
      {
        outbound_headers: [{ source: "caller_identity", name: "X-A", value: "id" }],
        header_secrets: { "X-A": { value: secret } },
      },
      "header_secrets.X-A",
    ],
    [
      "U7: a client secret for a custom header",
      { outbound_headers: [custom], header_secrets: { "X-Custom": { client_secret: secret } } },
      "header_secrets.X-Custom.value",
    ],
    [
      "U7: a value for a service token",
      { outbound_headers: [service], header_secrets: { "X-Service": { value: secret } } },
      "header_secrets.X-Service.value",
    ],
    [
      "U7: a secret twice",
      { ...both, header_secrets: { "X-Custom": { value: "a" }, x_custom: { value: "b" } } },
      "header_secrets.x_custom",
    ],
    [
      "HD-09: an unknown placeholder",
      { outbound_headers: [custom], header_secrets: { "X-Custom": { value: `{{secret}}${secret}` } } },
      "header_secrets.X-Custom.value",
    ],
    [
      "HD-09: a placeholder with spaces",
      { outbound_headers: [custom], header_secrets: { "X-Custom": { value: "{{ user.id }}" } } },
      "header_secrets.X-Custom.value",
    ],
    [
      "HD-09: braces that do not match",
      { outbound_headers: [custom], header_secrets: { "X-Custom": { value: "{{user.id}" } } },
      "header_secrets.X-Custom.value",
    ],
    [
      "A9: the user's name for machines",
      { ...machine, outbound_headers: [custom], header_secrets: { "X-Custom": { value: "{{user.id}}" } } },
      "header_secrets.X-Custom.value",
    ],
    [
      "HD-07: a line break in a value",
      { outbound_headers: [custom], header_secrets: { "X-Custom": { value: "a\r\nX: 1" } } },
      "header_secrets.X-Custom.value",
    ],
    [
      "HD-07: a line break in a prefix",
      { outbound_headers: [{ ...custom, prefix: "a\r\nX: 1" }] },
      "outbound_headers.0.prefix",
    ],
    [
      "U7: a stored credential that is not there",
      {
        outbound_headers: [
          { source: "stored_credential", name: "X-A", credential_id: "01a1fdfa-4600-7000-8000-000000000001" },
        ],
      },
      "outbound_headers.0.credential_id",
    ],
  ])("%s is refused", async (_title, body, path) => {
    expect(await refused(body)).toMatchObject({ status: 422, path });
  });

  it.each([
    ...[
      "Host",
      "Content-Length",
      "Connection",
      "Cookie",
      "Cookie2",
      "CF-Connecting-IP",
      "X-Forwarded-For",
      "X_Forwarded_For",
    ],
    ...[
      "Transfer-Encoding",
      "Mcp-Session-Id",
      "Via",
      "Origin",
      "Proxy-Authorization",
      "True-Client-IP",
      "X-Gatehouse-Token",
    ],
    ...["X\r\nY", "X: y", "Ünïcode", ""],
  ])("HD-07: the header name %j is refused", async (name) => {
    expect(await refused({ outbound_headers: [{ ...custom, name }] })).toMatchObject({
      status: 422,
      path: "outbound_headers.0.name",
    });
  });

  it("U7: a stored credential of people is not for machines", async () => {
    const admin = await harness();
    const kept = await admin.post("/credentials", { name: "Key", holder: "user", hint: "" });
    const header = { source: "stored_credential", name: "X-A", credential_id: kept.body.id };
    const answer = await admin.post("/servers", { slug: "x", url, outbound_headers: [header], ...machine });
    expect(answer.body.errors[0]?.path).toBe("outbound_headers.0.credential_id");
    expect((await admin.post("/servers", { slug: "x", url, outbound_headers: [header] })).status).toBe(201);
  });
});
