/** Redirect URLs that were asked for and are not trusted, for the administrator to look at. The newest few, one row for each client and URL. */
import { and, desc, eq, sql } from "drizzle-orm";
import { blocked_redirects, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

export type BlockedRedirect = Readonly<Omit<typeof blocked_redirects.$inferSelect, "tenant_id">>;

/** Every statement carries the tenant, since there is no method without it. */
export function blockedRedirects(database: Database, tenant: string) {
  const mine = eq(blocked_redirects.tenant_id, tenant);
  const newest = desc(blocked_redirects.last_at);

  return {
    /** The last one first. All of them fit one page: there are `limits.blockedRedirects_count`. */
    page(count: number = limits.blockedRedirects_count): Promise<BlockedRedirect[]> {
      return database
        .select({
          client_id: blocked_redirects.client_id,
          redirect_uri: blocked_redirects.redirect_uri,
          client_name: blocked_redirects.client_name,
          attempts: blocked_redirects.attempts,
          first_at: blocked_redirects.first_at,
          last_at: blocked_redirects.last_at,
        })
        .from(blocked_redirects)
        .where(mine)
        .orderBy(newest, blocked_redirects.redirect_uri)
        .limit(count);
    },

    /** Counts an attempt, and forgets those that were asked for longest ago. */
    async note(asked: Pick<BlockedRedirect, "client_id" | "redirect_uri" | "client_name">, now: number): Promise<void> {
      const kept = database
        .select({ rowid: sql`rowid` })
        .from(blocked_redirects)
        .where(mine)
        .orderBy(newest)
        .limit(limits.blockedRedirects_count);
      await database.batch([
        database
          .insert(blocked_redirects)
          .values({ ...asked, tenant_id: tenant, attempts: 1, first_at: now, last_at: now })
          .onConflictDoUpdate({
            target: [blocked_redirects.tenant_id, blocked_redirects.client_id, blocked_redirects.redirect_uri],
            set: {
              attempts: sql`${blocked_redirects.attempts} + 1`,
              client_name: sql`excluded.client_name`,
              last_at: sql`max(${blocked_redirects.last_at}, excluded.last_at)`,
            },
          }),
        database.delete(blocked_redirects).where(and(mine, sql`rowid not in ${kept}`)),
      ]);
    },

    /** Forgets what is trusted by now. @param uris of `page` */
    async forget(uris: readonly string[]): Promise<void> {
      const gone = sql`${blocked_redirects.redirect_uri} in (select value from json_each(${JSON.stringify(uris)}))`;
      await database.delete(blocked_redirects).where(and(mine, gone));
    },
  };
}
