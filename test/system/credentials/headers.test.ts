/** Headers that Gatehouse adds besides app authentication, and those of the caller: each recipe against a server that verifies it. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import { change } from "../people/site.ts";
import { startAuthorizationServer, tokenExchange, type AuthorizationServer } from "../support/authorization-server.ts";
import {
  allGuards,
  assertionGuard,
  headerGuard,
  keysGuard,
  openGuard,
  tokenGuard,
  type Guard,
} from "../support/guards.ts";
import { callModern, type ModernAnswer } from "../support/modern-request.ts";
import { startProtectedServer, type ProtectedServer } from "../support/protected-server.ts";
import { linkIn } from "./chat.ts";
import { confirmationOf, startWorld, type Person, type World } from "./world.ts";

const parallel_count = 20;

const secret = (): string => randomBytes(32).toString("base64url");
const service = { client_id: "service", client_secret: secret() };
const exchanger = { client_id: "exchanger", client_secret: secret() };
const keys = { organisation: secret(), ada: secret(), ben: secret(), custom: secret() };

interface Peers extends Readonly<Record<string, AuthorizationServer | ProtectedServer>> {
  readonly authorization: AuthorizationServer;
  readonly server: ProtectedServer;
}

let issuer = "";
async function startPeers(): Promise<Peers> {
  const resources: string[] = [];
  const none = { redirect_uris: [], response_types: [] };
  const authorization = await startAuthorizationServer({
    resources: () => resources,
    scopes: ["read"],
    format: "jwt",
    exchanges: () => issuer,
    clients: [
      { ...service, ...none, grant_types: ["client_credentials"] },
      { ...exchanger, ...none, grant_types: [tokenExchange], token_endpoint_auth_method: "client_secret_post" },
    ],
  });
  const server = await startProtectedServer({ guard: openGuard });
  resources.push(server.url.href);
  return { authorization, server };
}

let world: World<Peers>;
let server_id: string;
let ada: Person;
let ben: Person;
beforeAll(async () => {
  world = await startWorld(startPeers);
  issuer = world.site.identity.issuer;
  for (const one of [...Object.values(keys), service.client_secret, exchanger.client_secret]) {
    world.site.secrets.add(one);
  }
  server_id = await world.register({ slug: "inner", name: "Inner", url: world.peers.server.url.href });
  [ada, ben] = [await world.holdFor("ada"), await world.holdFor("ben")];
});
afterAll(() => world.dispose());
beforeEach(() => world.peers.server.clear());

async function call(token: string, headers: Readonly<Record<string, string>> = {}): Promise<ModernAnswer> {
  return send("/mcp", "inner__whoami", token, headers);
}

/** At the endpoint of its own, with whatever the caller brings. */
const callThrough = (token: string): Promise<ModernAnswer> => send("/mcp/inner", "whoami", token, {});

async function send(
  path: string,
  name: string,
  token: string,
  headers: Readonly<Record<string, string>>,
): Promise<ModernAnswer> {
  const request = { method: "tools/call", params: { name, arguments: {} }, token, headers };
  const answer = await callModern(world.site.endpoint(path), request);
  world.site.pages.push(answer.text);
  return answer;
}

async function saysOf({ token }: Person): Promise<string> {
  const { message, text } = await call(token);
  const answer = z.looseObject({ content: z.array(z.looseObject({ text: z.string() })) }).safeParse(message?.result);
  return answer.data?.content[0]?.text ?? text;
}

async function add(guard: Guard, outbound_headers: readonly object[], header_secrets: object = {}): Promise<void> {
  world.peers.server.guardBy(guard);
  const plain = { authentication: { type: "none" }, agent_authentication: { type: "any" }, inbound_headers: {} };
  const body = { ...plain, outbound_headers, header_secrets };
  const path = `/servers/${server_id}`;
  const sendsSignIn = outbound_headers.some((recipe) => "subject_token" in recipe);
  const confirmed = sendsSignIn ? await confirmationOf(world.site, "PATCH", path, body) : {};
  await change(world.site, "PATCH", path, { ...body, ...confirmed }, 200);
}

const lastHeader = (name: string): string | null | undefined => world.peers.server.seen.at(-1)?.headers.get(name);

const created = z.looseObject({ id: z.string() });
const store = async (body: object): Promise<string> =>
  created.parse(await change(world.site, "POST", "/credentials", body, 201)).id;

describe("recipes", () => {
  it("U7, U13: a service token by client credentials, one for all who call at once", async () => {
    const { authorization } = world.peers;
    const { client_id, client_secret } = service;
    const resource = world.peers.server.url.href;
    const recipe = { source: "service_token", name: "X-Service", prefix: "Bearer", scopes: ["read"], resource };
    const outbound = { ...recipe, token_endpoint: `${authorization.issuer}/token`, client_id };
    await add(tokenGuard("x-service", authorization), [outbound], { "X-Service": { client_secret } });
    const said = await Promise.all(Array.from({ length: parallel_count }, (_, at) => saysOf(at % 2 === 0 ? ada : ben)));
    expect(new Set(said)).toEqual(new Set(["service"]));
    // One token for everybody, although all came at once.
    expect(authorization.tokenRequests.filter((one) => one.client_id === client_id)).toHaveLength(1);
  });

  it("U7: on behalf of the caller, by exchange of the token of their sign-in", async () => {
    const { authorization, server } = world.peers;
    const { client_id, client_secret } = exchanger;
    const outbound = {
      ...{ source: "on_behalf_of", name: "Authorization", prefix: "Bearer", subject_token: "id_token", client_id },
      ...{ client_authentication: "client_secret_post", token_endpoint: `${authorization.issuer}/token` },
      audience: server.url.href,
    };
    await add(tokenGuard("authorization", authorization), [outbound], { Authorization: { client_secret } });
    expect([await saysOf(ada), await saysOf(ben)]).toEqual(["octo-ada", "octo-ben"]);
    expect(await saysOf(ada)).toBe("octo-ada");
    expect(authorization.tokenRequests.filter((one) => one.client_id === client_id)).toHaveLength(2);
  });

  it("U7: a stored credential of the organisation", async () => {
    const id = await store({ name: "Inner key", holder: "organisation", hint: "", value: keys.organisation });
    const outbound = [{ source: "stored_credential", name: "X-Key", credential_id: id }];
    await add(headerGuard("X-Key", keys.organisation), outbound);
    expect(await saysOf(ada)).toBe("service");
  });

  it("U7, U9: a stored credential that each person has their own of", async () => {
    const id = await store({ name: "Personal key", holder: "user", hint: "Ask the desk." });
    const subjects = new Map([
      [keys.ada, "ada"],
      [keys.ben, "ben"],
    ]);
    await add(keysGuard("X-Key", subjects), [{ source: "stored_credential", name: "X-Key", credential_id: id }]);
    for (const person of [ada, ben]) {
      const link = linkIn.exec((await call(person.token)).text)?.[0] ?? "";
      const { text } = await person.go(link, { key: keys[person.name] });
      expect(text).toContain("is connected");
      expect(await saysOf(person)).toBe(person.name);
    }
    expect(await saysOf(ada)).toBe("ada");
  });

  it("U7: who the caller is, and a value with words of the administrator", async () => {
    const outbound = [
      { source: "caller_identity", name: "X-User-Email", value: "email" },
      { source: "custom", name: "X-Custom" },
    ];
    await add(openGuard, outbound, { "X-Custom": { value: `${keys.custom};by={{user.email}};at={{server.slug}}` } });
    await call(ben.token, { "x-user-email": "ada@example.test", x_user_email: "ada@example.test" });
    expect(lastHeader("x-user-email")).toBe("ben@example.test");
    expect(lastHeader("x_user_email")).toBeNull();
    expect(lastHeader("x-custom")).toBe(`${keys.custom};by=ben@example.test;at=inner`);
  });

  it("U15: a signed assertion of the caller, which the server verifies with the published keys", async () => {
    await add(assertionGuard("x-caller", world.site.gatehouse.url), [{ source: "caller_assertion", name: "X-Caller" }]);
    expect(await saysOf(ada)).toBe("ada@example.test");
    expect(await saysOf(ben)).toBe("ben@example.test");
  });

  it("U7: several at once, each to its own header", async () => {
    const id = await store({ name: "Second key", holder: "organisation", hint: "", value: keys.organisation });
    const guard = allGuards(
      headerGuard("X-Key", keys.organisation),
      headerGuard("X-Custom", keys.custom),
      assertionGuard("x-caller", world.site.gatehouse.url),
    );
    const outbound = [
      { source: "stored_credential", name: "X-Key", credential_id: id },
      { source: "custom", name: "X-Custom" },
      { source: "caller_assertion", name: "X-Caller" },
    ];
    await add(guard, outbound, { "X-Custom": { value: keys.custom } });
    expect(await saysOf(ada)).toBe("ada@example.test");
  });
});

describe("headers of the caller", () => {
  it("A8: go on by name only, without those that are restricted, and never with a credential of Gatehouse", async () => {
    await add(openGuard, []);
    const inbound_headers = { forward: ["x-*"], restrict: ["x-internal-*"] };
    await change(world.site, "PATCH", `/servers/${server_id}`, { inbound_headers }, 200);
    await call(ada.token, {
      ...{ "x-team": "blue", "X-INTERNAL-Role": "root", "x-internal-": "1", "x-internalb": "kept", "y-other": "no" },
      cookie: "a=b",
    });
    expect(["x-team", "x-internal-role", "x-internal-", "x-internalb", "y-other", "cookie"].map(lastHeader)).toEqual([
      ...["blue", null, null, "kept"],
      ...[null, null],
    ]);
    expect(lastHeader("authorization")).toBeNull();
  });
});

describe("passthrough with required validation", () => {
  const passthrough = (jwt: object) => ({ type: "passthrough", anonymous: "allow", jwt });
  const audience = "https://inner.example.test";

  async function require(jwt: object): Promise<void> {
    await add(openGuard, []);
    const changes = { agent_authentication: passthrough(jwt), authentication: { type: "passthrough" } };
    await change(world.site, "PATCH", `/servers/${server_id}`, changes, 200);
  }

  const sign = (claims: Readonly<Record<string, unknown>> = {}): Promise<string> => {
    const exp = Math.floor(Date.now() / 1000) + 300;
    return world.site.identity.sign({ sub: "script", aud: audience, exp, ...claims });
  };

  it.each(["jwks_url", "jwks"])("A7: a token that is good by the %s goes on as it is", async (by) => {
    const jwks_url = `${issuer}/jwks`;
    const jwks = by === "jwks" ? await (await fetch(jwks_url)).json() : undefined;
    await require({ ...(jwks === undefined ? { jwks_url } : { jwks }), issuer, audience });
    const good = await sign();
    world.site.secrets.add(good);
    expect((await callThrough(good)).text).toContain("anybody");
    expect(lastHeader("authorization")).toBe(`Bearer ${good}`);
  });

  it.each([
    ["for another audience", { aud: "https://other.example.test" }],
    ["of another issuer", { iss: "https://other.example.test" }],
    ["that has ended", { exp: Math.floor(Date.now() / 1000) - 300 }],
  ])("A7: one %s is refused before anything is sent", async (_title, claims) => {
    await require({ jwks_url: `${issuer}/jwks`, issuer, audience });
    expect((await callThrough(await sign(claims))).status).toBe(401);
    expect(world.peers.server.seen).toEqual([]);
  });

  it.each(["not.a.token", ""])("A7: and so is %j", async (token) => {
    await require({ jwks_url: `${issuer}/jwks`, issuer, audience });
    expect((await callThrough(token)).status).toBe(401);
    expect(world.peers.server.seen).toEqual([]);
  });
});

it("U11, VT-07, AU-20: no key, token or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
});
