/** Who connects an account in the middle of the consent page loses neither what they chose nor the way back. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { begin, connectFields, connectFrom, createConnectWorld, person, type World } from "./connect-support.ts";
import { atConsent, fieldsOf, register, type Browser } from "./support.ts";

let world: World;
let client: string;
beforeAll(async () => {
  world = await createConnectWorld();
  const authentication = { type: "api_key_header", header: "X-Key", holder: "user" };
  const access = { everyone: true };
  await world.tenant.addServer("keyed", { name: "Keyed", url: "https://a.keys.test/mcp", access, authentication });
  client = await register(world, "Desk helper");
}, 30_000);

let browser: Browser;
beforeEach(async () => {
  ({ browser } = await person(world));
  world.vendor.tokenAnswer = undefined;
  world.vendor.down = false;
});

type Fields = (readonly [string, string])[];

const chosen = (html: string): string[] =>
  fieldsOf(html, "/oauth/consent").flatMap(([name, value]) => (name === "server" ? [value] : []));

const remembers = (html: string): boolean =>
  fieldsOf(html, "/oauth/consent").some(([name, value]) => name === "remember" && value === "yes");

/** Only the vendor's server is ticked, and the answer is to be remembered. */
async function narrowed(): Promise<Fields> {
  const { fields } = await atConsent(world, client, { browser });
  const kept = fields.filter(([name, value]) => name !== "server" || value === world.server);
  expect(kept.length).toBeLessThan(fields.length);
  return [...kept, ["remember", "yes"]];
}

const read = async (path: string): Promise<string> => (await browser.get(path)).text();

/** The links of an error page, as they stand in it. */
const linksOf = (html: string): string[] =>
  [...html.matchAll(/<a class="button[^"]*" href="([^"]*)"/g)].map(([, href = ""]) => href.replaceAll("&amp;", "&"));

async function expectChoices(path: string): Promise<void> {
  expect(path).toMatch(/^\/oauth\/consent\?request=/);
  const html = await read(path);
  expect([chosen(html), remembers(html)]).toEqual([[world.server], true]);
}

describe("choices (A2)", () => {
  it("A2: are as they were left after an account is connected", async () => {
    const begun = await begin(browser, await connectFrom(browser, await narrowed()));
    const back = await browser.get(world.vendor.authorize(begun.headers.get("location") ?? ""));
    expect(back.status).toBe(303);
    await expectChoices(back.headers.get("location") ?? "");
  });

  it("A2: are as they were left after cancelling", async () => {
    const html = await read(await connectFrom(browser, await narrowed()));
    expect(html).toContain("Cancel");
    await expectChoices(linksOf(html)[0] ?? "");
  });

  it("A2: with nothing ticked nothing is ticked afterwards", async () => {
    const { fields } = await atConsent(world, client, { browser });
    const html = await read(
      await connectFrom(
        browser,
        fields.filter(([name]) => name !== "server"),
      ),
    );
    const back = await read(linksOf(html)[0] ?? "");
    expect([chosen(back), remembers(back)]).toEqual([[], false]);
  });

  it("A2, CO-05: a server that was not offered is not ticked, and leads nowhere", async () => {
    const slug = `hidden-${crypto.randomUUID().slice(0, 8)}`;
    const access = { everyone: false, groups: ["finance"] };
    const authentication = { type: "oauth" };
    const hidden = await world.tenant.addServer(slug, { url: world.vendor.resource, access, authentication });
    world.advance(limits.snapshotLife_ms);
    const fields: Fields = [...(await narrowed()), ["server", hidden], ["connect", slug]];
    const response = await browser.post("/oauth/consent", fields);
    expect(response.status).toBe(303);
    await expectChoices(response.headers.get("location") ?? "");
  });

  it("A2: after the servers have changed nothing is ticked, and the page says why", async () => {
    const html = await read(await connectFrom(browser, await narrowed()));
    await world.tenant.addServer(`more-${crypto.randomUUID().slice(0, 8)}`, { access: { everyone: true } });
    world.advance(limits.snapshotLife_ms);
    const back = await read(linksOf(html)[0] ?? "");
    expect(chosen(back)).toEqual([]);
    expect(back).toContain("Please choose again");
  });

  it.each(["another request", "another person", "nobody"])("CO-05: those of %s tick nothing", async (whose) => {
    const fields = await narrowed();
    const path = new URL(linksOf(await read(await connectFrom(browser, fields)))[0] ?? "", world.tenant.origin);
    if (whose === "another person") ({ browser } = await person(world, "Mallory"));
    if (whose === "another request") {
      const { fields } = await atConsent(world, client, { browser, parameters: { state: "second" } });
      path.searchParams.set("request", fields.find(([name]) => name === "request")?.[1] ?? "");
    }
    if (whose === "nobody") path.searchParams.set("choices", "k1.AAAA");
    const html = await read(path.pathname + path.search);
    expect([chosen(html), remembers(html)]).toEqual([[], false]);
    expect(html).toContain("Please choose again");
  });

  it("CO-06: connecting needs the token of the page", async () => {
    const fields = (await narrowed()).filter(([name]) => name !== "form_token");
    const response = await browser.post("/oauth/consent", [...fields, ["connect", "vendor"]]);
    expect([response.status, response.headers.get("location")]).toEqual([403, null]);
  });

  it("A2: a server that takes a key asks for a key", async () => {
    const { html } = await atConsent(world, client, { browser });
    for (const words of ["Connect your key", "Key not connected", "Connect your account"])
      expect(html).toContain(words);
  });
});

describe("the way back of one that fails (U9)", () => {
  /** The page that a failure ended on: one way to try again, one back, and trying again leads back as well. */
  async function expectWayBack(html: string): Promise<void> {
    const [again = "", back = ""] = linksOf(html);
    expect(again).toMatch(/^\/connect\/vendor\?to=/);
    await expectChoices(back);
    await expectChoices(linksOf(await read(again))[0] ?? "");
  }

  it("U9, A2: declined at the provider", async () => {
    const begun = await begin(browser, await connectFrom(browser, await narrowed()));
    const declined = { code: undefined, error: "access_denied" };
    const answer = world.vendor.authorize(begun.headers.get("location") ?? "", declined);
    const response = await browser.get(answer);
    expect(response.status).toBe(403);
    const html = await response.text();
    await expectWayBack(html);
    // And the second try connects and comes back.
    const retried = await begin(browser, linksOf(html)[0] ?? "");
    const connected = await browser.get(world.vendor.authorize(retried.headers.get("location") ?? ""));
    await expectChoices(connected.headers.get("location") ?? "");
  });

  it("U9, A2: a token endpoint that refuses", async () => {
    const begun = await begin(browser, await connectFrom(browser, await narrowed()));
    world.vendor.tokenAnswer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
    const response = await browser.get(world.vendor.authorize(begun.headers.get("location") ?? ""));
    expect(response.status).toBe(400);
    await expectWayBack(await response.text());
  });

  it("U9, A2: an answer that is loaded twice", async () => {
    const begun = await begin(browser, await connectFrom(browser, await narrowed()));
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    await browser.get(callback);
    const response = await browser.get(callback);
    expect(response.status).toBe(410);
    await expectChoices(linksOf(await response.text())[0] ?? "");
  });

  it("U9, A2: somebody else who gets the answer is not told the way back", async () => {
    const begun = await begin(browser, await connectFrom(browser, await narrowed()));
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    const other = await person(world, "Mallory");
    const html = await (await other.browser.get(callback)).text();
    expect(linksOf(html)).toEqual(["/me/connections"]);
  });

  it("U9, A2: too many that were begun", async () => {
    const path = await connectFrom(browser, await narrowed());
    const fields = connectFields(await read(path));
    const answers: Response[] = [];
    for (let n = 0; n <= limits.linkAttemptsPerUser_count; n += 1) {
      answers.push(await browser.post("/connect/vendor", fields));
    }
    const last = answers.at(-1);
    expect(last?.status).toBe(429);
    await expectChoices(linksOf((await last?.text()) ?? "")[0] ?? "");
  }, 30_000);

  it("U9, A2: a sealed vault, before and after the provider", async () => {
    const path = await connectFrom(browser, await narrowed());
    const begun = await begin(browser, path);
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    await world.tenant.api("PATCH", "/settings", { vault_sealed: true });
    world.advance(limits.snapshotLife_ms);
    const pages = [await browser.get(path), await browser.get(callback)];
    const links = await Promise.all(pages.map(async (page) => [page.status, linksOf(await page.text())[0]] as const));
    await world.tenant.api("PATCH", "/settings", { vault_sealed: false });
    world.advance(limits.snapshotLife_ms);
    for (const [status, back] of links) {
      expect(status).toBe(503);
      await expectChoices(back ?? "");
    }
  });

  it("AS-20: a way back that is none of ours is not shown", async () => {
    const html = await read("/connect/does-not-exist?to=https%3A%2F%2Fevil.test%2F");
    expect(linksOf(html)).toEqual(["/me/connections"]);
  });
});
