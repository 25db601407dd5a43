/** Every page in Chromium: axe finds nothing, in light and in dark, and nothing needs to be scrolled sideways at 320 px. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addConnections } from "./connections.ts";
import { axe, openAs, startWorld, webClient, type BrowserContext, type Page, type World } from "./world.ts";

let world: World;
let context: BrowserContext;
let agent = "";
let consentUrl = "";
let blockedUrl = "";
beforeAll(async () => {
  world = await startWorld();
  context = await world.browser.newContext({ ignoreHTTPSErrors: true });
  const redirect_uri = `${webClient}/callback`;
  const client = await world.register("Desk helper", redirect_uri);
  agent = Buffer.from(client).toString("base64url");
  consentUrl = world.authorizeUrl(client, redirect_uri, { prompt: "consent" });
  const page = await context.newPage();
  for (let grants = 0; grants < 2; grants += 1) {
    await openAs(page, consentUrl, "ada");
    await page.getByRole("button", { name: "Allow" }).click();
    await page.waitForURL(`${redirect_uri}?**`);
  }
  const unknown = await world.register("New helper", "https://unknown.example/cb");
  blockedUrl = world.authorizeUrl(unknown, "https://unknown.example/cb");
  await page.goto(blockedUrl);
  await page.close();
  await addConnections(world);
  // No client redeemed the codes: the grants are made to look used.
  const database = await world.gatehouse.runtime.mf.getD1Database("DB", "gatehouse");
  await database
    .prepare(
      "update grants set redeemed_at = created_at, last_used_at = created_at, expires_at = created_at + 864000000",
    )
    .run();
});
afterAll(async () => {
  await world.dispose();
});

/** Every page of somebody who is signed in, and how to get there. */
const pages: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  home: (page) => page.goto(`${world.origin}/`),
  consent: (page) => page.goto(consentUrl),
  "consent without a server chosen": async (page) => {
    await page.goto(consentUrl);
    for (const box of await page.locator('input[name="server"]').all()) await box.uncheck();
    await page.getByRole("button", { name: "Allow" }).click();
  },
  "an untrusted redirect URL": (page) => page.goto(blockedUrl),
  "my access": (page) => page.goto(`${world.origin}/me`),
  "my access, after a change": (page) => page.goto(`${world.origin}/me?done=changed`),
  "servers of a grant": async (page) => {
    await page.goto(`${world.origin}/me`);
    await page.getByRole("link", { name: "Change servers" }).first().click();
  },
  agents: (page) => page.goto(`${world.origin}/admin/agents`),
  agent: (page) => page.goto(`${world.origin}/admin/agents/${agent}`),
  "redirect URLs": (page) => page.goto(`${world.origin}/admin/redirect-uris`),
  "a redirect URL that is refused": async (page) => {
    await page.goto(`${world.origin}/admin/redirect-uris`);
    await page.getByLabel("URL", { exact: true }).fill("http://plain.example/cb");
    await page.getByRole("button", { name: "Trust", exact: true }).click();
  },
  "my connections": (page) => page.goto(`${world.origin}/me/connections`),
  "my connections, after a change": (page) => page.goto(`${world.origin}/me/connections?done=connected`),
  disconnecting: async (page) => {
    await page.goto(`${world.origin}/me/connections`);
    await page.getByRole("link", { name: "Disconnect" }).first().click();
  },
  "connecting an account": (page) => page.goto(`${world.origin}/connect/code-host`),
  "connecting another account": (page) => page.goto(`${world.origin}/connect/code-host?another=yes`),
  "connecting another account under a name that is taken": async (page) => {
    await page.goto(`${world.origin}/connect/code-host?another=yes`);
    await page.getByLabel("Name of this account").fill("work");
    await page.getByRole("button", { name: "Continue" }).click();
  },
  "pasting a key": (page) => page.goto(`${world.origin}/connect/notes`),
  "pasting a user name and password": (page) => page.goto(`${world.origin}/connect/archive`),
  "pasting what is no key": async (page) => {
    await page.goto(`${world.origin}/connect/notes`);
    await page.getByLabel("API key").fill("naïve");
    await page.getByRole("button", { name: "Try it and save" }).click();
  },
  "a link that is not valid": (page) => page.goto(`${world.origin}/connect/notes?link=x`),
  "an answer that nobody waits for": (page) => page.goto(`${world.origin}/connect/callback?code=x&state=x`),
  connections: (page) => page.goto(`${world.origin}/admin/connections`),
  "a sign-in that fails": (page) => page.goto(`${world.origin}/login/callback?state=x&error=access_denied`),
};

async function check(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    // Nothing is caught in the middle of a transition.
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    expect({ colorScheme, wrong: await axe(page) }).toEqual({ colorScheme, wrong: [] });
    await picture(page, `${colorScheme}-${name}`);
  }
  await page.setViewportSize({ width: 320, height: 640 });
  const overflow = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  expect(overflow).toBe(0);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, a.button, .nav a, .brand[href], .choice, .field input")]
      .filter((element) => element.getBoundingClientRect().height < 43.9)
      .map((element) => element.outerHTML),
  );
  expect(small).toEqual([]);
}

/** For people to look at: pages as they are, where a directory for them is given. */
async function picture(page: Page, name: string): Promise<void> {
  const directory = process.env["GATEHOUSE_PICTURES"];
  if (directory === undefined) return;
  mkdirSync(directory, { recursive: true });
  await page.setViewportSize({ width: 1000, height: 800 });
  await page.screenshot({
    path: join(directory, `${name.toLowerCase().replaceAll(/[^a-z]+/g, "-")}.png`),
    fullPage: true,
  });
}

it.each(Object.entries(pages))("A13, S10, A2: axe finds nothing on %s", async (name, open) => {
  const page = await context.newPage();
  await open(page);
  await check(page, name);
  await page.close();
});

it("A1: axe finds nothing on the page of somebody who is not signed in", async () => {
  const nobody = await world.browser.newContext();
  const page = await nobody.newPage();
  await page.goto(`${world.origin}/`);
  await check(page, "nobody");
  await nobody.close();
});
