/** How long a credential is used without asking anybody, and what ends that. */
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { liveCredential, type Base, type How } from "../../../src/connections/index.ts";
import { tenants } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { ok } from "../../../src/ports.ts";
import type { ConnectionKey } from "../../../src/vault/index.ts";
import { Faults } from "./faults.ts";
import { createWorld, linkOf, RotatingProvider, tokensAt, type World } from "./world.ts";

let world: World;
let key: ConnectionKey;

beforeEach(async () => {
  world = await createWorld();
  key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
  await world.store.put(key, linkOf(world));
});

/** @returns what was found, and how many calls of the database and of the object that took */
async function ask(how: How = {}, base?: Base, of = key): Promise<{ found: string; calls: number }> {
  const faults = new Faults(0, "dies before");
  const asked = { ...(base ?? (await world.base())) };
  const platform = { ...asked.platform, bindings: { ...asked.platform.bindings, ...faults.bindings } };
  const live = await liveCredential({ ...asked, platform }, of, how);
  const found = live.ok ? JSON.stringify(live.value.credential) : `${live.error.code} ${live.error.reason}`;
  return { found, calls: faults.count };
}

describe("the memory of an isolate", () => {
  it("U12: a credential is asked for once in a minute", async () => {
    const first = await ask();
    expect(first.calls).toBe(2);
    expect(await ask()).toEqual({ ...first, calls: 0 });
    world.clock.advance(limits.credentialCache_ms - 1);
    expect(await ask()).toEqual({ ...first, calls: 0 });
    world.clock.advance(1);
    expect(await ask()).toEqual(first);
  });

  it("VT-14: a revocation empties it: nothing is used that was there before", async () => {
    await ask();
    const [row] = await world.store.facts(key.user_id);
    await world.store.end(row?.id ?? "", "user");
    await world.announce();
    expect((await ask()).found).toBe("link_needed not_linked");
  });

  it("VT-14: a request that began before a revocation neither finds nor leaves anything", async () => {
    const before = await world.base();
    await world.announce();
    expect((await ask()).calls).toBe(2);
    expect((await ask({}, before)).calls).toBe(2);
    await world.announce();
    await ask({}, before);
    expect((await ask()).calls).toBe(2);
  });

  it("VT-14: it does not outlive the token", async () => {
    const tokens = { kind: "tokens", access_token: "secret-access-1", expires_at: world.clock.now() + 1_000 } as const;
    await world.store.put(key, linkOf(world, { credential: tokens }));
    expect((await ask()).found).toContain("secret-access-1");
    world.clock.advance(1_000);
    expect((await ask()).found).toBe("link_needed needs_reauth");
  });

  it("U13: it is of no more use when the token is to be renewed, so that none ends on its way", async () => {
    const provider = new RotatingProvider(world);
    world.clock.advance(3_600_000 - limits.renewAhead_ms - 1);
    expect((await ask(provider)).found).toContain("secret-access-1");
    world.clock.advance(1);
    expect((await ask(provider)).found).toContain("secret-access-2");
    expect(provider.asked).toHaveLength(1);
  });

  it("U13: a token that lives shortly is renewed once in half its life, however many ask", async () => {
    const life_ms = limits.renewAhead_ms / 2;
    let count = 0;
    const renew: How["renew"] = () => {
      count += 1;
      const { tokens, ...from } = tokensAt(world, count);
      return Promise.resolve(ok({ ...from, tokens: { ...tokens, expires_at: world.clock.now() + life_ms } }));
    };
    world.clock.advance(3_600_000);
    const found: string[] = [];
    for (let halves = 0; halves < 4; halves += 1) {
      const first = await ask({ renew });
      world.clock.advance(life_ms / 2 - 1);
      expect(await ask({ renew })).toEqual({ found: first.found, calls: 0 });
      world.clock.advance(1);
      found.push(first.found);
    }
    expect([count, new Set(found).size]).toEqual([4, 4]);
  });

  it("U13: what nobody can renew is kept to its end", async () => {
    const tokens = { kind: "tokens", access_token: "secret-access-1", expires_at: world.clock.now() + 2_000 } as const;
    await world.store.put(key, linkOf(world, { credential: tokens }));
    const { renew } = new RotatingProvider(world);
    await ask({ renew });
    world.clock.advance(1_999);
    expect(await ask({ renew })).toMatchObject({ calls: 0 });
    world.clock.advance(1);
    expect((await ask({ renew })).found).toBe("link_needed needs_reauth");
  });

  it("U10: it is of one person, one account, one target and one tenant", async () => {
    await ask();
    const other = await createWorld();
    for (const of of [
      { ...key, user_id: await world.addUser() },
      { ...key, account: "work" },
      { ...key, target: "other" },
    ]) {
      expect((await ask({}, undefined, of)).found).toBe("link_needed not_linked");
    }
    expect((await ask({}, await other.base())).found).toBe("link_needed not_linked");
  });

  it("U14: it is not used for a server that has changed", async () => {
    expect((await ask({ fit: "" })).found).toContain("secret-access-1");
    expect((await ask({ fit: "other" })).found).toBe("link_needed needs_update");
  });

  it("VT-14: nothing of it is in KV", async () => {
    await ask();
    expect((await env.CACHE.list()).keys).toEqual([]);
  });
});

describe("the seal switch", () => {
  it("U11: comes before the memory, and nothing is opened while it is on", async () => {
    await ask();
    const settings = JSON.stringify({ vault_sealed: true });
    await world.database.insert(tenants).values({ id: world.tenant, settings, initialised_at: 1, updated_at: 1 });
    await world.announce();
    expect(await ask()).toEqual({ found: "vault_sealed vault_sealed", calls: 0 });
    await world.database.update(tenants).set({ settings: "{}" }).where(eq(tenants.id, world.tenant));
    await world.announce();
    expect((await ask()).found).toContain("secret-access-1");
  });
});
