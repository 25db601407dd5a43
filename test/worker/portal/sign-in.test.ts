/** `/login` and the way back: what people see when it works, and when it does not. */
import { beforeAll, describe, expect, it } from "vitest";
import { signInFailures } from "../../../src/login/index.ts";
import { stopReasons } from "../../../src/oauth/index.ts";
import { signInTexts } from "../../../src/portal/errors/sign-in-texts.ts";
import { stopTexts } from "../../../src/portal/errors/stop-texts.ts";
import { FakeProvider, makeKey } from "../login/fake-provider.ts";
import { addProvider, alice, bob, Browser, createWorld, type World } from "./support.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
}, 30_000);

describe("the way to the provider", () => {
  it("A1: one provider: straight on, without a page", async () => {
    const response = await new Browser(world).get("/login");
    expect([response.status, new URL(response.headers.get("location") ?? "").origin]).toEqual([
      303,
      world.provider.issuer,
    ]);
  });

  it("A1: somebody who is signed in is not asked again", async () => {
    const browser = new Browser(world);
    await browser.signIn();
    expect((await browser.get("/login")).headers.get("location")).toBe("/");
  });

  it("A1: several providers: a choice, which keeps where to go", async () => {
    const own = await createWorld();
    await addProvider(own.tenant, new FakeProvider("https://second.test", await makeKey("k2")), "Partners <b>");
    const browser = new Browser(own);
    const asked = await browser.get("/me");
    const choice = await browser.get(asked.headers.get("location") ?? "");
    const html = await choice.text();
    expect(choice.status).toBe(200);
    expect(html).toContain("Partners &lt;b&gt;");
    const links = [...html.matchAll(/href="(\/login\?provider=[^"]*)"/g)].map(
      ([, link]) => link?.replaceAll("&amp;", "&") ?? "",
    );
    expect(links).toHaveLength(2);
    const first = await browser.get(links[0] ?? "");
    expect(new URL(first.headers.get("location") ?? "").origin).toMatch(/^https:\/\/(?:idp|second)\.test$/);
    expect(links.every((link) => link.includes("to="))).toBe(true);
  });

  it("A1: no provider: the page says what an administrator does", async () => {
    const response = await new Browser(await createWorld(undefined, { provider: false })).get("/login");
    const html = await response.text();
    expect(response.status).toBe(503);
    expect(html).toContain("POST /api/v1/identity-providers");
  });

  it("A1: a provider that does not answer: a page, and no redirect", async () => {
    const own = await createWorld();
    own.provider.down = true;
    const response = await new Browser(own).get("/login");
    expect([response.status, response.headers.get("location")]).toEqual([502, null]);
    expect(await response.text()).toContain("does not answer");
  });
});

describe("the way back", () => {
  it("CO-10: the answer to somebody else's sign-in signs nobody in", async () => {
    const attacker = new Browser(world);
    world.provider.claims = bob;
    const asked = await attacker.get("/login");
    const answer = world.provider.authorize(new URL(asked.headers.get("location") ?? ""));
    const victim = new Browser(world);
    const response = await victim.get(answer.pathname + answer.search);
    expect([response.status, response.headers.get("location")]).toEqual([400, null]);
    expect(victim.cookies.has("__Host-gatehouse")).toBe(false);
    expect(await response.text()).toContain("did not start in this browser");
  });

  it("A1: a failure offers another try that leads to the same page", async () => {
    const browser = new Browser(world);
    const asked = await browser.get("/login?prompt=login");
    const { searchParams } = new URL(asked.headers.get("location") ?? "");
    const query = new URLSearchParams({
      ...{ state: searchParams.get("state") ?? "", error: "access_denied" },
      iss: world.provider.issuer,
    });
    const response = await browser.get(`/login/callback?${query}`);
    const html = await response.text();
    expect(response.status).toBe(403);
    expect(html).toContain("did not let you in");
    const retry = /href="(\/login\?[^"]*)"/.exec(html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    expect((await browser.signIn(alice, retry)).headers.get("location")).toBe("/");
  });
});

describe("texts", () => {
  it("A3: every reason has a text that says what happened and what to do", () => {
    const texts = [
      ...stopReasons.map((reason) => stopTexts[reason]),
      ...signInFailures.map((reason) => signInTexts[reason]),
    ];
    for (const { title, what, you } of texts) {
      expect(title).toMatch(/^[A-Z].{8,}[^.]$/);
      expect(what).toMatch(/^[A-Z].{20,}\.$/);
      expect(you).toMatch(/^[A-Z].{8,}\.$/);
    }
  });
});
