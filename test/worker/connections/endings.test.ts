/** The end of connections: revoked at their providers, destroyed whatever those say, and both within the time that is promised. */
import { and, eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { endings, liveCredential } from "../../../src/connections/index.ts";
import { servers, tenants } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { setUserEnabled, type Visit } from "../../../src/login/index.ts";
import { ok } from "../../../src/ports.ts";
import type { ConnectionKey } from "../../../src/vault/index.ts";
import { edit, mustRow, putBack } from "../vault/connections-support.ts";
import { createWorld, linkOf, overOf, secretsIn, tokensAt, type World } from "./world.ts";

let world: World;
let key: ConnectionKey;
let answers: (() => Response | Promise<Response>)[];

beforeEach(async () => {
  world = await createWorld();
  key = { user_id: await world.addUser(), target: await world.addServer(), account: "default" };
  answers = [];
  world.serve("idp.upstream.test", () => answers.shift()?.() ?? new Response(null, { status: 200 }));
});

async function run(): Promise<void> {
  const { platform, vault, fetch, recorder } = await world.base();
  await endings({ platform, vault, fetch, recorder }, world.tenant);
}

async function end(): Promise<void> {
  await world.store.put(key, linkOf(world));
  await world.store.end((await mustRow(world, key)).id, "user");
}

const revoked = (): (string | null)[][] =>
  world.sent.map(({ body }) => {
    const parameters = new URLSearchParams(body);
    return [parameters.get("token_type_hint"), parameters.get("token"), parameters.get("client_id")];
  });
const refresh = ["refresh_token", "secret-refresh-1", "our-client"];
const access = ["access_token", "secret-access-1", "our-client"];
const failing = () => new Response(null, { status: 503 });
const events = (): unknown[] =>
  world.events.flatMap((event) => (event.type === "auth.activity" ? [[event.action, event.reason]] : []));

describe("UP-21: unlinking", () => {
  it("revokes the refresh token, then the access token, and destroys the row", async () => {
    await end();
    await run();
    expect(revoked()).toEqual([refresh, access]);
    expect(world.sent.every(({ url }) => url === "https://idp.upstream.test/revoke")).toBe(true);
    expect(await world.row(key)).toBeUndefined();
    expect(events()).toEqual([["connection.revoke", undefined]]);
    expect(secretsIn(world)).toEqual([]);
  });

  it("tries the second token although the first one failed, and both again later", async () => {
    await end();
    answers = [failing];
    await run();
    expect(revoked()).toEqual([refresh, access]);
    expect(await world.row(key)).toMatchObject({ state: "ending", tries: 1 });
    await run();
    expect(world.sent).toHaveLength(2);
    world.clock.advance(limits.revocationRetry_ms);
    await run();
    expect(revoked()).toEqual([refresh, access, refresh, access]);
    expect(await world.row(key)).toBeUndefined();
  });

  it("destroys it all the same when the provider fails for good, with an event", async () => {
    await end();
    answers = Array.from({ length: 20 }, () => failing);
    for (let tries = 1; tries < limits.revocationTries_count; tries += 1) {
      await run();
      expect(await world.row(key)).toMatchObject({ tries });
      world.clock.advance(limits.revocationRetry_ms);
    }
    await run();
    expect(await world.row(key)).toBeUndefined();
    expect(events()).toEqual([["connection.revoke_failed", "revocation_refused"]]);
    expect(secretsIn(world)).toEqual([]);
  });

  it("is done once by two who do it at once", async () => {
    await end();
    await Promise.all([run(), run()]);
    expect(world.sent).toHaveLength(2);
    expect(events()).toHaveLength(1);
  });

  it("of a key that somebody pasted tells nobody", async () => {
    const credential = { kind: "secret", value: "secret-key-1" } as const;
    await world.store.put(key, linkOf(world, { credential, issuer: "", revocation_endpoint: null }));
    await world.store.end((await mustRow(world, key)).id, "user");
    await run();
    expect(world.sent).toEqual([]);
    expect(await world.row(key)).toBeUndefined();
  });

  it("of a server that is gone goes by our client id alone", async () => {
    await end();
    await world.database.delete(servers).where(eq(servers.tenant_id, world.tenant));
    await world.announce();
    await run();
    expect(revoked()).toEqual([refresh, access]);
    expect(await world.row(key)).toBeUndefined();
  });

  it("sends nothing to an address that somebody wrote into the row", async () => {
    await end();
    await edit(world, key, { revocation_endpoint: "https://evil.test/revoke" });
    for (let tries = 0; tries < limits.revocationTries_count; tries += 1) {
      await run();
      world.clock.advance(limits.revocationRetry_ms);
    }
    expect(world.sent).toEqual([]);
    expect(await world.row(key)).toBeUndefined();
    expect(events()).toEqual([["connection.revoke_failed", "vault_tamper"]]);
  });

  it("opens nothing while the vault is sealed, and tells the provider afterwards", async () => {
    await end();
    const seal = async (vault_sealed: boolean): Promise<void> => {
      const settings = JSON.stringify({ vault_sealed });
      await world.database
        .insert(tenants)
        .values({ id: world.tenant, settings, initialised_at: 1, updated_at: 1 })
        .onConflictDoUpdate({ target: tenants.id, set: { settings } });
      await world.announce();
    };
    await seal(true);
    for (let tries = 0; tries <= limits.revocationTries_count; tries += 1) {
      await run();
      world.clock.advance(limits.revocationRetry_ms);
    }
    expect([world.sent, events()]).toEqual([[], []]);
    expect(await world.row(key)).toMatchObject({ tries: 0 });
    await seal(false);
    await run();
    expect(world.sent).toHaveLength(2);
    expect(await world.row(key)).toBeUndefined();
  });

  it("waits for a renewal that is running, and revokes what that brought", async () => {
    await world.store.put(key, overOf(world));
    const { id } = await mustRow(world, key);
    const renew = async () => {
      await world.store.end(id, "user");
      await run();
      expect(world.sent).toEqual([]);
      return ok(tokensAt(world, 2));
    };
    expect((await liveCredential(await world.base(), key, { renew })).ok).toBe(false);
    world.clock.advance(limits.revocationRetry_ms);
    await run();
    expect(revoked().map(([, token]) => token)).toEqual(["secret-refresh-2", "secret-access-2"]);
  });

  it("VT-04: leaves nothing that could be put back", async () => {
    await world.store.put(key, linkOf(world));
    const old = await mustRow(world, key);
    await world.store.end(old.id, "user");
    await run();
    await putBack(world, old);
    const found = await liveCredential(await world.base(), key, {});
    expect(found).toMatchObject({ ok: false, error: { reason: "rolled_back" } });
  });
});

describe("VT-15: off-boarding", () => {
  const disable = async (): Promise<unknown> => {
    const visit: Visit = { ...(await world.base()), countUnknown: () => undefined };
    return setUserEnabled(visit, key.user_id, false);
  };

  it("A14: ends every connection of the person and of nobody else: unusable at once, revoked and destroyed in five minutes", async () => {
    const other = { ...key, user_id: await world.addUser() };
    const second = { ...key, account: "work" };
    for (const one of [key, second, other]) await world.store.put(one, linkOf(world));
    expect((await liveCredential(await world.base(), key, {})).ok).toBe(true);
    await disable();
    expect(await liveCredential(await world.base(), key, {})).toMatchObject({ error: { reason: "not_linked" } });
    expect(await world.row(second)).toMatchObject({ state: "ending", reason: "user_disabled" });
    answers = Array.from({ length: 40 }, () => failing);
    // The timer comes every minute.
    for (let minute = 0; minute < 5; minute += 1) {
      await run();
      world.clock.advance(60_000);
    }
    expect([await world.row(key), await world.row(second)]).toEqual([undefined, undefined]);
    expect(await world.row(other)).toMatchObject({ state: "linked" });
    expect(await world.store.put(key, linkOf(world))).toBe("user_disabled");
  });

  it("VT-04: what was off-boarded and put back before it was revoked is refused after", async () => {
    await world.store.put(key, linkOf(world));
    const old = await mustRow(world, key);
    await disable();
    await run();
    await world.addUser(`${key.user_id}-other`);
    await putBack(world, old);
    const found = await liveCredential(await world.base(), key, {});
    expect(found).toMatchObject({ ok: false, error: { reason: "rolled_back" } });
  });

  it("U14: deleting a server leaves its connections, for nobody to use", async () => {
    await world.store.put(key, linkOf(world));
    await world.database.delete(servers).where(and(eq(servers.tenant_id, world.tenant), eq(servers.id, key.target)));
    await world.announce();
    await run();
    expect(await world.row(key)).toMatchObject({ state: "linked" });
    expect(world.sent).toEqual([]);
  });
});
