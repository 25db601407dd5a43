/** What somebody who can write to the database gains: nothing. Rows that were moved, edited or put back are found out and never used. */
import { beforeEach, describe, expect, it } from "vitest";
import { liveCredential, type How } from "../../../src/connections/index.ts";
import { limits } from "../../../src/limits.ts";
import type { ConnectionKey } from "../../../src/vault/index.ts";
import {
  createWorld,
  linkOf,
  RotatingProvider,
  secretsIn,
  tokensAt,
  type Row,
  type World,
} from "../connections/world.ts";
import { edit, mustRow, putBack } from "./connections-support.ts";

let world: World;
let key: ConnectionKey;

beforeEach(async () => {
  world = await createWorld();
  key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
});

/** Nothing is remembered from before. */
async function reason(of: ConnectionKey = key, how: How = {}, at: World = world): Promise<string> {
  at.clock.advance(limits.credentialCache_ms);
  const found = await liveCredential(await at.base(), of, how);
  return found.ok ? "ok" : `${found.error.code} ${found.error.reason}`;
}

function expectRefused(row: Row | undefined, why: string): void {
  expect(row).toMatchObject({ state: "needs_reauth", reason: why });
  const found = world.events.flatMap((event) => (event.type === "auth.activity" ? [event] : []));
  expect(found).toMatchObject([{ action: "vault.tamper", outcome: "refused", reason: why }]);
  expect(world.sent).toEqual([]);
  expect(secretsIn(world)).toEqual([]);
}

describe("VT-03: a row that was moved", () => {
  const other = { account: "work", issuer: "https://evil.test", token_endpoint: "https://evil.test/token" };

  it("to another person does not open", async () => {
    await world.store.put(key, linkOf(world));
    const victim = { ...key, user_id: await world.addUser() };
    await edit(world, key, { user_id: victim.user_id });
    expect(await reason(victim)).toBe("link_needed vault_tamper");
    expectRefused(await world.row(victim), "vault_tamper");
  });

  it("in exchange for the row of another person does not open, for either", async () => {
    const second = { ...key, user_id: await world.addUser() };
    await world.store.put(key, linkOf(world));
    await world.store.put(second, linkOf(world));
    const [mine, theirs] = [await mustRow(world, key), await mustRow(world, second)];
    await edit(world, key, { credential: theirs.credential });
    await edit(world, second, { credential: mine.credential });
    expect([await reason(), await reason(second)]).toEqual(Array(2).fill("link_needed vault_tamper"));
  });

  it("to another tenant does not open", async () => {
    await world.store.put(key, linkOf(world));
    const elsewhere = await createWorld();
    await elsewhere.addUser(key.user_id);
    await putBack(world, { ...(await mustRow(world, key)), tenant_id: elsewhere.tenant });
    expect(await reason(key, {}, elsewhere)).toBe("link_needed vault_tamper");
  });

  it.each([
    ["another server", { target: "00000000-0000-4000-8000-000000000001" }],
    ["another account", { account: other.account }],
  ])("to %s does not open", async (_name, change) => {
    await world.store.put(key, linkOf(world));
    await edit(world, key, change);
    expect(await reason({ ...key, ...change })).toBe("link_needed vault_tamper");
    expectRefused(await world.row({ ...key, ...change }), "vault_tamper");
  });

  it.each([
    ["the issuer", { issuer: other.issuer }],
    ["the token endpoint", { token_endpoint: other.token_endpoint }],
    ["the revocation endpoint", { revocation_endpoint: "https://evil.test/revoke" }],
    ["the client", { client_id: "evil" }],
    ["what it was made for", { fit: "evil" }],
    ["the id", { id: "00000000-0000-4000-8000-000000000001" }],
    ["the revision", { revision: 7 }],
    ["the credential", { credential: "{}" }],
  ])("or of which %s was edited does not open", async (_name, change: Partial<Row>) => {
    await world.store.put(key, linkOf(world));
    await edit(world, key, change);
    expect(await reason()).toBe("link_needed vault_tamper");
    expectRefused(await world.row(key), "vault_tamper");
    expect(await reason()).toBe("link_needed vault_tamper");
    expect(world.events).toHaveLength(1);
  });
});

describe("VT-04: a row of old times", () => {
  it("is refused after the token was renewed", async () => {
    await world.store.put(key, linkOf(world));
    const old = await mustRow(world, key);
    const provider = new RotatingProvider(world);
    const first = await liveCredential(await world.base(), key, provider);
    if (!first.ok) throw new Error("no token");
    expect(await reason(key, { ...provider, rejected: first.value })).toBe("ok");
    await putBack(world, old);
    expect(await reason(key, provider)).toBe("link_needed rolled_back");
    expectRefused(await world.row(key), "rolled_back");
    expect(provider.asked).toHaveLength(1);
  });

  it("is refused after another link", async () => {
    await world.store.put(key, linkOf(world));
    const old = await mustRow(world, key);
    await world.store.put(key, linkOf(world, { credential: tokensAt(world, 2).tokens }));
    await putBack(world, old);
    expect(await reason()).toBe("link_needed rolled_back");
    expectRefused(await world.row(key), "rolled_back");
  });

  it("is refused after the connection was ended, also when it was never used before", async () => {
    await world.store.put(key, linkOf(world));
    const old = await mustRow(world, key);
    await world.store.end(old.id, "user");
    expect(await reason()).toBe("link_needed not_linked");
    await putBack(world, old);
    expect(await reason()).toBe("link_needed rolled_back");
    expectRefused(await world.row(key), "rolled_back");
  });

  it("does not stand in the way of a new link, and is not the new one", async () => {
    await world.store.put(key, linkOf(world));
    const old = await mustRow(world, key);
    await world.store.end(old.id, "user");
    await putBack(world, old);
    await reason();
    expect(await world.store.put(key, linkOf(world))).toBe("stored");
    expect(await reason()).toBe("ok");
    await putBack(world, old);
    expect(await reason()).toBe("link_needed rolled_back");
  });

  it("of a token that Gatehouse gets by itself is replaced by a new one", async () => {
    key = { user_id: "", target: crypto.randomUUID(), account: "service" };
    const how: How = { creates: true, renew: () => Promise.resolve({ ok: true, value: tokensAt(world, 5) }) };
    expect(await reason(key, how)).toBe("ok");
    const old = await mustRow(world, key);
    expect(await reason(key, { ...how, fit: "other" })).toBe("ok");
    await putBack(world, old);
    expect(await reason(key, how)).toBe("ok");
    expect((await mustRow(world, key)).id).not.toBe(old.id);
  });
});
