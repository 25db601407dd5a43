/** A6: the organisation's credential for callers whom nobody knows is lent only after it was said twice. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { harness, type Harness } from "./harness.ts";
import { member, secret, url } from "./servers-support.ts";

const lending = {
  agent_authentication: { type: "passthrough", anonymous: "allow_with_credential" },
  authentication: { type: "api_key_header", header: "X-Key" },
  credential: { type: "api_key_header", key: secret },
};

const stored = async (admin: Harness): Promise<number> => {
  const { results } = await env.DB.prepare("select id from servers where tenant_id = ?").bind(admin.tenant).all();
  return results.length;
};

async function asked(admin: Harness, body: object): Promise<string> {
  const answer = await admin.post("/servers", { slug: "night", url, ...body });
  expect(answer.status).toBe(409);
  return String(member(answer, "confirmation"));
}

describe("A6: lending the organisation's credential to callers whom nobody knows", () => {
  it("A6: the first request says what it means, does nothing and is recorded", async () => {
    const admin = await harness();
    const answer = await admin.post("/servers", { slug: "night", url, ...lending });
    expect(answer.status).toBe(409);
    expect(answer.body.type).toBe("urn:gatehouse:error:confirmation_needed");
    expect(member(answer, "text")).toContain("https://a.gw.test/mcp/night");
    expect(await stored(admin)).toBe(0);
    expect(admin.announced_count).toBe(0);
    expect(admin.events.at(-1)).toMatchObject({ outcome: "refused", reason: "confirmation_needed" });
    expect(answer.text + JSON.stringify(admin.events)).not.toContain(secret);
  });

  it("A6: the second request does it, and is recorded", async () => {
    const admin = await harness();
    const confirmation = await asked(admin, lending);
    const answer = await admin.post("/servers", { slug: "night", url, ...lending, confirmation });
    expect(answer.status).toBe(201);
    expect(JSON.parse(answer.text)).toMatchObject({ agent_authentication: lending.agent_authentication, ready: true });
    expect(admin.events.at(-1)).toMatchObject({ outcome: "ok", fields: expect.arrayContaining(["confirmation"]) });
  });

  it.each([
    ["another server", { slug: "other" }],
    ["another address", { url: "https://other.example.com/mcp" }],
    ["another authentication", { authentication: { type: "api_key_header", header: "X-Other" } }],
    ["another header", { outbound_headers: [{ source: "custom", name: "X-More" }] }],
    [
      "another rule",
      { agent_authentication: { ...lending.agent_authentication, jwt: { jwks_url: "https://as.example.com/k" } } },
    ],
  ])("A6: a confirmation is not one for %s", async (_title, change) => {
    const admin = await harness();
    const confirmation = await asked(admin, lending);
    const answer = await admin.post("/servers", { slug: "night", url, ...lending, ...change, confirmation });
    expect(answer.status).toBe(409);
    expect(await stored(admin)).toBe(0);
  });

  it("A6: a confirmation is not one for another administrator", async () => {
    const admin = await harness();
    const confirmation = await asked(admin, lending);
    const other = admin.as({
      principal: { id: "administrator:two", kind: "administrator", agent: "administrator:two" },
    });
    expect((await other.post("/servers", { slug: "night", url, ...lending, confirmation })).status).toBe(409);
  });

  it.each(["", "test.AAAA", "x".repeat(300)])("A6: %j is no confirmation", async (confirmation) => {
    const admin = await harness();
    expect((await admin.post("/servers", { slug: "night", url, ...lending, confirmation })).status).toBe(409);
    expect(await stored(admin)).toBe(0);
  });

  it("A6: a change to it needs one as well, and the server stays as it was until then", async () => {
    const admin = await harness();
    const { id } = await admin.server({ authentication: lending.authentication, credential: lending.credential });
    const change = { agent_authentication: lending.agent_authentication };
    const answer = await admin.patch(`/servers/${id}`, change);
    expect(answer.status).toBe(409);
    expect(member(await admin.get(`/servers/${id}`), "agent_authentication")).toEqual({ type: "any" });
    const confirmation = String(member(answer, "confirmation"));
    expect((await admin.patch(`/servers/${id}`, { ...change, confirmation })).status).toBe(200);
  });

  it("A6: so does a credential of another kind on a server that lends", async () => {
    const admin = await harness();
    const confirmation = await asked(admin, lending);
    const { body } = await admin.post("/servers", { slug: "night", url, ...lending, confirmation });
    const change = { authentication: { type: "bearer" }, credential: { type: "bearer", token: secret } };
    expect((await admin.patch(`/servers/${body.id}`, change)).status).toBe(409);
  });

  it("A6: a new key in the place of the old one, or a new name, needs none", async () => {
    const admin = await harness();
    const confirmation = await asked(admin, lending);
    const { body } = await admin.post("/servers", { slug: "night", url, ...lending, confirmation });
    expect((await admin.patch(`/servers/${body.id}`, { credential: lending.credential, name: "N" })).status).toBe(200);
  });

  it.each(["deny", "allow"])("A6: %s needs none", async (anonymous) => {
    const admin = await harness();
    const agent_authentication = { type: "passthrough", anonymous };
    expect((await admin.post("/servers", { slug: "x", url, ...lending, agent_authentication })).status).toBe(201);
  });
});
