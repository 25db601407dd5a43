/** Ways to a provider that nobody came back from: the only sign there is of a registration that the provider has lost. */
import { and, count, eq, gt, isNull, max, sql } from "drizzle-orm";
import { link_attempts, type Database } from "../db/index.ts";

/**
 * @param since milliseconds since the Unix epoch
 * @returns how many links to the server began after this time, and after the last one that came to its end, and have not come back. An
 *   answer that says no is one that came back
 */
export async function lostLinks(database: Database, tenant: string, server_id: string, since: number): Promise<number> {
  const ofServer = and(eq(link_attempts.tenant_id, tenant), eq(link_attempts.server_id, server_id));
  const last = database
    .select({ used_at: max(link_attempts.used_at) })
    .from(link_attempts)
    .where(ofServer);
  const isLater = gt(link_attempts.created_at, sql`max(${since}, coalesce((${last}), 0))`);
  const [row] = await database
    .select({ lost_count: count() })
    .from(link_attempts)
    .where(and(ofServer, isNull(link_attempts.used_at), isLater));
  return row?.lost_count ?? 0;
}
