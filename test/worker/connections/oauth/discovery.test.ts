import { describe, expect, it } from "vitest";
import { parseChallenge, resolveParty } from "../../../../src/connections/oauth/index.ts";
import { createUsual, createWorld, errorOf, FakeServer, resourceServer, serverOf, valueOf } from "./support.ts";

const mcp = "https://mcp.up.test";
const oauth = { type: "oauth" };

const gets = (sent: readonly { method: string; url: string }[]): string[] =>
  sent.filter(({ method }) => method === "GET").map(({ url }) => url);

it("RFC 9728: the path is inserted, and the root is not asked when it answers", async () => {
  const { base, sent, ...world } = await createUsual();
  const party = valueOf(await resolveParty(base, await serverOf({ base, sent, ...world }, oauth)));
  expect(party).toMatchObject({
    issuer: "https://as.test",
    authorization_endpoint: "https://as.test/authorize",
    token_endpoint: "https://as.test/token",
    revocation_endpoint: "https://as.test/revoke",
    resource: `${mcp}/mcp`,
    names_issuer: true,
    how: "dynamic",
  });
  expect(gets(sent)).toEqual([
    `${mcp}/.well-known/oauth-protected-resource/mcp`,
    "https://as.test/.well-known/oauth-authorization-server",
  ]);
});

it("RFC 9728: falls back to the root, whose resource is sent as published", async () => {
  const world = await createUsual();
  const at = { path: "/.well-known/oauth-protected-resource", resource: mcp };
  world.serve(mcp, resourceServer({ ...at, authorization_servers: ["https://as.test"] }));
  expect(valueOf(await resolveParty(world.base, await serverOf(world, oauth))).resource).toBe(mcp);
});

it("RFC 9728 section 5.1: the server's challenge names the place, and it is asked when nobody brings one", async () => {
  const world = await createUsual();
  const at = `${mcp}/custom/metadata.json`;
  const challenge = `Bearer resource_metadata="${at}", scope="mcp:basic"`;
  world.serve(
    mcp,
    resourceServer({ path: "/custom/metadata.json", challenge, authorization_servers: ["https://as.test"] }),
  );
  const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
  expect(party.scopes_supported).toEqual(["mcp:basic"]);
  expect(gets(world.to(mcp))).toEqual([at]);
  const [question] = world.to(mcp);
  expect(question?.headers.has("authorization")).toBe(false);
  expect(JSON.parse(question?.text ?? "")).toMatchObject({ method: "tools/list" });
});

it("RFC 9728 section 5.1: does not ask the server again for a challenge that is at hand", async () => {
  const world = await createUsual();
  const challenge = parseChallenge(new Headers({ "www-authenticate": 'Bearer scope="from-call"' }));
  const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth), challenge));
  expect(party.scopes_supported).toEqual(["from-call"]);
  expect(world.to(mcp).filter(({ method }) => method === "POST")).toEqual([]);
});

describe("RFC 8414 section 3: places of metadata by issuer", () => {
  const shapes: readonly (readonly [issuer: string, path: string, asked: readonly string[]])[] = [
    ["https://as.test", "/.well-known/oauth-authorization-server", ["/.well-known/oauth-authorization-server"]],
    [
      "https://as.test/",
      "/.well-known/openid-configuration",
      ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
    ],
    [
      "https://as.test/tenant1",
      "/.well-known/oauth-authorization-server/tenant1",
      ["/.well-known/oauth-authorization-server/tenant1"],
    ],
    [
      "https://as.test/tenant1",
      "/.well-known/openid-configuration/tenant1",
      ["/.well-known/oauth-authorization-server/tenant1", "/.well-known/openid-configuration/tenant1"],
    ],
    [
      "https://as.test/realms/a",
      "/realms/a/.well-known/openid-configuration",
      [
        "/.well-known/oauth-authorization-server/realms/a",
        "/.well-known/openid-configuration/realms/a",
        "/realms/a/.well-known/openid-configuration",
      ],
    ],
  ];
  for (const [issuer, path, asked] of shapes) {
    it(`finds ${issuer} at ${path}`, async () => {
      const world = await createWorld();
      const provider = new FakeServer(issuer);
      provider.metadataPath = path;
      world.serve(provider.origin, provider.handle);
      world.serve(mcp, resourceServer({ authorization_servers: [issuer] }));
      const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
      expect(party.issuer).toBe(issuer);
      expect(gets(world.to("https://as.test")).map((url) => new URL(url).pathname)).toEqual(asked);
    });
  }
});

describe("UP-03: metadata of another issuer", () => {
  const cases: readonly (readonly [name: string, told: unknown])[] = [
    ["another host", "https://honest.test"],
    ["another path", "https://as.test/other"],
    ["another case", "https://AS.test"],
    ["another port", "https://as.test:443"],
    ["two slashes", "https://as.test//"],
    ["none", undefined],
    ["a number", 7],
  ];
  for (const [name, issuer] of cases) {
    it(`refuses ${name}`, async () => {
      const world = await createUsual();
      world.provider.metadata = { issuer };
      const error = errorOf(await resolveParty(world.base, await serverOf(world, oauth)));
      expect(error.kind).toBe("wrong");
      expect(error.reason).toMatch(/^metadata_(?:issuer|invalid)$/);
      expect(world.provider.registrations).toEqual([]);
      expect(await world.rows()).toEqual([]);
    });
  }

  it("takes a slash at the end for the same document, and keeps the issuer as it calls itself", async () => {
    const world = await createUsual();
    world.provider.metadata = { issuer: "https://as.test/" };
    expect(valueOf(await resolveParty(world.base, await serverOf(world, oauth))).issuer).toBe("https://as.test/");
  });
});

describe("UP-07: the document speaks of another resource", () => {
  const others = [
    "https://evil.test/mcp",
    "http://mcp.up.test/mcp",
    "https://mcp.up.test:8443/mcp",
    "https://mcp.up.test/mcp/deeper",
    "https://mcp.up.test/mc",
    "https://mcp.up.test/other",
    "https://mcp.up.test.evil.test/mcp",
    "https://u@mcp.up.test/mcp",
    "https://mcp.up.test/mcp#x",
    "https://mcp.up.test/mcp?x=1",
    "/mcp",
    "",
  ];
  for (const resource of others) {
    it(`refuses ${resource === "" ? "an empty one" : resource}`, async () => {
      const world = await createUsual();
      world.serve(mcp, resourceServer({ resource, authorization_servers: ["https://as.test"] }));
      const error = errorOf(await resolveParty(world.base, await serverOf(world, oauth)));
      expect(error.reason).toMatch(/^resource_/);
      expect(world.to("https://as.test")).toEqual([]);
    });
  }

  it("takes one that an administrator set", async () => {
    const world = await createUsual();
    world.serve(mcp, resourceServer({ resource: "https://api.up.test", authorization_servers: ["https://as.test"] }));
    const server = await serverOf(world, { ...oauth, resource: "https://api.up.test" });
    expect(valueOf(await resolveParty(world.base, server)).resource).toBe("https://api.up.test");
  });
});

describe("UP-02: without metadata of the resource", () => {
  it("2025-03-26: the server's origin is the authorization server", async () => {
    const world = await createWorld();
    const provider = new FakeServer(mcp);
    provider.metadata = { authorization_endpoint: `${mcp}/oauth/authorize`, token_endpoint: `${mcp}/oauth/token` };
    world.serve(mcp, (sent) => provider.handle(sent));
    const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(party).toMatchObject({ issuer: mcp, token_endpoint: `${mcp}/oauth/token`, resource: `${mcp}/mcp` });
  });

  it("2025-03-26: and its endpoints have default names when it publishes nothing", async () => {
    const world = await createWorld();
    const provider = new FakeServer(mcp);
    provider.metadataPath = "/nowhere";
    world.serve(mcp, provider.handle);
    const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(party).toMatchObject({
      ...{ issuer: mcp, authorization_endpoint: `${mcp}/authorize`, token_endpoint: `${mcp}/token` },
      ...{ client_id: "dcr-1", client_authentication: "client_secret_basic" },
    });
  });

  it("never falls back where an issuer is configured", async () => {
    const world = await createWorld();
    const provider = new FakeServer(mcp);
    world.serve(mcp, provider.handle);
    world.serve("https://as.test", () => new Response(null, { status: 404 }));
    const server = await serverOf(world, { ...oauth, issuer: "https://as.test" });
    expect(errorOf(await resolveParty(world.base, server)).reason).toBe("metadata_missing");
    expect(provider.registrations).toEqual([]);
  });

  it("takes no page for metadata", async () => {
    const world = await createWorld();
    world.serve(mcp, () => new Response("<html>", { headers: { "content-type": "text/html" } }));
    expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth))).reason).toBe("registration_invalid");
  });

  it("does not take a failing host for one without metadata", async () => {
    const world = await createWorld();
    world.serve(mcp, () => new Response(null, { status: 503 }));
    expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth)))).toEqual({
      kind: "passing",
      reason: "resource_status",
    });
  });
});

describe("UP-12: PKCE", () => {
  for (const code_challenge_methods_supported of [undefined, [], ["plain"], null]) {
    it(`refuses a provider that offers ${JSON.stringify(code_challenge_methods_supported)}`, async () => {
      const world = await createUsual();
      world.provider.metadata = { code_challenge_methods_supported };
      expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth)))).toEqual({
        kind: "wrong",
        reason: "pkce_missing",
      });
      expect(world.provider.registrations).toEqual([]);
    });
  }
});

describe("UP-11: authorization endpoints that are no plain URL", () => {
  const endpoints = [
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/html,x",
    "$(calc)",
    "https://x.test/$(calc)",
    'https://x.test/"; calc',
    'https://x.test/";calc',
    "https://x.test/a`b`",
    "https://x.test/a b",
    "https://u:p@x.test/a",
    "https://$(calc).test/",
    "http://x.test/authorize",
    "https://x.test/a#b",
    "https://x.test/'",
    "/authorize",
  ];
  for (const authorization_endpoint of endpoints) {
    it(`refuses ${authorization_endpoint}`, async () => {
      const world = await createUsual();
      world.provider.metadata = { authorization_endpoint };
      const error = errorOf(await resolveParty(world.base, await serverOf(world, oauth)));
      expect(error).toEqual({ kind: "wrong", reason: "authorization_endpoint_not_allowed" });
      expect(world.provider.registrations).toEqual([]);
    });
  }

  it("refuses one that an administrator set, just so", async () => {
    const world = await createUsual();
    const endpoints = { authorization: 'https://x.test/";calc', token: "https://as.test/token" };
    const server = await serverOf(world, { ...oauth, endpoints, client_id: "c" });
    expect(errorOf(await resolveParty(world.base, server)).reason).toBe("endpoint_not_allowed");
  });
});

describe("several authorization servers", () => {
  it("RFC 9728 section 7.6: takes the first that may be called and publishes something", async () => {
    const world = await createUsual();
    world.serve("https://empty.test", () => new Response(null, { status: 404 }));
    const authorization_servers = ["https://10.0.0.1", "https://empty.test", "https://as.test"];
    world.serve(mcp, resourceServer({ authorization_servers }));
    expect(valueOf(await resolveParty(world.base, await serverOf(world, oauth))).issuer).toBe("https://as.test");
    expect(world.to("https://10.0.0.1")).toEqual([]);
  });

  it("UP-01: does not go on to the next while the first is out of reach", async () => {
    const world = await createUsual();
    world.serve(mcp, resourceServer({ authorization_servers: ["https://down.test", "https://as.test"] }));
    expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth)))).toEqual({
      kind: "passing",
      reason: "metadata_network_error",
    });
    expect(world.to("https://as.test")).toEqual([]);
  });

  it("looks at no more than five", async () => {
    const world = await createUsual();
    const names = Array.from({ length: 50 }, (_, at) => `https://e${at}.test`);
    for (const name of names) world.serve(name, () => new Response(null, { status: 404 }));
    world.serve(mcp, resourceServer({ authorization_servers: names }));
    expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth))).reason).toBe(
      "authorization_server_unusable",
    );
    expect(new Set(gets(world.sent).map((url) => new URL(url).host)).size).toBe(6);
  });
});

describe("SS-18: what comes back is bounded", () => {
  const bodies: readonly (readonly [name: string, body: string, reason: RegExp])[] = [
    ["a megabyte", JSON.stringify({ issuer: "https://as.test", x: "y".repeat(1_000_000) }), /^metadata_/],
    ["duplicate keys", '{"issuer":"https://as.test","issuer":"https://as.test"}', /^metadata_duplicate_key$/],
    ["no JSON", "{", /^metadata_not_json$/],
    ["an array", "[]", /^metadata_not_an_object$/],
    ["a prototype", '{"__proto__":{}}', /^metadata_prototype_key$/],
  ];
  for (const [name, body, reason] of bodies) {
    it(`refuses ${name}`, async () => {
      const world = await createUsual();
      world.serve("https://as.test", () => new Response(body, { headers: { "content-type": "application/json" } }));
      const error = errorOf(await resolveParty(world.base, await serverOf(world, oauth)));
      expect(error.kind).toBe("wrong");
      expect(error.reason).toMatch(reason);
    });
  }

  it("SS-08: follows no redirect", async () => {
    const world = await createUsual();
    world.serve("https://as.test", () => Response.redirect("https://evil.test/.well-known/x", 302));
    expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth))).reason).toBe(
      "authorization_server_unusable",
    );
    expect(world.to("https://evil.test")).toEqual([]);
  });
});
