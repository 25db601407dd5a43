/** What a configured client was pinned to, after an administrator changed something else. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { ask, createHarness, freshKeys, modernUpstream, setUp, type Harness, type Tenant } from "../gateway/support.ts";

let harness: Harness;
let tenant: Tenant;
/** Bodies and credentials that reached each token endpoint. */
let arrived: { readonly host: string; readonly text: string }[];
let named: string;

const answering = modernUpstream(({ message }) =>
  message["method"] === "tools/list" ? { tools: [] } : { content: [] },
);

beforeEach(async () => {
  arrived = [];
  named = "https://as.honest.test";
  const network = async (request: Request): Promise<Response> => {
    const { url, method, headers, signal } = request;
    const { hostname, pathname, origin } = new URL(url);
    const text = new TextDecoder().decode(await request.arrayBuffer());
    if (pathname === "/token") {
      arrived.push({ host: hostname, text: `${text} ${headers.get("authorization") ?? ""}` });
      return Response.json({ access_token: `at-${arrived.length}`, token_type: "Bearer", expires_in: 3600 });
    }
    if (pathname.startsWith("/.well-known/oauth-protected-resource")) {
      return Response.json({ resource: "https://up.upstream.test/mcp", authorization_servers: [named] });
    }
    if (pathname.startsWith("/.well-known/oauth-authorization-server")) {
      return Response.json({ issuer: origin, token_endpoint: `${origin}/token` });
    }
    if (method !== "POST") return new Response("nothing", { status: 404 });
    const credential = headers.get("authorization");
    // When it turns evil it wants another token as well.
    const isOld = credential === "Bearer at-1" && named.includes("evil");
    if (credential === null || isOld) return new Response(null, { status: 401 });
    return answering({ url, method, headers, text, signal, message: JSON.parse(text) as JsonObject });
  };
  harness = createHarness({ bindings: { GATEHOUSE_KEYS: freshKeys() }, ports: { network } });
  tenant = await setUp(harness);
});

const atEvil = (): string[] => arrived.filter(({ host }) => host === "as.evil.test").map(({ text }) => text);

describe("UP-01: a server that names another authorization server later", () => {
  it.each([
    ["adds a header", { outbound_headers: [{ source: "caller_assertion", name: "X-Caller" }] }],
    ["changes the query of its URL", { url: "https://up.upstream.test/mcp?team=8" }],
    ["saves its headers as they are", { outbound_headers: [] }],
  ])("UP-01, UP-05: does not get our client secret sent there because an administrator %s", async (_what, change) => {
    const id = await tenant.addServer("up", {
      authentication: { type: "client_credentials", client_id: "us", client_authentication: "client_secret_post" },
      credential: { type: "client_credentials", client_secret: "canary-client" },
    });
    const { token } = await tenant.addClient([id]);
    const call = () => ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
    await call();
    expect(arrived.map(({ host }) => host)).toContain("as.honest.test");
    named = "https://as.evil.test";
    const changed = await tenant.api("PATCH", `/servers/${id}`, change);
    expect(changed.status).toBe(200);
    await call();
    expect(atEvil()).toEqual([]);
  });
});
