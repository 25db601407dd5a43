import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import * as fc from "fast-check";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { consents, grants } from "../../../src/db/index.ts";
import { failure } from "../../../src/errors.ts";
import { limits } from "../../../src/limits.ts";
import { consentRows } from "../../../src/oauth/consent/consent-rows.ts";
import { err } from "../../../src/ports.ts";
import { countAttempt } from "../../../src/trust/index.ts";
import {
  approve,
  decline,
  findClient,
  offeredServers,
  rememberedConsent,
  revokeGrants,
  setGrantServers,
  sweepGrants,
  type AuthorizationRequest,
  type OAuthClient,
} from "../../../src/oauth/index.ts";
import { redeem, rotate, type GrantState } from "../../../src/oauth/grants/grant-state.ts";
import { authEvents, createGrantWorld, origin, redirectUri, type GrantWorld } from "./grant-world.ts";

const object = (name: string = crypto.randomUUID()) => env.GRANT.getByName(`t:${name}`);
const fresh = { code_nonce: "n", code_challenge: "c", code_expires_at: 60_000 };
const redemption = { code_nonce: "n", code_challenge: "c", refresh_nonce: "r1", ends_at: 10 ** 9 };
const successor = (nonce: string) => ({ nonce, sealed: `sealed ${nonce}` });

describe("the object of a grant", () => {
  it("S: gives each of 100 codes to exactly one of 50 that present it at once", async () => {
    for (let code = 0; code < 100; code += 1) {
      const grant = object();
      await grant.create(fresh, 0);
      const present = (n: number) => grant.redeem({ ...redemption, refresh_nonce: `r1-${n}` }, 1);
      const outcomes = await Promise.all(Array.from({ length: 50 }, (_, n) => present(n)));
      expect(outcomes.filter((outcome) => outcome === "redeemed")).toHaveLength(1);
    }
    // 5,000 calls.
  }, 120_000);

  it("CO-04: is made once", async () => {
    const grant = object();
    const made = await Promise.all(Array.from({ length: 20 }, () => grant.create(fresh, 0)));
    expect(made.filter(Boolean)).toHaveLength(1);
    await grant.end(1);
    expect(await grant.create(fresh, 2)).toBe(false);
  });

  it("TK-15: has one successor for 20 that rotate at once", async () => {
    const grant = object();
    await grant.create(fresh, 0);
    await grant.redeem(redemption, 1);
    const asked = Array.from({ length: 20 }, async (_, i) => {
      const rotation = { generation: 1, nonce: "r1", successor: successor(`r2-${i}`), ends_at: 10 ** 9 };
      const answer = await grant.rotate(rotation, 2);
      return answer.kind === "repeated" ? answer.sealed : answer.kind === "rotated" ? `sealed r2-${i}` : answer.kind;
    });
    expect(new Set(await Promise.all(asked)).size).toBe(1);
  });

  it("TK-01: tells what a move would do and makes it only when it is taken", async () => {
    const grant = object();
    await grant.create(fresh, 0);
    expect(await grant.redeem(redemption, 1, "foresee")).toBe("redeemed");
    expect(await grant.redeem(redemption, 1, "take")).toBe("redeemed");
    const rotation = (nonce: string) => ({
      ...{ generation: 1, nonce: "r1", successor: successor(nonce), ends_at: 10 ** 9 },
    });
    expect(await grant.rotate(rotation("a"), 2, "foresee")).toEqual({ kind: "rotated" });
    expect(await grant.rotate(rotation("b"), 3, "take")).toEqual({ kind: "rotated" });
    expect(await grant.rotate(rotation("c"), 4, "foresee")).toEqual({ kind: "repeated", sealed: "sealed b" });
  });

  it("TK-14: makes a move once for whoever asks again because the answer was lost", async () => {
    const grant = object();
    await grant.create(fresh, 0);
    expect([await grant.redeem(redemption, 1), await grant.redeem(redemption, 1)]).toEqual(["redeemed", "redeemed"]);
    const rotation = { generation: 1, nonce: "r1", successor: successor("r2"), ends_at: 10 ** 9 };
    const [one, again] = [await grant.rotate(rotation, 2), await grant.rotate(rotation, 2)];
    expect([one, again]).toEqual([{ kind: "rotated" }, { kind: "rotated" }]);
    expect(await grant.redeem({ ...redemption, refresh_nonce: "other" }, 3)).toBe("replayed");
  });

  it("TK-12: is ended by a reuse that it only foresees", async () => {
    const grant = object();
    await grant.create(fresh, 0);
    await grant.redeem(redemption, 1);
    const rotation = (generation: number, nonce: string) => ({
      ...{ generation, nonce, successor: successor(`r${generation + 1}`), ends_at: 10 ** 9 },
    });
    await grant.rotate(rotation(1, "r1"), 2);
    await grant.rotate(rotation(2, "r2"), 3);
    const stolen = { ...rotation(1, "r1"), successor: successor("thief") };
    expect(await grant.rotate(stolen, 4, "foresee")).toEqual({ kind: "reused" });
    expect(await grant.rotate(rotation(3, "r3"), 5)).toEqual({ kind: "ended" });
  });

  it("TK-01: knows nothing of a code that is not its own, and is not changed by it", async () => {
    const grant = object();
    expect(await grant.redeem(redemption, 1)).toBe("unknown");
    await grant.create(fresh, 0);
    expect(await grant.redeem({ ...redemption, code_nonce: "other" }, 1)).toBe("unknown");
    expect(await grant.redeem(redemption, 1)).toBe("redeemed");
    expect(await grant.redeem({ ...redemption, code_nonce: "other" }, 2)).toBe("unknown");
    const rotation = { generation: 1, nonce: "r1", successor: successor("r2"), ends_at: 10 ** 9 };
    expect(await grant.rotate(rotation, 3)).toEqual({ kind: "rotated" });
  });

  it("S: is cleared when its grant is over, and not before", async () => {
    const grant = object();
    const now = Date.now();
    await grant.create({ ...fresh, code_expires_at: now + 60_000 }, now);
    await grant.redeem({ ...redemption, ends_at: now + 100_000 }, now);
    const at = (time: number) =>
      runInDurableObject(grant, async (instance, context) => {
        instance.clock = { now: () => time };
        return [await context.storage.getAlarm(), (await context.storage.list()).size] as const;
      });
    expect((await at(now + 99_999))[0]).toBe(now + 100_000);
    expect(await runDurableObjectAlarm(grant)).toBe(true);
    expect((await at(now + 100_000))[1]).toBeGreaterThan(0);
    await runDurableObjectAlarm(grant);
    expect((await at(now + 100_000))[1]).toBe(0);
  });
});

describe("the life of a refresh token", () => {
  /** A client that presents any generation it ever got, at any time. */
  const moves = fc.array(fc.record({ back: fc.nat(4), wait_ms: fc.nat(2 * limits.refreshGrace_ms) }), {
    maxLength: 30,
  });

  it("TK-13: whoever presents what, one line lives, and a generation older than the predecessor ends it", () => {
    fc.assert(
      fc.property(moves, (presented) => {
        let state: GrantState = redeem({ phase: "open", ...fresh }, redemption, 0).state ?? { phase: "ended" };
        const issued = ["r1"];
        let [now, rotated_at] = [0, -Infinity];
        for (const [step, { back, wait_ms }] of presented.entries()) {
          now += wait_ms;
          const generation = Math.max(1, issued.length - back);
          const nonce = issued[generation - 1] ?? "";
          const next = `r${issued.length + 1}-${step}`;
          const rotation = { generation, nonce, successor: successor(next), ends_at: 10 ** 12 };
          const { state: after, outcome } = rotate(state, rotation, now);
          const age = issued.length - generation;
          const wanted =
            state.phase === "ended"
              ? "ended"
              : age === 0
                ? "rotated"
                : age === 1 && now - rotated_at < limits.refreshGrace_ms
                  ? "repeated"
                  : "reused";
          expect(outcome.kind).toBe(wanted);
          if (outcome.kind === "repeated") expect(outcome.sealed).toBe(`sealed ${issued.at(-1)}`);
          if (outcome.kind === "rotated") [rotated_at] = [now, issued.push(next)];
          state = after ?? state;
        }
      }),
      { numRuns: 500, seed: 20261121 },
    );
  });
});

describe("consent", () => {
  let world: GrantWorld;
  let client: OAuthClient;

  beforeAll(async () => {
    world = await createGrantWorld();
    const found = await findClient(await world.visit(), world.client_id);
    if (!found.ok) throw new Error(found.error.reason);
    client = found.value;
  });

  const give = async (request: AuthorizationRequest, chosen: readonly string[], remember = false) =>
    approve(await world.visit(), world.session, request, client, chosen, { remember });
  const row = async (id: string) => (await world.database.select().from(grants).where(eq(grants.id, id)))[0];

  it("P2: offers what the person's groups, the client's list and the endpoint leave", async () => {
    const visit = await world.visit();
    const offered = (more: object = {}) =>
      offeredServers(visit, { client, user: world.user, resource: `${origin}/mcp`, ...more }).map(({ slug }) => slug);
    expect(offered()).toEqual(["down", "up"]);
    expect(offered({ user: { groups: [] } })).toEqual(["up"]);
    expect(offered({ resource: `${origin}/mcp/down` })).toEqual(["down"]);
    expect(offered({ resource: `${origin}/mcp/nope` })).toEqual([]);
    expect(offered({ resource: "https://b.gw.test/mcp" })).toEqual([]);
    expect(offered({ client: { id: crypto.randomUUID(), kind: "dynamic" } })).toEqual(["down", "up"]);
    expect(offered({ client: { id: crypto.randomUUID(), kind: "registered" } })).toEqual([]);
  });

  it("CO-04: is given once for a request, however many give it at once", async () => {
    const request = await world.request();
    const answers = await Promise.all(Array.from({ length: 10 }, () => give(request, [world.up])));
    expect(answers.filter(({ kind }) => kind === "redirect")).toHaveLength(1);
    const stopped = answers.find(({ kind }) => kind === "stopped");
    expect(stopped).toMatchObject({ stop: { reason: "request_used", client_id: world.client_id } });
  });

  it("RFC 9207: answers with code, state and issuer", async () => {
    const answer = await give(await world.request(), [world.up]);
    const location = new URL(answer.kind === "redirect" ? answer.location : "");
    expect(location.origin + location.pathname).toBe(redirectUri);
    expect([...location.searchParams.keys()]).toEqual(["code", "state", "iss"]);
    expect([location.searchParams.get("state"), location.searchParams.get("iss")]).toEqual(["s-1", origin]);
  });

  it("CO-05: gives no server that is not offered", async () => {
    const request = await world.request();
    await give(request, [world.up, crypto.randomUUID()]);
    expect(JSON.parse((await row(request.id))?.servers ?? "")).toEqual([world.up]);
  });

  it.each([
    ["nothing_chosen", `${origin}/mcp`],
    ["policy_no_server", `${origin}/mcp/nope`],
  ])("P2: with %s is access_denied for the client, and an event", async (reason, resource) => {
    const request = await world.request({ resource });
    const answer = await give(request, []);
    const location = new URL(answer.kind === "redirect" ? answer.location : "");
    expect([location.searchParams.get("error"), location.searchParams.get("iss")]).toEqual(["access_denied", origin]);
    expect(await row(request.id)).toBeUndefined();
    expect(authEvents(world.harness).at(-1)).toEqual(["consent.refuse", "refused", reason]);
  });

  it("RFC 6749 section 4.1.2.1: that is declined is access_denied", async () => {
    const location = new URL(await decline(await world.visit(), world.session, await world.request(), client));
    expect([location.searchParams.get("error"), location.searchParams.get("code")]).toEqual(["access_denied", null]);
    expect(authEvents(world.harness).at(-1)).toEqual(["consent.refuse", "refused", "declined"]);
  });

  it("CO-09: is remembered for the same question and for no other", async () => {
    const visit = await world.visit();
    const offered = offeredServers(visit, { client, user: world.user, resource: `${origin}/mcp` });
    const request = await world.request({ scope: "mcp offline_access" });
    await give(request, [world.up], true);
    const ask = (more: Partial<AuthorizationRequest> = {}, user = world.user, list = offered) =>
      rememberedConsent(visit, user, { ...request, ...more }, list);
    expect(await ask()).toEqual([world.up]);
    expect(await ask({ scope: "mcp" })).toBeUndefined();
    expect(await ask({ redirect_uri: `${redirectUri}2` })).toBeUndefined();
    expect(await ask({ resource: `${origin}/mcp/up` })).toBeUndefined();
    expect(await ask({ client_id: crypto.randomUUID() })).toBeUndefined();
    expect(await ask({}, { ...world.user, id: crypto.randomUUID() })).toBeUndefined();
    expect(await ask({}, world.user, offered.slice(1))).toBeUndefined();
    world.clock.jump(limits.consent_ms);
    expect(await ask()).toBeUndefined();
    world.clock.jump(-limits.consent_ms);
  });

  it("CO-09: is forgotten with the grant that it led to", async () => {
    const visit = await world.visit();
    const offered = offeredServers(visit, { client, user: world.user, resource: `${origin}/mcp` });
    const request = await world.request();
    await give(request, [world.up], true);
    expect(await rememberedConsent(visit, world.user, request, offered)).toBeDefined();
    expect(await revokeGrants(visit, { id: request.id }, "user")).toBe(1);
    expect(await rememberedConsent(visit, world.user, request, offered)).toBeUndefined();
  });

  it("CO-09: is not remembered where it could not be recorded", async () => {
    const own = await createGrantWorld();
    const visit = await own.visit();
    const known = await findClient(visit, own.client_id);
    if (!known.ok) throw new Error(known.error.reason);
    const recorder = { record: () => Promise.resolve(err(failure("audit_unavailable"))) };
    const request = await own.request();
    const silent = { ...visit, recorder };
    const answer = await approve(silent, own.session, request, known.value, [own.up], { remember: true });
    expect(answer).toMatchObject({ kind: "stopped", stop: { reason: "unavailable" } });
    expect(await own.database.$count(consents, eq(consents.tenant_id, own.tenant))).toBe(0);
  });

  it("RX-16, S: is remembered for so many redirect URIs of a client and endpoint, the oldest go", async () => {
    const own = await createGrantWorld();
    const port = (n: number) => `http://127.0.0.1:${5_000 + n}/cb`;
    const answers = consentRows(own.database, own.tenant);
    const key = { user_id: own.user.id, client_id: "c", resource: `${origin}/mcp`, scope: "mcp" };
    for (let n = 0; n <= limits.consentsPerClient_count; n += 1) {
      const times = { given_at: n, expires_at: 10 ** 15 };
      await answers.remember({ ...key, redirect_uri: port(n), offered: [], servers: [], ...times });
    }
    const find = (n: number) => answers.find({ ...key, redirect_uri: port(n) }, [], 0);
    expect([await find(0), await find(1), await find(limits.consentsPerClient_count)]).toEqual([undefined, [], []]);
    expect(await own.database.$count(consents, eq(consents.tenant_id, own.tenant))).toBe(
      limits.consentsPerClient_count,
    );
  });

  it("RX-16, S: is remembered so often for a person, the oldest go, and those of others stay", async () => {
    const own = await createGrantWorld();
    const insert = (user: string, count: number) =>
      env.DB.prepare(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
         INSERT INTO consents (tenant_id, user_id, client_id, redirect_uri, resource, scope, offered, servers, given_at, expires_at)
         SELECT ?, ?, 'c' || i, 'r', 'x', 'mcp', '[]', '[]', i, 1000000000000000 FROM n`,
      )
        .bind(own.tenant, user)
        .run();
    await insert(own.user.id, limits.consentsPerUser_count);
    await insert("other", 1);
    const answers = consentRows(own.database, own.tenant);
    const key = { user_id: own.user.id, client_id: "new", redirect_uri: "r", resource: "x", scope: "mcp" };
    await answers.remember({ ...key, offered: [], servers: [], given_at: 10 ** 6, expires_at: 10 ** 15 });
    const found = (client_id: string, user_id = own.user.id) => answers.find({ ...key, client_id, user_id }, [], 0);
    expect([await found("c1"), await found("c2"), await found("new"), await found("c1", "other")]).toEqual([
      ...[undefined, [], [], []],
    ]);
  });

  it("S: is refused to a person who gave it too often within the hour", async () => {
    const own = await createGrantWorld();
    const rule = { purpose: "grants_made", count_max: limits.grantsMade_count, window_ms: limits.grantsMade_ms };
    for (let n = 1; n < limits.grantsMade_count; n += 1)
      await countAttempt(own.database, own.tenant, rule, own.user.id, own.clock.now());
    const { body } = await own.redeem(await own.consent());
    await expect(own.consent()).rejects.toThrow("none:too_many_requests");
    expect(await own.database.$count(grants, eq(grants.tenant_id, own.tenant))).toBe(1);
    expect((await own.refresh(body["refresh_token"])).status).toBe(200);
    own.clock.jump(limits.grantsMade_ms);
    await own.consent();
  });

  it("RX-16, S: is refused to a person with too many living grants", async () => {
    const own = await createGrantWorld();
    const code = await own.consent();
    const [known] = await own.database.select().from(grants).where(eq(grants.tenant_id, own.tenant));
    if (known === undefined) throw new Error("no grant");
    const rows = Array.from({ length: limits.grantsPerUser_count }, () => ({ ...known, id: crypto.randomUUID() }));
    // D1 binds 100 parameters, so a few at a time.
    for (let from = 0; from < rows.length; from += 5)
      await own.database.insert(grants).values(rows.slice(from, from + 5));
    await expect(own.consent()).rejects.toThrow("none:too_many_grants");
    expect((await own.redeem(code)).status).toBe(200);
    own.clock.jump(limits.authorizationCode_ms);
    await own.consent();
  });
});

describe("a grant that changes", () => {
  let world: GrantWorld;

  beforeEach(async () => {
    world = await createGrantWorld();
  });

  it("A13: gives its client the new servers with the next refresh, and nothing with the old token", async () => {
    const { body } = await world.redeem(await world.consent());
    const [grant] = await world.database.select().from(grants).where(eq(grants.tenant_id, world.tenant));
    const visit = await world.visit();
    expect(await setGrantServers(visit, grant?.id ?? "", world.user.id, [world.down, "nope"])).toBe(true);
    expect((await world.call(body["access_token"])).status).toBe(401);
    world.clock.jump(1);
    const next = await world.refresh(body["refresh_token"]);
    // The name of what was not chosen is unknown.
    expect((await world.call(next.body["access_token"])).text).toContain("Unknown tool: up__echo");
    expect(authEvents(world.harness)).toContainEqual(["grant.change", "ok", undefined]);
  });

  it("A13: is changed by nobody else", async () => {
    const { body } = await world.redeem(await world.consent());
    const [grant] = await world.database.select().from(grants).where(eq(grants.tenant_id, world.tenant));
    expect(await setGrantServers(await world.visit(), grant?.id ?? "", crypto.randomUUID(), [])).toBe(false);
    expect((await world.call(body["access_token"])).status).toBe(200);
  });

  it("RX-16, S: goes with its history, and consents with their time", async () => {
    await world.consent();
    const now = world.clock.now();
    await world.database.insert(consents).values({
      ...{ tenant_id: world.tenant, user_id: "u", client_id: "c", redirect_uri: "r", resource: "x", scope: "mcp" },
      ...{ offered: "[]", servers: "[]", given_at: now, expires_at: now + 1 },
    });
    const count = async () => [
      (await world.database.select().from(grants).where(eq(grants.tenant_id, world.tenant))).length,
      (await world.database.select().from(consents).where(eq(consents.tenant_id, world.tenant))).length,
    ];
    await sweepGrants(world.platform, world.tenant);
    expect(await count()).toEqual([1, 1]);
    world.clock.jump(limits.authorizationCode_ms + limits.grantHistory_ms + 1);
    await sweepGrants(world.platform, world.tenant);
    expect(await count()).toEqual([0, 0]);
  });
});
