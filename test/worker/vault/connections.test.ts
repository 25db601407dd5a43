/** Connections as they are kept: whose they are, how many, which one is the default, and who may have one. */
import { runInDurableObject } from "cloudflare:test";
import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { connections, users } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { connectionStore, type ConnectionKey } from "../../../src/vault/index.ts";
import { createWorld, linkOf, tokensAt, type World } from "../connections/world.ts";
import { mustRow } from "./connections-support.ts";

let world: World;
let key: ConnectionKey;

beforeEach(async () => {
  world = await createWorld();
  key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
});

const put = (of: ConnectionKey, in_ = world) => in_.store.put(of, linkOf(in_));
const names = async (): Promise<string[]> =>
  (await world.store.facts(key.user_id)).filter(({ is_default }) => is_default).map(({ account }) => account);

describe("a connection", () => {
  it("U11: comes back as it was stored, and its row and its object hold nothing in the clear", async () => {
    expect(await put(key)).toBe("stored");
    const given = linkOf(world);
    expect(await world.store.read(key)).toMatchObject({
      ok: true,
      value: { ...given, state: "linked", is_default: true },
    });
    expect(JSON.stringify(await mustRow(world, key))).not.toMatch(/secret-/);
    const kept = await runInDurableObject(world.object(key), (_instance, { storage }) => [...storage.kv.list()]);
    expect(JSON.stringify(kept)).not.toMatch(/secret-/);
    expect(kept).toHaveLength(1);
  });

  it("U11: linked again is another one, under a revision that was never used", async () => {
    await put(key);
    const first = await mustRow(world, key);
    world.clock.advance(5);
    await world.store.put(key, linkOf(world, { credential: tokensAt(world, 2).tokens }));
    const second = await mustRow(world, key);
    expect(second.id).not.toBe(first.id);
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(second).toMatchObject({
      ...{ is_default: true, created_at: world.clock.now(), updated_at: world.clock.now() },
    });
    expect(second.created_at).toBeGreaterThan(first.created_at);
    expect(await world.store.facts(key.user_id)).toHaveLength(1);
  });

  it("U13: of parallel links of one account each is whole, and one stays", async () => {
    const puts = await Promise.all(
      [1, 2, 3].map((one) => world.store.put(key, linkOf(world, { credential: tokensAt(world, one).tokens }))),
    );
    expect(puts).toContain("stored");
    expect(puts.every((one) => one === "stored" || one === "busy")).toBe(true);
    expect(await world.store.read(key)).toMatchObject({ ok: true });
    expect(await world.store.facts(key.user_id)).toHaveLength(1);
  });

  it("A14: is not stored for somebody who is disabled, nor for nobody", async () => {
    await world.database.update(users).set({ enabled: false }).where(eq(users.id, key.user_id));
    expect(await put(key)).toBe("user_disabled");
    expect(await put({ ...key, user_id: crypto.randomUUID() })).toBe("user_disabled");
    expect(await put({ ...key, user_id: "development" })).toBe("user_disabled");
    expect(await world.row(key)).toBeUndefined();
  });

  it("A14: of the organisation needs no person, and in development mode there is one without sign-in", async () => {
    expect(await put({ ...key, user_id: "", account: "service" })).toBe("stored");
    const { platform } = world;
    const configuration = { ...platform.configuration, mode: "development" as const };
    const { vault } = await world.base();
    const store = connectionStore({ platform: { ...platform, configuration }, tenant: { id: world.tenant }, vault });
    expect(await store.put({ ...key, user_id: "development" }, linkOf(world))).toBe("stored");
    expect(await store.put({ ...key, user_id: "somebody" }, linkOf(world))).toBe("user_disabled");
  });

  it("U10: is that of one person in one tenant", async () => {
    await put(key);
    const other = await createWorld();
    await other.addUser(key.user_id);
    expect(await other.store.read(key)).toBeUndefined();
    expect(await other.store.facts(key.user_id)).toEqual([]);
    const { id } = await mustRow(world, key);
    expect(await other.store.byId(id)).toBeUndefined();
    expect(await other.store.end(id, "user")).toBe(false);
    expect(await other.store.setDefault(key)).toBe(false);
    expect(await world.store.read({ ...key, user_id: await world.addUser() })).toBeUndefined();
    expect(await mustRow(world, key)).toMatchObject({ state: "linked" });
  });

  it("U14: that was ended is there no more, and ends once", async () => {
    await put(key);
    const { id } = await mustRow(world, key);
    expect(await world.store.end(id, "user")).toBe(true);
    expect(await world.store.end(id, "user")).toBe(false);
    expect(await world.store.read(key)).toBeUndefined();
    expect([await world.store.facts(key.user_id), await world.store.page(undefined, 10)]).toEqual([[], []]);
    expect(await world.store.byId(id)).toBeUndefined();
    expect(await put(key)).toBe("stored");
    expect(await world.store.facts(key.user_id)).toHaveLength(1);
  });
});

describe("several accounts", () => {
  const account = (name: string): ConnectionKey => ({ ...key, account: name });

  it("U10: the first is the default, another can be made it, and the first other one by its name follows it", async () => {
    for (const name of ["one", "two", "three"]) {
      await put(account(name));
      world.clock.advance(1);
    }
    expect(await names()).toEqual(["one"]);
    expect(await world.store.setDefault(account("three"))).toBe(true);
    expect(await names()).toEqual(["three"]);
    expect(await world.store.accountFor(key.user_id, key.target)).toBe("three");
    await world.store.end((await mustRow(world, account("three"))).id, "user");
    expect(await names()).toEqual(["one"]);
    expect(await world.store.setDefault(account("nobody's"))).toBe(false);
    expect(await names()).toEqual(["one"]);
    for (const name of ["one", "two"]) await world.store.end((await mustRow(world, account(name))).id, "user");
    expect(await world.store.accountFor(key.user_id, key.target)).toBeUndefined();
  });

  it("U10: linking one again does not change which one follows the default", async () => {
    for (const name of ["one", "two", "three"]) {
      await put(account(name));
      world.clock.advance(1);
    }
    await world.store.setDefault(account("three"));
    await put(account("one"));
    await world.store.end((await mustRow(world, account("three"))).id, "user");
    expect(await names()).toEqual(["one"]);
  });

  it("U10: linking the default again leaves it the default", async () => {
    await put(account("one"));
    await put(account("two"));
    await put(account("one"));
    expect(await names()).toEqual(["one"]);
  });

  it("U10: a token that Gatehouse gets for a header is no account of the person", async () => {
    await put(account("header:x-token"));
    expect(await world.store.accountFor(key.user_id, key.target)).toBeUndefined();
    expect(await world.store.setDefault(account("header:x-token"))).toBe(false);
    await put(account("work"));
    expect(await names()).toEqual(["work"]);
  });

  it("U10, RX-16: a person has a bounded number at one target, of many who link at once as well", async () => {
    const many = Array.from({ length: limits.accountsPerTarget_count + 3 }, (_, at) => account(`a${at}`));
    const stored = await Promise.all(many.map((one) => put(one)));
    expect(stored.filter((one) => one === "stored")).toHaveLength(limits.accountsPerTarget_count);
    expect(stored.filter((one) => one === "full")).toHaveLength(3);
    const [first = key] = await world.store.facts(key.user_id);
    expect(await put(first)).toBe("stored");
  });

  it("U10, RX-16: and a bounded number in all", async () => {
    await put(key);
    const row = await mustRow(world, key);
    for (let at = 1; at < limits.connectionsPerUser_count; at += 1) {
      await world.database.insert(connections).values({ ...row, id: crypto.randomUUID(), target: `t${at}` });
    }
    expect(await put({ ...key, target: "one more" })).toBe("full");
    expect(await put(key)).toBe("stored");
  });

  it("U14: pages follow one another in the order of ids", async () => {
    for (const name of ["one", "two", "three"]) await put(account(name));
    const [first, second] = await world.store.page(undefined, 2);
    const rest = await world.store.page(second?.id, 2);
    const ids = [first, second, ...rest].map((one) => one?.id);
    expect(ids).toEqual((await world.store.facts(key.user_id)).map(({ id }) => id).toSorted());
    expect(ids).toHaveLength(3);
  });
});
