/** What lets go of the authorization server that a configured client was first used with. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { harness } from "./harness.ts";
import { secret, url } from "./servers-support.ts";

const authentication = { type: "client_credentials", client_id: "us", client_authentication: "client_secret_post" };
const credential = { type: "client_credentials", client_secret: secret };

/** @returns how often it was let go of */
async function releases(change: object): Promise<number> {
  const admin = await harness();
  const made = await admin.post("/servers", { slug: "up", url, authentication, credential });
  const { id } = made.body;
  const read = async (): Promise<number> => {
    const row = await env.DB.prepare("select authentication_revision as count from servers where tenant_id = ?")
      .bind(admin.tenant)
      .first<{ count: number }>();
    return row?.count ?? 0;
  };
  const before = await read();
  expect((await admin.patch(`/servers/${id}`, change)).status).toBe(200);
  return (await read()) - before;
}

describe("UP-01, UP-05: the pin of a client", () => {
  it.each([
    ["the query of the URL", { url: `${url}?team=8` }],
    ["the URL as it is", { url }],
    ["headers", { outbound_headers: [{ source: "caller_assertion", name: "X-Caller" }] }],
    [
      "the secret of a header",
      { outbound_headers: [{ source: "custom", name: "X-Key" }], header_secrets: { "X-Key": { value: secret } } },
    ],
    ["who may call it", { agent_authentication: { type: "any" }, access: { everyone: true, groups: [] } }],
    ["its name", { name: "Up" }],
  ])("stays with a change of %s", async (_what, change) => {
    expect(await releases(change)).toBe(0);
  });

  it.each([
    ["the authentication", { authentication: { ...authentication, issuer: "https://as.example.com" }, credential }],
    ["the authentication as it is", { authentication }],
    ["its secret", { credential }],
    ["the path of the URL", { url: `${url}/v2`, credential: null }],
    ["the host of the URL", { url: "https://other.example.com/mcp" }],
  ])("goes with %s", async (_what, change) => {
    expect(await releases(change)).toBe(1);
  });
});
