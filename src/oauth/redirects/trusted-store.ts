/** The trusted redirect URLs of one tenant in D1. */
import { and, asc, eq, gt, sql } from "drizzle-orm";
import { redirect_uris, rowWhere, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

export type TrustedRedirect = Readonly<Omit<typeof redirect_uris.$inferSelect, "tenant_id">>;

/** Every statement carries the tenant, since there is no method without it. */
export function trustedRedirects(database: Database, tenant: string) {
  const mine = eq(redirect_uris.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(redirect_uris.id, id));
  const shown = {
    id: redirect_uris.id,
    uri: redirect_uris.uri,
    note: redirect_uris.note,
    created_at: redirect_uris.created_at,
    created_by: redirect_uris.created_by,
  };

  return {
    /** In the order of creation. @param after the id that the page starts behind */
    page(after: string | undefined, count: number): Promise<TrustedRedirect[]> {
      return database
        .select(shown)
        .from(redirect_uris)
        .where(after === undefined ? mine : and(mine, gt(redirect_uris.id, after)))
        .orderBy(asc(redirect_uris.id))
        .limit(count);
    },

    async get(id: string): Promise<TrustedRedirect | undefined> {
      const [row] = await database.select(shown).from(redirect_uris).where(one(id));
      return row;
    },

    /** Every entry, at most `limits.trustedRedirects_count`: what `isTrustedRedirect` decides on. */
    async all(): Promise<string[]> {
      const rows = await database
        .select({ uri: redirect_uris.uri })
        .from(redirect_uris)
        .where(mine)
        .limit(limits.trustedRedirects_count);
      return rows.map(({ uri }) => uri);
    },

    /** @param entry its `uri` has passed `parseTrustedRedirect`. @returns `full` at `limits.trustedRedirects_count` */
    async insert(entry: TrustedRedirect): Promise<"inserted" | "exists" | "full"> {
      const below = sql`(select count(*) from ${redirect_uris} where ${mine}) < ${limits.trustedRedirects_count}`;
      const [inserted, present] = await database.batch([
        database
          .insert(redirect_uris)
          .select(rowWhere(redirect_uris, { ...entry, tenant_id: tenant }, below))
          .onConflictDoNothing()
          .returning({ id: redirect_uris.id }),
        database
          .select({ id: redirect_uris.id })
          .from(redirect_uris)
          .where(and(mine, eq(redirect_uris.uri, entry.uri))),
      ]);
      if (inserted.length > 0) return "inserted";
      return present.length > 0 ? "exists" : "full";
    },

    /** The caller revokes the grants that used it. @returns the entry that went, or undefined when there was none */
    async remove(id: string): Promise<TrustedRedirect | undefined> {
      const [removed] = await database.delete(redirect_uris).where(one(id)).returning(shown);
      return removed;
    },
  };
}
