/** Registrations that give way to another one: the provider may have lost them, and tells nobody but a browser. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { knownParty, refresh, resolveParty } from "../../../../src/connections/oauth/index.ts";
import { connections, openDatabase } from "../../../../src/db/index.ts";
import { limits } from "../../../../src/limits.ts";
import { createUsual, errorOf, serverOf, valueOf } from "./support.ts";
import { attemptsOf, begin, beginThree, clientOf, counting, oauth, type Usual } from "./registrations-support.ts";

const minute_ms = 60_000;

/** Registered so long ago that another registration is in order. */
async function registeredWorld(): Promise<Usual> {
  const world = await counting();
  expect(await clientOf(world)).toBe("dcr-1");
  world.advance(limits.registrationPause_ms);
  return world;
}

describe("U1: a server that was saved anew", () => {
  it("lets go of its registration, once", async () => {
    const world = await counting();
    expect([await clientOf(world, 1), await clientOf(world, 2), await clientOf(world, 2)]).toEqual([
      "dcr-1",
      "dcr-2",
      "dcr-2",
    ]);
    expect(world.provider.registrations).toHaveLength(2);
  });

  it("keeps the new one where an isolate has not seen the change yet", async () => {
    const world = await counting();
    expect([await clientOf(world, 2), await clientOf(world, 1)]).toEqual(["dcr-1", "dcr-1"]);
  });

  it("U13: what is connected is renewed with its own registration, with its own secret", async () => {
    const world = await counting();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    const anew = await serverOf(world, oauth, { revision: 2 });
    valueOf(await resolveParty(world.base, anew));
    const party = valueOf(await knownParty(world.base, anew, held));
    expect(party).toMatchObject({ client_id: "dcr-1", secret: { client_secret: "dcr-secret-1" }, issuer: held.issuer });
    valueOf(await refresh(world.base, party, "rt"));
    expect(world.provider.tokenRequests.at(-1)?.headers.get("authorization")).toBe(
      `Basic ${btoa("dcr-1:dcr-secret-1")}`,
    );
    expect(JSON.stringify(await world.rows())).not.toContain("dcr-secret");
  });

  it("UP-16: what is connected keeps its registration when the provider refuses that, and the new one stays", async () => {
    const world = await counting();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    const anew = await serverOf(world, oauth, { revision: 2 });
    valueOf(await resolveParty(world.base, anew));
    world.provider.answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    const party = valueOf(await knownParty(world.base, anew, held));
    expect(errorOf(await refresh(world.base, party, "rt"))).toEqual({ kind: "wrong", reason: "invalid_client" });
    expect(valueOf(await knownParty(world.base, anew, held)).client_id).toBe("dcr-1");
    expect(valueOf(await resolveParty(world.base, anew)).client_id).toBe("dcr-2");
    expect((await world.rows()).map(({ client_id }) => client_id).toSorted()).toEqual(["dcr-1", "dcr-2"]);
  });

  it("UP-05: a former registration goes to no other token endpoint than its own", async () => {
    const world = await counting();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    const anew = await serverOf(world, oauth, { revision: 2 });
    valueOf(await resolveParty(world.base, anew));
    const elsewhere = { ...held, token_endpoint: "https://evil.test/token" };
    expect(errorOf(await knownParty(world.base, anew, elsewhere)).reason).toBe("issuer_changed");
    expect(world.to("https://evil.test")).toEqual([]);
  });

  it("keeps the registration that it has where it gets no other, and says so", async () => {
    const world = await counting();
    await clientOf(world);
    const { handle } = world.provider;
    world.serve("https://as.test", (sent) =>
      sent.url.endsWith("/register") ? new Response("no", { status: 403 }) : handle(sent),
    );
    expect(await clientOf(world, 2)).toBe("dcr-1");
    expect(world.logged).toEqual([expect.stringContaining("registration_refused")]);
  });

  it("of two links at once both get the same client", async () => {
    const world = await counting();
    await clientOf(world);
    const [one, other] = await Promise.all([clientOf(world, 2), clientOf(world, 2)]);
    expect(one).toBe(other);
    expect(await world.rows()).toHaveLength(2);
  });

  it("a provider that gives the same client again leaves one registration", async () => {
    const world = await createUsual();
    await clientOf(world, 1);
    world.provider.registered = { client_id: "dcr-1", client_secret: "other" };
    expect(valueOf(await resolveParty(world.base, await serverOf(world, oauth, { revision: 2 }))).secret).toEqual({
      client_secret: "other",
    });
    expect(await world.rows()).toHaveLength(1);
  });

  it("twenty registrations are kept, those that connections are renewed with before others", async () => {
    const world = await counting();
    await clientOf(world, 1);
    await openDatabase(env.DB)
      .insert(connections)
      .values({
        ...{ tenant_id: world.base.tenant.id, id: crypto.randomUUID(), user_id: "ada", target: "server-1" },
        ...{ account: "default", is_default: true, state: "linked", credential: "", issuer: "https://as.test" },
        ...{ token_endpoint: "https://as.test/token", client_id: "dcr-1", fit: "", step_ups: 0, revision: 1 },
        ...{ tries: 0, created_at: 0, updated_at: 0 },
      });
    for (let revision = 2; revision <= 24; revision += 1) {
      world.advance(1000);
      await clientOf(world, revision);
    }
    const clients = (await world.rows()).map(({ client_id }) => client_id);
    expect(clients).toHaveLength(limits.upstreamClientsPerServer_count);
    expect(clients).toEqual(expect.arrayContaining(["dcr-1", "dcr-24", "dcr-23"]));
    expect(clients).not.toContain("dcr-2");
  });
});

describe("U1: links that begin and do not come back", () => {
  it("three of them: the next one has a new registration, and those under way can still end", async () => {
    const world = await registeredWorld();
    const held = valueOf(await resolveParty(world.base, await serverOf(world, oauth)));
    await beginThree(world);
    expect(await clientOf(world)).toBe("dcr-2");
    expect(valueOf(await knownParty(world.base, await serverOf(world, oauth), held))).toMatchObject({
      client_id: "dcr-1",
      secret: { client_secret: "dcr-secret-1" },
    });
  });

  it("two of them are people who closed the page", async () => {
    const world = await registeredWorld();
    await begin(world);
    await begin(world);
    expect(await clientOf(world)).toBe("dcr-1");
  });

  it("none counts that began before the last one that came back", async () => {
    const world = await registeredWorld();
    await begin(world);
    await begin(world);
    const state = await begin(world);
    expect(await attemptsOf(world).use(state, "ada", world.now())).toBe(true);
    world.advance(1000);
    await begin(world);
    await begin(world);
    expect(await clientOf(world)).toBe("dcr-1");
    await begin(world);
    expect(await clientOf(world)).toBe("dcr-2");
  });

  it("none counts that began with a former registration", async () => {
    const world = await registeredWorld();
    await beginThree(world);
    expect(await clientOf(world)).toBe("dcr-2");
    world.advance(limits.registrationPause_ms);
    expect(await clientOf(world)).toBe("dcr-2");
  });

  it("none counts of another server", async () => {
    const world = await registeredWorld();
    for (let count = 0; count < 5; count += 1) await begin(world, { server_id: "server-2" });
    expect(await clientOf(world)).toBe("dcr-1");
  });

  it("UP-15: however many begin, there is one registration in ten minutes", async () => {
    const world = await counting();
    expect(await clientOf(world)).toBe("dcr-1");
    for (let at = 0; at < 9; at += 1) {
      await begin(world);
      world.advance(minute_ms - 1000);
      expect(await clientOf(world)).toBe("dcr-1");
    }
    world.advance(minute_ms);
    expect(await clientOf(world)).toBe("dcr-2");
    await beginThree(world);
    expect(await clientOf(world)).toBe("dcr-2");
    expect(world.provider.registrations).toHaveLength(2);
  });
});
