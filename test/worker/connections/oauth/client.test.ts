import { describe, expect, it } from "vitest";
import { clientDocument, knownParty, redeem, refresh, resolveParty } from "../../../../src/connections/oauth/index.ts";
import { createUsual, errorOf, FakeServer, resourceServer, serverOf, valueOf } from "./support.ts";

const mcp = "https://mcp.up.test";
const oauth = { type: "oauth" };
const origin = "https://a.gw.test";
const ownCallback = (host: string): RegExp => new RegExp(`^${host}/connect/up/callback/[A-Za-z0-9_-]{22}$`);
const silent = { authorization_response_iss_parameter_supported: undefined };
const day_ms = 24 * 3600 * 1000;

describe("client id metadata document", () => {
  it("is the client where it is taken, and nothing is registered", async () => {
    const world = await createUsual();
    world.provider.metadata = { client_id_metadata_document_supported: true };
    const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(party).toMatchObject({
      redirect_uri: `${origin}/connect/callback`,
      client_id: `${origin}/oauth/client.json`,
      client_authentication: "none",
      how: "document",
    });
    expect(world.provider.registrations).toEqual([]);
    expect(await world.rows()).toEqual([]);
  });

  it("UP-10: is not used where answers do not name their issuer, since its callback is for all: then it is registered", async () => {
    const world = await createUsual();
    world.provider.metadata = { ...silent, client_id_metadata_document_supported: true };
    const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(party.how).toBe("dynamic");
    expect(world.provider.registrations[0]?.["redirect_uris"]).toEqual([party.redirect_uri]);
  });

  it("UP-10: is not used there, and where nothing else is to be had an administrator must register it", async () => {
    const world = await createUsual();
    world.provider.metadata = {
      ...{ ...silent, client_id_metadata_document_supported: true, registration_endpoint: undefined },
    };
    const server = await serverOf(world, oauth);
    expect(errorOf(await resolveParty(world.base, server))).toEqual({ kind: "wrong", reason: "issuer_not_named" });
  });

  it("is none where its own URL is not https: then it is registered", async () => {
    const world = await createUsual({ mode: "development", origin: "http://localhost:8911" });
    world.provider.metadata = { client_id_metadata_document_supported: true };
    expect(valueOf(await resolveParty(world.base, await serverOf(world, oauth))).how).toBe("dynamic");
  });

  it("SEP-2207, SEP-837: names its own URL, one redirect URI, refresh tokens and what kind of application it is", () => {
    expect(clientDocument(origin)).toEqual({
      client_id: `${origin}/oauth/client.json`,
      client_name: "Gatehouse",
      client_uri: origin,
      redirect_uris: [`${origin}/connect/callback`],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      application_type: "web",
      token_endpoint_auth_method: "none",
    });
  });
});

describe("RFC 7591: dynamic registration", () => {
  it("tells what SEP-837 and SEP-2207 want, and is kept sealed", async () => {
    const world = await createUsual();
    const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    expect(world.provider.registrations).toEqual([
      {
        client_name: "Gatehouse",
        client_uri: origin,
        redirect_uris: [expect.stringMatching(ownCallback(origin))],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        application_type: "web",
        token_endpoint_auth_method: "client_secret_basic",
      },
    ]);
    expect(party).toMatchObject({ client_id: "dcr-1", secret: { client_secret: "dcr-secret-1" } });
    const [row] = await world.rows();
    expect(row).toMatchObject({ server_id: "server-1", issuer: "https://as.test", how: "dynamic", client_id: "dcr-1" });
    expect(JSON.stringify(row)).not.toContain("dcr-secret-1");
  });

  it("is used again by the next link", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    valueOf(await resolveParty(world.base, server));
    expect(valueOf(await resolveParty(world.base, server))).toMatchObject({ client_id: "dcr-1" });
    expect(world.provider.registrations).toHaveLength(1);
  });

  const methods: readonly (readonly [supported: readonly string[] | undefined, told: object, used: string])[] = [
    [undefined, { client_secret: "s" }, "client_secret_basic"],
    [["client_secret_post"], { client_secret: "s" }, "client_secret_post"],
    [["none"], { client_secret: "s" }, "none"],
    [["none", "client_secret_post"], { client_secret: "s" }, "client_secret_post"],
    [
      ["client_secret_basic"],
      { client_secret: "s", token_endpoint_auth_method: "client_secret_post" },
      "client_secret_post",
    ],
    [["client_secret_basic"], { client_secret: "s", token_endpoint_auth_method: "none" }, "none"],
    [["client_secret_basic"], {}, "none"],
    [["client_secret_basic"], { client_secret: null }, "none"],
    [["client_secret_basic"], { client_secret: "", client_secret_expires_at: 0 }, "none"],
  ];
  for (const [supported, told, used] of methods) {
    it(`keeps the method it got: ${JSON.stringify(supported)} and ${JSON.stringify(told)} is ${used}`, async () => {
      const world = await createUsual();
      world.provider.metadata = { token_endpoint_auth_methods_supported: supported };
      world.provider.registered = { client_id: "c", ...told };
      const party = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
      expect(party.client_authentication).toBe(used);
    });
  }

  it("is done again when the secret is over", async () => {
    const world = await createUsual();
    const client_secret_expires_at = Math.floor(world.now() / 1000) + 60;
    world.provider.registered = { client_id: "short", client_secret: "s", client_secret_expires_at };
    const server = await serverOf(world, oauth);
    expect(valueOf(await resolveParty(world.base, server)).client_id).toBe("short");
    world.advance(61_000);
    world.provider.registered = { client_id: "next", client_secret: "t", client_secret_expires_at: 0 };
    expect(valueOf(await resolveParty(world.base, server)).client_id).toBe("next");
    world.advance(300 * day_ms);
    expect(valueOf(await resolveParty(world.base, server)).client_id).toBe("next");
    expect(world.provider.registrations).toHaveLength(2);
  });

  it("is done again when the authorization server does not know the client any more", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const party = valueOf(await resolveParty(world.base, server));
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    const answer = { parameters: new URLSearchParams({ code: "c", state: "s", iss: party.issuer }), state: "s" };
    const more = { verifier: "v".repeat(43), redirect_uri: `${origin}/connect/callback` };
    expect(errorOf(await redeem(world.base, party, { ...answer, ...more }))).toEqual({
      kind: "wrong",
      reason: "invalid_client",
    });
    expect((await world.rows()).map(({ client_id }) => client_id)).toEqual(["dcr-1"]);
    world.provider.registered = { client_id: "dcr-2", client_secret: "x" };
    expect(valueOf(await resolveParty(world.base, server)).client_id).toBe("dcr-2");
  });

  it("UP-16: one that is refused stays for what was made with it, and the next link has another", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const party = valueOf(await resolveParty(world.base, server));
    const usual = world.provider.answer;
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    expect(errorOf(await refresh(world.base, party, "rt"))).toEqual({ kind: "wrong", reason: "invalid_client" });
    world.provider.answer = usual;
    world.provider.registered = { client_id: "dcr-2", client_secret: "x" };
    expect(valueOf(await resolveParty(world.base, server)).client_id).toBe("dcr-2");
    expect(valueOf(await resolveParty(world.base, server)).client_id).toBe("dcr-2");
    const known = valueOf(await knownParty(world.base, server, party));
    expect(known).toMatchObject({ client_id: "dcr-1", secret: { client_secret: "dcr-secret-1" } });
    expect((await refresh(world.base, known, "rt")).ok).toBe(true);
    expect(world.provider.registrations).toHaveLength(2);
  });

  it("UP-06: of each hostname of a tenant is used again for links that begin there", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const there = { ...world.base, tenant: { ...world.base.tenant, origin: "https://b.gw.test" } };
    const bases = [world.base, there];
    for (const [at, base] of [...bases, ...bases, ...bases].entries()) {
      world.provider.registered = { client_id: `dcr-${at}`, client_secret: "s" };
      expect(valueOf(await resolveParty(base, server)).client_id).toBe(`dcr-${at % 2}`);
    }
    expect(world.provider.registrations.map(({ redirect_uris }) => redirect_uris)).toEqual([
      [expect.stringMatching(ownCallback(origin))],
      [expect.stringMatching(ownCallback("https://b.gw.test"))],
    ]);
  });

  it("of two at once gives both the same client", async () => {
    const world = await createUsual();
    let count = 0;
    const { handle } = world.provider;
    world.serve("https://as.test", (sent) => {
      if (!sent.url.endsWith("/register")) return handle(sent);
      count += 1;
      return Response.json({ client_id: `dcr-${count}`, client_secret: "s" }, { status: 201 });
    });
    const server = await serverOf(world, oauth);
    const both = await Promise.all([resolveParty(world.base, server), resolveParty(world.base, server)]);
    const [one, other] = both.map(valueOf);
    expect(one?.client_id).toBe(other?.client_id);
    expect(await world.rows()).toHaveLength(1);
  });

  const refused: readonly (readonly [name: string, answer: Response, error: object])[] = [
    [
      "400",
      Response.json({ error: "invalid_redirect_uri" }, { status: 400 }),
      { kind: "wrong", reason: "registration_refused" },
    ],
    ["403", new Response("no", { status: 403 }), { kind: "wrong", reason: "registration_refused" }],
    ["503", new Response("no", { status: 503 }), { kind: "passing", reason: "registration_status" }],
    ["a page", new Response("<html>"), { kind: "wrong", reason: "registration_invalid" }],
    ["no client id", Response.json({}, { status: 201 }), { kind: "wrong", reason: "registration_invalid" }],
    [
      "a line break in the secret",
      Response.json({ client_id: "c", client_secret: "a\r\nb" }),
      { kind: "wrong", reason: "registration_invalid" },
    ],
    [
      "a method of ours it does not have",
      Response.json({ client_id: "c", client_secret: "s", token_endpoint_auth_method: "tls_client_auth" }),
      { kind: "wrong", reason: "registration_method" },
    ],
    [
      "64 KB and more",
      Response.json({ client_id: "c", x: "y".repeat(70_000) }),
      { kind: "wrong", reason: "registration_response_too_large" },
    ],
  ];
  for (const [name, answer, error] of refused) {
    it(`UP-15: fails on ${name}, and nothing is kept`, async () => {
      const world = await createUsual();
      world.provider.registered = answer;
      expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth)))).toEqual(error);
      expect(await world.rows()).toEqual([]);
    });
  }

  it("says when an administrator must register us by hand", async () => {
    const world = await createUsual();
    world.provider.metadata = { registration_endpoint: undefined };
    expect(errorOf(await resolveParty(world.base, await serverOf(world, oauth)))).toEqual({
      kind: "wrong",
      reason: "no_registration",
    });
  });

  it("VT-03: the secret of a row that was moved to another issuer does not open", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    valueOf(await resolveParty(world.base, server));
    await world.base.platform.bindings.DB.prepare(
      "update upstream_clients set token_endpoint = ?, revision = revision where tenant_id = ?",
    )
      .bind("https://evil.test/token", world.base.tenant.id)
      .run();
    const held = { issuer: "https://as.test", token_endpoint: "https://evil.test/token", client_id: "dcr-1" };
    expect(errorOf(await knownParty(world.base, server, held))).toEqual({ kind: "wrong", reason: "vault_tamper" });
    expect(world.to("https://evil.test")).toEqual([]);
  });
});

describe("SEP-2352, UP-06: another authorization server", () => {
  it("gets a registration of its own, and nothing of the old one", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const old = valueOf(await resolveParty(world.base, server));
    const next = new FakeServer("https://as2.test");
    next.registered = { client_id: "as2-client", client_secret: "as2-secret" };
    world.serve(next.origin, next.handle);
    world.serve(mcp, resourceServer({ authorization_servers: [next.issuer] }));
    expect(valueOf(await resolveParty(world.base, server))).toMatchObject({
      issuer: next.issuer,
      client_id: "as2-client",
    });
    for (const sent of world.to(next.origin)) {
      expect(`${sent.url} ${sent.text} ${JSON.stringify([...sent.headers])}`).not.toMatch(/dcr-1|dcr-secret-1/);
    }
    // What was linked with the old one is renewed there.
    expect(valueOf(await knownParty(world.base, server, old))).toMatchObject({
      issuer: old.issuer,
      secret: old.secret,
    });
  });

  it("UP-05: gets a registration of its own at another token endpoint of the same issuer", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    const old = valueOf(await resolveParty(world.base, server));
    world.provider.metadata = { token_endpoint: "https://evil.test/token" };
    expect(
      errorOf(await knownParty(world.base, server, { ...old, token_endpoint: "https://evil.test/token" })).reason,
    ).toBe("issuer_changed");
    world.provider.registered = { client_id: "dcr-2", client_secret: "t" };
    expect(valueOf(await resolveParty(world.base, server))).toMatchObject({
      client_id: "dcr-2",
      token_endpoint: "https://evil.test/token",
    });
    expect(world.to("https://evil.test")).toEqual([]);
  });

  it("are kept for twenty of them", async () => {
    const world = await createUsual();
    const server = await serverOf(world, oauth);
    for (let at = 0; at < 23; at += 1) {
      const next = new FakeServer(`https://as${at}.test`);
      world.serve(next.origin, next.handle);
      world.serve(mcp, resourceServer({ authorization_servers: [next.issuer] }));
      world.advance(1000);
      valueOf(await resolveParty(world.base, server));
    }
    const issuers = (await world.rows()).map(({ issuer }) => issuer);
    expect(issuers).toHaveLength(20);
    expect(issuers).toContain("https://as22.test");
    expect(issuers).not.toContain("https://as2.test");
  });
});
