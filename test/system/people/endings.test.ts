/** Everything that ends what a person allowed: it holds for calls, open streams and refreshes within two seconds. */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import * as z from "zod";
import type { BrowserContext, Page } from "../../../scripts/lib/browser.ts";
import {
  call,
  grantOf,
  hold,
  openListening,
  openSession,
  refresh,
  registerApplication,
  toolNames,
  type Held,
} from "./grant.ts";
import { change, leaksOf, listed, plainTool, startSite, type Site } from "./site.ts";
import { press } from "./travel.ts";

const fresh_ms = 2_000;
/** For the machine of the test: two cores, shared. */
const slack_ms = 1_000;

let site: Site;
let client_id: string;
const tool = `tickets__${plainTool.name}`;

beforeAll(async () => {
  site = await startSite();
  client_id = await registerApplication(site, "Assistant", site.callback);
});
afterAll(() => site.dispose());

let context: BrowserContext;
beforeEach(async () => {
  context = await site.browser.newContext();
  return () => context.close();
});

async function open(path: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${site.origin}${path}`);
  return page;
}

/** Holds that it works, ends it, and holds that it ended: calls, the streams of both eras and the refresh token. */
async function expectEnded(held: Held, end: () => Promise<unknown>): Promise<void> {
  const works = await call(site, held.access_token, tool);
  expect([works.status, works.text.includes(plainTool.says)]).toEqual([200, true]);
  const streams = await Promise.all([openListening(site, held.access_token), openSession(site, held.access_token)]);
  const began_at = performance.now();
  await end();
  const ended_at = performance.now();
  const status = async () => (await call(site, held.access_token, tool)).status;
  await expect.poll(status, { timeout: fresh_ms, interval: 50 }).toBe(401);
  for (const stream of streams) {
    const at = await stream.ended;
    expect(at).toBeGreaterThan(began_at);
    expect(at - ended_at).toBeLessThan(fresh_ms + slack_ms);
  }
  expect(await refresh(site, client_id, held.refresh_token)).toEqual({ status: 400, error: "invalid_grant" });
}

const userSchema = z.looseObject({ id: z.string() });
const idOf = async (email: string): Promise<string> =>
  (await listed(site, `/users?email=${email}`, userSchema))[0]?.id ?? "";

it("P2, A1: each person is offered what they may reach, and a server that is not chosen does not exist for the client", async () => {
  const ada = await hold(site, context, client_id, { person: "ada", servers: ["tickets", "builds"] });
  expect(ada.journey.offered).toEqual(["builds", "tickets", "wiki"]);
  const servers = (names: readonly string[]): string[] => [...new Set(names.map((name) => name.split("__")[0] ?? ""))];
  expect(servers(await toolNames(site, ada.access_token))).toEqual(["builds", "tickets"]);

  const other = await site.browser.newContext();
  const ben = await hold(site, other, client_id, { person: "ben", servers: ["tickets", "wiki"] });
  await other.close();
  expect(ben.journey.offered).toEqual(["tickets", "wiki"]);
  expect(servers(await toolNames(site, ben.access_token))).toEqual(["tickets", "wiki"]);

  // One answer for all: not chosen, not for this person, and not there at all.
  const refusals = await Promise.all(
    [
      [ada, "wiki"],
      [ben, "builds"],
      [ben, "nothing"],
    ].map(async ([held, slug]) => {
      const { status, message } = await call(site, (held as Held).access_token, `${String(slug)}__${plainTool.name}`);
      return [status, message?.error?.code, message?.error?.message.replace(String(slug), "…")];
    }),
  );
  expect(new Set(refusals.map((one) => JSON.stringify(one))).size).toBe(1);
  expect(refusals[0]?.[1]).toBe(-32602);
});

it("A13, TK-18: the person removes the access in the browser", async () => {
  const held = await hold(site, context, client_id, { person: "ben" });
  const page = await open("/me");
  const remove = page.locator(`form[action="/me/grants/${grantOf(held.access_token)}/revoke"] button`);
  expect(await remove.getAttribute("aria-label")).toBe("Remove access of Assistant");
  await expectEnded(held, async () => {
    await Promise.all([page.waitForURL(/done=revoked/), remove.click()]);
  });
});

it("A13: an administrator revokes the grant", async () => {
  const held = await hold(site, context, client_id, { person: "ben" });
  await expectEnded(held, () => change(site, "DELETE", `/grants/${grantOf(held.access_token)}`, undefined, 204));
});

it("A3: a redirect URL is trusted no longer", async () => {
  const redirect_uri = site.callback.replace("127.0.0.1", "localhost");
  const local = await registerApplication(site, "Local", redirect_uri);
  const held = await hold(site, context, local, { person: "ben" }, redirect_uri);
  const kept = await hold(site, context, client_id, { person: "ben" });
  const entries = await listed(site, "/redirect-uris", z.looseObject({ id: z.string(), uri: z.string() }));
  const entry = entries.find(({ uri }) => uri === "http://localhost");
  const works = await call(site, held.access_token, tool);
  expect(works.status).toBe(200);
  expect(await change(site, "DELETE", `/redirect-uris/${entry?.id}`, undefined, 200)).toEqual({ revoked_grants: 1 });
  const status = async () => (await call(site, held.access_token, tool)).status;
  await expect.poll(status, { timeout: fresh_ms, interval: 50 }).toBe(401);
  expect(await refresh(site, local, held.refresh_token)).toEqual({ status: 400, error: "invalid_grant" });
  expect((await call(site, kept.access_token, tool)).status).toBe(200);
});

it("A3, CR-15: a blocked redirect URL is named, an administrator trusts it in the browser, and the next try works", async () => {
  const redirect_uri = site.callback.replace("127.0.0.1", "localhost");
  const local = await registerApplication(site, "Blocked helper", redirect_uri);
  const other = await site.browser.newContext();
  const stopped = hold(site, other, local, { person: "ben" }, redirect_uri);
  await expect(stopped).rejects.toThrow(redirect_uri);

  const page = await open("/admin/redirect-uris");
  await press(page, 'button[name="person"][value="ada"]');
  const row = page.getByRole("row").filter({ hasText: "Blocked helper" });
  expect(await row.innerText()).toContain(redirect_uri);
  const trusted = page.getByRole("table", { name: "Trusted redirect URLs" });
  const before = await trusted.getByRole("row").count();
  await row.getByRole("button", { name: /^Trust/ }).click();
  await expect.poll(() => trusted.getByRole("row").count()).toBe(before + 1);

  const held = await hold(site, other, local, { person: "ben" }, redirect_uri);
  expect((await call(site, held.access_token, tool)).status).toBe(200);
  await other.close();
});

it("A1, TK-20: who signs out at the identity provider is signed out here, and applications come back by themselves", async () => {
  const held = await hold(site, context, client_id, { person: "ben" });
  const page = await open("/me");
  expect(await page.getByRole("heading", { name: "My access" }).count()).toBe(1);
  const provider = await open("/me");
  await provider.goto(`${site.identity.issuer}/session/end?client_id=${site.identity.client_id}`);
  await provider.getByRole("button", { name: "Sign out everywhere" }).click();
  await provider.getByText("You are signed out").waitFor();
  // The cookie is still there; the session behind it is not.
  const names = (await context.cookies(site.origin)).map(({ name }) => name);
  expect(names).toContain("__Host-gatehouse");
  await page.goto(`${site.origin}/me`);
  expect(new URL(page.url()).origin).toBe(site.identity.issuer);
  const status = async () => (await call(site, held.access_token, tool)).status;
  await expect.poll(status, { timeout: fresh_ms, interval: 50 }).toBe(401);
  const { tokens } = await refresh(site, client_id, held.refresh_token);
  expect((await call(site, tokens?.access_token ?? "", tool)).status).toBe(200);
});

it("A13, TK-20: an administrator disables the person, who then cannot sign in either", async () => {
  const held = await hold(site, context, client_id, { person: "ben" });
  const id = await idOf("ben@example.test");
  await expectEnded(held, () => change(site, "PATCH", `/users/${id}`, { enabled: false }, 200));
  const page = await open("/me");
  expect(await page.locator("body").innerText()).not.toContain("My access");
  await change(site, "PATCH", `/users/${id}`, { enabled: true }, 200);
  const again = await hold(site, context, client_id, { person: "ben" });
  expect((await call(site, again.access_token, tool)).status).toBe(200);
});

it("A13: an administrator switches the application off", async () => {
  const held = await hold(site, context, client_id, { person: "ben" });
  const agents = await listed(site, "/agents?limit=200", z.looseObject({ id: z.string(), key: z.string() }));
  const key = agents.find(({ id }) => id === client_id)?.key ?? "";
  const works = await call(site, held.access_token, tool);
  expect(works.status).toBe(200);
  await change(site, "PATCH", `/agents/${key}`, { disabled: true }, 200);
  const status = async () => (await call(site, held.access_token, tool)).status;
  await expect.poll(status, { timeout: fresh_ms, interval: 50 }).toBe(401);
  expect((await refresh(site, client_id, held.refresh_token)).status).toBeGreaterThanOrEqual(400);
  await expect(hold(site, context, client_id, { person: "ben" })).rejects.toThrow("switched off");
  await change(site, "PATCH", `/agents/${key}`, { disabled: false }, 200);
});

it("TK-20: the identity provider is disabled", async () => {
  const held = await hold(site, context, client_id, { person: "ben" });
  const provider = `/identity-providers/${site.provider_id}`;
  await expectEnded(held, () => change(site, "PATCH", provider, { enabled: false }, 200));
  await change(site, "PATCH", provider, { enabled: true }, 200);
});

it("AU-20, S8, U11: no token, code or secret is in a log, on a page or in anything that is stored", () => {
  expect(leaksOf(site)).toEqual([]);
});
