/** Before a renewal its authorization server may have to be looked up, at hosts that take their time. */
import { expect, it } from "vitest";
import { fitOf } from "../../../src/connections/index.ts";
import { servers } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { authenticationFor } from "../../../src/outbound/index.ts";
import { createWorld, issuer, linkOf, token_endpoint } from "../connections/world.ts";

const slow_ms = limits.documentFetch_ms - 600;

it("UP-16: a refresh token is sent once, however long the look-up before it takes", async () => {
  const world = await createWorld();
  const id = crypto.randomUUID();
  const slug = `s${id.slice(0, 8)}`;
  const authentication = { type: "oauth", client_id: "our-client", client_authentication: "none" } as const;
  // An administrator has saved it anew, so that nothing is pinned.
  await world.database.insert(servers).values({
    ...{ tenant_id: world.tenant, id, slug, name: "Up", url: "https://up.test/mcp", enabled: true, timeout_ms: 5_000 },
    ...{ credential: null, revision: 2, created_at: 1, updated_at: 1, authentication: JSON.stringify(authentication) },
    access: JSON.stringify({ everyone: true, groups: [] }),
  });
  await world.announce();
  const user = { id: await world.addUser() };
  const key = { user_id: user.id, target: id, account: "default" };
  await world.hold(key);
  const fit = fitOf({ url: "https://up.test/mcp", authentication });
  const expires_at = world.clock.now() - 1;
  await world.store.put(
    key,
    linkOf(world, {
      fit,
      credential: { kind: "tokens", access_token: "secret-access-1", refresh_token: "secret-refresh-1", expires_at },
    }),
  );
  const late = async (answer: () => Response): Promise<Response> => {
    await world.clock.sleep(slow_ms);
    return answer();
  };
  const nothing = (): Response => new Response("nothing", { status: 404 });
  world.serve("up.test", (request) =>
    late(() => {
      if (request.method === "POST") return new Response(null, { status: 401 });
      if (!request.url.endsWith("/oauth-protected-resource")) return nothing();
      return Response.json({ resource: "https://up.test/mcp", authorization_servers: [issuer] });
    }),
  );
  const refreshed: (string | null)[] = [];
  world.serve("idp.upstream.test", async (request) => {
    if (request.url === token_endpoint) {
      refreshed.push(new URLSearchParams(await request.text()).get("refresh_token"));
      return late(() =>
        Response.json({
          ...{ access_token: "secret-access-2", token_type: "Bearer", expires_in: 3600 },
          refresh_token: `secret-refresh-${refreshed.length + 1}`,
        }),
      );
    }
    return late(() => {
      if (!request.url.endsWith("/openid-configuration")) return nothing();
      return Response.json({
        ...{ issuer, token_endpoint, authorization_endpoint: `${issuer}/authorize` },
        code_challenge_methods_supported: ["S256"],
      });
    });
  });
  const call = async (): Promise<unknown> => {
    const base = await world.base();
    const server = base.snapshot.servers.get(slug);
    if (server === undefined) throw new Error("no server");
    const caller = { agent: "agent", user, mayUseOrganisation: true, inbound: new Headers() };
    return authenticationFor({ ...base, caller }, server);
  };
  const calls = [call()];
  const tick_ms = 500;
  for (let passed_ms = 0; passed_ms < 70_000; passed_ms += tick_ms) {
    for (let turn = 0; turn < 25; turn += 1) await scheduler.wait(0);
    world.clock.advance(tick_ms);
    // The lease is over, and the first one still looks up.
    if (passed_ms === limits.renewLease_ms) calls.push(call());
  }
  await Promise.all(calls);
  await world.settled();
  expect(refreshed.filter((token) => token === "secret-refresh-1")).toHaveLength(1);
}, 30_000);
