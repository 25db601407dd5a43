import { beforeEach, describe, expect, it } from "vitest";
import { revocations } from "../../../src/db/index.ts";
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

  it("TK-28: takes nothing but POST", async () => {
    const response = await world.harness.fetch(`${origin}/oauth/revoke`);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });
});
