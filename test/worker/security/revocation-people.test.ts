/** Whatever ends what a person allowed: calls, refreshes and open streams of the client end with it. */
import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { agents, grants, identity_providers, redirect_uris, revocations, signing_keys } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { admitUser, endProvider, providersRepository, setUserEnabled } from "../../../src/login/index.ts";
import { revokeGrants } from "../../../src/oauth/index.ts";
import { announceChange, holderOf } from "../../../src/tenant/index.ts";
import { EventReader, openChannel } from "../gateway/channel.ts";
import { modernPost, modernUpstream, objectAt, responseEvents } from "../gateway/support.ts";
import { createGrantWorld, origin, redirectUri, type Answer, type GrantWorld } from "../oauth/grant-world.ts";

let world: GrantWorld;
let issued: Answer;

beforeEach(async () => {
  world = await createGrantWorld();
  issued = await world.redeem(await world.consent());
});

const grantId = async (): Promise<string> => {
  const [row] = await world.database.select().from(grants).where(eq(grants.tenant_id, world.tenant));
  return row?.id ?? "";
};
const call = async (): Promise<number> => (await world.call(issued.body["access_token"])).status;
const refreshed = async (): Promise<unknown> => (await world.refresh(issued.body["refresh_token"])).body["error"];

const ends: Readonly<Record<string, () => Promise<unknown>>> = {
  "the grant is revoked": async () => revokeGrants(await world.visit(), { id: await grantId() }, "user"),
  "all grants of the person are revoked": async () =>
    revokeGrants(await world.visit(), { user_id: world.user.id }, "administrator"),
  "all grants of the client are revoked": async () =>
    revokeGrants(await world.visit(), { client_id: world.client_id }, "administrator"),
  "the redirect URL is trusted no more": async () => {
    await world.database.delete(redirect_uris).where(eq(redirect_uris.tenant_id, world.tenant));
    await revokeGrants(await world.visit(), { redirect_uris: [redirectUri] }, "redirect_untrusted");
  },
  "the person is disabled": async () => setUserEnabled(await world.visit(), world.user.id, false),
  "the identity provider is disabled": async () => {
    const { provider_id } = world.user;
    await world.database
      .update(identity_providers)
      .set({ enabled: false })
      .where(eq(identity_providers.id, provider_id));
    await endProvider(await world.visit(), provider_id);
  },
  "the identity provider is removed": () =>
    world.admin.api("DELETE", `/identity-providers/${world.user.provider_id}`, undefined, { "if-match": "*" }),
  "the client is switched off": () =>
    world.admin.api("PATCH", `/clients/${world.client_id}`, { enabled: false }, { "if-match": "*" }),
  "the client is deleted": () =>
    world.admin.api("DELETE", `/clients/${world.client_id}`, undefined, { "if-match": "*" }),
};

describe.each(Object.keys(ends))("when %s", (name) => {
  it(`A13: the access token ends at once, and nothing refreshes it`, async () => {
    expect(await call()).toBe(200);
    await ends[name]?.();
    expect(await call()).toBe(401);
    expect(["invalid_grant", "invalid_client"]).toContain(await refreshed());
    expect(await call()).toBe(401);
  });

  it(`A13: an open stream ends within one check`, async () => {
    const { events, settle, closed } = await listen();
    await ends[name]?.();
    const end = events.next();
    await world.clock.asleep(limits.streamRecheck_ms);
    world.clock.advance(limits.streamRecheck_ms);
    expect(await end).toBeUndefined();
    await closed();
    await settle();
    expect(responseEvents(world.harness).at(-1)?.outcome).toEqual({
      status: "interrupted",
      reason: "no_longer_allowed",
    });
  });
});

describe("a revocation that another isolate made", () => {
  it.each(["grant", "user", "client", "holder"] as const)(
    "TK-18: of a %s is refused after two seconds",
    async (kind) => {
      expect(await call()).toBe(200);
      const holder = holderOf(world.user.id, world.client_id);
      const subject = { grant: await grantId(), user: world.user.id, client: world.client_id, holder }[kind];
      const now = world.clock.now();
      await world.database.insert(revocations).values({
        ...{ tenant_id: world.tenant, kind, subject, not_before: now, expires_at: now + limits.revocation_ms },
      });
      await env.TENANT.getByName(world.tenant).announce();
      world.clock.advance(limits.snapshotFresh_ms);
      expect(await call()).toBe(401);
    },
  );

  it("A4: of a signing key is refused after two seconds", async () => {
    expect(await call()).toBe(200);
    await world.database.delete(signing_keys).where(eq(signing_keys.tenant_id, world.tenant));
    await env.TENANT.getByName(world.tenant).announce();
    world.clock.advance(limits.snapshotFresh_ms);
    expect(await call()).toBe(401);
  });

  it("TK-18: leaves what was issued after it alone", async () => {
    const now = world.clock.now();
    await world.database.insert(revocations).values({
      ...{
        tenant_id: world.tenant,
        kind: "user",
        subject: world.user.id,
        not_before: now - 1,
        expires_at: now + 10 ** 6,
      },
    });
    await announceChange(world.platform, world.tenant);
    expect(await call()).toBe(200);
  });

  it("S: more of them than a snapshot holds void every token so far, and none after", async () => {
    const now = world.clock.now();
    const row = `SELECT '${world.tenant}', 'user', 'u' || value, ${now}, ${now + limits.revocation_ms}`;
    await env.DB.prepare(
      `INSERT INTO revocations ${row} FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value <= ${limits.revocations_count}) SELECT value FROM n)`,
    ).run();
    await announceChange(world.platform, world.tenant);
    expect(await call()).toBe(401);
    world.clock.jump(1);
    const { body } = await world.refresh(issued.body["refresh_token"]);
    expect((await world.call(body["access_token"])).status).toBe(200);
    // Whatever makes the configuration be loaded again: the time up to which all are void does not move along.
    for (let reload = 0; reload < 3; reload += 1) {
      await env.TENANT.getByName(world.tenant).announce();
      world.clock.advance(limits.snapshotFresh_ms);
      expect((await world.call(body["access_token"])).status).toBe(200);
    }
  });

  it("S: holds where it is newer than more of them than a snapshot holds", async () => {
    const now = world.clock.now();
    const row = `SELECT '${world.tenant}', 'user', 'u' || value, ${now - 60_000}, ${now + limits.revocation_ms}`;
    await env.DB.prepare(
      `INSERT INTO revocations ${row} FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value <= ${limits.revocations_count}) SELECT value FROM n)`,
    ).run();
    await announceChange(world.platform, world.tenant);
    expect(await call()).toBe(200);
    await revokeGrants(await world.visit(), { id: await grantId() }, "user");
    expect(await call()).toBe(401);
  });
});

describe("what does not end a stream", () => {
  it("A13: the expiry of the token that opened it", async () => {
    const { events, close } = await listen();
    const isOver = events.next().then((message) => message === undefined);
    for (let passed_ms = 0; passed_ms < limits.accessToken_ms + 60_000; passed_ms += 60_000) {
      const checked = world.clock.anew(limits.streamRecheck_ms);
      world.clock.advance(60_000);
      await checked;
    }
    expect(await call()).toBe(401);
    expect(await Promise.race([isOver, Promise.resolve("open")])).toBe("open");
    close();
  });
});

describe("what a revocation leaves alone", () => {
  it("TK-16: the grants of others, of other clients and of other devices", async () => {
    const other = await world.addClient();
    const second = await world.redeem(await world.consent());
    const third = await world.redeem(await world.consent({ client_id: other }), { client_id: other });
    const [first] = await world.database
      .select()
      .from(grants)
      .where(and(eq(grants.tenant_id, world.tenant), eq(grants.client_id, world.client_id)));
    await revokeGrants(await world.visit(), { id: first?.id ?? "" }, "user");
    expect((await world.call(second.body["access_token"])).status).toBe(200);
    expect((await world.call(third.body["access_token"])).status).toBe(200);
    await revokeGrants(await world.visit(), { client_id: world.client_id }, "administrator");
    expect((await world.call(second.body["access_token"])).status).toBe(401);
    expect((await world.call(third.body["access_token"])).status).toBe(200);
  });

  it("A3: grants whose redirect URL another entry still covers", async () => {
    const entry = { ...{ tenant_id: world.tenant, id: crypto.randomUUID(), note: "", created_at: 0, created_by: "t" } };
    await world.database.insert(redirect_uris).values({ ...entry, uri: "http://127.0.0.1/cb" });
    const redirect_uri = "http://127.0.0.1:4711/cb";
    const client_id = await world.addClient({ redirect_uris: ["http://127.0.0.1/cb"] });
    const local = await world.redeem(await world.consent({ client_id, redirect_uri }), { client_id, redirect_uri });
    const visit = await world.visit();
    expect(await revokeGrants(visit, { redirect_uris: ["http://127.0.0.1"] }, "redirect_untrusted")).toBe(0);
    expect((await world.call(local.body["access_token"])).status).toBe(200);
    await world.database.delete(redirect_uris).where(eq(redirect_uris.id, entry.id));
    expect(await revokeGrants(visit, { redirect_uris: ["http://127.0.0.1/cb"] }, "redirect_untrusted")).toBe(1);
    expect((await world.call(local.body["access_token"])).status).toBe(401);
    expect(await call()).toBe(200);
  });

  it("A13: a person who is enabled again may refresh, since the grant was not revoked", async () => {
    await setUserEnabled(await world.visit(), world.user.id, false);
    world.clock.jump(1);
    await setUserEnabled(await world.visit(), world.user.id, true);
    const { status, body } = await world.refresh(issued.body["refresh_token"]);
    expect([status, (await world.call(body["access_token"])).status]).toEqual([200, 200]);
  });
});

describe("a redirect URL that is trusted no more", () => {
  it("A3: ends the grants of all its ports with one announcement and one event, ended ones left out", async () => {
    const entry = "http://127.0.0.1/cb";
    await world.database.insert(redirect_uris).values({
      ...{ tenant_id: world.tenant, id: crypto.randomUUID(), uri: entry, note: "", created_at: 0, created_by: "t" },
    });
    const client_id = await world.addClient({ redirect_uris: [entry] });
    const at = (port: number) => ({ client_id, redirect_uri: `http://127.0.0.1:${port}/cb` });
    // A code that nobody came for ends by itself.
    await world.consent(at(39_999));
    world.clock.jump(limits.authorizationCode_ms);
    const issues: Answer[] = [];
    for (let n = 0; n < 4; n += 1) issues.push(await world.redeem(await world.consent(at(40_000 + n)), at(40_000 + n)));
    await world.database.delete(redirect_uris).where(eq(redirect_uris.uri, entry));
    const before = await env.TENANT.getByName(world.tenant).version();
    const events = world.harness.events.length;
    expect(await revokeGrants(await world.visit(), { redirect_uris: [entry] }, "redirect_untrusted")).toBe(4);
    expect(await env.TENANT.getByName(world.tenant).version()).toBe(before + 1);
    expect(world.harness.events.slice(events)).toMatchObject([{ action: "grant.revoke", redirect_uri: entry }]);
    for (const { body } of issues) expect((await world.call(body["access_token"])).status).toBe(401);
    expect(await call()).toBe(200);
  });
});

describe("an identity provider that is removed", () => {
  it("A1: takes its people's grants along, also when another with its issuer comes", async () => {
    const { provider_id, issuer } = world.user;
    expect((await world.admin.api("DELETE", `/identity-providers/${provider_id}`)).status).toBe(204);
    const made = await world.admin.api("POST", "/identity-providers", {
      ...{ kind: "generic", name: "Again", issuer, client_id: "g", client_secret: "s-123456789" },
      options: { roles: { member: { everyone: true } } },
    });
    expect(made.status).toBe(201);
    const provider = await providersRepository(world.database, world.tenant).byIssuer(issuer);
    if (provider === undefined) throw new Error("no provider");
    expect((await admitUser(await world.visit(), provider, { sub: world.user.subject })).ok).toBe(true);
    expect(await refreshed()).toBe("invalid_grant");
    const [grant] = await world.database.select().from(grants).where(eq(grants.tenant_id, world.tenant));
    expect(grant?.revoked_reason).toBe("provider_deleted");
  });
});

describe("a client that needs consent from now on", () => {
  it("A13: loses the grants that nobody was asked about, and keeps those of before with another change", async () => {
    const oauth = {
      ...{ redirect_uris: [redirectUri], authentication: "client_secret_post", pre_approved: true },
      grant_types: ["authorization_code", "refresh_token"],
    };
    const made = (await (
      await world.admin.api("POST", "/clients", { name: "Portal", servers: [world.up], oauth })
    ).json()) as { id: string };
    const secret = (await (await world.admin.api("POST", `/clients/${made.id}/secrets`, {})).json()) as {
      secret: string;
    };
    const auth = { client_id: made.id, client_secret: secret.secret };
    const first = await world.redeem(await world.consent({ client_id: made.id }), auth);
    const patch = (change: object) => world.admin.api("PATCH", `/clients/${made.id}`, change, { "if-match": "*" });
    expect((await patch({ oauth, name: "Renamed" })).status).toBe(200);
    world.clock.jump(1);
    const second = await world.refresh(first.body["refresh_token"], auth);
    expect(second.status).toBe(200);
    expect((await patch({ oauth: { ...oauth, pre_approved: false } })).status).toBe(200);
    expect((await world.call(second.body["access_token"])).status).toBe(401);
    expect((await world.refresh(second.body["refresh_token"], auth)).body["error"]).toBe("invalid_grant");
    expect(await call()).toBe(200);
  });
});

describe("a client that an administrator switched off in the inventory", () => {
  it("S10: gets no token any more", async () => {
    await world.database
      .insert(agents)
      .values({
        ...{ tenant_id: world.tenant, id: world.client_id, kind: "registered", name: "Desk", owner_id: null },
        ...{ first_seen_at: 0, last_seen_at: 0, blocked_at: null, blocked_reason: null, disabled_at: 1 },
      })
      .onConflictDoUpdate({ target: [agents.tenant_id, agents.id], set: { disabled_at: 1 } });
    expect(["invalid_grant", "invalid_client"]).toContain(await refreshed());
  });
});

/** An open `subscriptions/listen` stream of the person's client. */
async function listen() {
  const channels: ReturnType<typeof openChannel>[] = [];
  world.harness.serve(
    "up.upstream.test",
    modernUpstream((seen) => {
      if (seen.message["method"] === "tools/list") return { tools: [] };
      const channel = openChannel(seen);
      channels.push(channel);
      channel.send({
        jsonrpc: "2.0",
        method: "notifications/subscriptions/acknowledged",
        params: {
          _meta: { "io.modelcontextprotocol/subscriptionId": seen.message["id"] ?? null },
          notifications: objectAt(seen.message["params"], "notifications"),
        },
      });
      return channel.response;
    }),
  );
  const closing = new AbortController();
  const token = String(issued.body["access_token"]);
  const params = { notifications: { toolsListChanged: true } };
  const init = modernPost("subscriptions/listen", params, { token, id: "sub-1", signal: closing.signal });
  const { response, settle } = await world.harness.open(`${origin}/mcp`, init);
  const events = new EventReader(response);
  expect(await events.next()).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
  return { events, settle, closed: () => channels[0]?.closed, close: () => closing.abort() };
}
