/**
 * An authorization server that sends people on to another one, where they have an account, to get the code of that one.
 * @see RFC 9700 section 4.4
 */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { begin, createConnectWorld, link, person, type World } from "../portal/connect-support.ts";
import type { Browser } from "../portal/support.ts";

const access = { everyone: true };
const oauth = { type: "oauth" };
const origin = "https://a.gw.test";
const shared = `${origin}/connect/shared/callback`;
const evilServer = { url: "https://mcp.evil.test/mcp", access, authentication: oauth };
const ownCallback = (slug: string): RegExp =>
  new RegExp(`^https://a[.]gw[.]test/connect/${slug}/callback/[A-Za-z0-9_-]{22}$`);

let world: World;
let browser: Browser;
/** What the harmful one was sent at its token endpoint. */
let got: URLSearchParams[];
/** What it promises, and what it says of a client that registers. */
let metadata: Record<string, unknown>;

async function evil({ hostname, pathname }: URL, request: Request): Promise<Response> {
  const at = "https://auth.evil.test";
  if (hostname === "mcp.evil.test") {
    if (!pathname.startsWith("/.well-known/oauth-protected-resource")) return new Response(null, { status: 401 });
    const authorization_servers = [at];
    return Response.json({ resource: evilServer.url, authorization_servers, scopes_supported: ["x"] });
  }
  if (pathname === "/token") {
    got.push(new URLSearchParams(await request.text()));
    return Response.json({ error: "invalid_grant" }, { status: 400 });
  }
  // The client id that the honest one knows us by is no secret.
  if (pathname === "/register") return Response.json({ client_id: "registered-client" }, { status: 201 });
  if (pathname !== "/.well-known/oauth-authorization-server") return new Response("nothing", { status: 404 });
  return Response.json({
    ...{ issuer: at, authorization_endpoint: `${at}/authorize`, token_endpoint: `${at}/token` },
    ...{ code_challenge_methods_supported: ["S256"], ...metadata },
  });
}

/** A client that several servers of one vendor have in common. */
const app = (at: string) => ({
  ...{ type: "oauth", client_id: "our-app", shared_callback: true },
  endpoints: { authorization: `${at}/authorize`, token: `${at}/token` },
});

/** What the browser is sent to a provider with. */
async function askedOf(path: string): Promise<URLSearchParams> {
  const { status, headers } = await begin(browser, path);
  const location = headers.get("location");
  if (status !== 303 || location === null) throw new Error(`no way to the provider: ${status}`);
  return new URL(location).searchParams;
}

/** The harmful one answers with a redirect to the honest one, with what it likes. @returns the page on which the person ends */
async function sendOn(
  asked: URLSearchParams,
  changed: Readonly<Record<string, string>>,
  answer: Record<string, string | undefined> = {},
): Promise<Response> {
  const honestly = new URL("https://auth.vendor.test/authorize");
  for (const [name, value] of asked) honestly.searchParams.set(name, value);
  honestly.searchParams.set("resource", world.vendor.resource);
  for (const [name, value] of Object.entries(changed)) honestly.searchParams.set(name, value);
  return browser.get(world.vendor.authorize(honestly.href, answer));
}

const reasons = (): unknown[] =>
  world.harness.events.flatMap((event) =>
    event.type === "auth.activity" && event.action === "connection.link" && "reason" in event ? [event.reason] : [],
  );

const codes = (): (string | null)[] => got.map((sent) => sent.get("code"));

/** The honest one names itself in no answer. */
function silence(): void {
  world.vendor.metadata = { authorization_response_iss_parameter_supported: undefined };
  world.vendor.answerParameters = { iss: undefined };
}

const settled = (): void => world.advance(limits.snapshotLife_ms);

beforeEach(async () => {
  world = await createConnectWorld();
  got = [];
  metadata = { registration_endpoint: "https://auth.evil.test/register" };
  const honest = world.vendor.answer.bind(world.vendor);
  world.vendor.answer = (request) => {
    const url = new URL(request.url);
    return url.hostname.endsWith("evil.test") ? evil(url, request) : honest(request);
  };
  ({ browser } = await person(world));
});

describe("where answers name nobody", () => {
  beforeEach(async () => {
    silence();
    await world.tenant.addServer("evil", evilServer);
  });

  it("UP-10, CO-18: a code that comes to the callback of another server is not taken to the one that was asked", async () => {
    const redirect_uri = (await askedOf("/connect/vendor")).get("redirect_uri") ?? "";
    const page = await sendOn(await askedOf("/connect/evil"), { redirect_uri });
    expect([page.status, (await page.text()).includes("This answer is for another server")]).toEqual([400, true]);
    expect(codes()).toEqual([]);
    expect(await world.connections()).toEqual([]);
    expect(reasons()).toEqual(["other_callback"]);
  });

  it("UP-10: and of that attempt nothing is left to try again with", async () => {
    const redirect_uri = (await askedOf("/connect/vendor")).get("redirect_uri") ?? "";
    const asked = await askedOf("/connect/evil");
    await sendOn(asked, { redirect_uri });
    const again = await sendOn(asked, {});
    expect([again.status, codes()]).toEqual([400, []]);
  });

  it("UP-10: each server is registered with a callback of its own, which nobody knows before", async () => {
    expect((await askedOf("/connect/evil")).get("redirect_uri")).toMatch(ownCallback("evil"));
    expect((await askedOf("/connect/vendor")).get("redirect_uri")).toMatch(ownCallback("vendor"));
  });

  it("U9: an account is connected at the callback of its server", async () => {
    expect((await link(world, browser)).headers.get("location")).toBe("/me/connections?done=connected");
    expect(world.vendor.authorizations[0]?.searchParams.get("redirect_uri")).toMatch(ownCallback("vendor"));
    expect(await world.connections()).toMatchObject([{ state: "linked", target: world.server }]);
  });
});

describe("where a document is taken", () => {
  const takesDocuments = { client_id_metadata_document_supported: true };

  it("UP-10: one that promises to name itself is not believed an answer that names nobody", async () => {
    metadata = { ...takesDocuments, authorization_response_iss_parameter_supported: true };
    await world.tenant.addServer("evil", evilServer);
    const asked = await askedOf("/connect/evil");
    expect(asked.get("redirect_uri")).toBe(`${origin}/connect/callback`);
    const page = await sendOn(asked, {}, { iss: undefined });
    expect([page.status, codes(), reasons()]).toEqual([400, [], ["issuer_missing"]]);
  });

  it("UP-10: what another one gave for the document goes to nobody who does not name itself", async () => {
    world.vendor.metadata = { ...takesDocuments, authorization_response_iss_parameter_supported: undefined };
    await world.tenant.addServer("evil", {
      ...evilServer,
      authentication: app("https://auth.evil.test"),
    });
    const page = await sendOn(
      await askedOf("/connect/evil"),
      {
        ...{ client_id: `${origin}/oauth/client.json`, redirect_uri: `${origin}/connect/callback` },
        code_challenge: "challenge-of-evil",
      },
      { iss: undefined },
    );
    expect([page.status, codes(), reasons()]).toEqual([400, [], ["other_callback"]]);
  });
});

describe("a client that several servers have in common", () => {
  const add = (slug: string) =>
    world.tenant.addServer(slug, {
      ...{ url: `https://${slug}.vendor.test/mcp`, access, authentication: app("https://auth.vendor.test") },
    });

  it("UP-10: of one vendor has one callback", async () => {
    await add("mail");
    await add("calendar");
    settled();
    expect((await askedOf("/connect/mail")).get("redirect_uri")).toBe(shared);
  });

  it("UP-10: of two vendors, saved at the same time, leads to neither", async () => {
    await add("mail");
    await add("chat");
    await env.DB.prepare("update servers set authentication = ? where tenant_id = ? and slug = 'chat'")
      .bind(JSON.stringify(app("https://auth.evil.test")), world.id)
      .run();
    settled();
    const page = await browser.get("/connect/mail");
    expect([page.status, (await page.text()).includes("cannot be connected right now")]).toEqual([400, true]);
  });
});

describe("a callback that changes hands", () => {
  beforeEach(silence);

  it.each([
    ["a server that moves to another vendor", "PATCH"],
    ["a slug that is given anew", "DELETE"],
  ])("UP-10: the next provider gets no code of the former one: %s", async (_title, method) => {
    await link(world, browser);
    const former = world.vendor.authorizations[0]?.searchParams;
    const path = `/servers/${world.server}`;
    const changed = await world.tenant.api(method, path, method === "PATCH" ? evilServer : undefined);
    expect(changed.status).toBeLessThan(300);
    if (method === "DELETE") await world.tenant.addServer("vendor", evilServer);
    settled();
    const page = await sendOn(await askedOf("/connect/vendor"), {
      ...{ client_id: former?.get("client_id") ?? "", redirect_uri: former?.get("redirect_uri") ?? "" },
      code_challenge: "challenge-of-evil",
    });
    expect([page.status, codes(), reasons()]).toEqual([400, [], ["other_callback"]]);
  });

  it("UP-10: what began at the shared one takes no code once another vendor has it as well", async () => {
    await world.tenant.addServer("evil", { ...evilServer, authentication: app("https://auth.evil.test") });
    settled();
    const asked = await askedOf("/connect/evil");
    await env.DB.prepare("update servers set authentication = ? where tenant_id = ? and id = ?")
      .bind(JSON.stringify(app("https://auth.vendor.test")), world.id, world.server)
      .run();
    settled();
    const page = await sendOn(asked, {});
    expect([page.status, codes(), reasons()]).toEqual([409, [], ["server_changed"]]);
  });

  it("UP-10: what began at the shared one takes no code of whoever has it now", async () => {
    const id = await world.tenant.addServer("evil", { ...evilServer, authentication: app("https://auth.evil.test") });
    settled();
    const asked = await askedOf("/connect/evil");
    const kept = { ...app("https://auth.evil.test"), shared_callback: false };
    expect((await world.tenant.api("PATCH", `/servers/${id}`, { authentication: kept })).status).toBe(200);
    const given = { authentication: app("https://auth.vendor.test") };
    expect((await world.tenant.api("PATCH", `/servers/${world.server}`, given)).status).toBe(200);
    settled();
    const page = await sendOn(asked, {});
    expect([page.status, codes(), reasons()]).toEqual([409, [], ["server_changed"]]);
  });
});
