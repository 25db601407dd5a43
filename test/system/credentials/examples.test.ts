/** The four worked examples of "Configuring Authentication for MCP Servers", each from the administrator's settings to the answers. */
import { randomBytes } from "node:crypto";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { BrowserContext } from "../../../scripts/lib/browser.ts";
import { sdkV1, sdkV2Auto, signInTo } from "../people/applications.ts";
import { createMemory } from "../people/oauth-client.ts";
import { change } from "../people/site.ts";
import type { AuthorizationServer } from "../support/authorization-server.ts";
import { pullRequests } from "../support/forge.ts";
import { headerGuard, openGuard, serviceAndPersonGuard } from "../support/guards.ts";
import { startProtectedServer, type ProtectedServer } from "../support/protected-server.ts";
import { modernChat, plainChat, v1Chat } from "./chat.ts";
import { startForge } from "./forge-world.ts";
import { go } from "./journey.ts";
import { callbackOf, confirmationOf, connectionsAt, startWorld, type World } from "./world.ts";

const secret = (): string => randomBytes(32).toString("base64url");
const mailApp = { client_id: "gatehouse-mail", client_secret: secret() };
const forgeApp = { client_id: "gatehouse-forge", client_secret: secret() };
const metricsKey = secret();
const searchKey = secret();

interface Peers extends Readonly<Record<string, AuthorizationServer | ProtectedServer>> {
  readonly mailAuthorization: AuthorizationServer;
  readonly mail: ProtectedServer;
  readonly metrics: ProtectedServer;
  readonly search: ProtectedServer;
  readonly forgeAuthorization: AuthorizationServer;
  readonly forge: ProtectedServer;
}

const codeClient = (origin: string, slug: string, method: string) => ({
  redirect_uris: [callbackOf(origin, slug)],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: method,
});

async function startPeers(origin: string): Promise<Peers> {
  const mail = await startForge(origin, {
    authorization: () => ({
      registration: false,
      format: "jwt",
      clients: [{ ...mailApp, ...codeClient(origin, "mail", "client_secret_post") }],
    }),
    guard: { scopes: ["read"] },
  });
  // A vendor from before MCP: no metadata, no audience, a client that was made by hand.
  const forge = await startForge(origin, {
    authorization: () => ({
      registration: false,
      metadata: false,
      clients: [{ ...forgeApp, ...codeClient(origin, "forge", "client_secret_basic") }],
    }),
    guard: { metadata: false },
  });
  return {
    ...{ mailAuthorization: mail.authorization, mail: mail.server },
    ...{ forgeAuthorization: forge.authorization, forge: forge.server },
    metrics: await startProtectedServer({ guard: headerGuard("DD-API-KEY", metricsKey) }),
    search: await startProtectedServer({ guard: openGuard }),
  };
}

let world: World<Peers>;
beforeAll(async () => {
  world = await startWorld(startPeers);
  for (const one of [mailApp.client_secret, forgeApp.client_secret, metricsKey, searchKey]) world.site.secrets.add(one);
});
afterAll(() => world.dispose());

const interactive = { agent_authentication: { type: "interactive" } } as const;

describe("example 1: a team uses mail from its editor", () => {
  let server_id: string;
  beforeAll(async () => {
    server_id = await world.register({
      ...{ slug: "mail", name: "Mail", url: world.peers.mail.url.href, ...interactive },
      authentication: {
        type: "oauth",
        client_id: mailApp.client_id,
        client_authentication: "client_secret_post",
      },
      credential: { type: "oauth", client_secret: mailApp.client_secret },
    });
  });

  it.each([
    { application: sdkV2Auto, person: "ada", name: sdkV2Auto.name },
    { application: sdkV1, person: "ben", name: sdkV1.name },
  ] as const)(
    "U1, A1, A2: $name signs $person in, who connects the mailbox on the consent page; all happens under their own account",
    async ({ application, person }) => {
      const { site } = world;
      const context = await site.browser.newContext();
      const memory = createMemory(site, `Editor of ${person}`);
      const url = site.endpoint("/mcp/mail");
      const journey = await signInTo(application, url, memory, async (to) => {
        const { arrived, text, asked } = await go(site, context, to, {
          ...{ person, account: `octo-${person}`, connects: ["mail"] },
        });
        expect(asked).toEqual(["who", "connect", "connect", "account", "authorize", "consent"]);
        return { asked: [], offered: [], arrived, text };
      });
      expect(journey.arrived.searchParams.get("code")).not.toBeNull();
      await context.close();
      const connected = await application.connect(url, memory);
      expect(await connected.tools()).toEqual(["list_pull_requests", "whoami", "write_note"]);
      expect(await connected.call("whoami")).toBe(`octo-${person}`);
      await connected.close();
    },
  );

  it("A2: a machine has no mailbox, and this server is for people", async () => {
    const { token } = await world.site.gatehouse.issueClientToken(["mail"]);
    const client = new Client({ name: "job", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
    const init = { requestInit: { headers: { authorization: `Bearer ${token}` } } };
    const use = async (): Promise<unknown> => {
      await client.connect(new StreamableHTTPClientTransport(world.site.endpoint("/mcp/mail"), init));
      return client.callTool({ name: "whoami", arguments: {} });
    };
    await expect(use()).rejects.toThrow();
    expect((await connectionsAt(world.site, server_id)).map(({ state }) => state)).toEqual(["linked", "linked"]);
  });
});

describe("example 2: a nightly script reads metrics", () => {
  it("A6, U3: it sends no credential, Gatehouse adds the key once the administrator has confirmed that", async () => {
    const { site, peers } = world;
    const server = {
      ...{ slug: "metrics", name: "Metrics", url: peers.metrics.url.href },
      agent_authentication: { type: "passthrough", anonymous: "allow_with_credential" },
      authentication: { type: "api_key_header", header: "DD-API-KEY" },
      credential: { type: "api_key_header", key: metricsKey },
    };
    await world.register({ ...server, ...(await confirmationOf(site, "POST", "/servers", server)) });

    const client = new Client({ name: "nightly", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StreamableHTTPClientTransport(site.endpoint("/mcp/metrics")));
    const answer = await client.callTool({ name: "whoami", arguments: {} });
    expect(answer.content).toEqual([{ type: "text", text: "service" }]);
    await client.close();
    expect(peers.metrics.seen.every(({ headers }) => headers.get("authorization") === null)).toBe(true);
    // Nothing else is open to whoever comes without a credential.
    for (const path of ["/mcp", "/mcp/mail", "/mcp/tickets"]) {
      expect((await fetch(site.endpoint(path), { method: "POST", body: "{}" })).status).toBe(401);
    }
  });
});

describe("example 3: a search service wants its own key and the person's token", () => {
  const header = "x-ms-query-source-authorization";

  it.each(["access_token", "id_token"])(
    "U4, U7: both go out in one request, with the %s of the sign-in",
    async (token) => {
      const { site, peers } = world;
      peers.search.guardBy(serviceAndPersonGuard(searchKey, header, site.identity));
      const outbound_headers = [{ source: "caller_token", name: header, prefix: "Bearer", token }];
      const server = {
        ...{ slug: `search-${token.slice(0, 2)}`, name: "Search", url: peers.search.url.href, ...interactive },
        ...{ authentication: { type: "bearer" }, credential: { type: "bearer", token: searchKey }, outbound_headers },
      };
      await world.register({ ...server, ...(await confirmationOf(site, "POST", "/servers", server)) });
      for (const name of ["ada", "ben"] as const) {
        const person = await world.holdFor(name);
        const url = site.endpoint(`/mcp/search-${token.slice(0, 2)}`);
        const token_there = await person.tokenFor(url.pathname);
        const chat = await modernChat.connect(site, url, token_there, () => Promise.reject(new Error("asked")));
        expect(await chat.call("whoami")).toEqual({ text: name, isError: false });
        await chat.close();
      }
      for (const { headers } of peers.search.seen) {
        expect(headers.get("authorization")).toBe(`Bearer ${searchKey}`);
        const sent = /^Bearer (.+)$/.exec(headers.get(header) ?? "")?.[1] ?? "";
        expect(sent).not.toBe("");
        site.secrets.add(sent);
      }
    },
  );
});

const issued = z.looseObject({ access_token: z.string(), refresh_token: z.string().optional() });

describe("example 4: a chatbot acts for each of its users at the forge", () => {
  const chatbot = { client_id: "", client_secret: "" };

  beforeAll(async () => {
    const { site, peers } = world;
    const { issuer } = peers.forgeAuthorization;
    await world.register({
      ...{ slug: "forge", name: "Forge", url: peers.forge.url.href, ...interactive },
      authentication: {
        ...{ type: "oauth", client_id: forgeApp.client_id, scopes: ["read"], resource: null },
        endpoints: {
          authorization: `${issuer}/auth`,
          token: `${issuer}/token`,
          revocation: `${issuer}/token/revocation`,
        },
      },
      credential: { type: "oauth", client_secret: forgeApp.client_secret },
    });
    const oauth = {
      ...{ authentication: "client_secret_basic", grant_types: ["authorization_code", "refresh_token"] },
      ...{ redirect_uris: [site.callback], pre_approved: true },
    };
    const created = await change(site, "POST", "/clients", { name: "Chatbot", servers: ["forge"], oauth }, 201);
    chatbot.client_id = z.looseObject({ id: z.string() }).parse(created).id;
    const made = await change(site, "POST", `/clients/${chatbot.client_id}/secrets`, {}, 201);
    chatbot.client_secret = z.looseObject({ secret: z.string() }).parse(made).secret;
    site.secrets.add(chatbot.client_secret);
  });

  /** The platform signs its user in, who is asked nothing that they were not asked before. */
  async function signIn(
    context: BrowserContext,
    person: "ada" | "ben",
  ): Promise<{ asked: readonly string[]; token: string }> {
    const { site } = world;
    const verifier = secret();
    const challenge = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))).toString(
      "base64url",
    );
    const url = site.endpoint("/oauth/authorize");
    url.search = new URLSearchParams({
      ...{ response_type: "code", client_id: chatbot.client_id, redirect_uri: site.callback, state: "state" },
      ...{ resource: `${site.origin}/mcp/forge`, code_challenge: challenge, code_challenge_method: "S256" },
    }).toString();
    const { asked, arrived } = await go(site, context, url, { person, account: `octo-${person}` });
    const answer = await fetch(site.endpoint("/oauth/token"), {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${chatbot.client_id}:${chatbot.client_secret}`).toString("base64")}`,
      },
      body: new URLSearchParams({
        ...{ grant_type: "authorization_code", code: arrived.searchParams.get("code") ?? "" },
        ...{ redirect_uri: site.callback, code_verifier: verifier },
      }),
    });
    const tokens = issued.parse(await answer.json());
    for (const one of [tokens.access_token, tokens.refresh_token]) if (one !== undefined) site.secrets.add(one);
    return { asked, token: tokens.access_token };
  }

  // The other clients are in `linking.test.ts`.
  it.each([modernChat, v1Chat, plainChat].map((kind) => ({ kind, name: kind.name, form: kind.form })))(
    "U9, U10, A1: with $name ($form), a user connects once and sees what they may see, and nobody else's",
    async ({ kind }) => {
      const { site, peers } = world;
      for (const { id } of await connectionsAt(site, await forgeId())) {
        await change(site, "DELETE", `/connections/${id}`, undefined, 204);
      }
      for (const person of ["ada", "ben"] as const) {
        const context = await site.browser.newContext();
        const { asked, token } = await signIn(context, person);
        expect(asked).toEqual(["who"]);
        const shown: string[] = [];
        const chat = await kind.connect(site, site.endpoint("/mcp/forge"), token, async (url) => {
          const journey = await go(site, context, url, { person, account: `octo-${person}` });
          shown.push(...journey.asked);
          expect(journey.text).toContain("Forge is connected");
        });
        expect(await chat.call("list_pull_requests")).toEqual({ text: pullRequests[`octo-${person}`], isError: false });
        // Known at the organisation already: only the forge asks.
        expect(shown).toEqual(["connect", "account", "authorize"]);
        expect((await chat.call("list_pull_requests")).text).toBe(pullRequests[`octo-${person}`]);
        expect(shown).toHaveLength(3);
        await chat.close();
        await context.close();
      }
      const subjects = peers.forge.seen.filter(({ rpc }) => rpc === "tools/call").map(({ subject }) => subject);
      expect(new Set(subjects.filter((subject) => subject !== undefined))).toEqual(new Set(["octo-ada", "octo-ben"]));
    },
  );

  async function forgeId(): Promise<string> {
    const { body } = await world.site.gatehouse.api("GET", "/servers?limit=200");
    const page = z.object({ items: z.array(z.looseObject({ id: z.string(), slug: z.string() })) }).parse(body);
    return page.items.find(({ slug }) => slug === "forge")?.id ?? "";
  }
});

it("U11, VT-07, AU-20: no key, token, code or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
  expect(world.site.secrets.size).toBeGreaterThan(20);
});
