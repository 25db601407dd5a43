/** Every address that a server's configuration can hold, against every address that must not be called: a matrix, not a sample. */
import { beforeAll, describe, expect, it } from "vitest";
import { refusedUrls } from "../egress/refused-urls.ts";
import { harness, type Harness } from "./harness.ts";
import { refused, url } from "./servers-support.ts";

const good = "https://as.example.com/x";
const tokenClient = (token_endpoint: string) => ({ name: "X-A", client_id: "c", token_endpoint });
const endpoints = { authorization: good, token: good };
const oauth = (more: object) => ({ authentication: { type: "oauth", client_id: "c", ...more } });
const withUrl = (authentication: object) => (text: string) => ({ url: text, authentication });

/** Path of the field, and a body with it. */
const fields: readonly (readonly [title: string, path: string, body: (text: string) => object])[] = [
  ["none", "url", withUrl({ type: "none" })],
  ["bearer", "url", withUrl({ type: "bearer" })],
  ["basic", "url", withUrl({ type: "basic", username: "u" })],
  ["API key in a header", "url", withUrl({ type: "api_key_header", header: "X-K" })],
  ["API key in the query", "url", withUrl({ type: "api_key_query", parameter: "k" })],
  ["several headers", "url", withUrl({ type: "headers", headers: ["X-K"] })],
  [
    "passthrough",
    "url",
    (text) => ({ ...withUrl({ type: "passthrough" })(text), agent_authentication: { type: "passthrough" } }),
  ],
  ["OAuth", "url", withUrl({ type: "oauth" })],
  ["OAuth, issuer", "authentication.issuer", (text) => oauth({ issuer: text })],
  [
    "OAuth, authorization endpoint",
    "authentication.endpoints.authorization",
    (text) => oauth({ endpoints: { ...endpoints, authorization: text } }),
  ],
  [
    "OAuth, token endpoint",
    "authentication.endpoints.token",
    (text) => oauth({ endpoints: { ...endpoints, token: text } }),
  ],
  [
    "OAuth, revocation endpoint",
    "authentication.endpoints.revocation",
    (text) => oauth({ endpoints: { ...endpoints, revocation: text } }),
  ],
  ["client credentials", "url", withUrl({ type: "client_credentials", client_id: "c", token_endpoint: good })],
  [
    "client credentials, issuer",
    "authentication.issuer",
    (issuer) => ({ authentication: { type: "client_credentials", client_id: "c", issuer } }),
  ],
  [
    "client credentials, token endpoint",
    "authentication.token_endpoint",
    (token_endpoint) => ({ authentication: { type: "client_credentials", client_id: "c", token_endpoint } }),
  ],
  [
    "service token",
    "outbound_headers.0.token_endpoint",
    (text) => ({ outbound_headers: [{ source: "service_token", ...tokenClient(text) }] }),
  ],
  [
    "token exchange",
    "outbound_headers.0.token_endpoint",
    (text) => ({ outbound_headers: [{ source: "on_behalf_of", ...tokenClient(text) }] }),
  ],
  [
    "JWKS URL",
    "agent_authentication.jwt.jwks_url",
    (jwks_url) => ({ agent_authentication: { type: "passthrough", jwt: { jwks_url } } }),
  ],
];

const ids = [...new Set(refusedUrls.map(([id]) => id))];
const matrix = fields.flatMap(([title, path, body]) => ids.map((id) => [id, title, path, body] as const));

describe("SS-21: for each authentication and field", () => {
  let admin: Harness;

  beforeAll(async () => {
    admin = await harness();
  });

  it.each(matrix)("SS-21 %s: %s", async (id, _title, path, body) => {
    for (const [of, text] of refusedUrls) {
      if (of !== id) continue;
      const answer = await admin.post("/servers", { slug: "x", url, ...body(text) });
      expect([text.slice(0, 80), answer.status, answer.body.errors[0]?.path]).toEqual([text.slice(0, 80), 422, path]);
      expect(answer.text).not.toContain("hunter2");
    }
    expect(admin.announced_count).toBe(0);
  });

  it("SS-21: nothing of it was stored", async () => {
    expect((await admin.get("/servers")).body.items).toEqual([]);
  });
});

describe("addresses that could leak or mislead", () => {
  const judged = fields.filter(([, path]) => path !== "url");

  it.each(judged)("AD-16: a credential in an address is refused (%s)", async (_title, path, body) => {
    expect(await refused(body("https://as.example.com/x?client_secret=hunter2"))).toMatchObject({ status: 422, path });
  });

  it.each(judged.filter(([, path]) => path.endsWith("issuer")))(
    "UP-03: an issuer has no query (%s)",
    async (_title, path, body) => {
      expect(await refused(body("https://as.example.com/?tenant=1"))).toMatchObject({ status: 422, path });
    },
  );

  it.each([
    ["authentication.resource", oauth({ resource: "not a uri" })],
    ["authentication.resource", oauth({ resource: "https://a.example/#x" })],
    [
      "outbound_headers.0.resource",
      { outbound_headers: [{ source: "service_token", ...tokenClient(good), resource: "x y" }] },
    ],
  ])("UP-08: %s must be a URI without fragment (%o)", async (path, body) => {
    expect(await refused(body)).toMatchObject({ status: 422, path });
  });
});
