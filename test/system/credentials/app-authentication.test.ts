/** The official everything server behind each way to authenticate to a server, and a way that is changed later. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { exportJWK } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { change } from "../people/site.ts";
import { everything } from "../clients/upstreams.ts";
import { callModern, type ModernAnswer } from "../support/modern-request.ts";
import { startAuthorizationServer, type AuthorizationServer } from "../support/authorization-server.ts";
import {
  allGuards,
  basicGuard,
  bearerGuard,
  headerGuard,
  keysGuard,
  oauthGuard,
  openGuard,
  queryGuard,
  type Guard,
} from "../support/guards.ts";
import { startProtectedServer, type ProtectedServer } from "../support/protected-server.ts";
import { linkIn } from "./chat.ts";
import { callbackOf, everythingPeer, startWorld, type Person, type World } from "./world.ts";

const secret = (): string => randomBytes(32).toString("base64url");
const keys = {
  ...{ bearer: secret(), password: secret(), header: secret(), query: secret(), first: secret(), second: secret() },
  ...{ ada: secret(), ben: secret(), passed: secret() },
};
const service = { client_id: "nightly", client_secret: secret() };
const signed = { client_id: "signed", ...generateKeyPairSync("ec", { namedCurve: "P-256" }) };
const signedKey = signed.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const linked = { client_id: "gatehouse", client_secret: secret() };

interface Peers extends Readonly<Record<string, AuthorizationServer | ProtectedServer>> {
  readonly authorization: AuthorizationServer;
  readonly server: ProtectedServer;
}

let world: World<Peers>;
let everythingServer: Awaited<ReturnType<typeof everythingPeer>>;
let server_id: string;
let ada: Person;
let ben: Person;
let ada_token: string;

async function startPeers(origin: string): Promise<Peers> {
  const resources: string[] = [];
  const authorization = await startAuthorizationServer({
    resources: () => resources,
    scopes: ["read"],
    format: "jwt",
    clients: [
      { ...service, redirect_uris: [], response_types: [], grant_types: ["client_credentials"] },
      {
        ...{ client_id: signed.client_id, redirect_uris: [], response_types: [], grant_types: ["client_credentials"] },
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [{ ...(await exportJWK(signed.publicKey)), alg: "ES256", use: "sig" }] },
      },
      {
        ...linked,
        redirect_uris: [callbackOf(origin, "everything")],
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
  });
  everythingServer = await everythingPeer();
  const server = await startProtectedServer({
    guard: openGuard,
    behind: everythingServer.url,
    issuer: authorization.issuer,
  });
  resources.push(server.url.href);
  return { authorization, server };
}

beforeAll(async () => {
  world = await startWorld(startPeers);
  const [, pem = ""] = signedKey.split("\n");
  for (const one of [...Object.values(keys), service.client_secret, linked.client_secret, pem]) {
    world.site.secrets.add(one);
  }
  server_id = await world.register({ slug: "everything", name: "Everything", url: world.peers.server.url.href });
  [ada, ben] = [await world.holdFor("ada"), await world.holdFor("ben")];
  ada_token = await ada.tokenFor("/mcp/everything");
});
afterAll(async () => {
  await world.dispose();
  await everythingServer.close();
});
beforeEach(() => world.peers.server.clear());

const { tool } = everything;

async function call(token = ada.token): Promise<ModernAnswer> {
  const params = { name: `everything__${tool.name}`, arguments: tool.input };
  const answer = await callModern(world.site.endpoint("/mcp"), { method: "tools/call", params, token });
  world.site.pages.push(answer.text);
  return answer;
}

/** At the endpoint of its own, with whatever the caller brings. */
async function callThrough(token: string, headers: Readonly<Record<string, string>> = {}): Promise<ModernAnswer> {
  const params = { name: tool.name, arguments: tool.input };
  const request = { method: "tools/call", params, token, headers };
  const answer = await callModern(world.site.endpoint("/mcp/everything"), request);
  world.site.pages.push(answer.text);
  return answer;
}

const patch = (changes: object, status = 200): Promise<unknown> =>
  change(world.site, "PATCH", `/servers/${server_id}`, changes, status);

/** Says how from now on, on both sides. */
async function authenticateBy(guard: Guard, authentication: object, credential: object | null = null): Promise<void> {
  world.peers.server.guardBy(guard);
  await patch({ authentication, credential, agent_authentication: { type: "any" } });
}

async function expectWorks(token?: string): Promise<void> {
  const answer = await call(token);
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining(tool.says)]);
}

const organisation: readonly {
  readonly id: string;
  readonly guard: () => Guard;
  readonly authentication: { readonly type: string; readonly [member: string]: unknown };
  readonly credential: Readonly<Record<string, unknown>> | null;
  /** What is not it. */
  readonly wrong?: Readonly<Record<string, unknown>>;
  /** With what is not it: another client, since a token of before stays good. */
  readonly wrongly?: Readonly<Record<string, unknown>>;
}[] = [
  { id: "U6", guard: () => openGuard, authentication: { type: "none" }, credential: null },
  {
    id: "U4",
    guard: () => bearerGuard(keys.bearer),
    authentication: { type: "bearer" },
    credential: { token: keys.bearer },
    wrong: { token: "wrong" },
  },
  {
    id: "U5",
    guard: () => basicGuard("robot", keys.password),
    authentication: { type: "basic", username: "robot" },
    credential: { password: keys.password },
    wrong: { password: "wrong" },
  },
  {
    id: "U3",
    guard: () => headerGuard("X-API-Key", keys.header),
    authentication: { type: "api_key_header", header: "X-API-Key" },
    credential: { key: keys.header },
    wrong: { key: "wrong" },
  },
  {
    id: "U3",
    guard: () => queryGuard("api_key", keys.query),
    authentication: { type: "api_key_query", parameter: "api_key" },
    credential: { key: keys.query },
    wrong: { key: "wrong" },
  },
  {
    id: "U3",
    guard: () => allGuards(headerGuard("X-First", keys.first), headerGuard("X-Second", keys.second)),
    authentication: { type: "headers", headers: ["X-First", "X-Second"] },
    credential: { values: [keys.first, keys.second] },
    wrong: { values: [keys.second, keys.first] },
  },
  {
    id: "U2",
    guard: () => oauthGuard(world.peers.authorization, { scopes: ["read"] }),
    authentication: { type: "client_credentials", client_id: service.client_id, scopes: ["read"] },
    credential: { client_secret: service.client_secret },
    wrong: { client_secret: "wrong" },
    wrongly: { client_id: "nobody" },
  },
  {
    id: "U2",
    guard: () => oauthGuard(world.peers.authorization, { scopes: ["read"] }),
    authentication: {
      ...{ type: "client_credentials", client_id: signed.client_id, scopes: ["read"] },
      client_authentication: "private_key_jwt",
    },
    credential: { private_key: signedKey, algorithm: "ES256" },
  },
];

const cases = organisation.map((one) => ({ ...one, type: one.authentication.type }));
const sealed = (type: string, given: object | null): object | null => (given === null ? null : { type, ...given });

describe("a credential of the organisation", () => {
  it.each(cases)("$id, U8: $type reaches the server after a change to it, for everybody", async (one) => {
    await authenticateBy(one.guard(), one.authentication, sealed(one.type, one.credential));
    await expectWorks();
    await expectWorks(ben.token);
  });

  it.each(cases.filter(({ wrong }) => wrong !== undefined))(
    "$id: $type that the server does not take is no 401 of Gatehouse, and is not shown",
    async ({ guard, authentication, type, wrong = null, wrongly }) => {
      await authenticateBy(guard(), { ...authentication, ...wrongly }, sealed(type, wrong));
      const { status, text } = await call();
      expect([status, text.includes(tool.says)]).toEqual([200, false]);
      expect(text).toMatch(/"error"|"isError":true/);
      const shown = await world.site.gatehouse.api("GET", `/servers/${server_id}`);
      expect(JSON.stringify(shown.body)).not.toContain("wrong");
    },
  );
});

describe("oauth", () => {
  it("U1, U8: each person connects an account at the server's provider, with a client that was registered by hand", async () => {
    const { client_id, client_secret } = linked;
    const authentication = { type: "oauth", client_id, client_authentication: "client_secret_post" };
    await authenticateBy(oauthGuard(world.peers.authorization, { scopes: ["read"] }), authentication, {
      type: "oauth",
      client_secret,
    });
    expect((await call()).text).toMatch(linkIn);
    await ada.connect("everything");
    await expectWorks();
    expect((await call(ben.token)).text).toMatch(linkIn);
    const { tokenRequests } = world.peers.authorization;
    const asked = tokenRequests.filter(({ grant_type }) => grant_type === "authorization_code");
    expect(asked).toMatchObject([{ client_id, outcome: "success", resource: world.peers.server.url.href }]);
  });
});

describe("each person's own key", () => {
  const subjects = new Map([
    [keys.ada, "ada"],
    [keys.ben, "ben"],
  ]);

  it("U3, U9: is pasted once it is known to work, and is theirs alone", async () => {
    const authentication = { type: "api_key_header", header: "X-API-Key", holder: "user", hint: "Under Settings." };
    await authenticateBy(keysGuard("X-API-Key", subjects), authentication);
    const link = linkIn.exec((await call()).text)?.[0] ?? "";
    const wrong = await ada.go(link, { key: "not-a-key-of-anybody" });
    expect(wrong.text).not.toContain("is connected");
    expect(wrong.text).toContain("Under Settings.");
    expect((await call()).text).toMatch(linkIn);
    expect((await ada.go(link, { key: keys.ada })).text).toContain("is connected");
    await expectWorks();
    expect((await call(ben.token)).text).toMatch(linkIn);
    await ben.connect("everything", { key: keys.ben });
    await expectWorks(ben.token);
    const used = world.peers.server.seen.filter(({ rpc, subject }) => rpc === "tools/call" && subject !== undefined);
    expect(used.map(({ subject }) => subject)).toEqual(["ada", "ben"]);
  });

  it("U5, U9: or a user name and a password", async () => {
    const authentication = { type: "basic", holder: "user" };
    await authenticateBy(basicGuard("ada", keys.password), authentication);
    const link = linkIn.exec((await call()).text)?.[0] ?? "";
    expect((await ada.go(link, { username: "ada", key: keys.password })).text).toContain("is connected");
    await expectWorks();
  });
});

describe("passthrough", () => {
  it("U6, A6: the caller's own credential goes to the server, and Gatehouse adds nothing", async () => {
    world.peers.server.guardBy(bearerGuard(keys.passed));
    const agent_authentication = { type: "passthrough", anonymous: "allow" };
    await patch({ authentication: { type: "passthrough" }, credential: null, agent_authentication });
    const answer = await callThrough(keys.passed);
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining(tool.says)]);
    const without = await callThrough("somebody-else");
    expect(without.text).not.toContain(tool.says);
  });

  it("A6: who is known by a token of Gatehouse beside it is named in the log, and the server never sees that token", async () => {
    const answer = await callThrough(keys.passed, { "x-gatehouse-token": ada_token });
    expect(answer.text).toContain(tool.says);
    for (const { headers } of world.peers.server.seen) {
      expect(headers.get("authorization")).toBe(`Bearer ${keys.passed}`);
      expect(headers.get("x-gatehouse-token")).toBeNull();
    }
  });
});

it("U11, VT-07, VT-13, AU-20: no key, token or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
});
