/**
 * Counts what may happen so often in a window, exactly: the count is kept in the statement, so that of many parallel requests none
 * gets past the maximum.
 */
import { and, eq, gt, gte, inArray, lte, sql } from "drizzle-orm";
import { attempts, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { sha256 } from "../sha256.ts";

export interface AttemptRule {
  /** What is counted, for instance `client_authentication`; a constant. */
  readonly purpose: string;
  readonly count_max: number;
  /** From the first attempt on; then the count starts anew. */
  readonly window_ms: number;
}

/**
 * Counts one attempt.
 * @param who is counted, for instance a client and a network; only its hash is stored
 * @param now milliseconds since the Unix epoch
 * @returns whether it is within the maximum
 */
export async function countAttempt(
  database: Database,
  tenant: string,
  { purpose, count_max, window_ms }: AttemptRule,
  who: string,
  now: number,
): Promise<boolean> {
  const isOver = lte(attempts.expires_at, now);
  const oldest = database
    .select({ rowid: sql`rowid` })
    .from(attempts)
    .where(isOver)
    .limit(limits.attemptsSweep_count);
  const [, [counted]] = await database.batch([
    database.delete(attempts).where(inArray(sql`rowid`, oldest)),
    database
      .insert(attempts)
      .values({ tenant_id: tenant, key: await keyOf(purpose, who), attempts: 1, expires_at: now + window_ms })
      .onConflictDoUpdate({
        target: [attempts.tenant_id, attempts.key],
        set: {
          attempts: sql`case when ${isOver} then 1 else ${attempts.attempts} + 1 end`,
          expires_at: sql`case when ${isOver} then excluded.expires_at else ${attempts.expires_at} end`,
        },
      })
      .returning({ attempts: attempts.attempts }),
  ]);
  return counted !== undefined && counted.attempts <= count_max;
}

/** Whether the maximum is reached already: for what counts failures only, before it is tried. */
export async function isHeldOff(
  database: Database,
  tenant: string,
  { purpose, count_max }: AttemptRule,
  who: string,
  now: number,
): Promise<boolean> {
  const mine = and(eq(attempts.tenant_id, tenant), eq(attempts.key, await keyOf(purpose, who)));
  const [held] = await database
    .select({ attempts: attempts.attempts })
    .from(attempts)
    .where(and(mine, gt(attempts.expires_at, now), gte(attempts.attempts, count_max)));
  return held !== undefined;
}

async function keyOf(purpose: string, who: string): Promise<string> {
  return `${purpose}:${await sha256(who)}`;
}
