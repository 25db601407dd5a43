/** Connecting an account from the consent page of a request that is as long as the authorization endpoint takes. */
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { begin, connectFrom, createConnectWorld, person, type World } from "./connect-support.ts";
import { atConsent, fieldsOf, trust } from "./support.ts";

/** As long as they may be. */
const redirect_uri = `https://app.client.test/cb/${"r".repeat(limits.redirectUri_chars)}`.slice(
  0,
  limits.redirectUri_chars,
);
const document = `https://app.client.test/${"d".repeat(limits.authorizationParameter_chars)}`.slice(
  0,
  limits.authorizationParameter_chars,
);
const longest = limits.state_chars;

let world: World;
beforeAll(async () => {
  world = await createConnectWorld();
  await trust(world.tenant, redirect_uri);
  const { vendor } = world;
  const others = vendor.answer.bind(vendor);
  const metadata = {
    ...{ client_id: document, client_name: "Long helper", redirect_uris: [redirect_uri] },
    token_endpoint_auth_method: "none",
  };
  vendor.answer = (request) => (request.url === document ? Promise.resolve(Response.json(metadata)) : others(request));
}, 30_000);

describe.each([
  ["letters", "s"],
  ["quotation marks", '"'],
  ["signs outside of ASCII", "界"],
])("A2: the longest state of %s", (_name, sign) => {
  it("A2: is there after an account was connected on the way", async () => {
    const { browser } = await person(world);
    const state = sign.repeat(longest);
    const { fields } = await atConsent(world, document, { browser, parameters: { redirect_uri, state } });
    const begun = await begin(browser, await connectFrom(browser, fields));
    const back = await browser.get(world.vendor.authorize(begun.headers.get("location") ?? ""));
    const page = await (await browser.get(back.headers.get("location") ?? "")).text();
    expect(page).toContain("Long helper");
    expect(page).toContain("Account connected");
    const allowed = await browser.post("/oauth/consent", [...fieldsOf(page, "/oauth/consent"), ["decision", "allow"]]);
    const answer = new URL(allowed.headers.get("location") ?? "");
    expect([answer.searchParams.get("state"), answer.searchParams.has("code")]).toEqual([state, true]);
  });
});

describe("a request that does not fit into an address", () => {
  const state = "\u0001".repeat(longest);

  it("A2: is not lost: the page stays, with what was ticked, and says what to do", async () => {
    const { browser } = await person(world);
    const { fields } = await atConsent(world, document, { browser, parameters: { redirect_uri, state } });
    const ticked = fields
      .filter(([name]) => name !== "server")
      .concat(fields.filter(([name]) => name === "server").slice(0, 1));
    const stayed = await browser.post("/oauth/consent", [...ticked, ["connect", "vendor"]]);
    const html = await stayed.text();
    expect(stayed.status).toBe(422);
    expect(html).toContain("My connections");
    expect(html.match(/name="server"[^>]*checked/g)).toHaveLength(1);
    const again = fieldsOf(html, "/oauth/consent");
    const allowed = await browser.post("/oauth/consent", [...again, ["decision", "allow"]]);
    const answer = new URL(allowed.headers.get("location") ?? "");
    expect([answer.searchParams.get("state"), answer.searchParams.has("code")]).toEqual([state, true]);
  });
});
