/**
 * What agents use, summed up from the events of their calls. The Queue delivers at least once and nothing here remembers event ids, so a
 * batch that comes again is counted again: these counts may be slightly over, and times are exact. The Ledger has the truth.
 */
import { and, eq, sql, type AnyColumn, type SQL } from "drizzle-orm";
import { boundedText, type AuditEvent, type RequestEvent } from "../../audit/index.ts";
import { agent_uses, agents, clients, grants, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

interface Use {
  readonly agent: string;
  readonly server: string;
  readonly name: string;
  calls: number;
  denied: number;
  last_at: number;
}

interface Sums {
  /** By agent, server and name. */
  readonly uses: Map<string, Use>;
  /** Last time by agent. */
  readonly agents: Map<string, number>;
  /** Last time by grant. */
  readonly grants: Map<string, number>;
}

/**
 * Adds the calls of a batch of events to the inventory of each tenant, and the time to each agent and grant. Agents that are not in the
 * inventory get no rows, but for the clients that an administrator registered: those come in with their first call.
 */
export async function sumUses(database: Database, events: readonly AuditEvent[]): Promise<void> {
  const tenants = new Map<string, Sums>();
  for (const event of events) {
    if (event.type !== "mcp.request") continue;
    const sums = tenants.get(event.tenant) ?? { uses: new Map(), agents: new Map(), grants: new Map() };
    add(sums, event);
    tenants.set(event.tenant, sums);
  }
  for (const [tenant, sums] of tenants) await write(database, tenant, sums);
}

function add(sums: Sums, { actor, target, decision, time }: RequestEvent): void {
  const { agent, grant } = actor;
  if (agent === undefined) return;
  sums.agents.set(agent, Math.max(time, sums.agents.get(agent) ?? 0));
  if (grant !== undefined) sums.grants.set(grant, Math.max(time, sums.grants.get(grant) ?? 0));
  const { server } = target;
  if (server === undefined) return;
  const name = boundedText(target.name === undefined ? target.method : `${target.method} ${target.name}`) ?? "";
  const key = JSON.stringify([agent, server, name]);
  const use = sums.uses.get(key) ?? { agent, server, name, calls: 0, denied: 0, last_at: 0 };
  use.calls += 1;
  if (decision.effect === "deny") use.denied += 1;
  use.last_at = Math.max(use.last_at, time);
  sums.uses.set(key, use);
}

/** Sets travel as one JSON parameter each, since D1 binds a hundred of them at most. */
async function write(database: Database, tenant: string, sums: Sums): Promise<void> {
  const seen = timesOf(sums.agents);
  const used = timesOf(sums.grants);
  await database.batch([
    database
      .insert(agents)
      .select(registeredAgents(tenant, seen))
      .onConflictDoUpdate({ target: [agents.tenant_id, agents.id], set: { name: sql`excluded.name` } }),
    database
      .update(agents)
      .set({ last_seen_at: sql`max(last_seen_at, ${timeOf(seen, sql`${agents}.id`)})` })
      .where(and(eq(agents.tenant_id, tenant), inTimes(agents.id, seen))),
    database
      .insert(agent_uses)
      .select(usesOfKnown(tenant, JSON.stringify([...sums.uses.values()])))
      .onConflictDoUpdate({
        target: [agent_uses.tenant_id, agent_uses.agent_id, agent_uses.server, agent_uses.name],
        set: {
          calls: sql`calls + excluded.calls`,
          denied: sql`denied + excluded.denied`,
          last_at: sql`max(last_at, excluded.last_at)`,
        },
      }),
    database
      .update(grants)
      .set({ last_used_at: sql`max(coalesce(last_used_at, 0), ${timeOf(used, sql`${grants}.id`)})` })
      .where(and(eq(grants.tenant_id, tenant), inTimes(grants.id, used))),
  ]);
}

/** JSON of a list of ids with their last times. */
const timesOf = (times: ReadonlyMap<string, number>): string =>
  JSON.stringify([...times].map(([id, last_at]) => ({ id, last_at })));

const timeOf = (times: string, id: SQL): SQL =>
  sql`(select value ->> 'last_at' from json_each(${times}) where value ->> 'id' = ${id})`;

const inTimes = (id: AnyColumn, times: string): SQL => sql`${id} in (select value ->> 'id' from json_each(${times}))`;

/** Rows of `agents` for the registered clients among those that were seen; columns in the order of the table. */
const registeredAgents = (tenant: string, seen: string): SQL => sql`
  select ${tenant}, known.id, 'registered', known.name, null, value ->> 'last_at', value ->> 'last_at', null, null, null
  from json_each(${seen}) join ${clients} as known on known.tenant_id = ${tenant} and known.id = value ->> 'id'
  where (select count(*) from ${agents} as others where others.tenant_id = ${tenant}) < ${limits.agents_count}`;

/** Rows of `agent_uses` of known agents. Past its limit an agent gets no new rows, give or take one batch of events. */
const usesOfKnown = (tenant: string, uses: string): SQL => sql`
  select ${tenant}, known.id, value ->> 'server', value ->> 'name', value ->> 'calls', value ->> 'denied', value ->> 'last_at'
  from json_each(${uses}) join ${agents} as known on known.tenant_id = ${tenant} and known.id = value ->> 'agent'
  where exists (
    select 1 from ${agent_uses} as same
    where same.tenant_id = ${tenant} and same.agent_id = known.id
      and same.server = value ->> 'server' and same.name = value ->> 'name'
  ) or (
    select count(*) from ${agent_uses} as others where others.tenant_id = ${tenant} and others.agent_id = known.id
  ) < ${limits.agentUsesPerAgent_count}`;
