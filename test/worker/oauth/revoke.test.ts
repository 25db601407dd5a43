import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { revocations } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { mintAccessToken } from "../../../src/oauth/index.ts";
import { authEvents, createGrantWorld, origin, type Answer, type GrantWorld } from "./grant-world.ts";

let world: GrantWorld;
let issued: Answer;

beforeEach(async () => {
  world = await createGrantWorld();
  issued = await world.redeem(await world.consent());
});

/** The answer that tells nothing. */
function expectDone({ status, text, headers }: Answer): void {
  expect([status, text, headers.get("cache-control")]).toEqual([200, "", "no-store"]);
}

const works = async (): Promise<boolean> => (await world.call(issued.body["access_token"])).status === 200;

describe("the revocation endpoint", () => {
  it.each(["access_token", "refresh_token"])("TK-18: ends the grant of its own %s", async (name) => {
    expect(await works()).toBe(true);
    expectDone(await world.revoke(issued.body[name]));
    expect(await works()).toBe(false);
    expect((await world.refresh(issued.body["refresh_token"])).body["error"]).toBe("invalid_grant");
    expect(authEvents(world.harness)).toContainEqual(["grant.revoke", "ok", "client"]);
  });

  it("RFC 7009 section 2.1: ends the grant by a refresh token of an earlier generation", async () => {
    const next = await world.refresh(issued.body["refresh_token"]);
    expectDone(await world.revoke(issued.body["refresh_token"]));
    expect((await world.refresh(next.body["refresh_token"])).body["error"]).toBe("invalid_grant");
  });

  it("RFC 7009 section 2.1: does not need the hint, and is not misled by it", async () => {
    expectDone(await world.revoke(issued.body["refresh_token"], { token_type_hint: "access_token" }));
    expect(await works()).toBe(false);
  });

  it.each(["access_token", "refresh_token"])("TK-17: leaves the %s of another client alone", async (name) => {
    const client_id = await world.addClient();
    expectDone(await world.revoke(issued.body[name], { client_id }));
    expect(await works()).toBe(true);
    expect((await world.refresh(issued.body["refresh_token"])).status).toBe(200);
  });

  it.each(["x", "ghr_x", "ghx_x", "a.b.c", "ghc_unknown", " "])("TK-19: takes %j and does nothing", async (token) => {
    expectDone(await world.revoke(token));
    expect(await works()).toBe(true);
    expect(await world.database.select().from(revocations)).toEqual(
      expect.not.arrayContaining([expect.objectContaining({ tenant_id: world.tenant })]),
    );
  });

  it("RFC 7009 section 2.1: without a token is refused", async () => {
    expect((await world.revoke("", {})).body["error"]).toBe("invalid_request");
  });

  it("RFC 7009 section 2.1: asks who the client is", async () => {
    const answer = await world.revoke(issued.body["refresh_token"], { client_id: undefined });
    expect([answer.status, answer.body["error"]]).toEqual([401, "invalid_client"]);
    expect(await works()).toBe(true);
  });

  it("RFC 7009 section 2.1: ends all tokens that a machine has for itself by one of them", async () => {
    const subject = {
      ...{ client_id: world.client_id, resource: `${origin}/mcp`, scope: "mcp" },
      ...{ user: undefined, grant_id: undefined },
    };
    const [one, other] = [
      await mintAccessToken(await world.visit(), subject),
      await mintAccessToken(await world.visit(), subject),
    ];
    expect((await world.call(other.access_token)).status).toBe(200);
    expectDone(await world.revoke(one.access_token));
    expect((await world.call(other.access_token)).status).toBe(401);
    world.clock.jump(1);
    const next = await mintAccessToken(await world.visit(), subject);
    expect((await world.call(next.access_token)).status).toBe(200);
  });

  it("TK-18: tells of a machine's revocation in one event, and of a repetition in none", async () => {
    const subject = {
      ...{ client_id: world.client_id, resource: `${origin}/mcp`, scope: "mcp" },
      ...{ user: undefined, grant_id: undefined },
    };
    const { access_token } = await mintAccessToken(await world.visit(), subject);
    const version = () => env.TENANT.getByName(world.tenant).version();
    const [events, before] = [authEvents(world.harness).length, await version()];
    for (let n = 0; n < 3; n += 1) expectDone(await world.revoke(access_token));
    expect(authEvents(world.harness).slice(events)).toEqual([["token.revoke", "ok", "client"]]);
    expect((await version()) - before).toBe(1);
    // A person's tokens at the same client are not the machine's.
    expect(await works()).toBe(true);
  });

  it("TK-17: leaves the tokens of others at the client alone where a person's has no grant", async () => {
    expect(await works()).toBe(true);
    const bob = {
      ...{ client_id: world.client_id, resource: `${origin}/mcp`, scope: "mcp", grant_id: undefined },
      user: {
        id: crypto.randomUUID(),
        email: null,
        email_verified: false,
        groups: [],
        role: "member",
        servers: [world.up],
      },
    };
    const { access_token } = await mintAccessToken(await world.visit(), bob);
    expect((await world.call(access_token)).status).toBe(200);
    expectDone(await world.revoke(access_token));
    expect((await world.call(access_token)).status).toBe(401);
    expect(await works()).toBe(true);
    const { user } = bob;
    expect(world.harness.events.findLast(({ type }) => type === "auth.activity")).toMatchObject({
      ...{ action: "token.revoke", outcome: "ok", actor: { user: user.id, agent: world.client_id } },
    });
  });

  it("S: makes nobody reload the configuration for what is revoked already", async () => {
    await world.revoke(issued.body["refresh_token"]);
    const before = await env.TENANT.getByName(world.tenant).version();
    const [rows, events] = [await world.database.select().from(revocations), authEvents(world.harness).length];
    world.clock.jump(1_000);
    for (let n = 0; n < 5; n += 1) expectDone(await world.revoke(issued.body["refresh_token"]));
    expect(await env.TENANT.getByName(world.tenant).version()).toBe(before);
    expect(await world.database.select().from(revocations)).toEqual(rows);
    expect(authEvents(world.harness)).toHaveLength(events);
  });

  it("TK-18: is not done while it could not be announced, and is announced behind the answer", async () => {
    let failures = 0;
    const TENANT = {
      getByName: (name: string) => {
        const real = env.TENANT.getByName(name);
        const announce = () => (failures-- > 0 ? Promise.reject(new Error("reset")) : real.announce());
        return { version: () => real.version(), announce };
      },
    };
    world = await createGrantWorld({ bindings: { TENANT } as unknown as Partial<Env> });
    issued = await world.redeem(await world.consent());
    const other = await world.redeem(await world.consent());
    expect(await works()).toBe(true);
    // One failure is made up for at once.
    failures = 1;
    expectDone(await world.revoke(other.body["access_token"]));
    failures = 3;
    const [first_ms, second_ms] = limits.announceRetries_ms;
    const before = await env.TENANT.getByName(world.tenant).version();
    const asleep = world.clock.asleep(first_ms);
    // What goes on behind the answer is awaited here as well.
    const revoking = world.revoke(issued.body["access_token"]);
    await asleep;
    const again = world.clock.asleep(second_ms);
    world.clock.advance(first_ms);
    await again;
    expect(await env.TENANT.getByName(world.tenant).version()).toBe(before);
    world.clock.advance(second_ms);
    const refused = await revoking;
    expect([refused.status, refused.body["error"]]).toEqual([503, "temporarily_unavailable"]);
    expect(await env.TENANT.getByName(world.tenant).version()).toBe(before + 1);
    world.clock.advance(limits.snapshotFresh_ms);
    expect(await works()).toBe(false);
  });

  it("TK-28: takes nothing but POST", async () => {
    const response = await world.harness.fetch(`${origin}/oauth/revoke`);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });
});
