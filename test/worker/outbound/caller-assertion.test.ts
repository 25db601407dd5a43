/** The signed assertion of who calls, verified as a server would: with the published keys and a library that is not ours. */
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { jwksDocument, verifyAccessToken } from "../../../src/oauth/index.ts";
import { createWorld, origin, type Person, type World } from "./support.ts";

let world: World;
let alice: Person;

beforeEach(async () => {
  world = await createWorld();
  alice = await world.person("alice@a.test");
});

const recipe = { source: "caller_assertion", name: "X-Gateway-Caller" };

async function assertion(more: object = {}, caller: object = { user: alice }): Promise<string> {
  const server = await world.server({ outbound_headers: [{ ...recipe, ...more }] });
  return (await world.wire(server, caller))["x-gateway-caller"] ?? "";
}

async function verified(token: string, audience = "https://up.test/mcp") {
  const visit = { ...(await world.context()), countUnknown: () => undefined };
  const { keys } = await jwksDocument(visit);
  return jwtVerify(token, createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) }), {
    ...{ issuer: origin, audience, typ: "gatehouse-caller+jwt", algorithms: ["ES256"] },
    currentDate: new Date(world.clock.now()),
  });
}

describe("U15: a signed assertion about the caller", () => {
  it("U15: says who calls, for this server only, and verifies with the published keys", async () => {
    const { payload, protectedHeader } = await verified(await assertion());
    expect(protectedHeader).toMatchObject({ alg: "ES256", typ: "gatehouse-caller+jwt", kid: expect.any(String) });
    const issued = Math.floor(world.clock.now() / 1000);
    expect(payload).toEqual({
      iss: origin,
      aud: "https://up.test/mcp",
      sub: alice.id,
      client_id: "the-agent",
      email: "alice@a.test",
      email_verified: true,
      jti: expect.any(String),
      iat: issued,
      exp: Math.floor((world.clock.now() + limits.callerAssertion_ms) / 1000),
    });
  });

  it("U15: for the audience that an administrator configured, with a prefix", async () => {
    const text = await assertion({ audience: "urn:internal:api", prefix: "Bearer" });
    expect(text.startsWith("Bearer ")).toBe(true);
    await verified(text.slice("Bearer ".length), "urn:internal:api");
  });

  it("U15: of a client that acts for itself says so", async () => {
    const { payload } = await verified(await assertion({}, {}));
    expect(payload).toMatchObject({ sub: "the-agent", client_id: "the-agent" });
    expect(payload).not.toHaveProperty("email");
  });

  it("U15: has an id of its own each time", async () => {
    const server = await world.server({ outbound_headers: [recipe] });
    const ids = new Set<unknown>();
    for (let time = 0; time < 5; time += 1) {
      const wire = await world.wire(server, { user: alice });
      ids.add((await verified(wire["x-gateway-caller"] ?? "")).payload.jti);
    }
    expect(ids.size).toBe(5);
  });

  it("U15: is over after its time", async () => {
    const token = await assertion();
    world.clock.advance(limits.callerAssertion_ms + 1_000);
    await expect(verified(token)).rejects.toThrow("exp");
  });

  it("U15: is never taken for an access token of Gatehouse, not even for an audience of its own", async () => {
    const resource = `${origin}/mcp`;
    const token = await assertion({ audience: resource });
    const { snapshot } = await world.context();
    const refused = await verifyAccessToken(snapshot, origin, resource, token, world.clock.now());
    expect(refused).toEqual({ ok: false, error: "token_malformed" });
    expect(decodeProtectedHeader(token).typ).not.toBe("at+jwt");
  });

  it("VT-16: is not given to who may not use what is the organisation's", async () => {
    const authentication = { type: "bearer", holder: "user" };
    const server = await world.server({ authentication, outbound_headers: [recipe] });
    await world.paste(alice, server, "own");
    const refused = await world.refusal(server, { user: alice, mayUseOrganisation: false });
    expect(refused).toMatchObject({ reason: "organisation_not_allowed" });
  });
});
