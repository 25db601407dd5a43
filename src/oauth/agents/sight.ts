/** One sight of an agent: the first makes its row in the inventory, every later one brings it up to date. */
import { and, asc, desc, eq, gt, inArray, isNull, ne, notExists, sql } from "drizzle-orm";
import { agents, grants, rowWhere, type Database } from "../../db/index.ts";
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
  const store = async (): Promise<{ first_seen_at: number } | undefined> => {
    const [stored] = await database
      .insert(agents)
      .select(rowWhere(agents, row, sql`${isPresent} or ${isRoom}`))
      .onConflictDoUpdate({ target: [agents.tenant_id, agents.id], set: brought })
      .returning({ first_seen_at: agents.first_seen_at });
    return stored;
  };
  let stored = await store();
  if (stored === undefined && (await makeRoom(database, tenant, now))) stored = await store();
  const isNew = stored?.first_seen_at === now;
  if (isNew && owner_id === undefined) await forgetOldest(database, tenant);
}

/** The one that was seen longest ago and that nobody allows anything now goes from a full inventory. */
async function makeRoom(database: Database, tenant: string, now: number): Promise<boolean> {
  const granted = database
    .select({ id: grants.id })
    .from(grants)
    .where(
      and(
        eq(grants.tenant_id, tenant),
        eq(grants.client_id, agents.id),
        isNull(grants.revoked_at),
        gt(grants.expires_at, now),
      ),
    );
  const oldest = database
    .select({ rowid: sql`rowid` })
    .from(agents)
    .where(
      and(eq(agents.tenant_id, tenant), isNull(agents.disabled_at), ne(agents.kind, "registered"), notExists(granted)),
    )
    .orderBy(asc(agents.last_seen_at))
    .limit(1);
  const gone = await database
    .delete(agents)
    .where(inArray(sql`rowid`, oldest))
    .returning({ id: agents.id });
  return gone.length > 0;
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
