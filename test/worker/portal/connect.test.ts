/** Connecting an account at a provider, through the whole Worker. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { begin, connectFields, createConnectWorld, held, link, person, type World } from "./connect-support.ts";
import { Browser, tokenAt } from "./support.ts";

let world: World;
beforeAll(async () => {
  world = await createConnectWorld();
}, 30_000);

let browser: Browser;
let id: string;
beforeEach(async () => {
  ({ browser, id } = await person(world));
  world.vendor.metadata = {};
  world.vendor.resourceMetadata = {};
  world.vendor.answerParameters = {};
  world.vendor.tokenAnswer = undefined;
  world.vendor.down = false;
});

const attempts = async (): Promise<{ used: number | null }[]> =>
  (
    await env.DB.prepare("select used_at as used from link_attempts where tenant_id = ? and user_id = ?")
      .bind(world.id, id)
      .all<{ used: number | null }>()
  ).results;

const events = (action = "connection.link") =>
  world.harness.events.filter((event) => event.type === "auth.activity" && event.action === action);

/** Nothing is stored, no code was redeemed, one refusal is recorded, and no secret stands in the page or in an event. */
async function expectRefused(
  act: () => Promise<Response>,
  { status, reason, words }: { status: number; reason?: string; words: string },
): Promise<string> {
  const [redeemed, recorded] = [world.vendor.tokenRequests.length, events().length];
  const before = await world.connections();
  const response = await act();
  const html = await response.text();
  expect([response.status, response.headers.get("location")]).toEqual([status, null]);
  expect(html).toContain(words);
  expect(await world.connections()).toEqual(before);
  expect(world.vendor.tokenRequests.length).toBe(redeemed);
  expect(
    events()
      .slice(recorded)
      .map((event) => "reason" in event && event.reason),
  ).toEqual(reason === undefined ? [] : [reason]);
  for (const secret of world.vendor.secrets()) expect(JSON.stringify([html, events()])).not.toContain(secret);
  return html;
}

describe("the page before the way to the provider", () => {
  it("UP-02, U9: says what is connected, for whom, as whom, at which host, with which permissions, and the hint", async () => {
    const html = await (await browser.get(await world.mint({ user_id: id }))).text();
    const words = ["Vendor", "app.client.test", "Bob Example", "mcp.vendor.test", "auth.vendor.test", "read, write"];
    for (const word of [...words, "Use your work account.", "Continue to auth.vendor.test"])
      expect(html).toContain(word);
  });

  it("UP-02: nobody is sent to a host that the page did not name", async () => {
    const fields = connectFields(await (await browser.get("/connect/vendor")).text());
    const forged = fields.map(([name, value]): [string, string] => [name, name === "provider" ? "other" : value]);
    const html = await expectRefused(() => browser.post("/connect/vendor", forged), {
      ...{ status: 422, words: "The provider of this server, or what it is asked for, has changed" },
    });
    expect(html).toContain("auth.vendor.test");
    expect(await attempts()).toEqual([]);
  });

  it("UP-08, UP-13: the way to the provider has the redirect URI, PKCE, state and resource, and nothing about the person", async () => {
    const begun = await begin(browser, await world.mint({ user_id: id }));
    expect([begun.status, begun.headers.get("cache-control")]).toEqual([303, "no-store"]);
    const location = new URL(begun.headers.get("location") ?? "");
    expect(location.origin + location.pathname).toBe("https://auth.vendor.test/authorize");
    const asked = Object.fromEntries(location.searchParams);
    expect(asked).toMatchObject({
      ...{ response_type: "code", client_id: "registered-client", code_challenge_method: "S256", scope: "read write" },
      redirect_uri: expect.stringMatching(
        /^https:[/][/]a[.]gw[.]test[/]connect[/]vendor[/]callback[/][A-Za-z0-9_-]{22}$/,
      ),
      resource: world.vendor.resource,
      state: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
      code_challenge: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    });
    expect(location.href).not.toContain(id);
    expect(location.href).not.toContain("a.test&");
  });

  it.each(["javascript:alert(1)", "file:///etc/passwd", "http://auth.vendor.test/authorize", "$(calc)"])(
    "UP-11: an authorization endpoint %s leads nowhere",
    async (authorization_endpoint) => {
      // Documents are kept for a while: hosts of its own for each.
      const own = crypto.randomUUID().slice(0, 8);
      world.vendor.metadata = { authorization_endpoint };
      world.vendor.resourceMetadata = { authorization_servers: [`https://auth-${own}.vendor.test`] };
      const server = await world.tenant.addServer(`up11-${own}`, {
        ...{ url: `https://r-${own}.vendor.test/mcp`, access: { everyone: true }, authentication: { type: "oauth" } },
      });
      const path = await world.mint({ user_id: id, server_id: server });
      world.advance(limits.snapshotLife_ms);
      const recorded = events().length;
      const looked = await browser.get(path);
      // Also before anybody presses a button: there is none on this page.
      expect([looked.status, events().length]).toEqual([400, recorded + 1]);
      const { pathname, searchParams } = new URL(path, world.tenant.origin);
      const handle = searchParams.get("link") ?? "";
      const response = await browser.post(pathname, [await tokenAt(browser, "/me"), ["link", handle]]);
      const html = await response.text();
      expect([response.status, html.includes("cannot be connected right now")]).toEqual([400, true]);
      expect(html).not.toMatch(/<form class|alert|etc\/passwd|\$\(calc/);
      expect(await attempts()).toEqual([]);
      const refused = { outcome: "refused", reason: "authorization_endpoint_not_allowed" };
      expect(events().slice(recorded)).toMatchObject([refused, refused]);
    },
  );

  it("CO-07, CO-24: it cannot be framed, has no script, and its form may lead to the provider", async () => {
    const { headers } = await browser.get("/connect/vendor");
    const policy = headers.get("content-security-policy") ?? "";
    for (const words of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"]) {
      expect(policy).toContain(words);
    }
    expect(policy).not.toContain("form-action");
    expect([headers.get("x-frame-options"), headers.get("referrer-policy")]).toEqual(["DENY", "no-referrer"]);
  });

  it("U9: a link leads through the sign-in and back to itself", async () => {
    const path = await world.mint({ user_id: id });
    const stranger = await new Browser(world).get(path);
    expect(stranger.headers.get("location")).toMatch(/^\/login\?to=/);
  });

  it("CO-06: a form without its token begins nothing", async () => {
    const fields = connectFields(await (await browser.get("/connect/vendor")).text());
    const forged = fields.filter(([name]) => name !== "form_token");
    await expectRefused(() => browser.post("/connect/vendor", forged), { status: 403, words: "was not accepted" });
    expect(await attempts()).toEqual([]);
  });

  it("CO-06: a form of another site begins nothing", async () => {
    const fields = connectFields(await (await browser.get("/connect/vendor")).text());
    const from = { origin: "https://evil.test", "sec-fetch-site": "cross-site" };
    await expectRefused(() => browser.post("/connect/vendor", fields, from), {
      status: 403,
      words: "was not accepted",
    });
    expect(await attempts()).toEqual([]);
  });

  it("U9: opening the page alone begins nothing", async () => {
    await browser.get(await world.mint({ user_id: id }));
    expect(await attempts()).toEqual([]);
  });

  it("U14: a server that the person may not reach has no page", async () => {
    const slug = `payroll-${crypto.randomUUID().slice(0, 8)}`;
    const access = { everyone: false, groups: ["finance"] };
    await world.tenant.addServer(slug, { url: world.vendor.resource, access, authentication: { type: "oauth" } });
    const words = "There is nothing to connect here";
    await expectRefused(() => browser.get(`/connect/${slug}`), { status: 404, words });
    await expectRefused(() => browser.get("/connect/does-not-exist"), { status: 404, words });
  });
});

describe("the way back", () => {
  it("U9, U10, U14: connects the account, records it, and says to go back to the application", async () => {
    const response = await link(world, browser, await world.mint({ user_id: id }));
    const html = await response.text();
    expect([response.status, html.includes("Vendor</bdi> is connected")]).toEqual([200, true]);
    const [row] = (await world.connections()).filter(({ user_id }) => user_id === id);
    expect(row).toMatchObject({
      ...{ target: world.server, account: "default", is_default: 1, state: "linked", issuer: world.vendor.issuer },
      ...{ client_id: "registered-client", scope: "read write", asked_scope: "read write", step_ups: 0 },
    });
    expect((await held(world, id))?.credential).toMatchObject({
      kind: "tokens",
      access_token: world.vendor.tokens.at(-2),
    });
    expect(events().at(-1)).toMatchObject({
      ...{ outcome: "ok", resource: `${world.tenant.origin}/mcp/vendor` },
      actor: { user: id, agent: "https://app.client.test/client.json" },
    });
    for (const secret of world.vendor.secrets()) expect(html).not.toContain(secret);
  });

  it("U14: what the person began by themselves leads back to their connections", async () => {
    const response = await link(world, browser);
    expect([response.status, response.headers.get("location")]).toEqual([303, "/me/connections?done=connected"]);
  });

  it("UP-14, CO-26: another person's answer connects nothing, and the attempt stays theirs", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    const other = await person(world, "Mallory");
    await expectRefused(() => other.browser.get(callback), {
      ...{ status: 403, reason: "other_person", words: "Somebody else began this" },
    });
    expect(await attempts()).toEqual([{ used: null }]);
    expect((await browser.get(callback)).status).toBe(303);
    expect((await world.connections()).filter(({ user_id }) => user_id === other.id)).toEqual([]);
  });

  it("UP-14: nobody who is signed out completes anything", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    browser.cookies.clear();
    const redeemed = world.vendor.tokenRequests.length;
    expect((await browser.get(callback)).headers.get("location")).toMatch(/^\/login\?to=/);
    expect([await attempts(), world.vendor.tokenRequests.length]).toEqual([[{ used: null }], redeemed]);
  });

  it("UP-13: of 20 parallel answers with one state one connects", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    const redeemed = world.vendor.tokenRequests.length;
    const answers = await Promise.all(Array.from({ length: 20 }, () => browser.get(callback)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, ...Array.from({ length: 19 }, () => 410)]);
    expect(world.vendor.tokenRequests.length - redeemed).toBe(1);
    expect((await world.connections()).filter(({ user_id }) => user_id === id)).toHaveLength(1);
  });

  it("U9: of a link that was begun 20 times one attempt completes, at once or one after the other", async () => {
    const path = await world.mint({ user_id: id });
    const callbacks: string[] = [];
    for (let begun = 0; begun < 20; begun += 1) {
      const way = await begin(browser, path);
      callbacks.push(world.vendor.authorize(way.headers.get("location") ?? ""));
    }
    const redeemed = world.vendor.tokenRequests.length;
    const answers = await Promise.all(callbacks.map((callback) => browser.get(callback)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(world.vendor.tokenRequests.length - redeemed).toBe(1);
    await expectRefused(() => browser.get(path), { status: 410, words: "This link was used already" });
  }, 30_000);

  it("UP-13: every state, verifier and challenge is its own", async () => {
    const ways = await Promise.all(Array.from({ length: 30 }, () => begin(browser, "/connect/vendor")));
    const asked = ways.map((way) => new URL(way.headers.get("location") ?? "").searchParams);
    for (const name of ["state", "code_challenge"]) {
      expect(new Set(asked.map((parameters) => parameters.get(name))).size).toBe(30);
    }
  }, 30_000);

  it("UP-13: an answer with a state that was never given is nobody's", async () => {
    await expectRefused(() => browser.get(`/connect/callback?code=x&state=${"a".repeat(43)}`), {
      ...{ status: 400, words: "does not belong to anything that you began" },
    });
  });

  it("UP-13: an answer with two states is nobody's", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    await expectRefused(() => browser.get(`${callback}&state=x`), {
      status: 400,
      words: "does not belong to anything",
    });
    expect(await attempts()).toEqual([{ used: null }]);
  });

  it("UP-10: an answer of another issuer is refused before any request, and its state is over", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "", { iss: "https://evil.test" });
    await expectRefused(() => browser.get(callback), {
      ...{ status: 400, reason: "issuer_mismatch", words: "cannot be connected right now" },
    });
    expect(await attempts()).toEqual([]);
  });

  it("UP-10: what a provider writes is never shown", async () => {
    const path = await world.mint({ user_id: id });
    const begun = await begin(browser, path);
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "", {
      ...{
        code: undefined,
        error: "access_denied",
        error_description: "CALL +1-555-EVIL",
        error_uri: "https://evil.test",
      },
    });
    const html = await expectRefused(() => browser.get(callback), {
      ...{ status: 403, reason: "access_denied", words: "The provider did not allow it" },
    });
    expect(html).not.toMatch(/EVIL|evil\.test/);
    // The link is still good: nothing was connected with it.
    expect((await link(world, browser, path)).status).toBe(200);
  });

  it("UP-15: a token endpoint that refuses leaves the link as it was", async () => {
    const path = await world.mint({ user_id: id });
    const begun = await begin(browser, path);
    world.vendor.tokenAnswer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
    const answer = await browser.get(world.vendor.authorize(begun.headers.get("location") ?? ""));
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("could not be finished")]);
    expect((await world.connections()).filter(({ user_id }) => user_id === id)).toEqual([]);
    world.vendor.tokenAnswer = undefined;
    expect((await link(world, browser, path)).status).toBe(200);
  });

  it("U9: who takes longer than fifteen minutes begins anew", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    world.advance(limits.link_ms);
    await expectRefused(() => browser.get(callback), { status: 410, words: "This took too long" });
  });

  it("U8: a server that was changed meanwhile gets nothing", async () => {
    const slug = `moved-${crypto.randomUUID().slice(0, 8)}`;
    const server = await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access: { everyone: true }, authentication: { type: "oauth" } },
    });
    const begun = await begin(browser, `/connect/${slug}`);
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    const url = "https://other.vendor.test/mcp";
    expect((await world.tenant.api("PATCH", `/servers/${server}`, { url })).status).toBe(200);
    world.advance(limits.snapshotLife_ms);
    await expectRefused(() => browser.get(callback), {
      ...{ status: 409, reason: "server_changed", words: "The server has changed meanwhile" },
    });
  });

  it("UP-13: HEAD on the way back uses nothing up", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    expect((await browser.send(callback, { method: "HEAD" })).status).toBe(405);
    expect(await attempts()).toEqual([{ used: null }]);
  });

  it("U11: what is sealed for one attempt does not open for another", async () => {
    const first = await begin(browser, "/connect/vendor");
    const second = await begin(browser, "/connect/vendor?account=work");
    await env.DB.prepare(
      "update link_attempts set pending = (select max(pending) from link_attempts where user_id = ?1) where user_id = ?1",
    )
      .bind(id)
      .run();
    const answers = await Promise.all(
      [first, second].map((way) => browser.get(world.vendor.authorize(way.headers.get("location") ?? ""))),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 503]);
  });
});

describe("a link for one person (CO-26)", () => {
  it("CO-26: anybody else is refused, and not told whose it is", async () => {
    const path = await world.mint({ user_id: id });
    const other = await person(world, "Mallory");
    const html = await expectRefused(() => other.browser.get(path), {
      ...{ status: 403, reason: "link_not_yours", words: "This link is for somebody else" },
    });
    for (const word of [id, "Bob Example", "Vendor", "auth.vendor.test"]) expect(html).not.toContain(word);
  });

  it("CO-26: nobody else can post it either", async () => {
    const path = await world.mint({ user_id: id });
    const other = await person(world, "Mallory");
    const fields = connectFields(await (await other.browser.get("/connect/vendor")).text());
    const handle = new URL(path, world.tenant.origin).searchParams.get("link") ?? "";
    await expectRefused(() => other.browser.post("/connect/vendor", [...fields, ["link", handle]]), {
      ...{ status: 403, reason: "link_not_yours", words: "This link is for somebody else" },
    });
  });

  it("U9: it says nothing about anybody to who reads it", async () => {
    const path = await world.mint({ user_id: id, scope: "canary-scope" });
    for (const word of [id, "canary-scope", world.server, "default", "client.test"]) expect(path).not.toContain(word);
  });

  it("U9: after fifteen minutes it is too old", async () => {
    const path = await world.mint({ user_id: id });
    world.advance(limits.link_ms);
    await expectRefused(() => browser.get(path), { status: 410, words: "This link is too old" });
  });

  it("U9: a letter that is changed makes it unknown", async () => {
    const path = await world.mint({ user_id: id });
    const changed = path.slice(0, -6) + (path.at(-6) === "A" ? "B" : "A") + path.slice(-5);
    await expectRefused(() => browser.get(changed), { status: 400, words: "This link is not valid" });
  });

  it("U9: a link of another server is unknown at this address", async () => {
    const slug = `twin-${crypto.randomUUID().slice(0, 8)}`;
    await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access: { everyone: true }, authentication: { type: "oauth" } },
    });
    const path = (await world.mint({ user_id: id })).replace("/connect/vendor", `/connect/${slug}`);
    world.advance(limits.snapshotLife_ms);
    await expectRefused(() => browser.get(path), { status: 400, words: "This link is not valid" });
  });

  it("U9: account, scope and step-ups are those that were fixed, whatever the form says", async () => {
    const path = await world.mint({ user_id: id, account: "work", scope: "read admin", step_ups: 1 });
    const forged: [string, string][] = [
      ["account", "mine"],
      ["scope", "all"],
      ["step_ups", "0"],
      ["user_id", "somebody"],
    ];
    await link(world, browser, path, forged);
    const rows = (await world.connections()).filter(({ user_id }) => user_id === id);
    expect(rows).toMatchObject([{ account: "work", asked_scope: "read admin", step_ups: 1 }]);
  });

  it("U9: it is good until its server is closed to the person", async () => {
    const slug = `closing-${crypto.randomUUID().slice(0, 8)}`;
    const server = await world.tenant.addServer(slug, {
      ...{ url: world.vendor.resource, access: { everyone: true }, authentication: { type: "oauth" } },
    });
    const path = await world.mint({ user_id: id, server_id: server });
    await world.tenant.api("PATCH", `/servers/${server}`, { access: { everyone: false, groups: ["finance"] } });
    world.advance(limits.snapshotLife_ms);
    await expectRefused(() => browser.get(path), { status: 404, words: "There is nothing to connect here" });
  });
});

describe("several accounts (U10)", () => {
  it("U10: a further account has a name of its own, and the first stays the default", async () => {
    await link(world, browser);
    await link(world, browser, "/connect/vendor?another=yes", [["account", "work@example.com"]]);
    const rows = (await world.connections()).filter(({ user_id }) => user_id === id);
    expect(rows.map(({ account, is_default }) => [account, is_default])).toEqual([
      ["default", 1],
      ["work@example.com", 0],
    ]);
  });

  it.each([
    ["nothing", ""],
    ["spaces", "  "],
    ["a name of Gatehouse's own for headers", "header:x-token"],
    ["a name of Gatehouse's own", "service"],
    ["markup", "<b>x</b>"],
    ["a NUL", "a\u0000b"],
    ["one character too many", "x".repeat(limits.accountName_chars + 1)],
    ["a path", "../x"],
    ["a hyphen first", "-x"],
  ])("U10: %s is no name for an account", async (_what, name) => {
    await link(world, browser);
    const begun = await begin(browser, "/connect/vendor?another=yes", [["account", name]]);
    expect([begun.status, begun.headers.get("location")]).toEqual([422, null]);
    expect(await begun.text()).toContain("a letter or digit at both ends");
  });

  it("U10: a name that is taken is not given twice", async () => {
    await link(world, browser);
    const begun = await begin(browser, "/connect/vendor?another=yes", [["account", "default"]]);
    expect([begun.status, await begun.text()]).toEqual([
      422,
      expect.stringContaining("You have an account by this name"),
    ]);
  });

  it("U10: connecting again takes the place of the account by that name", async () => {
    await link(world, browser);
    const before = await held(world, id);
    await link(world, browser, "/connect/vendor?account=default");
    const after = await held(world, id);
    expect((await world.connections()).filter(({ user_id }) => user_id === id)).toHaveLength(1);
    expect(after?.id).not.toBe(before?.id);
    expect(after?.credential).not.toEqual(before?.credential);
  });

  it("U10: an eleventh account is refused before the provider is asked", async () => {
    await link(world, browser);
    for (let count = 1; count < limits.accountsPerTarget_count; count += 1) {
      await link(world, browser, "/connect/vendor?another=yes", [["account", `n${count}`]]);
    }
    const begun = await begin(browser, "/connect/vendor?another=yes", [["account", "one more"]]);
    expect([begun.status, await begun.text()]).toEqual([409, expect.stringContaining("too many accounts")]);
  }, 30_000);

  it("U10: attempts that are not finished are bounded", async () => {
    const now = world.now();
    const rows = Array.from({ length: limits.linkAttemptsPerUser_count }, (_, n) =>
      env.DB.prepare("insert into link_attempts values (?, ?, ?, ?, ?, '', ?, ?, null)").bind(
        ...[world.id, `${id}-${n}`, `l-${n}`, id, world.server, now, now + 60_000],
      ),
    );
    await env.DB.batch(rows);
    const begun = await begin(browser, "/connect/vendor");
    expect([begun.status, await begun.text()]).toEqual([429, expect.stringContaining("begun this too often")]);
  });
});

describe("a sealed vault", () => {
  it("U11: nothing is begun, nothing is stored, and an attempt that is under way stays good", async () => {
    const begun = await begin(browser, "/connect/vendor");
    const callback = world.vendor.authorize(begun.headers.get("location") ?? "");
    await world.tenant.api("PATCH", "/settings", { vault_sealed: true });
    world.advance(limits.snapshotLife_ms);
    await expectRefused(() => browser.get("/connect/vendor"), { status: 503, words: "Credentials are sealed" });
    await expectRefused(() => browser.get(callback), { status: 503, words: "Credentials are sealed" });
    expect(await attempts()).toEqual([{ used: null }]);
    expect(await (await browser.get("/me/connections")).text()).toContain("Credentials are sealed");
    await world.tenant.api("PATCH", "/settings", { vault_sealed: false });
    world.advance(limits.snapshotLife_ms);
    expect((await browser.get(callback)).status).toBe(303);
  });
});
