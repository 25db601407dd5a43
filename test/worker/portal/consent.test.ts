/** `/oauth/authorize` and `/oauth/consent` through the whole Worker. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import {
  alice,
  atConsent,
  authorizePath,
  bob,
  Browser,
  callback,
  createWorld,
  fieldsOf,
  register,
  trust,
  type World,
} from "./support.ts";

// A tenant, its provider and its servers take a while: tests that change neither them nor the time share one.
let world: World;
beforeAll(async () => {
  world = await createWorld();
}, 30_000);

const grants = async (): Promise<number> =>
  (await env.DB.prepare("select count(*) as n from grants where created_at > 0").first<{ n: number }>())?.n ?? 0;

/** Asserts that the action neither made a grant nor sent anything to a client. */
async function expectNothing(act: () => Promise<Response>, status: number): Promise<string> {
  const before = await grants();
  const response = await act();
  expect(response.status).toBe(status);
  expect(response.headers.get("location")).toBeNull();
  expect(await grants()).toBe(before);
  return response.text();
}

const decide = (fields: readonly (readonly [string, string])[], decision: string): (readonly [string, string])[] => [
  ...fields,
  ["decision", decision],
];

const without = (fields: readonly (readonly [string, string])[], name: string): (readonly [string, string])[] =>
  fields.filter(([key]) => key !== name);

describe("the way of a person", () => {
  it("A2, CO-01: the page names client, destination, person and every server that the person may reach", async () => {
    const client = await register(world, "Evil <b>Helper</b>");
    const { html, response } = await atConsent(world, client);
    expect(response.status).toBe(200);
    expect(html).toContain("Evil &lt;b&gt;Helper&lt;/b&gt;");
    for (const words of [
      "Unverified",
      "app.client.test",
      "Alice Example",
      "alice@a.test",
      "Tickets",
      "Company wiki",
      "No account needed",
    ]) {
      expect(html).toContain(words);
    }
    expect(fieldsOf(html, "/oauth/consent").filter(([name]) => name === "server")).toEqual([
      ["server", world.servers.tickets],
      ["server", world.servers.wiki],
    ]);
  });

  it("AS-21: allowing answers the client with 303, a code, the state and the issuer", async () => {
    const { browser, fields } = await atConsent(world, await register(world));
    const response = await browser.post("/oauth/consent", decide(fields, "allow"));
    expect(response.status).toBe(303);
    const location = new URL(response.headers.get("location") ?? "");
    expect(location.origin + location.pathname).toBe(callback);
    expect(location.searchParams.get("state")).toBe("the-state");
    expect(location.searchParams.get("iss")).toBe(world.tenant.origin);
    expect(location.searchParams.get("code")).toMatch(/^[\x21-\x7e]{20,}$/);
  });

  it("A2: denying answers the client with access_denied", async () => {
    const { browser, fields } = await atConsent(world, await register(world));
    const response = await browser.post("/oauth/consent", decide(fields, "deny"));
    expect(response.status).toBe(303);
    expect(new URL(response.headers.get("location") ?? "").searchParams.get("error")).toBe("access_denied");
  });

  it("A2: an answer without a server is asked again", async () => {
    const { browser, fields } = await atConsent(world, await register(world));
    const html = await expectNothing(
      () => browser.post("/oauth/consent", decide(without(fields, "server"), "allow")),
      422,
    );
    expect(html).toContain("Choose at least one server");
  });

  it("A2: a person without any server is told so and can only deny", async () => {
    const world = await createWorld();
    for (const id of Object.values(world.servers)) {
      await world.tenant.api("PATCH", `/servers/${id}`, { access: { everyone: false, groups: ["others"] } });
    }
    world.advance(limits.snapshotLife_ms);
    const { html } = await atConsent(world, await register(world), { claims: bob });
    expect(html).toContain("no server that you can use");
    expect(html).toContain('value="deny"');
    expect(html).not.toContain('value="allow"');
  });

  it("CO-03: the authorization endpoint sets no cookie, with and without a session", async () => {
    const path = authorizePath(world, await register(world));
    const browser = new Browser(world);
    const asked = await browser.get(path);
    expect([asked.status, asked.headers.getSetCookie()]).toEqual([303, []]);
    await browser.signIn();
    const again = await browser.get(path);
    expect([again.status, again.headers.getSetCookie()]).toEqual([303, []]);
  });

  it("A1: POST of a form is the same request", async () => {
    const path = authorizePath(world, await register(world));
    const fields = [...new URL(path, world.tenant.origin).searchParams];
    const response = await new Browser(world).post("/oauth/authorize", fields, { origin: "https://app.client.test" });
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toMatch(/^\/login\?to=/);
  });

  it.each(["application/json", "multipart/form-data; boundary=x", "text/plain", ""])(
    "AS-27: a POST of type %o is refused with 415",
    async (type) => {
      const headers = { "content-type": type };
      await expectNothing(() => new Browser(world).post("/oauth/authorize", [], headers), 415);
    },
  );
});

describe("prompt", () => {
  it("A1: none without a session answers login_required", async () => {
    const response = await new Browser(world).get(authorizePath(world, await register(world), { prompt: "none" }));
    expect(new URL(response.headers.get("location") ?? "").searchParams.get("error")).toBe("login_required");
  });

  it("A1: none without consent answers consent_required", async () => {
    const browser = new Browser(world);
    await browser.signIn();
    const response = await browser.get(authorizePath(world, await register(world), { prompt: "none" }));
    expect(new URL(response.headers.get("location") ?? "").searchParams.get("error")).toBe("consent_required");
  });

  it("A1: login asks a person who is signed in already to sign in again, once", async () => {
    const world = await createWorld();
    const client = await register(world);
    const browser = new Browser(world);
    await browser.signIn();
    world.advance(2 * limits.clockSkew_ms);
    const asked = await browser.get(authorizePath(world, client, { prompt: "login" }));
    const location = asked.headers.get("location") ?? "";
    expect(location).toMatch(/^\/login\?.*prompt=login/);
    const back = await browser.signIn(alice, location);
    const page = await browser.follow(back.headers.get("location") ?? "");
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("wants to connect");
  });
});

describe("remembered consent (CO-09)", () => {
  async function remember(client: string): Promise<Browser> {
    const { browser, fields } = await atConsent(world, client);
    const response = await browser.post("/oauth/consent", decide([...fields, ["remember", "yes"]], "allow"));
    expect(response.status).toBe(303);
    return browser;
  }

  it("CO-09: the same request is not asked again", async () => {
    const client = await register(world);
    const browser = await remember(client);
    const response = await browser.get(authorizePath(world, client));
    expect(response.headers.get("location")).toMatch(/^https:\/\/app\.client\.test\/callback\?code=/);
  });

  it("CO-09: prompt=consent asks again", async () => {
    const client = await register(world);
    const browser = await remember(client);
    const { response } = await atConsent(world, client, { browser, parameters: { prompt: "consent" } });
    expect(response.status).toBe(200);
  });

  it("CO-09: another resource asks again", async () => {
    const client = await register(world);
    const browser = await remember(client);
    const parameters = { resource: `${world.tenant.origin}/mcp/tickets` };
    const { response, fields } = await atConsent(world, client, { browser, parameters });
    expect(response.status).toBe(200);
    expect(fields.filter(([name]) => name === "server")).toEqual([["server", world.servers.tickets]]);
  });

  it("CO-09: another person in the same browser is asked", async () => {
    const client = await register(world);
    const browser = await remember(client);
    browser.cookies.clear();
    const { response, html } = await atConsent(world, client, { browser, claims: bob });
    expect(response.status).toBe(200);
    expect(html).toContain("Bob Example");
  });

  it("CO-09: another client of the same name is asked", async () => {
    const browser = await remember(await register(world));
    const { response } = await atConsent(world, await register(world), { browser });
    expect(response.status).toBe(200);
  });
});

describe("a decision that is not the person's (CO-04, CO-05, CO-06)", () => {
  it("CO-05: a form that names another client, redirect and resource decides what was shown", async () => {
    const { browser, fields } = await atConsent(world, await register(world));
    const other = await register(world, "Other");
    const forged: [string, string][] = [
      ["client_id", other],
      ["redirect_uri", "https://evil.test/"],
      ["state", "evil"],
    ];
    const response = await browser.post("/oauth/consent", decide([...fields, ...forged], "allow"));
    const location = new URL(response.headers.get("location") ?? "");
    expect([location.origin + location.pathname, location.searchParams.get("state")]).toEqual([callback, "the-state"]);
    const owner = await env.DB.prepare("select client_id from grants order by id desc limit 1").first();
    expect(owner).not.toEqual({ client_id: other });
  });

  it("CO-05: a server that was not offered is not granted", async () => {
    const hidden = await world.tenant.addServer("payroll", { access: { everyone: false, groups: ["finance"] } });
    const { browser, fields } = await atConsent(world, await register(world));
    const chosen: (readonly [string, string])[] = [...without(fields, "server"), ["server", hidden]];
    await expectNothing(() => browser.post("/oauth/consent", decide(chosen, "allow")), 422);
  });

  it("CO-04: the same decision a second time is refused", async () => {
    const { browser, fields } = await atConsent(world, await register(world));
    await browser.post("/oauth/consent", decide(fields, "allow"));
    const html = await expectNothing(() => browser.post("/oauth/consent", decide(fields, "allow")), 400);
    expect(html).toContain("decided already");
  });

  it("CO-04: the form of one person does not work for another", async () => {
    const client = await register(world);
    const { fields } = await atConsent(world, client);
    const bobs = new Browser(world);
    await bobs.signIn(bob);
    await expectNothing(() => bobs.post("/oauth/consent", decide(fields, "allow")), 403);
  });

  it("CO-04: a request older than ten minutes is refused", async () => {
    const world = await createWorld();
    const { browser, fields } = await atConsent(world, await register(world));
    world.advance(limits.authorizationRequest_ms + 1000);
    const html = await expectNothing(() => browser.post("/oauth/consent", decide(fields, "allow")), 400);
    expect(html).toContain("took too long");
  });

  it("CO-06: without a session: 403", async () => {
    const { fields } = await atConsent(world, await register(world));
    await expectNothing(() => new Browser(world).post("/oauth/consent", decide(fields, "allow")), 403);
  });

  it.each(["form_token", "request"])("CO-06: without %s: 403", async (name) => {
    const { browser, fields } = await atConsent(world, await register(world));
    await expectNothing(() => browser.post("/oauth/consent", decide(without(fields, name), "allow")), 403);
  });

  it.each([
    ["origin", "https://evil.test"],
    ["origin", "null"],
    ["sec-fetch-site", "cross-site"],
    ["sec-fetch-site", "same-site"],
  ])("CO-06: %s %s: 403", async (name, value) => {
    const { browser, fields } = await atConsent(world, await register(world));
    await expectNothing(() => browser.post("/oauth/consent", decide(fields, "allow"), { [name]: value }), 403);
  });

  it("CO-06: a decision that is neither yes nor no: 403", async () => {
    const { browser, fields } = await atConsent(world, await register(world));
    await expectNothing(() => browser.post("/oauth/consent", fields), 403);
  });

  it("CO-25: two requests in two tabs are decided apart", async () => {
    await trust(world.tenant, "https://second.client.test/cb");
    const [one, two] = [await register(world), await register(world, "Second", "https://second.client.test/cb")];
    const first = await atConsent(world, one);
    const parameters = { redirect_uri: "https://second.client.test/cb", state: "second" };
    const second = await atConsent(world, two, { browser: first.browser, parameters });
    const answers = [
      await first.browser.post("/oauth/consent", decide(second.fields, "allow")),
      await first.browser.post("/oauth/consent", decide(first.fields, "allow")),
    ].map((response) => new URL(response.headers.get("location") ?? ""));
    expect(answers.map(({ origin, searchParams }) => [origin, searchParams.get("state")])).toEqual([
      ["https://second.client.test", "second"],
      ["https://app.client.test", "the-state"],
    ]);
  });

  it("CO-16: a session of another tenant is none", async () => {
    const world = await createWorld();
    const browser = new Browser(world);
    await browser.signIn();
    const { tenant } = await createWorld("https://b.gw.test").then(() => world);
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const foreign = await world.harness.fetch("https://b.gw.test/me", { headers: { cookie } });
    expect(tenant.origin).toBe("https://a.gw.test");
    expect(foreign.headers.get("location")).toMatch(/^\/login/);
  });
});
