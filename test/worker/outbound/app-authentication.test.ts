/** How Gatehouse proves itself to a server: each kind of app authentication, and for whom. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Credential } from "../../../src/registry/index.ts";
import { authenticationFor } from "../../../src/outbound/index.ts";
import { serverCredentialBinding } from "../../../src/vault/index.ts";
import { refusedUrls } from "../egress/refused-urls.ts";
import { createWorld, onWire, refusalOf, tokenAnswer, type World } from "./support.ts";

let world: World;

beforeEach(async () => {
  world = await createWorld();
});

const key = "canary-key";

/** Kind, what is stored for the organisation, what a person pastes, and what is on the wire. */
const keyed: readonly (readonly [string, object, Credential, { username?: string }, Record<string, string>])[] = [
  ["U4 bearer", { type: "bearer" }, { type: "bearer", token: key }, {}, { authorization: `Bearer ${key}` }],
  [
    "U5 basic",
    { type: "basic", username: "häns" },
    { type: "basic", password: key },
    { username: "häns" },
    { authorization: `Basic ${new TextEncoder().encode(`häns:${key}`).toBase64()}` },
  ],
  [
    "U3 api_key_header",
    { type: "api_key_header", header: "X-Api-Key" },
    { type: "api_key_header", key },
    {},
    { "x-api-key": key },
  ],
  ["U3 api_key_query", { type: "api_key_query", parameter: "k" }, { type: "api_key_query", key }, {}, { "?k": key }],
];

describe("a credential of the organisation", () => {
  it.each(keyed)("%s: is added for everybody", async (_title, authentication, credential, _pasted, wire) => {
    const server = await world.server({ authentication, credential });
    expect(await world.wire(server)).toEqual(wire);
    expect(await world.wire(server, { user: await world.person() })).toEqual(wire);
  });

  it("U3: several fixed headers", async () => {
    const authentication = { type: "headers", headers: ["X-One", "X-Two"] };
    const server = await world.server({ authentication, credential: { type: "headers", values: ["a", "b"] } });
    expect(await world.wire(server)).toEqual({ "x-one": "a", "x-two": "b" });
  });

  it.each(keyed)("VT-16: %s: is not added for who may not use it", async (_title, authentication, credential) => {
    const server = await world.server({ authentication, credential });
    const refused = await world.refusal(server, { mayUseOrganisation: false });
    expect(refused).toMatchObject({ code: "upstream_credential", reason: "organisation_not_allowed" });
    expect(JSON.stringify(refused)).not.toContain(key);
  });

  it.each(keyed)("U4: %s: without it nothing is sent", async (_title, authentication) => {
    const server = await world.server({ authentication });
    expect(await world.refusal(server)).toMatchObject({ code: "upstream_credential", reason: "credential_missing" });
  });

  it("U8: one of another kind is not sent", async () => {
    const credential = { type: "basic", password: key } as const;
    const server = await world.server({ authentication: { type: "bearer" }, credential });
    expect(await world.refusal(server)).toMatchObject({ reason: "credential_mismatch" });
  });

  it("VT-03: one that 0.1.0 sealed, which did not say what it was for, is not sent", async () => {
    const server = await world.server({ authentication: { type: "bearer" } });
    const binding = serverCredentialBinding(world.tenant, server.id, server.revision);
    const credential = await world.vault.seal(binding, JSON.stringify({ type: "bearer", token: key }));
    expect(await world.refusal({ ...server, credential })).toMatchObject({ reason: "credential_mismatch" });
  });

  it("U12: is kept in memory for a minute at most", async () => {
    const server = await world.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: key },
    });
    const context = await world.context();
    const opened: string[] = [];
    const counting = {
      ...context,
      vault: {
        ...context.vault,
        open: (...asked: Parameters<typeof context.vault.open>) => (
          opened.push(asked[1]),
          context.vault.open(...asked)
        ),
      },
    };
    for (const later_ms of [0, limits.credentialCache_ms - 1, 1]) {
      world.clock.advance(later_ms);
      onWire(await authenticationFor(counting, server));
    }
    expect(opened).toHaveLength(2);
  });

  it("U11: the switch that seals the vault holds before what is in memory", async () => {
    const server = await world.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: key },
    });
    const context = await world.context();
    onWire(await authenticationFor(context, server));
    const { snapshot } = context;
    const sealed = { ...context, snapshot: { ...snapshot, settings: { ...snapshot.settings, vault_sealed: true } } };
    expect(refusalOf(await authenticationFor(sealed, server))).toMatchObject({ code: "vault_sealed" });
  });
});

describe("a credential of each person", () => {
  it.each(keyed)("U10: %s: two people have two keys", async (_title, kind, _credential, pasted, wire) => {
    const server = await world.server({ authentication: { ...kind, holder: "user" } });
    const [alice, bob] = [await world.person(), await world.person()];
    await world.paste(alice, server, key, pasted);
    await world.paste(bob, server, "other-key", pasted);
    expect(await world.wire(server, { user: alice })).toEqual(wire);
    expect(JSON.stringify(await world.wire(server, { user: bob }))).not.toContain(key);
    expect(await world.wire(server, { user: bob })).not.toEqual(wire);
  });

  it.each(keyed)("U9: %s: who has none is asked to connect", async (_title, kind) => {
    const server = await world.server({ authentication: { ...kind, holder: "user" } });
    const alice = await world.person();
    await world.paste(alice, server, key);
    const refused = await world.refusal(server, { user: await world.person() });
    expect(refused).toMatchObject({ code: "link_needed", reason: "not_linked", data: { account: "default" } });
  });

  it.each(keyed)("U10: %s: a client that calls for nobody gets nobody's", async (_title, kind) => {
    const server = await world.server({ authentication: { ...kind, holder: "user" } });
    await world.paste(await world.person(), server, key);
    const refused = await world.refusal(server);
    expect(refused).toMatchObject({ code: "upstream_credential", reason: "no_person" });
    expect(refused.detail).toContain("signs people in");
  });

  it("U10: of several accounts the chosen one is used, from the next call on", async () => {
    const server = await world.server({ authentication: { type: "bearer", holder: "user" } });
    const alice = await world.person();
    await world.paste(alice, server, "home", { account: "home" });
    await world.paste(alice, server, "work", { account: "work" });
    expect(await world.wire(server, { user: alice })).toEqual({ authorization: "Bearer home" });
    await world.store.setDefault({ user_id: alice.id, target: server.id, account: "work" });
    expect(await world.wire(server, { user: alice })).toEqual({ authorization: "Bearer work" });
  });

  it("U8: one that was given for another address is not sent there", async () => {
    const server = await world.server({ authentication: { type: "bearer", holder: "user" } });
    const alice = await world.person();
    await world.paste(alice, server, key);
    const refused = await world.refusal({ ...server, url: "https://evil.test/mcp" }, { user: alice });
    expect(refused).toMatchObject({ code: "link_needed", reason: "needs_update" });
  });

  it("HD-02: a key that would break the line is not sent", async () => {
    const server = await world.server({ authentication: { type: "api_key_header", header: "X-Key", holder: "user" } });
    const alice = await world.person();
    await world.paste(alice, server, `${key}\r\nX-Admin: 1`);
    const refused = await world.refusal(server, { user: alice });
    expect(refused).toMatchObject({ code: "upstream_credential", reason: "credential_unfit" });
    expect(JSON.stringify(refused)).not.toContain(key);
  });

  it("U9: one that is tried before it is stored is sent in place of the stored one", async () => {
    const server = await world.server({ authentication: { type: "bearer", holder: "user" } });
    const user = await world.person();
    const context = { ...(await world.context({ user })), trial: { kind: "secret" as const, value: "tried" } };
    expect(onWire(await authenticationFor(context, server))).toEqual({ authorization: "Bearer tried" });
  });
});

describe("OAuth", () => {
  const endpoints = { authorization: "https://as.test/authorize", token: "https://as.test/token" };
  const oauth = {
    type: "oauth",
    endpoints,
    issuer: "https://as.test",
    client_id: "gatehouse",
    client_authentication: "none",
  };

  it("U1: the person's token is added", async () => {
    const server = await world.server({ authentication: oauth });
    const user = await world.person();
    await world.link(user, server, { access_token: "of-alice" });
    expect(await world.wire(server, { user })).toEqual({ authorization: "Bearer of-alice" });
  });

  it("U13: a token that ends is renewed once, and the rotated refresh token is kept", async () => {
    const server = await world.server({ authentication: oauth });
    const user = await world.person();
    await world.link(user, server, { refresh_token: "r1", expires_at: world.clock.now() - 1 });
    world.serve("https://as.test/token", ({ form }) =>
      tokenAnswer(`after-${form["refresh_token"]}`, { refresh_token: "r2", expires_in: 60 }),
    );
    expect(await world.wire(server, { user })).toEqual({ authorization: "Bearer after-r1" });
    world.clock.advance(59_999);
    expect(await world.wire(server, { user })).toEqual({ authorization: "Bearer after-r2" });
  });

  it("U14: what its provider calls dead needs the person", async () => {
    const server = await world.server({ authentication: oauth });
    const user = await world.person();
    await world.link(user, server, { refresh_token: "canary-refresh", expires_at: world.clock.now() - 1 });
    world.serve("https://as.test/token", () => Response.json({ error: "invalid_grant" }, { status: 400 }));
    const refused = await world.refusal(server, { user });
    expect(refused).toMatchObject({ code: "link_needed", reason: "needs_reauth" });
    expect(JSON.stringify([refused, world.logged, world.events])).not.toContain("canary-refresh");
  });

  it("U13: a provider that is down leaves the connection as it is", async () => {
    const server = await world.server({ authentication: oauth });
    const user = await world.person();
    await world.link(user, server, { refresh_token: "r1", expires_at: world.clock.now() - 1 });
    const refused = await world.refusal(server, { user });
    expect(refused).toMatchObject({ code: "upstream_credential" });
    expect(refused.detail).toContain("try again later");
    expect((await world.store.facts(user.id))[0]?.state).toBe("linked");
  });

  it("U9: a client that calls for nobody gets a sentence on what to do", async () => {
    expect(await world.refusal(await world.server({ authentication: oauth }))).toMatchObject({ reason: "no_person" });
  });
});

describe("client credentials", () => {
  const endpoint = "https://as.test/token";
  const authentication = { type: "client_credentials", token_endpoint: endpoint, client_id: "svc", scopes: ["a", "b"] };
  const credential = { type: "client_credentials", client_secret: "canary-secret" } as const;

  it("U2: one token serves everybody until it ends", async () => {
    const server = await world.server({ authentication, credential });
    world.serve(endpoint, () => tokenAnswer("service-1"));
    expect(await world.wire(server)).toEqual({ authorization: "Bearer service-1" });
    expect(await world.wire(server, { user: await world.person() })).toEqual({ authorization: "Bearer service-1" });
    expect(world.requests).toHaveLength(1);
    expect(world.requests[0]).toMatchObject({
      authorization: `Basic ${btoa("svc:canary-secret")}`,
      form: { grant_type: "client_credentials", scope: "a b", resource: "https://up.test/mcp" },
    });
  });

  it("U8: other scopes are another token", async () => {
    const server = await world.server({ authentication, credential });
    world.serve(endpoint, ({ form }) => tokenAnswer(`for-${form["scope"]?.replace(" ", "-")}`));
    await world.wire(server);
    const other = { ...server, authentication: { ...server.authentication, scopes: ["c"] } } as typeof server;
    expect(await world.wire(other)).toEqual({ authorization: "Bearer for-c" });
  });

  it("VT-16: not for who may not use the organisation's", async () => {
    const server = await world.server({ authentication, credential });
    expect(await world.refusal(server, { mayUseOrganisation: false })).toMatchObject({
      reason: "organisation_not_allowed",
    });
    expect(world.sent).toEqual([]);
  });

  it("U2: a client that is refused is an administrator's matter, and its secret is nowhere", async () => {
    const server = await world.server({ authentication, credential });
    world.serve(endpoint, () => Response.json({ error: "invalid_client" }, { status: 401 }));
    const refused = await world.refusal(server, { user: await world.person() });
    expect(refused.code).toBe("upstream_credential");
    expect(JSON.stringify([refused, world.logged, world.events])).not.toContain("canary-secret");
  });

  it.each(refusedUrls.filter(([id], at) => refusedUrls.findIndex(([other]) => other === id) === at))(
    "SS-21 %s: the secret never goes to %s, though it is configured",
    async (_id, url) => {
      const server = await world.server({
        authentication: { ...authentication, token_endpoint: url },
        credential,
      });
      expect((await world.refusal(server)).code).toBe("upstream_credential");
      expect(world.sent).toEqual([]);
    },
  );
});

describe("nothing, and the caller's own", () => {
  const passthrough = { type: "passthrough", anonymous: "allow" };
  const own = { inbound: new Headers({ authorization: "Bearer callers-own" }) };

  it("U6: authentication none adds nothing", async () => {
    expect(await world.wire(await world.server(), own)).toEqual({});
  });

  it("A6: the caller's own goes to the server that passes it through", async () => {
    const server = await world.server({ authentication: { type: "passthrough" }, agent_authentication: passthrough });
    expect(await world.wire(server, { ...own, mayUseOrganisation: false })).toEqual({
      authorization: "Bearer callers-own",
    });
  });

  it("HD-06: where Gatehouse has a credential, the caller's own is not sent", async () => {
    const credential = { type: "bearer", token: key } as const;
    const server = await world.server({
      authentication: { type: "bearer" },
      credential,
      agent_authentication: passthrough,
    });
    expect(await world.wire(server, own)).toEqual({ authorization: `Bearer ${key}` });
  });

  it("A6: an API key of the organisation stands beside the caller's own", async () => {
    const credential = { type: "api_key_header", key } as const;
    const authentication = { type: "api_key_header", header: "X-Api-Key" };
    const server = await world.server({ authentication, credential, agent_authentication: passthrough });
    expect(await world.wire(server, own)).toEqual({ authorization: "Bearer callers-own", "x-api-key": key });
  });
});

it("U10: no connection of one tenant is found from another", async () => {
  const server = await world.server({ authentication: { type: "bearer", holder: "user" } });
  const alice = await world.person();
  await world.paste(alice, server, key);
  const other = await createWorld();
  expect(await other.refusal(server, { user: alice })).toMatchObject({ code: "link_needed" });
});
