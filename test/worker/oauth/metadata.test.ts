import { beforeAll, describe, expect, it } from "vitest";
import { createHarness, setUp, type Harness } from "../gateway/support.ts";
import { createGrantWorld, origin, type GrantWorld } from "./grant-world.ts";

let world: GrantWorld;

beforeAll(async () => {
  world = await createGrantWorld();
});

const read = async (path: string, harness: Harness = world.harness): Promise<Record<string, unknown>> => {
  const response = await harness.fetch(`${origin}${path}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
  return response.json();
};

describe("the metadata of the authorization server", () => {
  it("RFC 8414 section 2: names this origin and its endpoints, and what clients must find", async () => {
    expect(await read("/.well-known/oauth-authorization-server")).toMatchObject({
      issuer: origin,
      authorization_endpoint: `${origin}/oauth/authorize`,
      token_endpoint: `${origin}/oauth/token`,
      revocation_endpoint: `${origin}/oauth/revoke`,
      registration_endpoint: `${origin}/oauth/register`,
      jwks_uri: `${origin}/oauth/jwks.json`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
      scopes_supported: ["mcp", "offline_access"],
    });
  });

  it("OpenID Connect Discovery section 3: is the same under its name, with what that requires", async () => {
    const document = await read("/.well-known/openid-configuration");
    expect(document).toEqual(await read("/.well-known/oauth-authorization-server"));
    expect(document).toMatchObject({
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    });
  });

  it("RFC 8414 section 2: offers no symmetric algorithm and not none", async () => {
    const document = await read("/.well-known/oauth-authorization-server");
    const algorithms = document["token_endpoint_auth_signing_alg_values_supported"] as string[];
    expect(algorithms.length).toBeGreaterThan(0);
    expect(algorithms.filter((algorithm) => /^(?:HS|none)/i.test(algorithm))).toEqual([]);
  });

  it.each([
    "https://evil.test",
    "https://a.gw.test:8443",
    "https://a.gw.test.",
    "http://a.gw.test",
    "https://x@a.gw.test",
  ])("AS-28: at %s there is none", async (elsewhere) => {
    for (const name of ["oauth-authorization-server", "openid-configuration"]) {
      const response = await world.harness.fetch(`${elsewhere}/.well-known/${name}`, { redirect: "manual" });
      expect([response.status, await response.text()]).toEqual([404, expect.not.stringContaining("evil.test")]);
    }
  });

  it("AS-28: names this origin whatever the headers of proxies say", async () => {
    const headers = { "x-forwarded-host": "evil.test", forwarded: "host=evil.test", "x-forwarded-proto": "http" };
    const response = await world.harness.fetch(`${origin}/.well-known/oauth-authorization-server`, { headers });
    expect(await response.json()).toMatchObject({ issuer: origin });
  });

  it("A5: does not offer registration where the tenant switched it off", async () => {
    const own = await createGrantWorld();
    const registration = { documents: "off", document_domains: [], document_loopback: true, dynamic: false };
    const changed = await own.admin.api("PATCH", "/settings", { registration }, { "if-match": "*" });
    expect(changed.status).toBe(200);
    const document = await read("/.well-known/oauth-authorization-server", own.harness);
    expect(["registration_endpoint" in document, document["client_id_metadata_document_supported"]]).toEqual([
      false,
      false,
    ]);
  });
});

describe("the metadata of a protected resource", () => {
  it.each([
    ["", "/mcp"],
    ["/mcp", "/mcp"],
    ["/mcp/up", "/mcp/up"],
    ["/mcp/nope", "/mcp/nope"],
  ])("RS-10: at %j names %s and this authorization server", async (path, resource) => {
    expect(await read(`/.well-known/oauth-protected-resource${path}`)).toEqual({
      resource: `${origin}${resource}`,
      authorization_servers: [origin],
      scopes_supported: ["mcp"],
      bearer_methods_supported: ["header"],
      resource_name: "Gatehouse",
    });
  });

  it("D1: names no authorization server in development mode, and there is none", async () => {
    const harness = createHarness({ bindings: { GATEHOUSE_MODE: "development" } });
    const base = "http://localhost:8911/.well-known";
    const document = await (await harness.fetch(`${base}/oauth-protected-resource/mcp`)).json();
    expect(document).not.toHaveProperty("authorization_servers");
    expect((await harness.fetch(`${base}/oauth-authorization-server`)).status).toBe(404);
  });
});

describe("a tenant of its own", () => {
  it("TN: has its own issuer and keys", async () => {
    await setUp(world.harness, "https://b.gw.test");
    const other = await world.harness.fetch("https://b.gw.test/.well-known/oauth-authorization-server");
    expect(await other.json()).toMatchObject({ issuer: "https://b.gw.test" });
    const keys = await (await world.harness.fetch("https://b.gw.test/oauth/jwks.json")).json();
    expect(keys).not.toEqual(await read("/oauth/jwks.json"));
  });
});
