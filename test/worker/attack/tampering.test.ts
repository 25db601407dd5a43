/** Somebody can write to D1, and has no key: what is sealed must not be sent to a place that they wrote beside it. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { ask, createHarness, freshKeys, modernUpstream, setUp, type Harness, type Tenant } from "../gateway/support.ts";
import { begin, createConnectWorld, person } from "../portal/connect-support.ts";

let harness: Harness;
let tenant: Tenant;

/** Everything that reached the host of whoever wrote to D1. */
let arrived: string[];

const answering = modernUpstream(({ message }) =>
  message["method"] === "tools/list" ? { tools: [] } : { content: [] },
);

beforeEach(async () => {
  arrived = [];
  const network = async (request: Request): Promise<Response> => {
    const { url, method, headers, signal } = request;
    const text = await request.text();
    if (new URL(url).hostname === "evil.test") arrived.push(JSON.stringify([url, text, [...headers]]));
    if (!text.startsWith("{")) return Response.json({ access_token: "at", token_type: "Bearer", expires_in: 3600 });
    return answering({ url, method, headers, text, signal, message: JSON.parse(text) as JsonObject });
  };
  harness = createHarness({ bindings: { GATEHOUSE_KEYS: freshKeys() }, ports: { network } });
  tenant = await setUp(harness);
});

const leaked = (): string => arrived.join("\n");

async function edited(column: string, value: string, id: string): Promise<void> {
  await env.DB.prepare(`UPDATE servers SET ${column} = ?1 WHERE id = ?2`).bind(value, id).run();
  // Any change of anybody makes the isolates read the tenant anew.
  await tenant.addServer(`other-${crypto.randomUUID().slice(0, 6)}`);
}

describe("VT-03: whoever edits the row of a server", () => {
  it("VT-03, U12: does not get the organisation's credential sent to another address", async () => {
    const id = await tenant.addServer("up", {
      ...{ authentication: { type: "bearer" }, credential: { type: "bearer", token: "canary-organisation" } },
    });
    const { token } = await tenant.addClient([id]);
    await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
    await edited("url", "https://evil.test/mcp", id);
    await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
    expect(leaked()).not.toContain("canary-organisation");
  });

  it("VT-03, UP-05: does not get our client secret sent to another token endpoint", async () => {
    const authentication = {
      ...{ type: "client_credentials", token_endpoint: "https://as.upstream.test/token", client_id: "us" },
      client_authentication: "client_secret_post",
    };
    const id = await tenant.addServer("up", {
      authentication,
      credential: { type: "client_credentials", client_secret: "canary-client" },
    });
    const { token } = await tenant.addClient([id]);
    await edited(
      "authentication",
      JSON.stringify({ ...authentication, token_endpoint: "https://evil.test/token" }),
      id,
    );
    await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
    expect(leaked()).not.toContain("canary-client");
  });

  it("VT-03, U7: does not get the secret of a header sent to another address", async () => {
    const id = await tenant.addServer("up", {
      ...{ outbound_headers: [{ source: "custom", name: "X-Team" }] },
      header_secrets: { "X-Team": { value: "canary-header" } },
    });
    const { token } = await tenant.addClient([id]);
    await edited("url", "https://evil.test/mcp", id);
    await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
    expect(leaked()).not.toContain("canary-header");
  });
});

describe("VT-03: whoever edits the row of a link that is under way", () => {
  it("VT-03, UP-14: does not make their own account that of another person", async () => {
    const world = await createConnectWorld();
    const evil = await person(world, "Mallory Example");
    const victim = await person(world, "Bob Example");
    const begun = await begin(evil.browser, "/connect/vendor");
    const back = world.vendor.authorize(begun.headers.get("location") ?? "");
    await env.DB.prepare("UPDATE link_attempts SET user_id = ?1 WHERE tenant_id = ?2 AND user_id = ?3")
      .bind(victim.id, world.id, evil.id)
      .run();
    await victim.browser.get(back);
    expect(await world.connections()).toEqual([]);
    expect(world.vendor.tokenRequests).toEqual([]);
  }, 30_000);
});
