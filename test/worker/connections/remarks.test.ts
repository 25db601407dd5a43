/** What is wrong with a connection that is used all the same: who finds it out, who sees it, and what ends it. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { liveCredential, noteAccepted, type How, type LiveCredential } from "../../../src/connections/index.ts";
import { limits } from "../../../src/limits.ts";
import { ok } from "../../../src/ports.ts";
import type { ConnectionKey, NewConnection } from "../../../src/vault/index.ts";
import { Faults } from "./faults.ts";
import { createWorld, linkOf, overOf, refusedBy, RotatingProvider, secretsIn, tokensAt, type World } from "./world.ts";

let world: World;
let key: ConnectionKey;
let provider: RotatingProvider;

beforeEach(async () => {
  world = await createWorld();
  key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
  provider = new RotatingProvider(world);
});

async function ask(how: How = provider): Promise<Awaited<ReturnType<typeof liveCredential>>> {
  const found = await liveCredential(await world.base(), key, how);
  await world.settled();
  return found;
}

async function good(how: How = provider): Promise<LiveCredential> {
  const found = await ask(how);
  if (!found.ok) throw new Error(found.error.reason);
  return found.value;
}

async function reason(how: How): Promise<string> {
  const found = await ask(how);
  return found.ok ? "ok" : `${found.error.code} ${found.error.reason}`;
}

async function accepted(live: LiveCredential): Promise<void> {
  noteAccepted(await world.base(), key, live);
  await world.settled();
}

const link = (more: Partial<NewConnection> = {}) => world.store.put(key, linkOf(world, more));
const pasted = { credential: { kind: "secret", value: "secret-key-1" }, issuer: "", token_endpoint: "" } as const;

/** Refused, renewed by force, refused again. @returns the token that came of it */
async function refuse(): Promise<LiveCredential> {
  const second = await good({ ...provider, rejected: await good() });
  expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
  expect(await reason({ ...provider, rejected: second })).toBe("link_needed refused");
  return second;
}

describe("a token that its server refuses, also a fresh one", () => {
  it("U14, UP-18: is remarked, and nothing else of the row changes, for fifty callers as for one", async () => {
    await link();
    const second = await good({ ...provider, rejected: await good() });
    const before = await world.row(key);
    const reasons = await Promise.all(Array.from({ length: 50 }, () => reason({ ...provider, rejected: second })));
    expect(new Set(reasons)).toEqual(new Set(["link_needed refused"]));
    expect(await world.row(key)).toEqual({ ...before, reason: "refused" });
    expect(world.events).toEqual([]);
    expect(secretsIn(world)).toEqual([]);
  });

  it("U13: is tried by the next call all the same, and renewed by force again after its time", async () => {
    await link();
    const second = await refuse();
    expect(await good()).toEqual({ ...second, wasRefused: true });
    world.clock.advance(limits.forcedRenewal_ms);
    const third = await good({ ...provider, rejected: second });
    expect(third).not.toHaveProperty("wasRefused");
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
  });

  it("U13: is as before once the server takes it", async () => {
    await link();
    await refuse();
    const before = await world.row(key);
    await accepted(await good());
    expect(await world.row(key)).toEqual({ ...before, reason: null });
    expect(await good()).not.toHaveProperty("wasRefused");
  });

  it("U13: is as before once it is renewed in its time", async () => {
    await link();
    await refuse();
    world.clock.advance(3_600_000);
    await good();
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
  });

  it("U14: is as before once a person links it anew, and an answer to the former one changes nothing", async () => {
    await link();
    const second = await refuse();
    await link();
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
    await accepted({ ...second, wasRefused: true });
    expect(await reason({ ...provider, rejected: second })).toBe("ok");
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
  });

  it("U13: nothing is asked for one that was taken before", async () => {
    await link();
    const live = await good();
    const faults = new Faults(0, "dies before");
    noteAccepted(await world.base(faults.bindings), key, live);
    await world.settled();
    expect(faults.count).toBe(0);
  });

  it("UP-18: a pasted key is remarked at its first refusal, and written once", async () => {
    await link(pasted);
    const live = await good({});
    expect(await reason({ rejected: live })).toBe("link_needed refused");
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: "refused" });
    const faults = new Faults(0, "dies before");
    const again = await liveCredential(await world.base(faults.bindings), key, { rejected: live });
    await world.settled();
    expect([again.ok, faults.count]).toEqual([false, 1]);
  });

  it("UP-17: a database that cannot write it changes no answer", async () => {
    await link(pasted);
    const live = await good({});
    // The first is the row that is read.
    const faults = new Faults(2, "throws before");
    const found = await liveCredential(await world.base(faults.bindings), key, { rejected: live });
    expect(found).toMatchObject({ ok: false, error: { code: "link_needed", reason: "refused" } });
    await world.settled();
    expect([faults.count, await world.row(key)]).toMatchObject([2, { state: "linked", reason: null }]);
    expect(world.logged).toContainEqual(expect.stringContaining("The reason of a connection could not be written"));
    expect(secretsIn(world)).toEqual([]);
  });

  it("U2: one that Gatehouse gets by itself is nobody's to connect again", async () => {
    key = { user_id: "", target: crypto.randomUUID(), account: "service" };
    let count = 0;
    const how: How = { creates: true, renew: () => Promise.resolve(ok(tokensAt(world, ++count))) };
    const second = await good({ ...how, rejected: await good(how) });
    expect(await reason({ ...how, rejected: second })).toBe("upstream_credential refused");
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
  });
});

describe("a provider that refuses us, and not the person", () => {
  const renew = (kind: "wrong" | "passing", of: string): How => ({ renew: () => Promise.resolve(refusedBy(kind, of)) });

  it.each(["client_gone", "invalid_client"])(
    "U14: %s is shown to administrators until a renewal succeeds",
    async (of) => {
      await world.store.put(key, overOf(world));
      const before = await world.row(key);
      expect(await reason(renew("wrong", of))).toBe(`upstream_credential ${of}`);
      expect(await world.row(key)).toEqual({ ...before, reason: of });
      world.clock.advance(limits.renewPause_ms);
      await good();
      expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
    },
  );

  describe("a registration of ours that it does not know any more", () => {
    const gone = renew("wrong", "registration_gone");

    it("U9, UP-16: asks for a new link once the token is over, also in the pause after it, and leaves the row as it is", async () => {
      await world.store.put(key, overOf(world));
      const before = await world.row(key);
      const found = await ask(gone);
      expect(found).toMatchObject({
        error: { code: "link_needed", reason: "registration_gone", data: { account: "default" } },
      });
      expect(await world.row(key)).toEqual({ ...before, reason: "registration_gone" });
      expect(await reason(gone)).toBe("link_needed registration_gone");
      const all = await Promise.all(Array.from({ length: 50 }, () => reason(gone)));
      expect(new Set(all)).toEqual(new Set(["link_needed registration_gone"]));
      expect(await world.row(key)).toEqual({ ...before, reason: "registration_gone" });
      expect(world.events).toEqual([]);
    });

    it("UP-16: mends by itself if the provider knows it again", async () => {
      await world.store.put(key, overOf(world));
      expect(await reason(gone)).toBe("link_needed registration_gone");
      world.clock.advance(limits.renewPause_ms);
      await good();
      expect(await world.row(key)).toMatchObject({ state: "linked", reason: null });
    });

    it("UP-16: stops no call with a token that lives", async () => {
      await link();
      world.clock.advance(3_600_000 - limits.renewAhead_ms);
      expect(await reason(gone)).toBe("ok");
      expect(await reason(gone)).toBe("ok");
      expect(await world.row(key)).toMatchObject({ state: "linked", reason: "registration_gone" });
    });

    it("U9: asks for a new link where the server has refused the token, also in the pause", async () => {
      await link();
      const rejected = await good();
      expect(await reason({ ...gone, rejected })).toBe("link_needed registration_gone");
      expect(await reason({ ...gone, rejected })).toBe("link_needed registration_gone");
      expect(await world.row(key)).toMatchObject({ state: "linked", reason: "registration_gone" });
    });

    it("U2: of what Gatehouse gets by itself nobody is asked", async () => {
      key = { user_id: "", target: crypto.randomUUID(), account: "service" };
      expect(await reason({ ...gone, creates: true })).toBe("upstream_credential registration_gone");
      expect(await reason({ ...gone, creates: true })).toBe("upstream_credential registration_gone");
    });
  });

  it("U14: so it is of a token of Gatehouse's own", async () => {
    key = { user_id: "", target: crypto.randomUUID(), account: "service" };
    await good({ creates: true, renew: () => Promise.resolve(ok(tokensAt(world, 1))) });
    world.clock.advance(3_600_000);
    await reason({ creates: true, ...renew("wrong", "invalid_client") });
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: "invalid_client" });
  });

  it("U13: what passes is nothing to look at", async () => {
    await world.store.put(key, overOf(world));
    const before = await world.row(key);
    await reason(renew("passing", "token_http_503"));
    expect(await world.row(key)).toEqual(before);
  });

  it("U13: a server that takes the token says nothing about the provider", async () => {
    await link();
    world.clock.advance(3_600_000 - limits.renewAhead_ms);
    await good(renew("wrong", "invalid_client"));
    const live = await good(renew("wrong", "invalid_client"));
    expect(live).not.toHaveProperty("wasRefused");
    await accepted(live);
    await accepted({ ...live, wasRefused: true });
    expect(await world.row(key)).toMatchObject({ state: "linked", reason: "invalid_client" });
  });

  it("U10: nothing of another tenant is touched", async () => {
    await world.store.put(key, overOf(world));
    const row = await world.row(key);
    await env.DB.prepare(
      "insert into connections select ?, * from (select id, user_id, target, account, is_default, state, reason, credential, issuer, token_endpoint, revocation_endpoint, client_id, scope, asked_scope, fit, step_ups, revision, tries, next_try_at, created_at, updated_at from connections where tenant_id = ?)",
    )
      .bind(`${world.tenant}-2`, world.tenant)
      .run();
    await reason(renew("wrong", "invalid_client"));
    const other = await env.DB.prepare("select reason from connections where tenant_id = ? and id = ?")
      .bind(`${world.tenant}-2`, row?.id)
      .first();
    expect(other).toEqual({ reason: null });
  });
});
