/**
 * Ways to link that are under way. One row for each time that a person goes to the provider; however many they begin for one link,
 * one of them completes it.
 */
import { and, eq, gt, inArray, isNotNull, isNull, lt, notExists, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { link_attempts, rowWhere, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

export type Attempt = Omit<typeof link_attempts.$inferSelect, "tenant_id">;
export type NewAttempt = Omit<Attempt, "used_at">;

export function linkAttempts(database: Database, tenant: string) {
  const mine = eq(link_attempts.tenant_id, tenant);
  const one = (state_hash: string) => and(mine, eq(link_attempts.state_hash, state_hash));
  const others = alias(link_attempts, "others");
  const usedOf = (link_id: typeof link_attempts.link_id | string) =>
    database
      .select({ one: sql`1` })
      .from(others)
      .where(and(eq(others.tenant_id, tenant), eq(others.link_id, link_id), isNotNull(others.used_at)));

  /** Sweeps what is over, then inserts where the condition holds. */
  async function insert(row: Attempt, condition: ReturnType<typeof sql>): Promise<boolean> {
    const expired = database
      .select({ rowid: sql`rowid` })
      .from(link_attempts)
      .where(lt(link_attempts.expires_at, row.created_at))
      .limit(limits.linkAttemptsSweep_count);
    const [, inserted] = await database.batch([
      database.delete(link_attempts).where(inArray(sql`rowid`, expired)),
      database
        .insert(link_attempts)
        .select(rowWhere(link_attempts, { tenant_id: tenant, ...row }, condition))
        .returning({ state_hash: link_attempts.state_hash }),
    ]);
    return inserted.length > 0;
  }

  return {
    /** @returns false when the person has `limits.linkAttemptsPerUser_count` under way */
    begin(row: NewAttempt): Promise<boolean> {
      const underWay = database
        .select({ n: sql`count(*)` })
        .from(link_attempts)
        .where(
          and(
            mine,
            eq(link_attempts.user_id, row.user_id),
            isNull(link_attempts.used_at),
            gt(link_attempts.expires_at, row.created_at),
          ),
        );
      return insert({ ...row, used_at: null }, sql`(${underWay}) < ${limits.linkAttemptsPerUser_count}`);
    },

    /** Begins and uses in one step, for what needs no way to a provider. @returns false when the link is used already */
    beginUsed(row: NewAttempt): Promise<boolean> {
      return insert({ ...row, used_at: row.created_at }, sql`${notExists(usedOf(row.link_id))}`);
    },

    async find(state_hash: string): Promise<Attempt | undefined> {
      const [row] = await database.select().from(link_attempts).where(one(state_hash));
      return row;
    },

    /** @returns true for exactly one caller of each link, who is the person that began it, in time */
    async use(state_hash: string, user_id: string, now: number): Promise<boolean> {
      const used = await database
        .update(link_attempts)
        .set({ used_at: now })
        .where(
          and(
            one(state_hash),
            eq(link_attempts.user_id, user_id),
            isNull(link_attempts.used_at),
            gt(link_attempts.expires_at, now),
            notExists(usedOf(link_attempts.link_id)),
          ),
        )
        .returning({ state_hash: link_attempts.state_hash });
      return used.length > 0;
    },

    /** Forgets one that came to nothing: its state is unknown from now on, and its link can be followed again. */
    async forget(state_hash: string): Promise<void> {
      await database.delete(link_attempts).where(one(state_hash));
    },

    async isUsed(link_id: string): Promise<boolean> {
      return (await usedOf(link_id).limit(1)).length > 0;
    },
  };
}
