/** Additional headers: six recipes and the signed assertion, alone and together. */
import { beforeEach, describe, expect, it } from "vitest";
import { refusedUrls } from "../egress/refused-urls.ts";
import { authenticationFor, namesSet } from "../../../src/outbound/index.ts";
import { createWorld, refusalOf, tokenAnswer, type Person, type World } from "./support.ts";

let world: World;
let alice: Person;
let bob: Person;

beforeEach(async () => {
  world = await createWorld();
  [alice, bob] = [await world.person("alice@a.test"), await world.person("bob@a.test")];
});

const endpoint = "https://sts.test/token";
/** One address of each kind that must not be called. */
const firstOfEach = refusedUrls.filter(([id], at) => refusedUrls.findIndex(([other]) => other === id) === at);
const client = { token_endpoint: endpoint, client_id: "svc" };
const secret = { client_secret: "canary-secret" };
const noSecret = (value: unknown): void => {
  expect(JSON.stringify([value, world.logged, world.events])).not.toContain("canary");
};

describe("service token", () => {
  const setting = {
    outbound_headers: [
      { source: "service_token", name: "X-Service", prefix: "Bearer", ...client, audience: "https://api" },
    ],
    header_secrets: { "x-service": secret },
  };

  it("U7: a token by client credentials, with the prefix and one space", async () => {
    const server = await world.server(setting);
    world.serve(endpoint, () => tokenAnswer("service-1"));
    expect(await world.wire(server, { user: alice })).toEqual({ "x-service": "Bearer service-1" });
    expect(await world.wire(server)).toEqual({ "x-service": "Bearer service-1" });
    expect(world.requests).toHaveLength(1);
    expect(world.requests[0]?.form).toEqual({ grant_type: "client_credentials", audience: "https://api" });
  });

  it("U8: another recipe is another token", async () => {
    const server = await world.server(setting);
    world.serve(endpoint, ({ form }) => tokenAnswer(`for-${form["audience"]?.length}`));
    await world.wire(server);
    const [recipe] = server.outbound_headers;
    const moved = { ...server, outbound_headers: [{ ...recipe, audience: "https://other" }] } as typeof server;
    expect(await world.wire(moved)).toEqual({ "x-service": "Bearer for-13" });
  });

  it("VT-13: an endpoint that refuses it tells nothing", async () => {
    const server = await world.server(setting);
    world.serve(endpoint, () =>
      Response.json({ error: "invalid_client", error_description: "canary" }, { status: 401 }),
    );
    const refused = await world.refusal(server);
    expect(refused.code).toBe("upstream_credential");
    noSecret(refused);
  });

  it("U7: without its secret nothing is sent", async () => {
    const server = await world.server({ ...setting, header_secrets: {} });
    expect(await world.refusal(server)).toMatchObject({ reason: "header_secret_missing" });
    expect(world.sent).toEqual([]);
  });

  it.each(firstOfEach)("SS-16 %s: the secret never goes to %s, though it is configured", async (_id, url) => {
    const outbound_headers = [{ source: "service_token", name: "X-Service", client_id: "svc", token_endpoint: url }];
    const server = await world.server({ ...setting, outbound_headers });
    expect((await world.refusal(server)).code).toBe("upstream_credential");
    expect(world.sent).toEqual([]);
  });
});

describe("the caller's token of the sign-in", () => {
  const recipe = { source: "caller_token", name: "X-Ms-Query-Source-Authorization", prefix: "Bearer" };

  it("U7: is forwarded with its prefix, each person's own", async () => {
    const server = await world.server({ outbound_headers: [recipe] });
    await world.link(alice, "idp", { access_token: "sso-alice" });
    await world.link(bob, "idp", { access_token: "sso-bob" });
    const name = "x-ms-query-source-authorization";
    expect(await world.wire(server, { user: alice })).toEqual({ [name]: "Bearer sso-alice" });
    expect(await world.wire(server, { user: bob })).toEqual({ [name]: "Bearer sso-bob" });
  });

  it("U7: who has none signs in again: an account to connect would not help", async () => {
    const refused = await world.refusal(await world.server({ outbound_headers: [recipe] }), { user: alice });
    expect(refused.code).toBe("upstream_credential");
    expect(refused.detail).toContain("sign in to Gatehouse again");
  });

  it("U7: a client that calls for nobody has none", async () => {
    expect(await world.refusal(await world.server({ outbound_headers: [recipe] }))).toMatchObject({
      reason: "no_person",
    });
  });
});

describe("on behalf of the caller", () => {
  const setting = {
    outbound_headers: [{ source: "on_behalf_of", name: "X-Downstream", ...client, audience: "api://down" }],
    header_secrets: { "x-downstream": secret },
  };

  it("U7: the token is exchanged, for each person by their own", async () => {
    const server = await world.server(setting);
    await world.link(alice, "idp", { access_token: "sso-alice" });
    await world.link(bob, "idp", { access_token: "sso-bob" });
    world.serve(endpoint, ({ form }) =>
      tokenAnswer(`down-${form["subject_token"]}`, {
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      }),
    );
    expect(await world.wire(server, { user: alice })).toEqual({ "x-downstream": "down-sso-alice" });
    expect(await world.wire(server, { user: bob })).toEqual({ "x-downstream": "down-sso-bob" });
    expect(await world.wire(server, { user: alice })).toEqual({ "x-downstream": "down-sso-alice" });
    expect(world.requests).toHaveLength(2);
    expect(world.requests[0]?.form).toEqual({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token: "sso-alice",
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      audience: "api://down",
    });
  });

  it("U7: who has no token of a sign-in signs in again, now and a moment later", async () => {
    const server = await world.server(setting);
    for (const _time of [1, 2]) {
      const refused = await world.refusal(server, { user: alice });
      expect(refused.code).toBe("upstream_credential");
      expect(refused.detail).toContain("sign in to Gatehouse again");
    }
    expect(world.sent).toEqual([]);
  });

  it("U7: a client that calls for nobody has nothing to exchange", async () => {
    expect(await world.refusal(await world.server(setting))).toMatchObject({ reason: "no_person" });
    expect(world.sent).toEqual([]);
  });
});

describe("a stored credential", () => {
  const recipe = (credential_id: string) => ({ source: "stored_credential", name: "X-Stored", credential_id });

  it("U7: of the organisation is added for everybody", async () => {
    const id = await world.keep("organisation", "canary-stored");
    const server = await world.server({ outbound_headers: [{ ...recipe(id), prefix: "Key" }] });
    expect(await world.wire(server)).toEqual({ "x-stored": "Key canary-stored" });
  });

  it("VT-16: of the organisation is not added for who may not use it", async () => {
    const id = await world.keep("organisation", "canary-stored");
    const authentication = { type: "bearer", holder: "user" };
    const server = await world.server({ authentication, outbound_headers: [recipe(id)] });
    await world.paste(alice, server, "own");
    const refused = await world.refusal(server, { user: alice, mayUseOrganisation: false });
    expect(refused).toMatchObject({ reason: "organisation_not_allowed" });
    noSecret(refused);
  });

  it("U10: of each person is their own, and who has none is told which", async () => {
    const id = await world.keep("user");
    const server = await world.server({ outbound_headers: [recipe(id)] });
    await world.give(alice, id, "of-alice");
    expect(await world.wire(server, { user: alice })).toEqual({ "x-stored": "of-alice" });
    const refused = await world.refusal(server, { user: bob });
    expect(refused).toMatchObject({ code: "link_needed", data: { credential_id: id, account: "default" } });
    expect(await world.refusal(server)).toMatchObject({ reason: "no_person" });
  });

  it("U7: one that is gone is an administrator's matter", async () => {
    const server = await world.server({ outbound_headers: [recipe(crypto.randomUUID())] });
    expect(await world.refusal(server)).toMatchObject({ reason: "credential_missing" });
  });
});

describe("the caller's identity", () => {
  const of = (value: "id" | "email") => ({
    outbound_headers: [{ source: "caller_identity", name: "X-Caller", value }],
  });

  it("U7: the id", async () => {
    expect(await world.wire(await world.server(of("id")), { user: alice })).toEqual({ "x-caller": alice.id });
  });

  it("U7: the e-mail address", async () => {
    expect(await world.wire(await world.server(of("email")), { user: alice })).toEqual({ "x-caller": "alice@a.test" });
  });

  it.each([
    ["jürg@a.test", "UTF-8''j%C3%BCrg%40a.test"],
    ["a b@a.test", "UTF-8''a%20b%40a.test"],
    ["UTF-8''admin%40a.test", "UTF-8''UTF-8%27%27admin%2540a.test"],
  ])("HD-08: %s is encoded", async (email, expected) => {
    const server = await world.server(of("email"));
    expect(await world.wire(server, { user: { ...alice, email } })).toEqual({ "x-caller": expected });
  });

  it.each(["a@x\r\nX-Admin: 1", "a@x\0", "a@x\t", "\u0085a@x", "a\ud800@x", ""])(
    "HD-08: %j is refused",
    async (email) => {
      const refused = await world.refusal(await world.server(of("email")), { user: { ...alice, email } });
      expect(refused).toMatchObject({ code: "upstream_credential", reason: "identity_unfit" });
    },
  );

  it("U7: a person without address is refused, since its absence could mean more than nobody", async () => {
    expect(await world.refusal(await world.server(of("email")), { user: { id: alice.id } })).toMatchObject({
      reason: "no_email",
    });
  });

  it("U7: so is a client that calls for nobody", async () => {
    expect(await world.refusal(await world.server(of("id")))).toMatchObject({ reason: "no_person" });
  });
});

describe("custom", () => {
  const of = (value: string) => ({
    outbound_headers: [{ source: "custom", name: "X-Custom" }],
    header_secrets: { "x-custom": { value } },
  });

  it("U7: a fixed value", async () => {
    expect(await world.wire(await world.server(of("fixed")))).toEqual({ "x-custom": "fixed" });
  });

  it("U7: every placeholder", async () => {
    const server = await world.server(of("u={{user.id}};e={{user.email}};c={{client.id}};s={{server.slug}}"));
    expect(await world.wire(server, { user: alice })).toEqual({
      "x-custom": `u=${alice.id};e=alice@a.test;c=the-agent;s=${server.slug}`,
    });
  });

  it.each([
    ["{{client.id}}@a.test", "UTF-8''%7B%7Bclient.id%7D%7D%40a.test"],
    ["a;role=admin@a.test", "UTF-8''a%3Brole%3Dadmin%40a.test"],
    ["$&@a.test", "UTF-8''$&%40a.test"],
  ])("HD-09: a person who is called %s adds nothing to the value", async (email, expected) => {
    const server = await world.server(of("e={{user.email}};c={{client.id}}"));
    const wire = await world.wire(server, { user: { ...alice, email } });
    expect(wire).toEqual({ "x-custom": `e=${expected};c=the-agent` });
  });

  it("HD-09: a client whose id is a URL with parameters adds nothing to the value", async () => {
    const server = await world.server(of("c={{client.id}};x=1"));
    const wire = await world.wire(server, { agent: "https://c.test/a?b=c;x=2" });
    expect(wire).toEqual({ "x-custom": "c=UTF-8''https%3A%2F%2Fc.test%2Fa%3Fb%3Dc%3Bx%3D2;x=1" });
  });

  it("U7: a value that names the person is refused where there is none", async () => {
    expect(await world.refusal(await world.server(of("{{user.id}}")))).toMatchObject({ reason: "no_person" });
  });
});

describe("several at once", () => {
  it("U7: all are added after app authentication", async () => {
    const stored = await world.keep("organisation", "stored");
    const server = await world.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: "app" },
      outbound_headers: [
        { source: "service_token", name: "X-Service", ...client },
        { source: "caller_token", name: "X-Caller-Token", prefix: "Bearer" },
        { source: "on_behalf_of", name: "X-Downstream", ...client },
        { source: "stored_credential", name: "X-Stored", credential_id: stored },
        { source: "caller_identity", name: "X-Caller", value: "email" },
        { source: "custom", name: "constructor" },
      ],
      header_secrets: { "x-service": secret, "x-downstream": secret, constructor: { value: "custom" } },
    });
    await world.link(alice, "idp", { access_token: "sso" });
    world.serve(endpoint, ({ form }) =>
      tokenAnswer(form["subject_token"] === undefined ? "service" : "down", {
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      }),
    );
    expect(await world.wire(server, { user: alice })).toEqual({
      authorization: "Bearer app",
      "x-service": "service",
      "x-caller-token": "Bearer sso",
      "x-downstream": "down",
      "x-stored": "stored",
      "x-caller": "alice@a.test",
      constructor: "custom",
    });
  });

  it("U11: the switch that seals the vault holds for headers as well, and not for a name", async () => {
    const id = await world.keep("organisation", "stored");
    const sealed = async (outbound_headers: readonly object[]) => {
      const server = await world.server({ outbound_headers });
      const { snapshot, ...context } = await world.context({ user: alice });
      const settings = { ...snapshot.settings, vault_sealed: true };
      return authenticationFor({ ...context, snapshot: { ...snapshot, settings } }, server);
    };
    const stored = await sealed([{ source: "stored_credential", name: "X-Stored", credential_id: id }]);
    expect(refusalOf(stored).code).toBe("vault_sealed");
    expect((await sealed([{ source: "caller_identity", name: "X-Caller", value: "id" }])).ok).toBe(true);
  });

  it("A6: for callers whom nobody knows, a server without credential gets nothing added", async () => {
    const id = await world.keep("organisation", "stored");
    const server = await world.server({
      agent_authentication: { type: "passthrough", anonymous: "allow" },
      outbound_headers: [
        { source: "stored_credential", name: "X-Stored", credential_id: id },
        { source: "caller_identity", name: "X-Caller", value: "id" },
      ],
    });
    const inbound = new Headers({ "x-stored": "faked", x_caller: "admin", "x-trace": "7" });
    expect(await world.wire(server, { mayUseOrganisation: false, inbound })).toEqual({ "x-trace": "7" });
  });
});

describe("HD-06: what Gatehouse sets wins", () => {
  it("HD-06: the names that it sets, however they are spelled", async () => {
    const server = await world.server({
      authentication: { type: "api_key_header", header: "X_Api_Key" },
      outbound_headers: [{ source: "caller_identity", name: "X-CALLER", value: "id" }],
    });
    expect([...namesSet(server)]).toEqual(["x-api-key", "x-caller"]);
  });

  it.each(["x-api-key", "X-API-KEY", "x_api_key", "X_Api-Key"])("HD-06: %s of a caller is dropped", async (name) => {
    const server = await world.server({
      authentication: { type: "api_key_header", header: "X-Api-Key" },
      credential: { type: "api_key_header", key: "ours" },
      inbound_headers: { forward: ["x-*", "x_*"], restrict: [] },
    });
    const inbound = new Headers({ [name]: "theirs", "x-other": "kept" });
    expect(await world.wire(server, { inbound })).toEqual({ "x-api-key": "ours", "x-other": "kept" });
  });
});
