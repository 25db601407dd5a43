/** The servers that the other tests of this folder stand on: what they are strict about, seen without Gatehouse. */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import * as z from "zod";
import { startAuthorizationServer, type AuthorizationServer } from "../support/authorization-server.ts";
import { oauthGuard } from "../support/guards.ts";
import { callModern } from "../support/modern-request.ts";
import { createPerson, pressName } from "../support/person.ts";
import { startProtectedServer, type ProtectedServer } from "../support/protected-server.ts";

const client = { client_id: "app", client_secret: randomBytes(32).toString("base64url") };
const redirect_uri = "http://127.0.0.1:1/callback";
const tokens = z.looseObject({ access_token: z.string(), refresh_token: z.string().default("") });

let authorization: AuthorizationServer;
let server: ProtectedServer;
beforeAll(async () => {
  const resources: string[] = [];
  authorization = await startAuthorizationServer({
    resources: () => resources,
    scopes: ["read", "notes:write"],
    clients: [
      {
        ...client,
        redirect_uris: [redirect_uri],
        grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      },
    ],
  });
  const guard = oauthGuard(authorization, { scopes: ["read"], toolScopes: { write_note: "notes:write" } });
  server = await startProtectedServer({ guard, issuer: authorization.issuer });
  resources.push(server.url.href);
});
afterAll(async () => {
  await server.close();
  await authorization.close();
});
beforeEach(() => {
  authorization.disarm();
});

async function askToken(parameters: Readonly<Record<string, string>>): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(new URL("/token", authorization.issuer), {
    method: "POST",
    body: new URLSearchParams(parameters),
    headers: {
      authorization: `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString("base64")}`,
    },
  });
  return { status: answer.status, body: await answer.json() };
}

async function signIn(account: string, scope = "read"): Promise<z.output<typeof tokens>> {
  const verifier = randomBytes(32).toString("base64url");
  const resource = server.url.href;
  const url = new URL("/auth", authorization.issuer);
  url.search = new URLSearchParams({
    ...{ response_type: "code", client_id: client.client_id, redirect_uri, scope, resource, state: "s" },
    ...{ code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256" },
  }).toString();
  const person = createPerson();
  const asked = await pressName(person, await person.visit(url), account);
  const action = /action="([^"]+)"/.exec(asked.text)?.[1] ?? "";
  const isBack = ({ pathname }: URL): boolean => pathname === "/callback";
  const back = await person.visit(new URL(action, asked.url), { answer: "authorize" }, isBack);
  expect(back.url.searchParams.get("iss")).toBe(authorization.issuer);
  const code = back.url.searchParams.get("code") ?? "";
  const answer = await askToken({
    grant_type: "authorization_code",
    code,
    redirect_uri,
    code_verifier: verifier,
    resource,
  });
  return tokens.parse(answer.body);
}

const call = (name: string, token: string) =>
  callModern(server.url, { method: "tools/call", params: { name, arguments: { note: "x" } }, token });
const refresh = (refresh_token: string) => askToken({ grant_type: "refresh_token", refresh_token });

it("a token is good for the server that it was asked for, and shows its owner's data", async () => {
  const ada = await signIn("octo-ada");
  expect((await call("list_pull_requests", ada.access_token)).text).toContain("Analytical engine");
  const ben = await signIn("octo-ben");
  expect((await call("list_pull_requests", ben.access_token)).text).toContain("Brochure");
  expect((await call("whoami", "forged")).status).toBe(401);
  const short = await call("write_note", ada.access_token);
  expect([short.status, short.headers.get("www-authenticate")]).toEqual([403, expect.stringContaining("notes:write")]);
});

it("a refresh token that comes twice ends the grant", async () => {
  const first = await signIn("octo-ada");
  const second = tokens.parse((await refresh(first.refresh_token)).body);
  expect((await call("whoami", second.access_token)).status).toBe(200);
  expect(await refresh(first.refresh_token)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  expect(await refresh(second.refresh_token)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  expect((await call("whoami", second.access_token)).status).toBe(401);
  expect(authorization.secrets.has(second.refresh_token)).toBe(true);
});

it("an answer that is cut after the work was done leaves the token used", async () => {
  const { refresh_token } = await signIn("octo-ada");
  const armed = authorization.arm("/token", { kind: "cut", when: "after" });
  await expect(refresh(refresh_token)).rejects.toThrow();
  await armed.happened;
  expect((await refresh(refresh_token)).status).toBe(400);
});

it("who withdraws what they allowed ends the tokens", async () => {
  const { access_token, refresh_token } = await signIn("octo-ben");
  await authorization.withdraw("octo-ben");
  expect((await call("whoami", access_token)).status).toBe(401);
  expect((await refresh(refresh_token)).status).toBe(400);
});

it("a client has a token of its own", async () => {
  const answer = await askToken({ grant_type: "client_credentials", scope: "read", resource: server.url.href });
  expect((await call("whoami", tokens.parse(answer.body).access_token)).text).toContain("app");
});
