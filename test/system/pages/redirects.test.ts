/** Consent in Chromium: the answer reaches every kind of client under the policy of the page, with and without JavaScript. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appRedirect, openAs, otherSite, startWorld, webClient, type Page, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world.dispose();
});

interface Visited {
  readonly page: Page;
  /** What the browser says against the policy of a page. */
  readonly refusals: string[];
  /** Every address that a navigation went to, hop by hop. */
  readonly hops: string[];
  close(): Promise<void>;
}

async function visit(options: { javaScriptEnabled?: boolean; policy?: string } = {}): Promise<Visited> {
  const { javaScriptEnabled = true, policy } = options;
  const context = await world.browser.newContext({ javaScriptEnabled, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  const [refusals, hops] = [[] as string[], [] as string[]];
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) refusals.push(message.text());
  });
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  session.on("Network.requestWillBeSent", ({ request, type }) => {
    if (type === "Document") hops.push(request.url);
  });
  if (policy !== undefined) {
    await page.route("**/oauth/consent?**", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": policy } });
    });
  }
  return { page, refusals, hops, close: () => context.close() };
}

async function toConsent({ page }: Visited, redirect_uri: string): Promise<void> {
  const client = await world.register("Chromium helper", redirect_uri);
  await openAs(page, world.authorizeUrl(client, redirect_uri), "ada");
  expect(new URL(page.url()).pathname).toBe("/oauth/consent");
}

const allow = ({ page }: Visited): Promise<void> => page.getByRole("button", { name: "Allow" }).click();

const expectAnswer = (url: URL): void => {
  expect([...url.searchParams.keys()].sort()).toEqual(["code", "iss", "state"]);
  expect(url.searchParams.get("iss")).toBe(world.origin);
};

describe.each([true, false])("with JavaScript: %s", (javaScriptEnabled) => {
  it("CO-08, A1: a client on this machine gets its answer", async () => {
    const visited = await visit({ javaScriptEnabled });
    await toConsent(visited, `${world.loopback.origin}/callback`);
    await allow(visited);
    await visited.page.waitForURL(`${world.loopback.origin}/callback?**`);
    expectAnswer(new URL(visited.page.url()));
    expect(visited.refusals).toEqual([]);
    await visited.close();
  });

  it("CO-08, A1: a client on the web gets its answer", async () => {
    const visited = await visit({ javaScriptEnabled });
    await toConsent(visited, `${webClient}/callback`);
    await allow(visited);
    await visited.page.waitForURL(`${webClient}/callback?**`);
    expectAnswer(new URL(visited.page.url()));
    expect(visited.refusals).toEqual([]);
    await visited.close();
  });

  it("CO-08, A1: a client whose callback sends the browser on to another site arrives there", async () => {
    const visited = await visit({ javaScriptEnabled });
    await toConsent(visited, `${webClient}/onward`);
    await allow(visited);
    await visited.page.waitForURL(`${otherSite}/landed`);
    expect(visited.refusals).toEqual([]);
    await visited.close();
  });

  it("CO-08, A1: the browser goes to the link of an app", async () => {
    const visited = await visit({ javaScriptEnabled });
    await toConsent(visited, appRedirect);
    const answered = visited.page.waitForResponse((response) => response.request().method() === "POST");
    await allow(visited);
    const response = await answered;
    expect(response.status()).toBe(303);
    expectAnswer(new URL((await response.headerValue("location")) ?? ""));
    await expect.poll(() => visited.hops.at(-1)).toMatch(/^cursor:\/\/anysphere\.cursor-mcp\/oauth\/callback\?/);
    expect(visited.refusals).toEqual([]);
    await visited.close();
  });
});

describe("what the policy would break", () => {
  const policy = "default-src 'none'; style-src 'self'; form-action 'self'";

  it.each([`${webClient}/callback`, appRedirect])("CO-08: with form-action 'self' Chromium refuses %s", async (uri) => {
    const visited = await visit({ policy });
    await toConsent(visited, uri);
    await visited.page.reload();
    await allow(visited);
    await expect.poll(() => visited.refusals.join()).toContain("form-action");
    await visited.close();
  });
});

describe("around the decision", () => {
  it("A2: denying tells the client so", async () => {
    const visited = await visit();
    await toConsent(visited, `${webClient}/callback`);
    await visited.page.getByRole("button", { name: "Deny" }).click();
    await visited.page.waitForURL(`${webClient}/callback?**`);
    expect(new URL(visited.page.url()).searchParams.get("error")).toBe("access_denied");
    await visited.close();
  });

  it("AS-22: neither the identity provider's answer nor ours tells the next page where it came from", async () => {
    const visited = await visit();
    await toConsent(visited, `${world.loopback.origin}/callback`);
    await allow(visited);
    await visited.page.waitForURL(`${world.loopback.origin}/callback?**`);
    expect(world.loopback.headers.at(-1)?.referer).toBeUndefined();
    await visited.close();
  });

  it("CO-07: the page is not shown in a frame", async () => {
    const visited = await visit();
    const redirect_uri = `${world.loopback.origin}/callback`;
    await toConsent(visited, redirect_uri);
    world.loopback.serve("/frame", `<!doctype html><iframe src="${visited.page.url()}"></iframe>`);
    const framing = await visited.page.context().newPage();
    const said: string[] = [];
    framing.on("console", (message) => said.push(message.text()));
    await framing.goto(`${world.loopback.origin}/frame`);
    await expect.poll(() => said.join()).toMatch(/frame-ancestors|X-Frame-Options/);
    expect(await framing.frames()[1]?.locator("body").innerText()).not.toContain("wants to connect");
    await visited.close();
  });

  it("A1: a client that opened the page in a pop-up keeps its hold of it up to the callback", async () => {
    const visited = await visit();
    const redirect_uri = `${world.loopback.origin}/done`;
    const client = await world.register("Pop-up helper", redirect_uri);
    world.loopback.serve("/done", "<!doctype html><script>opener.postMessage(location.search, '*')</script>");
    world.loopback.serve(
      "/open",
      `<!doctype html><button onclick="window.open('${world.authorizeUrl(client, redirect_uri)}')">Connect</button>
       <output></output><script>onmessage = ({ data }) => (document.querySelector("output").textContent = data)</script>`,
    );
    await visited.page.goto(`${world.loopback.origin}/open`);
    const opened = visited.page.waitForEvent("popup");
    await visited.page.getByRole("button").click();
    const popup = await opened;
    await popup.locator('button[name="person"][value="ada"]').click();
    await popup.getByRole("button", { name: "Allow" }).click();
    await expect.poll(() => visited.page.locator("output").textContent()).toContain("code=");
    await visited.close();
  });

  it("A1: somebody else signs in from the page, and comes back to it", async () => {
    const visited = await visit();
    await toConsent(visited, `${webClient}/callback`);
    await visited.page.getByRole("button", { name: "Not you? Sign out" }).click();
    await visited.page.locator('button[name="person"][value="ben"]').click();
    await visited.page.waitForURL("**/oauth/consent?**");
    expect(await visited.page.locator("main").innerText()).toContain("Ben Trovato");
    await visited.close();
  });
});
