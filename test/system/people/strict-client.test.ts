/** Strict OAuth libraries as second judges: `oauth4webapi` with all of its checks on, and discovery by `openid-client`. */
import { exportJWK, generateKeyPair } from "jose";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { modernRequest } from "../support/modern-request.ts";
import { change, leaksOf, startSite, type Site } from "./site.ts";
import { travel } from "./travel.ts";

let site: Site;
let server: oauth.AuthorizationServer;
/** Loopback has no TLS; nothing else is relaxed. */
const loopback = { [oauth.allowInsecureRequests]: true } as const;

beforeAll(async () => {
  site = await startSite();
  const issuer = new URL(site.origin);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...loopback });
  server = await oauth.processDiscoveryResponse(issuer, answer);
});
afterAll(() => site.dispose());

const keep = <T extends oauth.TokenEndpointResponse>(tokens: T): T => {
  site.secrets.add(tokens.access_token);
  if (tokens.refresh_token !== undefined) site.secrets.add(tokens.refresh_token);
  return tokens;
};

async function listTools(access_token: string, path = "/mcp"): Promise<Response> {
  const { headers, body } = modernRequest({ method: "tools/list" });
  const url = site.endpoint(path);
  return oauth.protectedResourceRequest(access_token, "POST", url, new Headers(headers), body, loopback);
}

async function register(metadata: Partial<oauth.Client>): Promise<oauth.Client> {
  const answer = await oauth.dynamicClientRegistrationRequest(server, metadata, loopback);
  return oauth.processDynamicClientRegistrationResponse(answer);
}

interface Authorized {
  readonly answer: URLSearchParams;
  readonly verifier: string;
  /** What the person was asked. */
  readonly asked: readonly string[];
}

/** Asks in the browser. @returns the parameters of the answer, `state` and `iss` checked */
async function authorize(client: oauth.Client, resource: string): Promise<Authorized> {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint ?? "");
  const query = {
    ...{ response_type: "code", client_id: client.client_id, redirect_uri: site.callback, state, resource },
    ...{ code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" },
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const context = await site.browser.newContext();
  const { arrived, asked } = await travel(site, context, url, { person: "ada" });
  await context.close();
  return { answer: oauth.validateAuthResponse(server, client, arrived, state), verifier, asked };
}

async function redeem(client: oauth.Client, authentication: oauth.ClientAuth, authorized: Authorized) {
  const { answer, verifier } = authorized;
  const more = { ...loopback, additionalParameters: { resource: `${site.origin}/mcp` } };
  const response = await oauth.authorizationCodeGrantRequest(
    ...([server, client, authentication, answer, site.callback, verifier, more] as const),
  );
  return keep(await oauth.processAuthorizationCodeResponse(server, client, response));
}

async function refresh(client: oauth.Client, authentication: oauth.ClientAuth, token: string) {
  const response = await oauth.refreshTokenGrantRequest(server, client, authentication, token, loopback);
  return keep(await oauth.processRefreshTokenResponse(server, client, response));
}

it("A4: the challenge leads to the metadata of the resource, and that to the issuer", async () => {
  const refusal = await listTools("none", "/mcp/tickets").catch((error: unknown) => error);
  const thrown = refusal instanceof oauth.WWWAuthenticateChallengeError ? refusal : undefined;
  expect(thrown?.status).toBe(401);
  const [challenge] = thrown?.cause ?? [];
  const metadata = `${site.origin}/.well-known/oauth-protected-resource/mcp/tickets`;
  expect(challenge).toMatchObject({
    scheme: "bearer",
    parameters: { error: "invalid_token", resource_metadata: metadata, scope: "mcp" },
  });
  const resource = site.endpoint("/mcp/tickets");
  const answer = await oauth.resourceDiscoveryRequest(resource, loopback);
  expect(answer.url).toBe(metadata);
  const described = await oauth.processResourceDiscoveryResponse(resource, answer);
  expect(described.authorization_servers).toEqual([server.issuer]);
});

it("A1: openid-client discovers the issuer by its OpenID document", async () => {
  const options = { execute: [openid.allowInsecureRequests] };
  const found = await openid.discovery(new URL(site.origin), "any", undefined, openid.None(), options);
  expect(found.serverMetadata()).toMatchObject({ ...server });
  expect(found.serverMetadata().supportsPKCE()).toBe(true);
});

describe.each(["none", "client_secret_basic", "client_secret_post"] as const)("a client of %s", (method) => {
  it("A1, A4, A5: registers, is granted, refreshes and gives its tokens back", async () => {
    const client = await register({
      ...{ client_name: `Strict ${method}`, redirect_uris: [site.callback], token_endpoint_auth_method: method },
      grant_types: ["authorization_code", "refresh_token"],
    });
    const secret = z.string().parse(client.client_secret ?? "");
    if (secret !== "") site.secrets.add(secret);
    const authentication = {
      none: () => oauth.None(),
      client_secret_basic: () => oauth.ClientSecretBasic(secret),
      client_secret_post: () => oauth.ClientSecretPost(secret),
    }[method]();
    const granted = await redeem(client, authentication, await authorize(client, `${site.origin}/mcp`));
    expect(granted).toMatchObject({ token_type: "bearer", scope: "mcp" });
    expect(granted.expires_in).toBeLessThanOrEqual(600);
    expect((await listTools(granted.access_token)).status).toBe(200);

    const request = new Request(site.endpoint("/mcp"), {
      headers: { authorization: `Bearer ${granted.access_token}` },
    });
    const claims = await oauth.validateJwtAccessToken(server, request, `${site.origin}/mcp`, loopback);
    expect(claims).toMatchObject({ client_id: client.client_id, scope: "mcp" });

    const next = await refresh(client, authentication, granted.refresh_token ?? "");
    expect((await listTools(next.access_token)).status).toBe(200);

    const given = await oauth.revocationRequest(server, client, authentication, next.refresh_token ?? "", loopback);
    await oauth.processRevocationResponse(given);
    const refused = { name: "ResponseBodyError", error: "invalid_grant", status: 400 };
    await expect(refresh(client, authentication, next.refresh_token ?? "")).rejects.toMatchObject(refused);
    const call = () =>
      listTools(next.access_token).then(
        ({ status }) => status,
        (error: { status: number }) => error.status,
      );
    await expect.poll(call, { timeout: 2_000, interval: 50 }).toBe(401);
  });
});

it("A1, A5: a client with a metadata document signs for itself", async () => {
  const pair = await generateKeyPair("ES256", { extractable: true });
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: "web", alg: "ES256", use: "sig" }];
  const client = { client_id: `${site.secure.origin}/strict.json`, token_endpoint_auth_method: "private_key_jwt" };
  site.secure.publish("/strict.json", {
    ...{ ...client, client_name: "Strict web client", redirect_uris: [site.callback], jwks: { keys } },
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_signing_alg: "ES256",
  });
  const authentication = oauth.PrivateKeyJwt({ key: pair.privateKey, kid: "web" });
  const authorized = await authorize(client, `${site.origin}/mcp`);
  const other = oauth.PrivateKeyJwt({ key: (await generateKeyPair("ES256")).privateKey, kid: "web" });
  await expect(redeem(client, other, authorized)).rejects.toMatchObject({ status: 401, error: "invalid_client" });
  const granted = await redeem(client, authentication, authorized);
  const next = await refresh(client, authentication, granted.refresh_token ?? "");
  expect((await listTools(next.access_token)).status).toBe(200);
});

it("TK-01: a code that comes twice ends what came of it", async () => {
  const client = await register({
    client_name: "Twice",
    redirect_uris: [site.callback],
    token_endpoint_auth_method: "none",
  });
  const authorized = await authorize(client, `${site.origin}/mcp`);
  const granted = await redeem(client, oauth.None(), authorized);
  await expect(redeem(client, oauth.None(), authorized)).rejects.toMatchObject({ error: "invalid_grant", status: 400 });
  const call = () =>
    listTools(granted.access_token).then(
      ({ status }) => status,
      (error: { status: number }) => error.status,
    );
  await expect.poll(call, { timeout: 2_000, interval: 50 }).toBe(401);
});

it("A1: a registered confidential client that an administrator approved asks people nothing but who they are", async () => {
  const oauth_ = {
    ...{ authentication: "client_secret_basic", redirect_uris: [site.callback], pre_approved: true },
    grant_types: ["authorization_code", "refresh_token"],
  };
  const body = { name: "Chat platform", servers: ["tickets"], oauth: oauth_ };
  const { id } = z.object({ id: z.string() }).parse(await change(site, "POST", "/clients", body, 201));
  const issued = await change(site, "POST", `/clients/${id}/secrets`, {}, 201);
  const { secret } = z.looseObject({ secret: z.string() }).parse(issued);
  site.secrets.add(secret);
  const client = { client_id: id };
  const authorized = await authorize(client, `${site.origin}/mcp`);
  expect(authorized.asked).toEqual(["who"]);
  const granted = await redeem(client, oauth.ClientSecretBasic(secret), authorized);
  const { result } = z
    .looseObject({ result: z.looseObject({ tools: z.array(z.object({ name: z.string() })) }) })
    .parse(await (await listTools(granted.access_token)).json());
  expect(new Set(result.tools.map(({ name }) => name.split("__")[0]))).toEqual(new Set(["tickets"]));
});

describe("A10: a registered client acts for itself", () => {
  async function registered(oauthOf: Readonly<Record<string, unknown>>): Promise<string> {
    const body = {
      name: "Nightly job",
      servers: ["tickets"],
      oauth: { grant_types: ["client_credentials"], ...oauthOf },
    };
    return z.object({ id: z.string() }).parse(await change(site, "POST", "/clients", body, 201)).id;
  }

  async function grant(client: oauth.Client, authentication: oauth.ClientAuth): Promise<oauth.TokenEndpointResponse> {
    const parameters = { resource: `${site.origin}/mcp` };
    const answer = await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters, loopback);
    return keep(await oauth.processClientCredentialsResponse(server, client, answer));
  }

  it("A10: by its secret", async () => {
    const client_id = await registered({ authentication: "client_secret_basic" });
    const issued = await change(site, "POST", `/clients/${client_id}/secrets`, {}, 201);
    const { secret } = z.looseObject({ secret: z.string() }).parse(issued);
    site.secrets.add(secret);
    const granted = await grant({ client_id }, oauth.ClientSecretBasic(secret));
    expect(granted.refresh_token).toBeUndefined();
    expect((await listTools(granted.access_token)).status).toBe(200);
    const wrong = grant({ client_id }, oauth.ClientSecretBasic(`${secret}x`));
    await expect(wrong).rejects.toMatchObject({ status: 401 });
  });

  it.each(["ES256", "PS256"])("A10: by a key of its own (%s)", async (alg) => {
    const pair = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: "job", alg, use: "sig" };
    const client_id = await registered({ authentication: "private_key_jwt", jwks: { keys: [jwk] } });
    const granted = await grant({ client_id }, oauth.PrivateKeyJwt({ key: pair.privateKey, kid: "job" }));
    expect((await listTools(granted.access_token)).status).toBe(200);
    const other = await generateKeyPair(alg);
    const forged = grant({ client_id }, oauth.PrivateKeyJwt({ key: other.privateKey, kid: "job" }));
    await expect(forged).rejects.toMatchObject({ status: 401 });
  });
});

it("AU-20, S8, U11: no token, code or secret is in a log, on a page or in anything that is stored", () => {
  expect(leaksOf(site)).toEqual([]);
});
