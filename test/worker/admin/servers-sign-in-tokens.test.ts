/** PL-16: the token of people's sign-ins, and what it is exchanged for, goes to no address that an administrator did not confirm. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { harness, type Harness } from "./harness.ts";
import { member, secret, url } from "./servers-support.ts";

const forward = { source: "caller_token", name: "X-User", token: "access_token" };
const exchange = {
  ...{ source: "on_behalf_of", name: "X-User", subject_token: "id_token", client_id: "gatehouse" },
  token_endpoint: "https://login.partner.example/oauth/token",
};
const exchanged = { outbound_headers: [exchange], header_secrets: { "X-User": { client_secret: secret } } };
const forwarded = { outbound_headers: [forward] };

const stored = async (admin: Harness): Promise<number> => {
  const { results } = await env.DB.prepare("select id from servers where tenant_id = ?").bind(admin.tenant).all();
  return results.length;
};

/** What the first request is told. */
async function asked(admin: Harness, body: object): Promise<{ readonly text: string; readonly confirmation: string }> {
  const answer = await admin.post("/servers", { slug: "search", url, ...body });
  expect([answer.status, answer.body.type]).toEqual([409, "urn:gatehouse:error:confirmation_needed"]);
  return { text: String(member(answer, "text")), confirmation: String(member(answer, "confirmation")) };
}

/** A server that forwards already. @returns its id */
async function forwarding(admin: Harness, body: object = forwarded): Promise<string> {
  const { confirmation } = await asked(admin, body);
  const answer = await admin.post("/servers", { slug: "search", url, ...body, confirmation });
  expect(answer.status).toBe(201);
  return String(answer.body.id);
}

describe.each([
  ["forwarded", forwarded, "access token of each caller's sign-in to https://mcp.example.com/mcp"],
  ["exchanged", exchanged, "ID token of each caller's sign-in to https://login.partner.example/oauth/token"],
])("PL-16: a token that is %s", (_name, body, place) => {
  it("PL-16: is refused first, with the place that would get it, and nothing is done", async () => {
    const admin = await harness();
    const { text } = await asked(admin, body);
    expect(text).toContain(place);
    expect([await stored(admin), admin.announced_count]).toEqual([0, 0]);
    expect(admin.events.at(-1)).toMatchObject({ outcome: "refused", reason: "confirmation_needed" });
    expect(JSON.stringify(admin.events)).not.toContain(secret);
  });

  it("PL-16: goes there when the administrator confirmed it, which is recorded", async () => {
    const admin = await harness();
    await forwarding(admin, body);
    expect(admin.events.at(-1)).toMatchObject({ outcome: "ok", fields: expect.arrayContaining(["confirmation"]) });
  });

  it("PL-16: needs it on a server that is there as well, which stays as it was until then", async () => {
    const admin = await harness();
    const { id } = await admin.server({});
    const answer = await admin.patch(`/servers/${id}`, body);
    expect(answer.status).toBe(409);
    expect(member(await admin.get(`/servers/${id}`), "outbound_headers")).toEqual([]);
    const confirmation = String(member(answer, "confirmation"));
    expect((await admin.patch(`/servers/${id}`, { ...body, confirmation })).status).toBe(200);
  });
});

describe("PL-16: a server that gets such a token", () => {
  it.each([
    ["moves to another host", { url: "https://elsewhere.example.com/mcp" }],
    ["moves to another path", { url: "https://mcp.example.com/other" }],
    ["gets the other token too", { outbound_headers: [forward, { ...forward, name: "X-Id", token: "id_token" }] }],
    ["has another place exchange one", { ...exchanged, outbound_headers: [{ ...exchange, name: "X-User" }] }],
  ])("PL-16: asks again when it %s", async (_title, change) => {
    const admin = await harness();
    const id = await forwarding(admin);
    const before = await admin.get(`/servers/${id}`);
    expect((await admin.patch(`/servers/${id}`, change)).status).toBe(409);
    expect((await admin.get(`/servers/${id}`)).text).toBe(before.text);
  });

  it.each([
    ["is renamed", { name: "Search" }],
    ["is disabled", { enabled: false }],
    ["gets another query", { url: `${url}?team=7` }],
    ["has the header renamed", { outbound_headers: [{ ...forward, name: "X-Person" }] }],
    ["gets it no more", { outbound_headers: [] }],
  ])("PL-16: does not ask when it %s", async (_title, change) => {
    const admin = await harness();
    const id = await forwarding(admin);
    expect((await admin.patch(`/servers/${id}`, change)).status).toBe(200);
  });

  it("PL-16: takes no confirmation that was given for another address", async () => {
    const admin = await harness();
    const { confirmation } = await asked(admin, forwarded);
    const elsewhere = { slug: "search", url: "https://elsewhere.example.com/mcp", ...forwarded, confirmation };
    expect((await admin.post("/servers", elsewhere)).status).toBe(409);
    expect(await stored(admin)).toBe(0);
  });

  it("PL-16: says both where the organisation's credential is lent as well", async () => {
    const admin = await harness();
    const { text } = await asked(admin, {
      ...forwarded,
      agent_authentication: { type: "passthrough", anonymous: "allow_with_credential" },
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: secret },
    });
    expect(text).toContain("without being known to Gatehouse");
    expect(text).toContain("each caller's sign-in");
  });
});

describe("PL-16: what the exchange brings", () => {
  const wanted = { ...exchange, audience: "https://search.example.com", scopes: ["read"] };
  const wish = { ...exchanged, outbound_headers: [wanted] };

  it("PL-16: is confirmed for the server that gets it, with what it is good for", async () => {
    const { text } = await asked(await harness(), wish);
    for (const part of ["token endpoint", url, "https://search.example.com", "read"]) expect(text).toContain(part);
    expect(text).not.toContain(secret);
  });

  it.each([
    ["another host", { url: "https://elsewhere.example.com/mcp" }],
    ["another path", { url: "https://mcp.example.com/other" }],
    ["another audience", { outbound_headers: [{ ...wanted, audience: "https://graph.example.com" }] }],
    ["another resource", { outbound_headers: [{ ...wanted, resource: "https://graph.example.com" }] }],
    ["other scopes", { outbound_headers: [{ ...wanted, scopes: ["read", "everything"] }] }],
    ["no scopes", { outbound_headers: [exchange] }],
  ])("PL-16: goes to %s only when that is confirmed, also with its secret sent again", async (_title, change) => {
    const admin = await harness();
    const id = await forwarding(admin, wish);
    const before = await admin.get(`/servers/${id}`);
    const { header_secrets } = exchanged;
    expect((await admin.patch(`/servers/${id}`, { header_secrets, ...change })).status).toBe(409);
    expect((await admin.get(`/servers/${id}`)).text).toBe(before.text);
  });

  it("PL-16: does not ask for a new secret, another query or name, or less", async () => {
    const admin = await harness();
    const id = await forwarding(admin, wish);
    const { header_secrets } = exchanged;
    for (const change of [{ header_secrets }, { url: `${url}?a=1` }, { name: "N" }, { outbound_headers: [] }]) {
      expect((await admin.patch(`/servers/${id}`, change)).status).toBe(200);
    }
  });
});

describe("PL-16: a confirmation", () => {
  it("PL-16: is good for no second time, after what it confirmed was taken back", async () => {
    const admin = await harness();
    const { id } = await admin.server({});
    const confirmation = member(await admin.patch(`/servers/${id}`, forwarded), "confirmation");
    expect((await admin.patch(`/servers/${id}`, { ...forwarded, confirmation })).status).toBe(200);
    expect((await admin.patch(`/servers/${id}`, { outbound_headers: [] })).status).toBe(200);
    expect((await admin.patch(`/servers/${id}`, { ...forwarded, confirmation })).status).toBe(409);
    expect(member(await admin.get(`/servers/${id}`), "outbound_headers")).toEqual([]);
  });

  it("PL-16: is not one for a server that changed since", async () => {
    const admin = await harness();
    const { id } = await admin.server({});
    const confirmation = member(await admin.patch(`/servers/${id}`, forwarded), "confirmation");
    expect((await admin.patch(`/servers/${id}`, { enabled: false })).status).toBe(200);
    expect((await admin.patch(`/servers/${id}`, { ...forwarded, confirmation })).status).toBe(409);
  });
});
