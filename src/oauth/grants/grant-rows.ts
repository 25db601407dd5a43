/** The grants of one tenant in D1: whose they are, what they allow, and whether they still do. */
import { and, desc, eq, gt, isNotNull, isNull, lt, sql, type SQL } from "drizzle-orm";
import * as z from "zod";
import { grants, rowWhere, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

type Row = typeof grants.$inferSelect;

const idsColumn = z.array(z.string());
const sourceColumn = z.object({ country: z.string().optional(), network: z.string() });

export interface StoredGrant extends Readonly<Omit<Row, "tenant_id" | "servers" | "source">> {
  /** Ids of the servers that the person chose. */
  readonly servers: readonly string[];
  /** Country and network at consent. */
  readonly source: { readonly country?: string; readonly network: string };
}

export interface GrantFilter {
  readonly user_id?: string | undefined;
  readonly client_id?: string | undefined;
  /** Only those that can still be used at this time. */
  readonly living_at?: number | undefined;
}

/** Every statement carries the tenant, since there is no method without it. */
export function grantsRepository(database: Database, tenant: string) {
  const mine = eq(grants.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(grants.id, id));
  const matching = ({ user_id, client_id, living_at }: GrantFilter): SQL | undefined =>
    and(
      mine,
      user_id === undefined ? undefined : eq(grants.user_id, user_id),
      client_id === undefined ? undefined : eq(grants.client_id, client_id),
      living_at === undefined ? undefined : livingGrant(living_at),
    );

  return {
    async get(id: string): Promise<StoredGrant | undefined> {
      const [row] = await database.select().from(grants).where(one(id));
      return row === undefined ? undefined : storedGrant(row);
    },

    /** What the person's AI clients may do now, the newest first. At most `limits.grantsPerUser_count`. */
    async ofUser(user_id: string, now: number): Promise<StoredGrant[]> {
      const rows = await database
        .select()
        .from(grants)
        .where(and(matching({ user_id, living_at: now }), isNotNull(grants.redeemed_at)))
        .orderBy(desc(grants.id))
        .limit(limits.grantsPerUser_count);
      return rows.map(storedGrant);
    },

    /** The newest first, ended ones included. @param after the id that the page starts behind */
    async page(after: string | undefined, count: number, filter: GrantFilter = {}): Promise<StoredGrant[]> {
      const rows = await database
        .select()
        .from(grants)
        .where(and(matching(filter), after === undefined ? undefined : lt(grants.id, after)))
        .orderBy(desc(grants.id))
        .limit(count);
      return rows.map(storedGrant);
    },

    /** @returns `exists` for an id that was used before; `full` at `limits.grantsPerUser_count` living ones */
    async insert(grant: StoredGrant): Promise<"inserted" | "exists" | "full"> {
      const row: Row = {
        ...grant,
        tenant_id: tenant,
        servers: JSON.stringify(grant.servers),
        source: JSON.stringify(grant.source),
      };
      const living = matching({ user_id: grant.user_id, living_at: grant.created_at });
      const below = sql`(select count(*) from ${grants} where ${living}) < ${limits.grantsPerUser_count}`;
      const [inserted, present] = await database.batch([
        database
          .insert(grants)
          .select(rowWhere(grants, row, below))
          .onConflictDoNothing()
          .returning({ id: grants.id }),
        database.select({ id: grants.id }).from(grants).where(one(grant.id)),
      ]);
      if (inserted.length > 0) return "inserted";
      return present.length > 0 ? "exists" : "full";
    },

    /**
     * Notes that its client came for a token.
     * @param expires_at when it ends unless the client comes again
     * @returns false when it was revoked meanwhile. Whoever revokes it later finds the time, and voids the token
     */
    async touch(id: string, now: number, expires_at: number): Promise<boolean> {
      const touched = await database
        .update(grants)
        .set({
          redeemed_at: sql`coalesce(${grants.redeemed_at}, ${now})`,
          last_used_at: sql`max(coalesce(${grants.last_used_at}, 0), ${now})`,
          expires_at,
        })
        .where(and(one(id), isNull(grants.revoked_at)))
        .returning({ id: grants.id });
      return touched.length > 0;
    },
  };
}

/** Neither revoked nor over. */
export const livingGrant = (now: number): SQL | undefined => and(isNull(grants.revoked_at), gt(grants.expires_at, now));

export function storedGrant({ tenant_id: _key, servers, source, ...row }: Row): StoredGrant {
  const { country, network } = sourceColumn.parse(JSON.parse(source));
  return {
    ...row,
    servers: idsColumn.parse(JSON.parse(servers)),
    source: { network, ...(country === undefined ? {} : { country }) },
  };
}

/** When a grant ends whose client comes back at `now`: idle, and at the latest. */
export function grantEnd(created_at: number, now: number): number {
  return Math.min(now + limits.refreshIdle_ms, created_at + limits.grantLife_ms);
}
