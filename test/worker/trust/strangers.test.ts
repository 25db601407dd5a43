/** What strangers can make us fetch and keep takes nothing from people who sign in and from clients that are known. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { createGrantWorld, redirectUri, type GrantWorld } from "../oauth/grant-world.ts";
import * as p from "../portal/support.ts";

const stranger = (world: p.World, client_id: string, network = 1): Promise<Response> =>
  world.harness.fetch(world.tenant.origin + p.authorizePath(world, client_id), {
    headers: { "cf-connecting-ip": `198.18.${network}.1` },
  });

it("CR-12: client ids on the identity provider's host do not stop people from signing in for the first time", async () => {
  const world = await p.createWorld();
  for (let n = 0; n <= limits.documentsPerHost_count; n += 1) await stranger(world, `https://idp.test/x${n}`, n);
  const response = await new p.Browser(world).get("/login");
  expect([response.status, response.headers.get("location")?.startsWith("https://idp.test/")]).toEqual([303, true]);
});

it("CR-12: nor do they crowd the provider's kept documents out", { timeout: 20_000 }, async () => {
  const world = await p.createWorld();
  await new p.Browser(world).signIn(p.alice);
  for (let minute = 0; minute < 6; minute += 1) {
    world.advance(limits.documentsPerHost_ms + 1);
    for (let n = 0; n < limits.documentsPerHost_count; n += 1) {
      await stranger(world, `https://idp.test/.well-known/openid-configuration?x=${minute}.${n}`, n);
    }
  }
  const response = await new p.Browser(world).get("/login");
  expect([response.status, response.headers.get("location")?.startsWith("https://idp.test/")]).toEqual([303, true]);
});

it("CR-12: any number of client ids that one network invents holds no new client of others up", async () => {
  const world = await p.createWorld();
  const answers: number[] = [];
  for (let n = 0; n < 3 * limits.documentsPerNetwork_count; n += 1) {
    answers.push((await stranger(world, `https://h${n}.evil.test/c`)).status);
  }
  expect(answers.filter((status) => status === 429)).toHaveLength(2 * limits.documentsPerNetwork_count);
  // What was refused to it was not taken from the tenant's.
  const counted = await env.DB.prepare(
    `SELECT attempts FROM attempts WHERE key LIKE 'client_documents:%' AND tenant_id IN
      (SELECT tenant_id FROM attempts WHERE key LIKE 'client_documents_network:%' AND attempts = ?)`,
  )
    .bind(3 * limits.documentsPerNetwork_count)
    .all();
  expect(counted.results).toEqual([{ attempts: limits.documentsPerNetwork_count }]);
  const response = await stranger(world, "https://honest.test/client.json", 77);
  expect(response.status).not.toBe(429);
});

const url = "https://cli.test/client.json";
const refusing = () => new Response("", { status: 404 });

/** A client by document with a grant, of which everything is old: the next thing it does is refresh. */
async function afterDays(): Promise<{ world: GrantWorld; refresh(): Promise<number> }> {
  const world = await createGrantWorld();
  world.harness.serve("cli.test", (seen) => (seen.url === url ? Response.json(metadata) : refusing()));
  const { body } = await world.redeem(await world.consent({ client_id: url }), { client_id: url });
  world.clock.advance(3 * 86_400_000);
  return {
    world,
    refresh: async () => (await world.refresh(body["refresh_token"], { client_id: url })).status,
  };
}

const metadata = {
  client_id: url,
  client_name: "CLI",
  redirect_uris: [redirectUri],
  token_endpoint_auth_method: "none",
  grant_types: ["authorization_code", "refresh_token"],
};

it("CR-12: strangers on the host of a client do not stop it from refreshing, whatever network they share", async () => {
  const { world, refresh } = await afterDays();
  for (let n = 0; n <= limits.documentsPerHost_count; n += 1) {
    await world.token({ grant_type: "refresh_token", refresh_token: "x", client_id: `https://cli.test/${n}` });
  }
  expect(await refresh()).toBe(200);
});

it("CR-10: a client that is known refreshes while its host is down", async () => {
  const { world, refresh } = await afterDays();
  world.harness.serve("cli.test", () => new Response("", { status: 503 }));
  expect(await refresh()).toBe(200);
});

it("CR-10: a client that was taken down refreshes no more", async () => {
  const { world, refresh } = await afterDays();
  world.harness.serve("cli.test", refusing);
  expect(await refresh()).toBe(401);
});
