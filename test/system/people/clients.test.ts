/** Installed and built clients, from the first refusal over the browser to a tool call, and what the organisation sees of it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { sdkV1, sdkV2Auto, sdkV2Legacy, sdkV2Modern, signInTo, type Application } from "./applications.ts";
import { grantOf } from "./grant.ts";
import { createMemory } from "./oauth-client.ts";
import { callsOf, inventoryOf } from "./seen.ts";
import { change, leaksOf, listed, plainTool, startSite, type Site } from "./site.ts";
import { travel } from "./travel.ts";

let site: Site;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.dispose());

const ways: readonly (readonly [Application, path: string, tool: string])[] = [
  [sdkV2Auto, "/mcp", `tickets__${plainTool.name}`],
  [sdkV2Modern, "/mcp/tickets", plainTool.name],
  [sdkV2Legacy, "/mcp", `tickets__${plainTool.name}`],
  [sdkV1, "/mcp", `tickets__${plainTool.name}`],
  [sdkV1, "/mcp/tickets", plainTool.name],
];

describe.each(ways.map(([application, path, tool]) => ({ application, path, tool, name: application.name })))(
  "$name on $path",
  ({ application, path, tool, name }) => {
    it("A1, A4, A5, S10: registers, is allowed in the browser, calls a tool, and the organisation sees who did", async () => {
      const context = await site.browser.newContext();
      const memory = createMemory(site, `${name} ${path}`);
      const url = site.endpoint(path);
      const journey = await signInTo(application, url, memory, (to) => travel(site, context, to, { person: "ben" }));
      await context.close();
      expect(journey.asked).toEqual(["who", "consent"]);
      expect(journey.offered).toEqual(path === "/mcp" ? ["tickets", "wiki"] : ["tickets"]);
      expect(journey.arrived.searchParams.get("iss")).toBe(site.origin);

      const connected = await application.connect(url, memory);
      expect(await connected.tools()).toContain(tool);
      expect(await connected.call(tool)).toContain(plainTool.says);
      await connected.close();

      const client_id = memory.clientInformation()?.client_id ?? "";
      const [event] = await callsOf(site, client_id);
      expect(event).toMatchObject({
        actor: { agent: client_id, user_email: "ben@example.test" },
        target: { endpoint: path, server: "tickets", name: plainTool.name },
        decision: { effect: "allow" },
      });
      const grants = await listed(site, `/grants?client_id=${client_id}`, z.looseObject({ id: z.string() }));
      expect(grants).toMatchObject([{ id: event?.actor.grant, user: { id: event?.actor.user }, living: true }]);
      const seen = await inventoryOf(site, client_id);
      expect(seen).toMatchObject({ kind: "dynamic", name: `${name} ${path}`, blocked_at: null });
      expect(seen.owner?.email).toBe("ben@example.test");
      expect(seen.uses).toContainEqual(expect.objectContaining({ server: "tickets", calls: 1 }));
    });
  },
);

describe.each([sdkV2Auto, sdkV2Legacy, sdkV1].map((application) => ({ application, name: application.name })))(
  "$name",
  ({ application, name }) => {
    it("A4, A13: refreshes by itself when its access token has ended, and goes on", async () => {
      const context = await site.browser.newContext();
      const memory = createMemory(site, `${name}, refreshing`);
      const url = site.endpoint("/mcp");
      await signInTo(application, url, memory, (to) => travel(site, context, to, { person: "ben" }));
      const connected = await application.connect(url, memory);
      expect(await connected.tools()).toContain(`wiki__${plainTool.name}`);

      // Choosing other servers ends the access tokens of the grant.
      const page = await context.newPage();
      await page.goto(`${site.origin}/me`);
      await page.locator(`a[href="/me/grants/${grantOf(memory.got[0]?.access_token ?? "")}/servers"]`).click();
      await page.locator(`input[name="server"][value="${site.servers.get("wiki")}"]`).uncheck();
      await page.getByRole("button", { name: "Save" }).click();
      await page.waitForURL(/done=changed/);
      await context.close();

      // By calls, since clients of 2026-07-28 keep lists for a while.
      const isRefused = () =>
        connected.call(`wiki__${plainTool.name}`).then(
          () => false,
          () => true,
        );
      await expect.poll(isRefused, { timeout: 2_500, interval: 100 }).toBe(true);
      expect(await connected.call(`tickets__${plainTool.name}`)).toContain(plainTool.says);
      await connected.close();
      expect(memory.opened).toHaveLength(1);
      expect(memory.got).toHaveLength(2);
      expect(memory.got[1]?.refresh_token).not.toBe(memory.got[0]?.refresh_token);
    });
  },
);

it.each([sdkV2Modern, sdkV1].map((application) => ({ application, name: application.name })))(
  "A13: $name asks anew when its access was removed, and works again once that is given",
  async ({ application, name }) => {
    const context = await site.browser.newContext();
    const go = (to: URL) => travel(site, context, to, { person: "ben" });
    const memory = createMemory(site, `${name}, removed`);
    const url = site.endpoint("/mcp");
    const tool = `tickets__${plainTool.name}`;
    await signInTo(application, url, memory, go);
    const connected = await application.connect(url, memory);
    expect(await connected.call(tool)).toContain(plainTool.says);
    await change(site, "DELETE", `/grants/${grantOf(memory.got[0]?.access_token ?? "")}`, undefined, 204);
    const isRefused = () =>
      connected.call(tool).then(
        () => false,
        () => true,
      );
    await expect.poll(isRefused, { timeout: 2_500, interval: 100 }).toBe(true);
    await connected.close();
    const { asked } = await signInTo(application, url, memory, go);
    expect(asked).toEqual(["consent"]);
    const again = await application.connect(url, memory);
    expect(await again.call(tool)).toContain(plainTool.says);
    await again.close();
    await context.close();
  },
);

it("A5, CR-01: a client with a metadata document needs no registration", async () => {
  const context = await site.browser.newContext();
  const id = `${site.secure.origin}/client.json`;
  const document = { client_id: id, client_name: "Published", redirect_uris: [site.callback] };
  site.secure.publish("/client.json", { ...document, token_endpoint_auth_method: "none" });
  const memory = createMemory(site, "Published", { clientMetadataUrl: id });
  const url = site.endpoint("/mcp");
  const journey = await signInTo(sdkV2Auto, url, memory, (to) => travel(site, context, to, { person: "ben" }));
  await context.close();
  expect(journey.asked).toEqual(["who", "consent"]);
  expect(memory.opened[0]?.searchParams.get("client_id")).toBe(id);
  expect(site.secure.asked).toEqual(["/client.json"]);
  const connected = await sdkV2Auto.connect(url, memory);
  expect(await connected.call(`wiki__${plainTool.name}`)).toContain(plainTool.says);
  await connected.close();
  expect(await callsOf(site, id)).toMatchObject([{ actor: { agent: id, user_email: "ben@example.test" } }]);
  expect(await inventoryOf(site, id)).toMatchObject({ kind: "document", owner: { email: "ben@example.test" } });
});

it("A1, CO-09: a second application of the same person asks for consent and not who they are; a remembered one asks nothing", async () => {
  const context = await site.browser.newContext();
  const url = site.endpoint("/mcp");
  const go = (remember: boolean) => (to: URL) => travel(site, context, to, { person: "ben", remember });
  const first = await signInTo(sdkV2Auto, url, createMemory(site, "First"), go(false));
  const second_uri = `${site.callback}/second`;
  const memory = createMemory(site, "Second", { moreRedirects: [second_uri] });
  const second = await signInTo(sdkV2Auto, url, memory, go(true));
  // The session here is gone, the one at the identity provider is not.
  await context.clearCookies({ name: "__Host-gatehouse" });
  const opened = new URL(memory.opened[0] ?? "");
  const again = await travel(site, context, opened, { person: "ben" });
  expect([first.asked, second.asked, again.asked]).toEqual([["who", "consent"], ["consent"], []]);
  expect(again.arrived.searchParams.get("code")).not.toBeNull();

  const other = new URL(opened);
  other.searchParams.set("resource", `${site.origin}/mcp/wiki`);
  expect((await travel(site, context, other, { person: "ben" })).asked).toEqual(["consent"]);
  const elsewhere = new URL(opened);
  elsewhere.searchParams.set("redirect_uri", second_uri);
  expect((await travel(site, context, elsewhere, { person: "ben" })).asked).toEqual(["consent"]);
  const asking = new URL(opened);
  asking.searchParams.set("scope", "mcp");
  asking.searchParams.set("prompt", "consent");
  expect((await travel(site, context, asking, { person: "ben" })).asked).toEqual(["consent"]);
  await context.close();
});

it("AU-20, S8, U11: no token, code or secret is in a log, on a page or in anything that is stored", () => {
  expect(site.secrets.size).toBeGreaterThan(20);
  expect(leaksOf(site)).toEqual([]);
});
