/** Who gets a token without a browser: jobs, workloads, and people whose identity provider vouches for what they may use. */
import {
  Client,
  ClientCredentialsProvider,
  CrossAppAccessProvider,
  PrivateKeyJwtProvider,
  StreamableHTTPClientTransport,
  type OAuthClientProvider,
} from "@modelcontextprotocol/client";
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { call } from "./grant.ts";
import { change, leaksOf, listed, plainTool, startSite, type Site } from "./site.ts";

let site: Site;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.dispose());

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const tool = `tickets__${plainTool.name}`;
const created = z.object({ id: z.string() });
const issued = z.looseObject({ secret: z.string() });

async function registerClient(name: string, oauth: object, servers: readonly string[] = ["tickets"]): Promise<string> {
  return created.parse(await change(site, "POST", "/clients", { name, servers, oauth }, 201)).id;
}

async function issueSecret(client_id: string): Promise<string> {
  const { secret } = issued.parse(await change(site, "POST", `/clients/${client_id}/secrets`, {}, 201));
  site.secrets.add(secret);
  return secret;
}

/** Connects a client of SDK v2 and calls the tool. @returns its text, and what is listed */
async function use(
  authProvider: OAuthClientProvider,
  mode: "auto" | "legacy",
): Promise<{ tools: string[]; text: string }> {
  const client = new Client({ name: "job", version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(site.endpoint("/mcp"), { authProvider }));
  const { tools } = await client.listTools();
  const answer = await client.callTool({ name: tool, arguments: {} });
  await client.close();
  const tokens = await authProvider.tokens();
  if (tokens !== undefined) site.secrets.add(tokens.access_token);
  return {
    tools: [...new Set(tools.map(({ name }) => name.split("__")[0] ?? ""))],
    text: JSON.stringify(answer.content),
  };
}

const actor = z.object({ actor: z.looseObject({ agent: z.string() }) });

async function actorOf(client_id: string): Promise<object | undefined> {
  const find = () => listed(site, `/events?type=mcp.request&method=tools/call&agent=${client_id}`, actor);
  await expect.poll(find, { timeout: 15_000 }).not.toHaveLength(0);
  return (await find())[0]?.actor;
}

describe.each(["auto", "legacy"] as const)("the SDK's client (%s)", (mode) => {
  it("A10: client credentials by secret", async () => {
    const grant_types = ["client_credentials"];
    const clientId = await registerClient("Nightly", { authentication: "client_secret_basic", grant_types });
    const clientSecret = await issueSecret(clientId);
    const provider = new ClientCredentialsProvider({ clientId, clientSecret, expectedIssuer: site.origin });
    const { tools, text } = await use(provider, mode);
    expect(tools).toEqual(["tickets"]);
    expect(text).toContain(plainTool.says);
    expect(await actorOf(clientId)).not.toHaveProperty("user");
  });

  it("A10: client credentials by a key of its own", async () => {
    const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
    const keys = [{ ...(await exportJWK(publicKey)), alg: "ES256", use: "sig" }];
    const grant_types = ["client_credentials"];
    const clientId = await registerClient("Signed", { authentication: "private_key_jwt", grant_types, jwks: { keys } });
    const key = { ...(await exportJWK(privateKey)), alg: "ES256" };
    const options = { clientId, privateKey: key, algorithm: "ES256", expectedIssuer: site.origin };
    const { tools, text } = await use(new PrivateKeyJwtProvider(options), mode);
    expect(tools).toEqual(["tickets"]);
    expect(text).toContain(plainTool.says);
  });

  it("A12: the organisation's identity provider vouches for the person, and nobody is asked", async () => {
    const grant_types = [jwtBearer];
    const registration = { authentication: "client_secret_basic", grant_types };
    const clientId = await registerClient("Managed", registration, ["tickets", "builds"]);
    const provider = new CrossAppAccessProvider({
      ...{ clientId, clientSecret: await issueSecret(clientId), expectedIssuer: site.origin },
      assertion: ({ authorizationServerUrl, resourceUrl }) =>
        idJag({ aud: authorizationServerUrl, resource: resourceUrl, client_id: clientId, sub: "ada" }),
    });
    const { tools, text } = await use(provider, mode);
    expect(tools.sort()).toEqual(["builds", "tickets"]);
    expect(text).toContain(plainTool.says);
    expect(await actorOf(clientId)).toMatchObject({ agent: clientId, user_email: "ada@example.test" });
  });
});

let serial = 0;

function idJag(claims: Readonly<Record<string, unknown>>): Promise<string> {
  serial += 1;
  const person = { email: "ada@example.test", email_verified: true, groups: ["engineering", "administrators"] };
  const exp = Math.floor(Date.now() / 1000) + 120;
  return site.identity.sign({ jti: `jag-${serial}`, exp, scope: "mcp", ...person, ...claims }, "oauth-id-jag+jwt");
}

async function exchange(parameters: Readonly<Record<string, string>>, basic?: string) {
  const answer = await fetch(site.endpoint("/oauth/token"), {
    method: "POST",
    headers: basic === undefined ? {} : { authorization: `Basic ${Buffer.from(basic).toString("base64")}` },
    body: new URLSearchParams({ grant_type: jwtBearer, resource: `${site.origin}/mcp`, ...parameters }),
  });
  const body = z.looseObject({ access_token: z.string().optional() }).parse(await answer.json());
  if (body.access_token !== undefined) site.secrets.add(body.access_token);
  return { status: answer.status, body };
}

it("A12, TK-24: an identity assertion works once", async () => {
  const registration = { authentication: "client_secret_basic", grant_types: [jwtBearer] };
  const client_id = await registerClient("Managed once", registration);
  const basic = `${client_id}:${await issueSecret(client_id)}`;
  const assertion = await idJag({ aud: site.origin, client_id, sub: "ada", resource: `${site.origin}/mcp` });
  site.secrets.add(assertion);
  const answers = await Promise.all(Array.from({ length: 10 }, () => exchange({ assertion }, basic)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 400)]);
  const token = answers.find(({ status }) => status === 200)?.body.access_token ?? "";
  expect((await call(site, token, tool)).status).toBe(200);
});

describe("a workload", () => {
  let issuer: string;
  let client_id: string;

  beforeAll(async () => {
    issuer = `${site.secure.origin}/ci`;
    const keys: unknown = await (await fetch(`${site.identity.issuer}/jwks`)).json();
    site.secure.publish("/ci/jwks", keys);
    site.secure.publish("/ci/.well-known/openid-configuration", { issuer, jwks_uri: `${issuer}/jwks` });
    const workloads = [{ issuer, claims: { repository: "example/site", ref: "refs/heads/main" } }];
    client_id = await registerClient("Release job", { authentication: "none", grant_types: [jwtBearer], workloads });
  });

  async function token(claims: Readonly<Record<string, unknown>>): Promise<string> {
    serial += 1;
    const exp = Math.floor(Date.now() / 1000) + 120;
    const base = { iss: issuer, aud: site.origin, sub: "job:7", jti: `job-${serial}`, exp, repository: "example/site" };
    const signed = await site.identity.sign({ ...base, ...claims });
    site.secrets.add(signed);
    return signed;
  }

  it("A10: its token gets it one of ours", async () => {
    const { status, body } = await exchange({ assertion: await token({ ref: "refs/heads/main" }) });
    expect([status, body.access_token === undefined]).toEqual([200, false]);
    const answer = await call(site, body.access_token ?? "", tool);
    expect(answer.text).toContain(plainTool.says);
    expect((await call(site, body.access_token ?? "", `wiki__${plainTool.name}`)).message?.error).toBeDefined();
    expect(await actorOf(client_id)).toEqual(expect.objectContaining({ agent: client_id }));
  });

  it("A10: with other claims it gets nothing", async () => {
    const { status, body } = await exchange({ assertion: await token({ ref: "refs/heads/evil" }) });
    expect([status, body["error"]]).toEqual([400, "invalid_grant"]);
  });
});

it("AU-20, S8, U11: no token, assertion or secret is in a log, on a page or in anything that is stored", () => {
  expect(leaksOf(site)).toEqual([]);
});
