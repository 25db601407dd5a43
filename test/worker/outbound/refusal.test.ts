/** What is tried when a server refuses a credential: one renewal by force, or a link for more. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { afterRefusal, type Authentication } from "../../../src/outbound/index.ts";
import type { Server } from "../../../src/registry/index.ts";
import { createWorld, onWire, refusalOf, tokenAnswer, type Person, type World } from "./support.ts";

let world: World;
let alice: Person;

beforeEach(async () => {
  world = await createWorld();
  alice = await world.person();
});

const endpoints = { authorization: "https://as.test/authorize", token: "https://as.test/token" };
const oauth = {
  type: "oauth",
  endpoints,
  issuer: "https://as.test",
  client_id: "gatehouse",
  client_authentication: "none",
};
const refused401 = {
  status: 401 as const,
  headers: new Headers({ "www-authenticate": 'Bearer error="invalid_token"' }),
};
const wants = (scope: string, status: 401 | 403 = 403) => ({
  status,
  headers: new Headers({ "www-authenticate": `Bearer error="insufficient_scope", scope="${scope}"` }),
});

async function sentWith(server: Server): Promise<Authentication> {
  const added = await world.add(server, { user: alice });
  if (!added.ok) throw new Error(JSON.stringify(added.error));
  return added.value;
}

const after = async (server: Server, sent: Authentication, refused: Parameters<typeof afterRefusal>[3] = refused401) =>
  afterRefusal(await world.context({ user: alice }), server, sent, refused);

let renewals = 0;
const rotating = () => {
  renewals = 0;
  world.serve("https://as.test/token", () => {
    renewals += 1;
    return tokenAnswer(`renewed-${renewals}`, { refresh_token: `r${renewals}` });
  });
};

describe("a token that a server refuses", () => {
  it("UP-18: is renewed by force once, and the next refusal asks the person", async () => {
    rotating();
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, { refresh_token: "r0", expires_at: world.clock.now() + 3_600_000 });
    const renewed = await after(server, await sentWith(server));
    expect(onWire(renewed)).toEqual({ authorization: "Bearer renewed-1" });
    const second = await after(server, await sentWith(server));
    expect(refusalOf(second)).toMatchObject({ code: "link_needed", data: { account: "default" } });
    expect(renewals).toBe(1);
  });

  it("UP-18: of fifty calls that were refused with it, one renews it", async () => {
    rotating();
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, { refresh_token: "r0", expires_at: world.clock.now() + 3_600_000 });
    const sent = await sentWith(server);
    const context = await world.context({ user: alice });
    const all = await Promise.all(Array.from({ length: 50 }, () => afterRefusal(context, server, sent, refused401)));
    expect(new Set(all.map((renewed) => onWire(renewed)["authorization"]))).toEqual(new Set(["Bearer renewed-1"]));
    expect(renewals).toBe(1);
  });

  it("UP-18: may be renewed by force again after its time", async () => {
    rotating();
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, { refresh_token: "r0", expires_at: world.clock.now() + 3_600_000 });
    await after(server, await sentWith(server));
    world.clock.advance(limits.forcedRenewal_ms);
    expect(onWire(await after(server, await sentWith(server)))).toEqual({ authorization: "Bearer renewed-2" });
  });

  it("UP-18: a key that somebody pasted cannot be renewed: the person gives another", async () => {
    const server = await world.server({ authentication: { type: "bearer", holder: "user" } });
    await world.paste(alice, server, "canary-key");
    const refused = refusalOf(await after(server, await sentWith(server)));
    expect(refused).toMatchObject({ code: "link_needed", data: { account: "default" } });
    expect(JSON.stringify([refused, world.logged, world.events])).not.toContain("canary");
  });

  it("UP-18: a key of the organisation is not sent again", async () => {
    const server = await world.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: "key" },
    });
    expect(await after(server, await sentWith(server))).toEqual({ ok: true, value: undefined });
  });

  it("UP-18: a key that a person gave for a header is not held against it, nor sent again", async () => {
    const id = await world.keep("user");
    const recipe = { source: "stored_credential", name: "X-Stored", credential_id: id };
    const server = await world.server({
      authentication: { type: "bearer" },
      credential: { type: "bearer", token: "key" },
      outbound_headers: [recipe],
    });
    await world.give(alice, id, "of-alice");
    expect(await after(server, await sentWith(server))).toEqual({ ok: true, value: undefined });
    expect((await sentWith(server)).proofs).toHaveLength(1);
  });

  it("UP-18: a service token is had anew once, and then it is an administrator's matter", async () => {
    rotating();
    const server = await world.server({
      authentication: { type: "client_credentials", token_endpoint: endpoints.token, client_id: "svc" },
      credential: { type: "client_credentials", client_secret: "secret" },
    });
    expect(onWire(await after(server, await sentWith(server)))).toEqual({ authorization: "Bearer renewed-2" });
    expect(refusalOf(await after(server, await sentWith(server)))).toMatchObject({ code: "upstream_credential" });
    expect(renewals).toBe(2);
  });

  it("UP-18: a header's token that was had anew a moment ago does not stand in the way of the person's", async () => {
    rotating();
    const recipe = {
      source: "service_token",
      name: "X-Service",
      token_endpoint: "https://sts.test/token",
      client_id: "svc",
    };
    const setting = {
      authentication: oauth,
      outbound_headers: [recipe],
      header_secrets: { "x-service": { client_secret: "s" } },
    };
    let services = 0;
    world.serve("https://sts.test/token", () => tokenAnswer(`service-${++services}`));
    const server = await world.server(setting);
    await world.link(alice, server, { refresh_token: "r0", expires_at: world.clock.now() + 3_600_000 });
    const bob = await world.person();
    await world.link(bob, server, { refresh_token: "r0", expires_at: world.clock.now() + 3_600_000 });
    expect(onWire(await after(server, await sentWith(server)))).toMatchObject({ "x-service": "service-2" });
    alice = bob;
    expect(onWire(await after(server, await sentWith(server)))).toEqual({
      authorization: "Bearer renewed-2",
      "x-service": "service-2",
    });
  });
});

describe("a server that forbids", () => {
  it.each([403, 401] as const)("UP-19: more scope is a link for it (%d)", async (status) => {
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, {}, { scope: "read", asked_scope: "read" });
    const refused = refusalOf(await after(server, await sentWith(server), wants("write", status)));
    expect(refused).toMatchObject({
      code: "link_needed",
      reason: "insufficient_scope",
      data: { account: "default", scope: "read write", step_ups: 1 },
    });
  });

  it("UP-19: after the allowed number of links for more there is no other", async () => {
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, {}, { scope: "read", step_ups: limits.stepUps_count });
    expect(await after(server, await sentWith(server), wants("admin"))).toEqual({ ok: true, value: undefined });
  });

  it("UP-19: what is granted already is not asked for again", async () => {
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, {}, { scope: "read" });
    expect(await after(server, await sentWith(server), wants("read"))).toEqual({ ok: true, value: undefined });
  });

  it("UP-18: a 403 that asks for nothing renews nothing", async () => {
    rotating();
    const server = await world.server({ authentication: oauth });
    await world.link(alice, server, { refresh_token: "r0" });
    const refused = { status: 403 as const, headers: new Headers() };
    expect(await after(server, await sentWith(server), refused)).toEqual({ ok: true, value: undefined });
    expect(renewals).toBe(0);
  });
});
