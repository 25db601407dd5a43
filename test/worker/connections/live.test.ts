/** A credential that is good now: where it comes from, who renews it, and what becomes of it when that fails. */
import { beforeEach, describe, expect, it } from "vitest";
import { liveCredential, type How, type LiveCredential } from "../../../src/connections/index.ts";
import { limits } from "../../../src/limits.ts";
import { err, ok } from "../../../src/ports.ts";
import type { ConnectionKey } from "../../../src/vault/index.ts";
import { createWorld, linkOf, overOf, refusedBy, RotatingProvider, secretsIn, tokensAt, type World } from "./world.ts";

let world: World;
let key: ConnectionKey;

beforeEach(async () => {
  world = await createWorld();
  key = { user_id: await world.addUser(), target: crypto.randomUUID(), account: "default" };
});

const live = async (how: How = {}) => liveCredential(await world.base(), key, how);

async function good(how: How = {}): Promise<LiveCredential> {
  const found = await live(how);
  if (!found.ok) throw new Error(found.error.reason);
  return found.value;
}

async function reason(how: How = {}): Promise<string> {
  const found = await live(how);
  return found.ok ? "ok" : `${found.error.code} ${found.error.reason}`;
}

const token = ({ credential }: LiveCredential): string =>
  credential.kind === "tokens" ? credential.access_token : credential.value;

const actions = (): unknown[] =>
  world.events.flatMap((event) => (event.type === "auth.activity" ? [event.action] : []));

describe("renewal", () => {
  it("UP-16: of 50 callers with an expired token one asks the provider, and all have a good answer", async () => {
    await world.store.put(key, overOf(world));
    const provider = new RotatingProvider(world);
    const found = await Promise.all(Array.from({ length: 50 }, () => good(provider)));
    expect(new Set(found.map(token))).toEqual(new Set(["secret-access-2"]));
    expect(provider.asked).toEqual(["secret-refresh-1"]);
    expect(await world.store.read(key)).toMatchObject({
      ok: true,
      value: { state: "linked", credential: { refresh_token: "secret-refresh-2" }, scope: "read" },
    });
    expect(secretsIn(world)).toEqual([]);
  });

  it("U13: a token that is about to end is renewed before it does", async () => {
    await world.store.put(key, linkOf(world));
    const provider = new RotatingProvider(world);
    world.clock.advance(3_600_000 - limits.renewAhead_ms - 1);
    expect(token(await good(provider))).toBe("secret-access-1");
    world.clock.advance(limits.credentialCache_ms);
    expect(token(await good(provider))).toBe("secret-access-2");
  });

  it("UP-16: a provider that does not rotate leaves the refresh token as it was", async () => {
    await world.store.put(key, overOf(world));
    const { tokens, ...from } = tokensAt(world, 2);
    const { refresh_token: _left, ...others } = tokens;
    await good({ renew: () => Promise.resolve(ok({ ...from, tokens: others })) });
    expect(await world.store.read(key)).toMatchObject({
      value: { credential: { access_token: "secret-access-2", refresh_token: "secret-refresh-1" } },
    });
  });

  it("UP-16: invalid_grant ends the connection once, for 50 callers, with one event", async () => {
    await world.store.put(key, overOf(world));
    let asked = 0;
    const renew: How["renew"] = () => {
      asked += 1;
      return Promise.resolve(refusedBy("dead", "invalid_grant"));
    };
    const reasons = await Promise.all(Array.from({ length: 50 }, () => reason({ renew })));
    expect(new Set(reasons)).toEqual(new Set(["link_needed needs_reauth"]));
    expect(asked).toBe(1);
    expect(await world.row(key)).toMatchObject({ state: "needs_reauth", reason: "invalid_grant" });
    expect(actions()).toEqual(["connection.dead"]);
    expect(await reason({ renew })).toBe("link_needed needs_reauth");
    expect(asked).toBe(1);
  });

  it.each([
    ["400", refusedBy("wrong", "token_invalid_request")],
    ["429", refusedBy("passing", "token_http_429")],
    ["500", refusedBy("passing", "token_http_500")],
    ["nothing in time", refusedBy("passing", "token_timeout")],
    ["half an answer", refusedBy("passing", "token_network_error")],
    ["a wrong client secret", refusedBy("wrong", "token_invalid_client")],
  ])("UP-16: a provider that answers %s is asked once for 50 callers, and nothing is lost", async (_name, answer) => {
    await world.store.put(key, overOf(world));
    const before = await world.row(key);
    let asked = 0;
    const renew: How["renew"] = () => {
      asked += 1;
      return Promise.resolve(answer);
    };
    const reasons = await Promise.all(Array.from({ length: 50 }, () => reason({ renew })));
    expect(new Set(reasons)).toEqual(new Set([`upstream_credential ${answer.error.reason}`]));
    expect(asked).toBe(1);
    await world.settled();
    const { kind, reason: shown } = answer.error;
    expect(await world.row(key)).toEqual({ ...before, reason: kind === "wrong" ? shown : null });
    expect(actions()).toEqual([]);
    world.clock.advance(limits.renewPause_ms);
    expect(token(await good(new RotatingProvider(world)))).toBe("secret-access-2");
  });

  it("UP-16: a provider is left in peace for as long as it says, within our own bound", async () => {
    await world.store.put(key, overOf(world));
    const until = world.clock.now() + 120_000;
    await reason({ renew: () => Promise.resolve(refusedBy("passing", "token_http_429", until)) });
    const provider = new RotatingProvider(world);
    world.clock.advance(119_999);
    expect(await reason(provider)).toBe("upstream_credential token_http_429");
    expect(provider.asked).toEqual([]);
    world.clock.advance(1);
    expect(await reason({ renew: () => Promise.resolve(refusedBy("passing", "busy", until + 10 ** 9)) })).toContain(
      "busy",
    );
    world.clock.advance(limits.renewPause_ms_max);
    expect(await reason(provider)).toBe("ok");
  });

  it("UP-16: while the access token is good it is used, although its provider is down", async () => {
    await world.store.put(key, linkOf(world));
    world.clock.advance(3_600_000 - 10_000);
    const down = refusedBy("passing", "token_http_503");
    const found = await Promise.all(Array.from({ length: 5 }, () => good({ renew: () => Promise.resolve(down) })));
    expect(new Set(found.map(token))).toEqual(new Set(["secret-access-1"]));
    world.clock.advance(10_000);
    expect(await reason({ renew: () => Promise.resolve(down) })).toBe("upstream_credential token_http_503");
  });

  it("UP-16: a token whose end nobody told is tried on when it cannot be renewed", async () => {
    const { credential } = linkOf(world);
    if (credential.kind !== "tokens") throw new Error("tokens");
    await world.store.put(key, linkOf(world, { credential: { ...credential, expires_at: null } }));
    expect(token(await good(new RotatingProvider(world)))).toBe("secret-access-1");
    world.clock.advance(limits.tokenLifeUnknown_ms);
    expect(token(await good({ renew: () => Promise.resolve(refusedBy("passing", "down")) }))).toBe("secret-access-1");
    world.clock.advance(limits.renewPause_ms);
    expect(token(await good(new RotatingProvider(world)))).toBe("secret-access-2");
  });

  it("UP-01: tokens of another issuer are not stored in place of those that a connection was made with", async () => {
    await world.store.put(key, overOf(world));
    const before = await world.row(key);
    const elsewhere = { ...tokensAt(world, 2), issuer: "https://evil.test" };
    expect(await reason({ renew: () => Promise.resolve(ok(elsewhere)) })).toBe("upstream_credential issuer_changed");
    await world.settled();
    expect(await world.row(key)).toEqual({ ...before, reason: "issuer_changed" });
  });

  it("U14: a token without refresh token that has ended asks for a new link, and does so once", async () => {
    const { credential } = overOf(world);
    if (credential.kind !== "tokens") throw new Error("tokens");
    const { refresh_token: _none, ...alone } = credential;
    await world.store.put(key, linkOf(world, { credential: alone }));
    const provider = new RotatingProvider(world);
    expect([await reason(provider), await reason(provider)]).toEqual(Array(2).fill("link_needed needs_reauth"));
    expect(provider.asked).toEqual([]);
    expect(await world.row(key)).toMatchObject({ state: "needs_reauth", reason: "token_expired" });
    expect(actions()).toEqual(["connection.dead"]);
  });

  it("U13: a link that came meanwhile is not overwritten by a renewal that began before it", async () => {
    await world.store.put(key, overOf(world));
    const { credential } = tokensAtLink(world, 9);
    const renew: How["renew"] = async () => {
      await world.store.put(key, linkOf(world, { credential }));
      return ok(tokensAt(world, 2));
    };
    expect(token(await good({ renew }))).toBe("secret-access-9");
    expect(await world.store.read(key)).toMatchObject({ value: { credential: { refresh_token: "secret-refresh-9" } } });
  });

  it("UP-21: what a renewal brings after the connection was ended is handed out to nobody, and is what will be revoked", async () => {
    await world.store.put(key, overOf(world));
    const { id } = (await world.row(key)) ?? { id: "" };
    const renew: How["renew"] = async () => {
      expect(await world.store.end(id, "user")).toBe(true);
      return ok(tokensAt(world, 2));
    };
    expect(await reason({ renew })).toBe("link_needed not_linked");
    expect(await world.row(key)).toMatchObject({ state: "ending", reason: "user" });
    expect((await world.row(key))?.revision).toBeGreaterThan(1);
  });
});

const tokensAtLink = (of: World, generation: number) => ({ credential: tokensAt(of, generation).tokens });

describe("a token that the server refuses", () => {
  it("UP-18: is renewed by force once for 50 callers; refused again it asks for a link", async () => {
    await world.store.put(key, linkOf(world));
    const provider = new RotatingProvider(world);
    const rejected = await good(provider);
    const found = await Promise.all(Array.from({ length: 50 }, () => good({ ...provider, rejected })));
    expect(new Set(found.map(token))).toEqual(new Set(["secret-access-2"]));
    expect(provider.asked).toHaveLength(1);
    const [second] = found;
    expect(await reason({ ...provider, ...(second && { rejected: second }) })).toBe("link_needed refused");
    expect(provider.asked).toHaveLength(1);
    expect(await world.row(key)).toMatchObject({ state: "linked" });
    world.clock.advance(limits.forcedRenewal_ms);
    expect(token(await good({ ...provider, ...(second && { rejected: second }) }))).toBe("secret-access-3");
  });

  it("UP-18: one that was renewed since costs no other renewal", async () => {
    await world.store.put(key, linkOf(world));
    const provider = new RotatingProvider(world);
    const rejected = await good(provider);
    await good({ ...provider, rejected });
    world.clock.advance(limits.forcedRenewal_ms);
    expect(token(await good({ ...provider, rejected }))).toBe("secret-access-2");
    expect(provider.asked).toHaveLength(1);
  });

  it("UP-18: a key that somebody pasted asks for another one", async () => {
    const secret = { kind: "secret", value: "secret-key-1" } as const;
    await world.store.put(key, linkOf(world, { credential: secret, issuer: "", token_endpoint: "" }));
    const rejected = await good();
    expect(rejected.credential).toEqual(secret);
    expect(await reason({ rejected })).toBe("link_needed refused");
    expect(await world.row(key)).toMatchObject({ state: "linked" });
  });

  it("UP-18: while its provider cannot be asked it is not used on", async () => {
    await world.store.put(key, linkOf(world));
    const rejected = await good(new RotatingProvider(world));
    const renew: How["renew"] = () => Promise.resolve(refusedBy("passing", "token_http_503"));
    expect(await reason({ renew, rejected })).toBe("upstream_credential token_http_503");
    expect(await world.row(key)).toMatchObject({ state: "linked" });
  });
});

describe("tokens that Gatehouse gets by itself", () => {
  const service = (): How => {
    let generation = 0;
    const renew: How["renew"] = () => {
      generation += 1;
      return Promise.resolve(ok(tokensAt(world, generation)));
    };
    return { renew, creates: true, fit: "a" };
  };

  it("U2: one is made where there is none, once for 50 callers", async () => {
    key = { user_id: "", target: crypto.randomUUID(), account: "service" };
    const how = service();
    const found = await Promise.all(Array.from({ length: 50 }, () => good(how)));
    expect(new Set(found.map(token))).toEqual(new Set(["secret-access-1"]));
    expect(await world.row(key)).toMatchObject({ state: "linked", user_id: "", fit: "a" });
  });

  it("U8: another is made when what it was made for has changed", async () => {
    key = { user_id: "", target: crypto.randomUUID(), account: "service" };
    const how = service();
    await good(how);
    expect(token(await good({ ...how, fit: "b" }))).toBe("secret-access-2");
    expect(await world.row(key)).toMatchObject({ fit: "b" });
  });

  it("U2: a provider that refuses is an administrator's matter, and another try may succeed", async () => {
    key = { user_id: "", target: crypto.randomUUID(), account: "service" };
    const how = service();
    expect(await reason({ ...how, renew: () => Promise.resolve(refusedBy("dead", "invalid_grant")) })).toBe(
      "upstream_credential invalid_grant",
    );
    expect(await world.row(key)).toBeUndefined();
    world.clock.advance(limits.renewPause_ms);
    expect(token(await good(how))).toBe("secret-access-1");
  });
});

describe("what only a person can help with", () => {
  it("U9: nothing is linked", async () => {
    expect(await live()).toEqual(err({ code: "link_needed", reason: "not_linked", data: { account: "default" } }));
  });

  it("U14: the server is another one than the credential was given for", async () => {
    await world.store.put(key, linkOf(world, { fit: "old" }));
    const provider = new RotatingProvider(world);
    expect(await reason({ ...provider, fit: "new" })).toBe("link_needed needs_update");
    expect(await reason({ ...provider, fit: "old" })).toBe("ok");
    expect(await reason({ ...provider, fit: "new" })).toBe("link_needed needs_update");
    expect(provider.asked).toEqual([]);
  });

  it("U14: a new link makes a dead connection live", async () => {
    await world.store.put(key, overOf(world));
    expect(await reason({ renew: () => Promise.resolve(refusedBy("dead", "invalid_grant")) })).toContain(
      "needs_reauth",
    );
    await world.store.put(key, linkOf(world));
    await world.announce();
    expect(token(await good())).toBe("secret-access-1");
  });
});
