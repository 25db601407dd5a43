/** One sight of an agent: the first makes its row in the inventory, every later one brings it up to date. */
import { and, desc, eq, inArray, isNull, ne, sql } from "drizzle-orm";
import { agents, rowWhere, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import type { Agent } from "./agents-store.ts";

export interface Sight {
  readonly id: string;
  readonly kind: Agent["kind"];
  readonly name: string;
  /** Who allowed it something just now. */
  readonly owner_id?: string | undefined;
  /** Stable: why it was turned away. */
  readonly blocked_reason?: string | undefined;
}

/** A client that is turned away before it is known keeps what was known of it, and every client its first owner. */
const brought = {
  kind: sql`case when excluded.kind = 'unknown' then ${agents.kind} else excluded.kind end`,
  name: sql`case when excluded.kind = 'unknown' then ${agents.name} else excluded.name end`,
  owner_id: sql`coalesce(${agents.owner_id}, excluded.owner_id)`,
  last_seen_at: sql`max(${agents.last_seen_at}, excluded.last_seen_at)`,
  blocked_at: sql`coalesce(excluded.blocked_at, ${agents.blocked_at})`,
  blocked_reason: sql`coalesce(excluded.blocked_reason, ${agents.blocked_reason})`,
};

/** @param now milliseconds since the Unix epoch */
export async function storeSight(database: Database, tenant: string, sight: Sight, now: number): Promise<void> {
  const { id, kind, name, owner_id, blocked_reason } = sight;
  const mine = eq(agents.tenant_id, tenant);
  const row = {
    ...{ tenant_id: tenant, id, kind, name, first_seen_at: now, last_seen_at: now },
    owner_id: owner_id ?? null,
    blocked_at: blocked_reason === undefined ? null : now,
    blocked_reason: blocked_reason ?? null,
  };
  const isPresent = sql`exists (select 1 from ${agents} where ${and(mine, eq(agents.id, id))})`;
  const isRoom = sql`(select count(*) from ${agents} where ${mine}) < ${limits.agents_count}`;
  const [stored] = await database
    .insert(agents)
    .select(rowWhere(agents, row, sql`${isPresent} or ${isRoom}`))
    .onConflictDoUpdate({ target: [agents.tenant_id, agents.id], set: brought })
    .returning({ first_seen_at: agents.first_seen_at });
  const isNew = stored?.first_seen_at === now;
  if (isNew && owner_id === undefined) await forgetOldest(database, tenant);
}

/** Anybody can make rows that nobody owns, by a document, a registration or a blocked address: they must not crowd the others out. */
async function forgetOldest(database: Database, tenant: string): Promise<void> {
  const oldest = database
    .select({ rowid: sql`rowid` })
    .from(agents)
    .where(
      and(
        eq(agents.tenant_id, tenant),
        isNull(agents.owner_id),
        isNull(agents.disabled_at),
        ne(agents.kind, "registered"),
      ),
    )
    .orderBy(desc(agents.last_seen_at))
    .limit(limits.agents_count)
    .offset(limits.agentsUnowned_count);
  await database.delete(agents).where(inArray(sql`rowid`, oldest));
}
