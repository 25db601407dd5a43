import { decodeProtectedHeader, importJWK, jwtVerify } from "jose";
import { asc, eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { signing_keys } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { jwksDocument, keepSigningKeys, mintAccessToken } from "../../../src/oauth/index.ts";
import { createGrantWorld, origin, type GrantWorld } from "./grant-world.ts";

let world: GrantWorld;

beforeEach(async () => {
  world = await createGrantWorld();
});

const rows = () =>
  world.database
    .select()
    .from(signing_keys)
    .where(eq(signing_keys.tenant_id, world.tenant))
    .orderBy(asc(signing_keys.active_at));

const mint = async (): Promise<string> => {
  const subject = {
    ...{ client_id: world.client_id, resource: `${origin}/mcp`, scope: "mcp" },
    ...{ user: undefined, grant_id: undefined },
  };
  return (await mintAccessToken(await world.visit(), subject)).access_token;
};
const kidOf = (token: string): string | undefined => decodeProtectedHeader(token).kid;
const published = async () => (await jwksDocument(await world.visit())).keys;
const keep = async (): Promise<boolean> => keepSigningKeys(world.platform, (await world.visit()).vault, world.tenant);

describe("the first signing key", () => {
  it("A4: is made once, however many ask for it", async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, mint));
    expect(await rows()).toHaveLength(1);
    expect(new Set(tokens.map(kidOf)).size).toBe(1);
  });

  it("A4: is not made for a tenant that never needs one", async () => {
    expect(await keep()).toBe(false);
    expect(await rows()).toEqual([]);
  });

  it("A4: verifies what it signs, and is published without its private half", async () => {
    const token = await mint();
    const [key] = await published();
    expect(Object.keys(key ?? {}).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x", "y"]);
    const { payload } = await jwtVerify(token, await importJWK(key ?? {}, "ES256"), {
      ...{ issuer: origin, audience: `${origin}/mcp`, typ: "at+jwt", algorithms: ["ES256"] },
      currentDate: new Date(world.clock.now()),
    });
    expect(payload.sub).toBe(world.client_id);
  });

  it("VT: is sealed in D1, for its own row", async () => {
    await mint();
    const [row] = await rows();
    expect(JSON.parse(row?.private_key ?? "")).toHaveProperty("ciphertext");
    expect(row?.private_key).not.toContain('"d"');
    await world.database
      .update(signing_keys)
      .set({ kid: crypto.randomUUID() })
      .where(eq(signing_keys.kid, row?.kid ?? ""));
    await expect(mint()).rejects.toThrow("does not open");
  });
});

describe("the rotation of signing keys", () => {
  it("A4: publishes the next key a day before it signs", async () => {
    const first = kidOf(await mint());
    world.clock.jump(limits.signingKeyActive_ms - limits.signingKeyAhead_ms);
    expect([await keep(), await keep()]).toEqual([true, false]);
    const [old, next] = await rows();
    expect([old?.kid, old?.retired_at]).toEqual([first, next?.active_at]);
    expect(next?.active_at).toBe(world.clock.now() + limits.signingKeyAhead_ms);
    expect((await published()).map(({ kid }) => kid)).toEqual([old?.kid, next?.kid]);
    expect(kidOf(await mint())).toBe(first);
    world.clock.jump(limits.signingKeyAhead_ms);
    expect(kidOf(await mint())).toBe(next?.kid);
  });

  it("A4: lets the old key sign on when the cron comes late, so that the next one is known for its whole day", async () => {
    const first = kidOf(await mint());
    world.clock.jump(limits.signingKeyActive_ms - 1);
    expect(await keep()).toBe(true);
    world.clock.jump(limits.signingKeyAhead_ms - 1);
    expect(kidOf(await mint())).toBe(first);
    world.clock.jump(1);
    expect(kidOf(await mint())).not.toBe(first);
  });

  it("A4: of two crons makes one key", async () => {
    await mint();
    world.clock.jump(limits.signingKeyActive_ms - 1);
    const made = await Promise.all(Array.from({ length: 5 }, keep));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await rows()).toHaveLength(2);
  });

  it("A4: takes the last token of the old key until it expires, and forgets the key then", async () => {
    await mint();
    world.clock.jump(limits.signingKeyActive_ms - limits.signingKeyAhead_ms);
    await keep();
    world.clock.jump(limits.signingKeyAhead_ms - 1);
    const last = await mint();
    world.clock.jump(limits.accessToken_ms - 1_000);
    expect((await world.call(last)).status).toBe(200);
    world.clock.jump(limits.revocation_ms);
    await keep();
    expect((await rows()).map(({ kid }) => kid)).not.toContain(kidOf(last));
    expect(await rows()).toHaveLength(1);
  });

  it("A4: makes a key at once where the cron never came", async () => {
    const first = kidOf(await mint());
    world.clock.jump(limits.signingKeyActive_ms);
    const second = await mint();
    expect(kidOf(second)).not.toBe(first);
    expect((await world.call(second)).status).toBe(200);
  });
});
