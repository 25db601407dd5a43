/** Servers and providers that are not what they were when an account was connected: what was given to one is never sent to another. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { change } from "../people/site.ts";
import { startAuthorizationServer, type AuthorizationServer } from "../support/authorization-server.ts";
import { oauthGuard } from "../support/guards.ts";
import { callModern } from "../support/modern-request.ts";
import { startProtectedServer, type ProtectedServer } from "../support/protected-server.ts";
import { linkIn } from "./chat.ts";
import { callbackOf, connectionsAt, startWorld, type Person, type World } from "./world.ts";

const app = { client_id: "gatehouse", client_secret: randomBytes(32).toString("base64url") };

interface Peers extends Readonly<Record<string, AuthorizationServer | ProtectedServer>> {
  readonly honest: AuthorizationServer;
  readonly evil: AuthorizationServer;
  readonly server: ProtectedServer;
  readonly elsewhere: ProtectedServer;
}

async function startPeers(origin: string): Promise<Peers> {
  const resources: string[] = [];
  const options = {
    resources: () => resources,
    registration: true,
    clients: [
      {
        ...{
          ...app,
          redirect_uris: [callbackOf(origin, "configured")],
          token_endpoint_auth_method: "client_secret_basic",
        },
        grant_types: ["authorization_code", "refresh_token"],
      },
    ],
  };
  const [honest, evil] = [await startAuthorizationServer(options), await startAuthorizationServer(options)];
  const scopes_supported = ["read"];
  const server = await startProtectedServer({ guard: oauthGuard(honest), issuer: honest.issuer, scopes_supported });
  const elsewhere = await startProtectedServer({ guard: oauthGuard(evil), issuer: evil.issuer, scopes_supported });
  resources.push(server.url.href, elsewhere.url.href);
  return { honest, evil, server, elsewhere };
}

let world: World<Peers>;
let ada: Person;
/** By slug. */
const ids = new Map<string, string>();

beforeAll(async () => {
  world = await startWorld(startPeers);
  world.site.secrets.add(app.client_secret);
  const url = world.peers.server.url.href;
  const configured = {
    authentication: { type: "oauth", client_id: app.client_id, client_authentication: "client_secret_basic" },
    credential: { type: "oauth", client_secret: app.client_secret },
  };
  const registering = { authentication: { type: "oauth" } };
  for (const [slug, how] of Object.entries({ configured, registering, moving: registering, going: registering })) {
    ids.set(slug, await world.register({ slug, name: slug, url, ...how }));
  }
  ada = await world.holdFor("ada");
});
afterAll(() => world.dispose());
beforeEach(() => {
  const { server, honest } = world.peers;
  server.nameIssuer(honest.issuer);
  server.guardBy(oauthGuard(honest));
});

async function call(slug: string): Promise<string> {
  const params = { name: `${slug}__whoami`, arguments: {} };
  const { text } = await callModern(world.site.endpoint("/mcp"), { method: "tools/call", params, token: ada.token });
  world.site.pages.push(text);
  return text;
}

const stateOf = async (slug: string): Promise<(string | undefined)[]> =>
  (await connectionsAt(world.site, ids.get(slug) ?? "")).map(({ state }) => state);

/** What an authorization server is asked for beyond its public documents. */
const askedOf = ({ paths }: AuthorizationServer): string[] => paths.filter((path) => !path.startsWith("/.well-known/"));

describe("a server that names another authorization server", () => {
  function turn(): void {
    const { server, evil } = world.peers;
    server.nameIssuer(evil.issuer);
    server.guardBy(oauthGuard(evil));
  }

  it("UP-01: gets nothing of the client that an administrator set up for the first one, and nobody is led there", async () => {
    const { honest, evil } = world.peers;
    await ada.connect("configured");
    expect(await call("configured")).toContain("octo-ada");
    turn();
    const refreshes = honest.refreshes();
    expect(await call("configured")).not.toContain("octo-ada");
    expect(honest.refreshes()).toBe(refreshes + 1);
    const { asked, text } = await ada.connect("configured");
    expect([asked, text.includes(new URL(evil.issuer).host)]).toEqual([[], false]);
    expect(askedOf(evil)).toEqual([]);
  });

  it("UP-06: has Gatehouse register itself there anew, and the person sees where they are led", async () => {
    const { honest, evil } = world.peers;
    await ada.connect("registering");
    expect(await call("registering")).toContain("octo-ada");
    turn();
    expect(await call("registering")).not.toContain("octo-ada");
    expect(askedOf(evil)).toEqual([]);
    const page = await ada.context.newPage();
    await page.goto(`${world.site.origin}/connect/registering`);
    expect(await page.locator("body").innerText()).toContain(new URL(evil.issuer).host);
    await page.close();
    await ada.connect("registering");
    expect(await call("registering")).toContain("octo-ada");
    const clientsOf = ({ tokenRequests }: AuthorizationServer): Set<string> =>
      new Set(tokenRequests.map(({ client_id }) => client_id));
    expect(clientsOf(honest).isDisjointFrom(clientsOf(evil))).toBe(true);
    // Neither of the refresh tokens came to the other one.
    expect(evil.tokenRequests.map(({ grant_type }) => grant_type)).toEqual(["authorization_code"]);
  });
});

describe("a server that an administrator changes", () => {
  it("U14: has another address: what was connected is not sent there, and is good again for the first one", async () => {
    const { elsewhere, server } = world.peers;
    await ada.connect("moving");
    expect(await call("moving")).toContain("octo-ada");
    const path = `/servers/${ids.get("moving")}`;
    await change(world.site, "PATCH", path, { url: elsewhere.url.href }, 200);
    expect(await call("moving")).toMatch(linkIn);
    expect(elsewhere.seen.map(({ headers }) => headers.get("authorization"))).not.toContainEqual(expect.any(String));
    expect(await stateOf("moving")).toEqual(["needs_update"]);
    await change(world.site, "PATCH", path, { url: server.url.href }, 200);
    expect(await call("moving")).toContain("octo-ada");
    expect(await stateOf("moving")).toEqual(["linked"]);
  });

  it("U14: is removed: what was connected is orphaned, and its person ends it", async () => {
    await ada.connect("going");
    expect(await call("going")).toContain("octo-ada");
    await change(world.site, "DELETE", `/servers/${ids.get("going")}`, undefined, 204);
    expect(await stateOf("going")).toEqual(["orphaned"]);
    const page = await ada.context.newPage();
    await page.goto(`${world.site.origin}/me/connections`);
    const orphans = page.getByRole("region", { name: "Not used any more" });
    await orphans.getByRole("link", { name: /^Disconnect/ }).click();
    await page.getByRole("button", { name: "Disconnect" }).click();
    await page.waitForURL(/done=disconnected/);
    await page.close();
    await expect.poll(() => stateOf("going"), { timeout: 5_000 }).toEqual([]);
  });
});

it("U11, VT-07, AU-20: no token, code or secret of these tests is in a log, an answer, a page or anything stored", () => {
  expect(world.leaks()).toEqual([]);
});
