/** Where vendors publish what, by the shapes of their own documentation; hosts of theirs stand for the shape only, nothing leaves. */
import { describe, expect, it } from "vitest";
import { authorizationUrl, redeem, refresh, resolveParty, scopesFor } from "../../../../src/connections/oauth/index.ts";
import type { Credential } from "../../../../src/registry/index.ts";
import { createWorld, errorOf, serverOf, valueOf, type Sent } from "./support.ts";

const credential: Credential = { type: "oauth", client_secret: "canary-secret" };
const redirect_uri = "https://a.gw.test/connect/callback";
const asked = { state: "s", verifier: "v".repeat(43), scopes: [] };

interface Published {
  readonly issuer: string;
  readonly at: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
}

/** Vendors that publish metadata: issuer, where it stands, endpoints. */
const published: Readonly<Record<string, Published>> = {
  Atlassian: {
    issuer: "https://auth.atlassian.com",
    at: "https://auth.atlassian.com/.well-known/openid-configuration",
    authorization_endpoint: "https://auth.atlassian.com/authorize",
    token_endpoint: "https://auth.atlassian.com/oauth/token",
  },
  "Auth0, whose issuer ends in a slash": {
    issuer: "https://acme.eu.auth0.com/",
    at: "https://acme.eu.auth0.com/.well-known/openid-configuration",
    authorization_endpoint: "https://acme.eu.auth0.com/authorize",
    token_endpoint: "https://acme.eu.auth0.com/oauth/token",
  },
  Google: {
    issuer: "https://accounts.google.com",
    at: "https://accounts.google.com/.well-known/openid-configuration",
    authorization_endpoint: "https://accounts.google.com/o/oauth2/v2/auth",
    token_endpoint: "https://oauth2.googleapis.com/token",
  },
  "Okta, a custom authorization server": {
    issuer: "https://acme.okta.com/oauth2/default",
    at: "https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
    authorization_endpoint: "https://acme.okta.com/oauth2/default/v1/authorize",
    token_endpoint: "https://acme.okta.com/oauth2/default/v1/token",
  },
  "Okta, the organisation": {
    issuer: "https://acme.okta.com",
    at: "https://acme.okta.com/.well-known/oauth-authorization-server",
    authorization_endpoint: "https://acme.okta.com/oauth2/v1/authorize",
    token_endpoint: "https://acme.okta.com/oauth2/v1/token",
  },
  Keycloak: {
    issuer: "https://sso.acme.example/realms/acme",
    at: "https://sso.acme.example/realms/acme/.well-known/openid-configuration",
    authorization_endpoint: "https://sso.acme.example/realms/acme/protocol/openid-connect/auth",
    token_endpoint: "https://sso.acme.example/realms/acme/protocol/openid-connect/token",
  },
  "Keycloak, behind an inserted path": {
    issuer: "https://sso.acme.example/auth/realms/acme",
    at: "https://sso.acme.example/.well-known/oauth-authorization-server/auth/realms/acme",
    authorization_endpoint: "https://sso.acme.example/auth/realms/acme/protocol/openid-connect/auth",
    token_endpoint: "https://sso.acme.example/auth/realms/acme/protocol/openid-connect/token",
  },
  "Entra ID": {
    issuer: "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
    at: "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0/.well-known/openid-configuration",
    authorization_endpoint:
      "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/authorize",
    token_endpoint: "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token",
  },
};

async function worldOf(
  { at, issuer, ...endpoints }: Published,
  more: object = { code_challenge_methods_supported: ["S256"] },
) {
  const world = await createWorld();
  const nothing = (): Response => new Response("nothing", { status: 404 });
  world.serve("https://mcp.up.test", nothing);
  world.serve(new URL(at).origin, ({ url }: Sent) =>
    url === at ? Response.json({ issuer, ...endpoints, ...more }) : nothing(),
  );
  return world;
}

describe("vendors with metadata, by configured issuer", () => {
  for (const [name, vendor] of Object.entries(published)) {
    it(`${name}`, async () => {
      const world = await worldOf(vendor);
      const server = await serverOf(
        world,
        { type: "oauth", issuer: vendor.issuer, client_id: "by-hand" },
        { credential },
      );
      const { issuer, authorization_endpoint, token_endpoint } = vendor;
      expect(valueOf(await resolveParty(world.base, server))).toMatchObject({
        ...{ issuer, authorization_endpoint, token_endpoint, how: "configured" },
      });
    });
  }

  it("UP-12: Entra ID lists no PKCE in its metadata, so its endpoints are configured", async () => {
    const { "Entra ID": entra } = published;
    if (entra === undefined) throw new Error("no Entra");
    const world = await worldOf(entra, {});
    const configured = { type: "oauth", issuer: entra.issuer, client_id: "app" };
    expect(errorOf(await resolveParty(world.base, await serverOf(world, configured, { credential }))).reason).toBe(
      "pkce_missing",
    );
    const endpoints = { authorization: entra.authorization_endpoint, token: entra.token_endpoint };
    const scopes = ["api://app/mcp.read", "offline_access"];
    const server = await serverOf(world, { ...configured, endpoints, scopes, resource: null }, { credential });
    const party = valueOf(await resolveParty(world.base, server));
    const url = await authorizationUrl(party, { ...asked, scopes: scopesFor(server, party) });
    expect(url.searchParams.get("scope")).toBe("api://app/mcp.read offline_access");
    // It would ask the administrators of that organisation.
    expect(url.searchParams.has("prompt")).toBe(false);
    expect(url.searchParams.has("resource")).toBe(false);
  });

  it("UP-03: of many tenants at once is no issuer", async () => {
    const at = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration";
    const { "Entra ID": entra } = published;
    if (entra === undefined) throw new Error("no Entra");
    const world = await worldOf({ ...entra, at, issuer: "https://login.microsoftonline.com/{tenantid}/v2.0" });
    const server = await serverOf(world, { type: "oauth", issuer: "https://login.microsoftonline.com/common/v2.0" });
    expect(errorOf(await resolveParty(world.base, server)).reason).toBe("metadata_issuer");
  });
});

describe("vendors without metadata, by configured endpoints", () => {
  it("GitHub: nothing is discovered; its answer in a form and its error in 200 are read", async () => {
    const world = await createWorld();
    const endpoints = {
      authorization: "https://github.com/login/oauth/authorize",
      token: "https://github.com/login/oauth/access_token",
    };
    const server = await serverOf(
      world,
      { type: "oauth", client_id: "Iv1.x", endpoints, scopes: ["repo"], resource: null },
      { credential },
    );
    const party = valueOf(await resolveParty(world.base, server));
    expect(world.sent).toEqual([]);
    const url = await authorizationUrl(party, { ...asked, scopes: scopesFor(server, party) });
    expect(url.href).toMatch(/^https:\/\/github\.com\/login\/oauth\/authorize\?/);
    world.serve("https://github.com", ({ headers }) =>
      headers.get("accept") === "application/json"
        ? Response.json({ access_token: "gho_x", token_type: "bearer", scope: "repo,gist" })
        : new Response("access_token=gho_x"),
    );
    const answer = { parameters: new URLSearchParams({ code: "c", state: "s" }), state: "s" };
    const got = valueOf(await redeem(world.base, party, { ...answer, verifier: asked.verifier, redirect_uri }));
    expect(got).toMatchObject({ scope: "repo gist", tokens: { access_token: "gho_x", expires_at: null } });
    world.serve("https://github.com", () => Response.json({ error: "bad_refresh_token", error_description: "canary" }));
    expect(errorOf(await refresh(world.base, party, "ghr_x"))).toEqual({ kind: "dead", reason: "invalid_grant" });
  });

  it("Slack: a person's token stands one level deeper, and expires_in is a number in it", async () => {
    const world = await createWorld();
    const endpoints = {
      authorization: "https://slack.com/oauth/v2/authorize",
      token: "https://slack.com/api/oauth.v2.access",
    };
    const server = await serverOf(
      world,
      { type: "oauth", client_id: "1.2", endpoints, parameters: { user_scope: "chat:write" } },
      { credential },
    );
    const party = valueOf(await resolveParty(world.base, server));
    const authed_user = {
      id: "U1",
      scope: "chat:write,users:read",
      access_token: "xoxp-1",
      token_type: "user",
      expires_in: 43_200,
    };
    world.serve("https://slack.com", () => Response.json({ ok: true, app_id: "A1", authed_user }));
    const answer = { parameters: new URLSearchParams({ code: "c", state: "s" }), state: "s" };
    const got = valueOf(await redeem(world.base, party, { ...answer, verifier: asked.verifier, redirect_uri }));
    expect(got).toMatchObject({ scope: "chat:write users:read", tokens: { access_token: "xoxp-1" } });
  });

  it("Google: names an issuer that nobody configured, from the host of its authorization endpoint", async () => {
    const world = await createWorld();
    const endpoints = {
      authorization: "https://accounts.google.com/o/oauth2/v2/auth",
      token: "https://oauth2.googleapis.com/token",
    };
    const parameters = { access_type: "offline", prompt: "consent" };
    const server = await serverOf(
      world,
      { type: "oauth", client_id: "x.apps.test", endpoints, parameters, resource: null },
      { credential },
    );
    const party = valueOf(await resolveParty(world.base, server));
    expect(Object.fromEntries((await authorizationUrl(party, { ...asked, parameters })).searchParams)).toMatchObject(
      parameters,
    );
    world.serve("https://oauth2.googleapis.com", () =>
      Response.json({ access_token: "ya29.x", expires_in: 3599, token_type: "Bearer" }),
    );
    const parametersBack = new URLSearchParams({
      code: "4/0A",
      state: "s",
      iss: "https://accounts.google.com",
      scope: "a",
      authuser: "0",
    });
    const answer = { parameters: parametersBack, state: "s", verifier: asked.verifier, redirect_uri };
    expect(valueOf(await redeem(world.base, party, answer)).tokens.access_token).toBe("ya29.x");
  });

  it("need a client that an administrator registered", async () => {
    const world = await createWorld();
    const endpoints = {
      authorization: "https://github.com/login/oauth/authorize",
      token: "https://github.com/login/oauth/access_token",
    };
    expect(errorOf(await resolveParty(world.base, await serverOf(world, { type: "oauth", endpoints })))).toEqual({
      kind: "wrong",
      reason: "no_registration",
    });
  });
});
