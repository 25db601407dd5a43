import { describe, expect, it } from "vitest";
import { clientCredentials, knownParty, resolveParty, serviceParty } from "../../../../src/connections/oauth/index.ts";
import { createUsual, errorOf, FakeServer, resourceServer, serverOf, valueOf, type World } from "./support.ts";

const mcp = "https://mcp.up.test";
const canary = "canary-client-secret";
const oauth = { type: "oauth", client_id: "by-hand" };
const service = { type: "client_credentials", client_id: "robot" };
const changed = { kind: "wrong", reason: "issuer_changed" };
/** Of a connection: where the client belongs now, nobody knows it. */
const ended = { kind: "dead", reason: "issuer_changed" };

const oauthServer = (world: World, revision = 1, more = {}) =>
  serverOf(world, { ...oauth, ...more }, { revision, credential: { type: "oauth", client_secret: canary } });
const serviceServer = (world: World, revision = 1, more = {}) =>
  serverOf(
    world,
    { ...service, ...more },
    { revision, credential: { type: "client_credentials", client_secret: canary } },
  );

function swap(world: World): FakeServer {
  const evil = new FakeServer("https://evil.test");
  world.serve(evil.origin, evil.handle);
  world.serve(mcp, resourceServer({ authorization_servers: [evil.issuer] }));
  return evil;
}

const everything = (world: World): string =>
  JSON.stringify([
    world.logged,
    world.events,
    world.to("https://evil.test").map(({ url, text, headers }) => [url, text, [...headers]]),
  ]);

it("uses the client that an administrator registered, with its secret from the vault", async () => {
  const world = await createUsual();
  const party = valueOf(await resolveParty(world.base, await oauthServer(world)));
  expect(party).toMatchObject({
    ...{ client_id: "by-hand", client_authentication: "client_secret_basic", how: "configured" },
    secret: { client_secret: canary },
  });
  expect(world.provider.registrations).toEqual([]);
  expect(JSON.stringify(await world.rows())).not.toContain(canary);
});

it("chooses the method that the provider takes", async () => {
  const world = await createUsual();
  world.provider.metadata = { token_endpoint_auth_methods_supported: ["client_secret_post", "private_key_jwt"] };
  const server = await oauthServer(world);
  const party = valueOf(await resolveParty(world.base, server));
  expect(party.client_authentication).toBe("client_secret_post");
  expect(valueOf(await knownParty(world.base, server, party)).client_authentication).toBe("client_secret_post");
});

describe("UP-01, UP-05: the server names another authorization server than before", () => {
  it("refuses a new link: the secret was for the first one", async () => {
    const world = await createUsual();
    const server = await oauthServer(world);
    valueOf(await resolveParty(world.base, server));
    swap(world);
    expect(errorOf(await resolveParty(world.base, server))).toEqual(changed);
    expect(everything(world)).not.toContain(canary);
    expect(world.to("https://evil.test").every(({ method }) => method === "GET")).toBe(true);
    expect(world.events.map((event) => ("action" in event ? [event.action, event.outcome] : []))).toEqual([
      ["connection.issuer_changed", "refused"],
    ]);
    expect((await world.rows()).map(({ issuer }) => issuer)).toEqual(["https://as.test"]);
  });

  it("refuses another token endpoint of the same issuer", async () => {
    const world = await createUsual();
    const server = await oauthServer(world);
    valueOf(await resolveParty(world.base, server));
    world.provider.metadata = { token_endpoint: "https://evil.test/token" };
    expect(errorOf(await resolveParty(world.base, server))).toEqual(changed);
    expect(world.to("https://evil.test")).toEqual([]);
  });

  it("refuses client credentials: nothing is sent", async () => {
    const world = await createUsual();
    const server = await serviceServer(world);
    valueOf(await serviceParty(world.base, server));
    swap(world);
    expect(errorOf(await serviceParty(world.base, server))).toEqual(changed);
    expect(everything(world)).not.toContain(canary);
  });

  it("of two first uses at once that see different ones, lets one through", async () => {
    const world = await createUsual();
    const evil = swap(world);
    let asked = 0;
    world.serve(mcp, (sent) => {
      if (sent.method === "GET") asked += 1;
      const issuer = asked === 1 ? world.provider.issuer : evil.issuer;
      return resourceServer({ authorization_servers: [issuer] })(sent);
    });
    const server = await oauthServer(world);
    const both = await Promise.all([resolveParty(world.base, server), resolveParty(world.base, server)]);
    expect(both.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await world.rows()).toHaveLength(1);
  });

  it("still renews what was linked with the first one", async () => {
    const world = await createUsual();
    const server = await oauthServer(world);
    const held = valueOf(await resolveParty(world.base, server));
    swap(world);
    expect(valueOf(await knownParty(world.base, server, held))).toMatchObject({ issuer: "https://as.test" });
  });

  it("takes the new one when an administrator saved the server anew, and then nothing of the old", async () => {
    const world = await createUsual();
    const held = valueOf(await resolveParty(world.base, await oauthServer(world)));
    swap(world);
    const anew = await oauthServer(world, 2);
    expect(valueOf(await resolveParty(world.base, anew)).issuer).toBe("https://evil.test");
    expect(errorOf(await knownParty(world.base, anew, held))).toEqual(ended);
  });

  it("looks again before the secret of a server that was saved anew is sent to where it belonged before", async () => {
    const world = await createUsual();
    const held = valueOf(await resolveParty(world.base, await oauthServer(world)));
    swap(world);
    expect(errorOf(await knownParty(world.base, await oauthServer(world, 2), held))).toEqual(ended);
  });

  it("renews with the new secret where the authorization server is still the same", async () => {
    const world = await createUsual();
    const held = valueOf(await resolveParty(world.base, await oauthServer(world)));
    const known = valueOf(await knownParty(world.base, await oauthServer(world, 2), held));
    expect(known).toMatchObject({ issuer: held.issuer, client_id: "by-hand", secret: { client_secret: canary } });
  });

  it("refuses a connection that was made elsewhere than what is configured now", async () => {
    const world = await createUsual();
    const server = await oauthServer(world, 1, { issuer: "https://as.test" });
    const held = { issuer: "https://evil.test", token_endpoint: "https://evil.test/token", client_id: "by-hand" };
    expect(errorOf(await knownParty(world.base, server, held))).toEqual(ended);
    expect(world.to("https://evil.test")).toEqual([]);
  });

  it("keeps to the first of several that the server names, in whatever order", async () => {
    const world = await createUsual();
    const evil = swap(world);
    const server = await oauthServer(world);
    world.serve(mcp, resourceServer({ authorization_servers: ["https://as.test", evil.issuer] }));
    valueOf(await resolveParty(world.base, server));
    world.serve(mcp, resourceServer({ authorization_servers: [evil.issuer, "https://as.test"] }));
    expect(valueOf(await resolveParty(world.base, server)).issuer).toBe("https://as.test");
  });
});

describe("UP-02: a configured issuer", () => {
  it("is the only one, whatever the server names", async () => {
    const world = await createUsual();
    swap(world);
    const server = await oauthServer(world, 1, { issuer: "https://as.test" });
    expect(valueOf(await resolveParty(world.base, server)).issuer).toBe("https://as.test");
    expect(world.to("https://evil.test")).toEqual([]);
  });
});

describe("knownParty", () => {
  it("sends the resource as the server publishes it, also when only the connection is at hand", async () => {
    const world = await createUsual();
    const at = { path: "/.well-known/oauth-protected-resource", resource: mcp };
    world.serve(mcp, resourceServer({ ...at, authorization_servers: ["https://as.test"] }));
    const server = await serverOf(world, { type: "oauth" });
    const { issuer, token_endpoint, client_id } = valueOf(await resolveParty(world.base, server));
    expect(valueOf(await knownParty(world.base, server, { issuer, token_endpoint, client_id })).resource).toBe(mcp);
  });

  it("asks nobody for revoking, and keeps the endpoint of the connection", async () => {
    const world = await createUsual();
    const server = await serverOf(world, { type: "oauth" });
    const { issuer, token_endpoint, client_id } = valueOf(await resolveParty(world.base, server));
    world.sent.length = 0;
    const held = { issuer, token_endpoint, client_id, revocation_endpoint: "https://as.test/revoke" };
    const party = valueOf(await knownParty(world.base, server, held, "revoke"));
    expect(party.revocation_endpoint).toBe("https://as.test/revoke");
    expect(world.sent).toEqual([]);
  });

  it("knows its own document without a row", async () => {
    const world = await createUsual();
    const held = {
      issuer: "https://x.test",
      token_endpoint: "https://x.test/t",
      client_id: "https://a.gw.test/oauth/client.json",
    };
    const party = valueOf(
      await knownParty(world.base, await serverOf(world, { type: "oauth" }), { ...held, resource: null }),
    );
    expect(party).toMatchObject({ how: "document", client_authentication: "none", secret: {}, resource: null });
  });

  it("UP-16: is no end of the connection for a client that is gone: only what the provider says of the grant is", async () => {
    const world = await createUsual();
    const held = { issuer: "https://as.test", token_endpoint: "https://as.test/token", client_id: "old" };
    expect(errorOf(await knownParty(world.base, await oauthServer(world), held))).toEqual({
      kind: "wrong",
      reason: "client_gone",
    });
  });

  it("UP-06: never takes the registration of another server or another tenant", async () => {
    const world = await createUsual();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, { type: "oauth" })));
    const other = await serverOf(world, { type: "oauth" }, { id: "server-2" });
    expect(errorOf(await knownParty(world.base, other, held)).reason).toBe("client_gone");
    const elsewhere = await createUsual();
    expect(errorOf(await knownParty(elsewhere.base, await serverOf(elsewhere, { type: "oauth" }), held)).reason).toBe(
      "client_gone",
    );
  });

  it("VT-10: says no more than that the secret does not open", async () => {
    const world = await createUsual();
    const server = { ...(await oauthServer(world)), revision: 7 };
    expect(errorOf(await resolveParty(world.base, server))).toEqual({ kind: "wrong", reason: "vault_tamper" });
  });
});

describe("client credentials", () => {
  it("RFC 6749 section 4.4: asks a configured token endpoint without any discovery", async () => {
    const world = await createUsual();
    const server = await serviceServer(world, 1, { token_endpoint: "https://as.test/token" });
    const party = valueOf(await serviceParty(world.base, server));
    const got = valueOf(
      await clientCredentials(world.base, party, { scopes: ["a", "b"], audience: "https://api.test" }),
    );
    expect(got.tokens.access_token).toBe("at-1");
    expect(world.sent.map(({ url }) => url)).toEqual(["https://as.test/token"]);
    expect(Object.fromEntries(world.provider.tokenRequests[0]?.form ?? [])).toEqual({
      ...{ grant_type: "client_credentials", scope: "a b", audience: "https://api.test" },
      resource: `${mcp}/mcp`,
    });
  });

  it("needs no authorization endpoint and no PKCE", async () => {
    const world = await createUsual();
    world.provider.metadata = { authorization_endpoint: undefined, code_challenge_methods_supported: undefined };
    expect((await serviceParty(world.base, await serviceServer(world))).ok).toBe(true);
  });

  it("sends no resource where an administrator says so", async () => {
    const world = await createUsual();
    const party = valueOf(await serviceParty(world.base, await serviceServer(world, 1, { resource: null })));
    valueOf(await clientCredentials(world.base, party, {}));
    expect(world.provider.tokenRequests[0]?.form.has("resource")).toBe(false);
  });
});
