/** Forgets what is over: grants after their history, consents, and revocations that no living token can meet. */
import { and, eq, inArray, isNull, lt, or, sql } from "drizzle-orm";
import { consents, grants, openDatabase } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import type { Platform } from "../../platform.ts";
import { sweepRevocations } from "../../tenant/index.ts";

/** What the cron does; at most `limits.grantSweep_count` rows of each kind in one run. */
export async function sweepGrants(platform: Platform, tenant: string): Promise<void> {
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  const past = now - limits.grantHistory_ms;
  // A code that nobody redeemed is no history.
  const wasNever = and(isNull(grants.redeemed_at), lt(grants.expires_at, now - limits.authorizationRequest_ms));
  const isOver = or(lt(grants.expires_at, past), lt(grants.revoked_at, past), wasNever);
  const oldGrants = database
    .select({ rowid: sql`rowid` })
    .from(grants)
    .where(and(eq(grants.tenant_id, tenant), isOver))
    .limit(limits.grantSweep_count);
  const oldConsents = database
    .select({ rowid: sql`rowid` })
    .from(consents)
    .where(and(eq(consents.tenant_id, tenant), lt(consents.expires_at, now)))
    .limit(limits.grantSweep_count);
  await database.batch([
    database.delete(grants).where(inArray(sql`rowid`, oldGrants)),
    database.delete(consents).where(inArray(sql`rowid`, oldConsents)),
    sweepRevocations(database, tenant, now),
  ]);
}
