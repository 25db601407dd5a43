/** S10: the inventory of AI clients, what they used and the switch. */
import { env } from "cloudflare:workers";
import { and, eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { AuditEvent, RequestEvent } from "../../../src/audit/index.ts";
import { agents, agent_uses, grants, revocations } from "../../../src/db/index.ts";
import { limits } from "../../../src/limits.ts";
import { agentsRepository, noteAgent, noteBlocked, sumUses } from "../../../src/oauth/index.ts";
import { faultyDatabase } from "../security/support.ts";
import { addRegistered, createWorld, type World } from "./clients-support.ts";

const url = "https://app.example.com/client.json";
const client = { id: url, kind: "document", name: "Example" } as const;

const inventory = ({ database, tenant }: World) => agentsRepository(database, tenant);

function called(
  { tenant, clock }: World,
  agent: string,
  more: Partial<RequestEvent["target"]> & { deny?: true; grant?: string; time?: number } = {},
): RequestEvent {
  const { deny, grant, time = clock.now(), ...target } = more;
  return {
    ...{ type: "mcp.request", id: crypto.randomUUID(), tenant, time, deadline: time },
    actor: { agent, ...(grant === undefined ? {} : { grant }) },
    target: { method: "tools/call", endpoint: "/mcp", server: "github", name: "create_issue", ...target },
    decision: { effect: deny === true ? "deny" : "allow", policy: "p", reason: "r" },
    request: { size_bytes: 1, token_weight: 1 },
    source: {},
  };
}

describe("what was seen", () => {
  it("S10: the first sight makes the row, later ones keep its first time and first owner", async () => {
    const world = await createWorld();
    const first = world.clock.now();
    await noteAgent(world.visit, { client });
    world.clock.advance(10);
    await noteAgent(world.visit, { client, user_id: "u1" });
    world.clock.advance(10);
    await noteAgent(world.visit, { client: { ...client, name: "Renamed" }, user_id: "u2" });
    expect(await inventory(world).get(url)).toEqual({
      ...{ id: url, kind: "document", name: "Renamed", owner_id: "u1", first_seen_at: first, last_seen_at: first + 20 },
      ...{ blocked_at: null, blocked_reason: null, disabled_at: null },
    });
  });

  it("S10: a blocked one is there with its reason, and keeps what was known of it", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client, user_id: "u1" });
    await noteBlocked(world.visit, { id: url, kind: "unknown", name: "x" }, "client_domain_untrusted");
    expect(await inventory(world).get(url)).toMatchObject({
      ...{ kind: "document", name: "Example", owner_id: "u1" },
      ...{ blocked_at: world.clock.now(), blocked_reason: "client_domain_untrusted" },
    });
  });

  it("S10: pages come in the order of the last sight, without gaps", async () => {
    const world = await createWorld();
    for (const id of ["a", "b", "c", "d", "e"]) {
      await noteAgent(world.visit, { client: { ...client, id } });
      if (id !== "c") world.clock.advance(1);
    }
    const one = await inventory(world).page(undefined, 2);
    const two = await inventory(world).page(one[1], 2);
    const three = await inventory(world).page(two[1], 2);
    expect([...one, ...two, ...three].map(({ id }) => id)).toEqual(["e", "d", "c", "b", "a"]);
  });

  it("S10: the inventory of another tenant is not there", async () => {
    const [one, other] = [await createWorld(), await createWorld()];
    await noteAgent(one.visit, { client });
    expect(await inventory(other).get(url)).toBeUndefined();
    expect(await inventory(other).page(undefined, 10)).toEqual([]);
  });

  it("CR-14: what nobody owns crowds nobody out: the ones seen longest ago go", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client, user_id: "u1" });
    const numbers = JSON.stringify(Array.from({ length: limits.agentsUnowned_count }, (_, n) => n));
    await env.DB.prepare(
      "INSERT INTO agents (tenant_id, id, kind, name, first_seen_at, last_seen_at) SELECT ?1, 'x' || value, 'unknown', 'x', value, value FROM json_each(?2)",
    )
      .bind(world.tenant, numbers)
      .run();
    await noteBlocked(world.visit, { id: "new", kind: "unknown", name: "new" }, "client_blocked");
    const mine = eq(agents.tenant_id, world.tenant);
    expect(await world.database.$count(agents, mine)).toBe(limits.agentsUnowned_count + 1);
    expect(await inventory(world).get("x0")).toBeUndefined();
    expect(await inventory(world).get("new")).toMatchObject({ blocked_reason: "client_blocked" });
    expect(await inventory(world).get(url)).toMatchObject({ owner_id: "u1" });
  });

  it("S10: a database that fails here fails nobody", async () => {
    const world = await createWorld();
    const faulty = faultyDatabase();
    faulty.fault = "before";
    const { DB } = faulty;
    const bindings = new Proxy(env, { get: (all, name) => (name === "DB" ? DB : (Reflect.get(all, name) as unknown)) });
    const logged: string[] = [];
    const platform = {
      ...world.visit.platform,
      bindings,
      log: (_level: string, message: string) => void logged.push(message),
    };
    await noteAgent({ ...world.visit, platform }, { client });
    expect(logged).toEqual(["The inventory of agents could not be written"]);
  });
});

describe("the switch", () => {
  it("S10, TK-20: switching an agent off voids its tokens", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client, user_id: "u1" });
    const now = world.clock.now();
    expect(await inventory(world).setDisabled(url, true, now)).toBe("done");
    const mine = and(eq(revocations.tenant_id, world.tenant), eq(revocations.kind, "client"));
    expect(await world.database.select().from(revocations).where(mine)).toMatchObject([
      { subject: url, not_before: now },
    ]);
    expect(await inventory(world).get(url)).toMatchObject({ disabled_at: now });
    expect(await inventory(world).setDisabled(url, false, now)).toBe("done");
    expect(await inventory(world).get(url)).toMatchObject({ disabled_at: null });
  });

  it("S10: a registered client has its own switch", async () => {
    const world = await createWorld();
    const id = await addRegistered(world);
    await noteAgent(world.visit, { client: { id, kind: "registered", name: "Desk" } });
    expect(await inventory(world).setDisabled(id, true, 1)).toBe("registered");
    expect(await world.database.$count(revocations, eq(revocations.tenant_id, world.tenant))).toBe(0);
  });

  it.each(["https://app.example.com", "x", crypto.randomUUID()])(
    "S10: %s, which is no client, is absent",
    async (id) => {
      const world = await createWorld();
      expect(await inventory(world).setDisabled(id, true, 1)).toBe("absent");
      expect(await world.database.$count(revocations, eq(revocations.tenant_id, world.tenant))).toBe(0);
      expect(await inventory(world).get(id)).toBeUndefined();
    },
  );

  it("S10: a client that is not listed is switched off, and not on", async () => {
    const world = await createWorld();
    expect(await inventory(world).setDisabled(url, false, 1)).toBe("absent");
    await fill(world, "u1");
    expect(await inventory(world).setDisabled(url, true, 1)).toBe("done");
    expect(await inventory(world).get(url)).toMatchObject({ kind: "unknown", name: "app.example.com", disabled_at: 1 });
    await noteAgent(world.visit, { client });
    expect(await inventory(world).get(url)).toMatchObject({ kind: "document", name: "Example", disabled_at: 1 });
  });
});

/** As many agents as there may be, seen in their order. */
async function fill({ tenant }: World, owner_id: string): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${limits.agents_count})
     INSERT INTO agents (tenant_id, id, kind, name, owner_id, first_seen_at, last_seen_at)
     SELECT ?, 'https://m.test/' || i, 'document', 'x', ?, i, i FROM n`,
  )
    .bind(tenant, owner_id)
    .run();
}

describe("a full inventory", () => {
  it("CR-14: takes a new client for the one that was seen longest ago and that nobody allows anything now", async () => {
    const world = await createWorld();
    await fill(world, "u1");
    const grant = {
      ...{ tenant_id: world.tenant, id: crypto.randomUUID(), user_id: "u1", client_id: "https://m.test/1" },
      ...{ client_name: "x", redirect_uri: "r", resource: "x", scope: "mcp", servers: "[]", source: "{}" },
      ...{ created_at: 0, expires_at: world.clock.now() + 1_000 },
    };
    await world.database.insert(grants).values(grant);
    expect(await inventory(world).setDisabled("https://m.test/2", true, 1)).toBe("done");
    await noteAgent(world.visit, { client, user_id: "u2" });
    const listed = async (n: number) => (await inventory(world).get(`https://m.test/${n}`)) !== undefined;
    expect([await listed(1), await listed(2), await listed(3), await listed(4)]).toEqual([true, true, false, true]);
    expect(await inventory(world).get(url)).toMatchObject({ owner_id: "u2" });
    expect(await world.database.$count(agents, eq(agents.tenant_id, world.tenant))).toBe(limits.agents_count);
  });
});

describe("what was used", () => {
  it("S10: calls are summed by agent, server, method and name", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client, user_id: "u1" });
    const now = world.clock.now();
    await sumUses(world.database, [
      called(world, url),
      called(world, url, { time: now + 5, deny: true }),
      called(world, url, { server: "slack", method: "tools/list", name: undefined }),
    ]);
    await sumUses(world.database, [called(world, url, { time: now + 2 })]);
    expect(await inventory(world).uses(url)).toEqual([
      { server: "github", name: "tools/call create_issue", calls: 3, denied: 1, last_at: now + 5 },
      { server: "slack", name: "tools/list", calls: 1, denied: 0, last_at: now },
    ]);
    expect(await inventory(world).get(url)).toMatchObject({ last_seen_at: now + 5 });
  });

  it("S10: a machine client of an administrator comes in with its first call", async () => {
    const world = await createWorld();
    const id = await addRegistered(world, null);
    await sumUses(world.database, [called(world, id)]);
    expect(await inventory(world).get(id)).toMatchObject({
      kind: "registered",
      name: "Desk",
      last_seen_at: world.clock.now(),
    });
    expect(await inventory(world).uses(id)).toHaveLength(1);
  });

  it("S10: others that are not in the inventory get no rows", async () => {
    const world = await createWorld();
    await sumUses(world.database, [called(world, "development"), called(world, crypto.randomUUID())]);
    expect(await world.database.$count(agents, eq(agents.tenant_id, world.tenant))).toBe(0);
    expect(await world.database.$count(agent_uses, eq(agent_uses.tenant_id, world.tenant))).toBe(0);
  });

  it("S10: a request to no server is a sight and no use", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client });
    await sumUses(world.database, [
      called(world, url, { server: undefined, method: "tools/list", name: undefined, time: world.clock.now() + 9 }),
    ]);
    expect(await inventory(world).uses(url)).toEqual([]);
    expect(await inventory(world).get(url)).toMatchObject({ last_seen_at: world.clock.now() + 9 });
  });

  it("A10: the grant learns when it was used last", async () => {
    const world = await createWorld();
    const now = world.clock.now();
    await world.database.insert(grants).values({
      ...{
        tenant_id: world.tenant,
        id: "g1",
        user_id: "u",
        client_id: url,
        client_name: "E",
        redirect_uri: "x",
        resource: "r",
      },
      ...{ scope: "mcp", servers: "[]", source: "{}", created_at: 1, expires_at: now },
    });
    await sumUses(world.database, [called(world, url, { grant: "g1", time: now })]);
    await sumUses(world.database, [called(world, url, { grant: "g1", time: now - 5 })]);
    const [grant] = await world.database.select().from(grants).where(eq(grants.tenant_id, world.tenant));
    expect(grant?.last_used_at).toBe(now);
  });

  it("TN-01: events of one tenant never count in another", async () => {
    const [one, other] = [await createWorld(), await createWorld()];
    await noteAgent(one.visit, { client });
    await noteAgent(other.visit, { client });
    await sumUses(one.database, [called(one, url), called(other, url), called(other, url)]);
    expect(await inventory(one).uses(url)).toMatchObject([{ calls: 1 }]);
    expect(await inventory(other).uses(url)).toMatchObject([{ calls: 2 }]);
  });

  it("S10: an agent has so many rows; those that it has are still counted", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client });
    const many = Array.from({ length: limits.agentUsesPerAgent_count }, (_, n) =>
      called(world, url, { name: `tool-${n}` }),
    );
    await sumUses(world.database, many);
    await sumUses(world.database, [called(world, url, { name: "one-more" }), called(world, url, { name: "tool-7" })]);
    const uses = await inventory(world).uses(url);
    expect(uses).toHaveLength(limits.agentUsesPerAgent_count);
    expect(uses.find(({ name }) => name === "tools/call tool-7")?.calls).toBe(2);
    expect(uses.some(({ name }) => name === "tools/call one-more")).toBe(false);
  });

  it("S10: other events and texts of any length are no trouble", async () => {
    const world = await createWorld();
    await noteAgent(world.visit, { client });
    const other: AuditEvent = {
      ...{ type: "admin.change", id: crypto.randomUUID(), tenant: world.tenant, time: 1, actor: { agent: url } },
      ...{ action: "x", resource: "y", outcome: "ok" },
    };
    await sumUses(world.database, [
      other,
      called(world, url, { name: "'; drop table agents; --".repeat(10).slice(0, 256) }),
    ]);
    const [use] = await inventory(world).uses(url);
    expect(use?.name.length).toBeLessThanOrEqual(limits.auditText_chars);
  });
});
