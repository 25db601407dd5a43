/** The inventory of one tenant in D1: every AI client that was ever seen, blocked ones included. */
import { and, desc, eq, lt, or } from "drizzle-orm";
import { agent_uses, agents, dynamic_clients, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import { revokeTokens } from "../../tenant/index.ts";
import { isDocumentId, parseDocumentUrl } from "../clients/document-url.ts";

export type Agent = Readonly<Omit<typeof agents.$inferSelect, "tenant_id">>;
export type AgentUse = Readonly<Omit<typeof agent_uses.$inferSelect, "tenant_id" | "agent_id">>;

/** Where a page starts: behind this agent. */
export interface AgentPosition {
  readonly last_seen_at: number;
  readonly id: string;
}

const shown = {
  id: agents.id,
  kind: agents.kind,
  name: agents.name,
  owner_id: agents.owner_id,
  first_seen_at: agents.first_seen_at,
  last_seen_at: agents.last_seen_at,
  blocked_at: agents.blocked_at,
  blocked_reason: agents.blocked_reason,
  disabled_at: agents.disabled_at,
};

/** Every statement carries the tenant, since there is no method without it. */
export function agentsRepository(database: Database, tenant: string) {
  const mine = eq(agents.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(agents.id, id));

  return {
    /** The one that was seen last comes first. */
    page(after: AgentPosition | undefined, count: number): Promise<Agent[]> {
      const behind =
        after === undefined
          ? undefined
          : or(
              lt(agents.last_seen_at, after.last_seen_at),
              and(eq(agents.last_seen_at, after.last_seen_at), lt(agents.id, after.id)),
            );
      return database
        .select(shown)
        .from(agents)
        .where(and(mine, behind))
        .orderBy(desc(agents.last_seen_at), desc(agents.id))
        .limit(count);
    },

    async get(id: string): Promise<Agent | undefined> {
      const [agent] = await database.select(shown).from(agents).where(one(id));
      return agent;
    },

    /** What it used, the last thing first; all of it, since there are `limits.agentUsesPerAgent_count` at most. */
    uses(id: string): Promise<AgentUse[]> {
      return database
        .select({
          server: agent_uses.server,
          name: agent_uses.name,
          calls: agent_uses.calls,
          denied: agent_uses.denied,
          last_at: agent_uses.last_at,
        })
        .from(agent_uses)
        .where(and(eq(agent_uses.tenant_id, tenant), eq(agent_uses.agent_id, id)))
        .orderBy(desc(agent_uses.last_at), agent_uses.server, agent_uses.name)
        .limit(limits.agentUsesPerAgent_count);
    },

    /**
     * Switches an agent that no administrator registered off or on. Off: it gets no token, and those that it has are void as soon as the
     * caller has announced the change. One that the inventory does not list, or no longer, is switched off as well: a full inventory must
     * not keep it on.
     * @returns `registered` for one whose own switch is that of the client; `absent` for what is no client, or not listed and to be on
     */
    async setDisabled(id: string, disabled: boolean, now: number): Promise<"done" | "registered" | "absent"> {
      const agent = await this.get(id);
      if (agent?.kind === "registered") return "registered";
      if (agent === undefined) {
        const name = disabled ? await unlistedName(database, tenant, id) : undefined;
        if (name === undefined) return "absent";
        const row = { tenant_id: tenant, id, kind: "unknown" as const, name, first_seen_at: now, last_seen_at: now };
        await database.insert(agents).values(row).onConflictDoNothing();
      }
      const change = database
        .update(agents)
        .set({ disabled_at: disabled ? now : null })
        .where(one(id));
      if (disabled) {
        await database.batch([change, revokeTokens(database, tenant, { kind: "client", subject: id }, now)]);
      } else await change;
      return "done";
    },
  };
}

/** What to call a client that is not listed; undefined where no client can have this id. */
async function unlistedName(database: Database, tenant: string, id: string): Promise<string | undefined> {
  if (isDocumentId(id)) return parseDocumentUrl(id)?.hostname;
  const mine = and(eq(dynamic_clients.tenant_id, tenant), eq(dynamic_clients.id, id));
  const [found] = await database.select({ id: dynamic_clients.id }).from(dynamic_clients).where(mine);
  return found?.id;
}
