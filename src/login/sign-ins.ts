/** Sign-ins that are under way, in D1: each is used once, by the browser that began it. */
import { and, eq, gt, inArray, isNull, lt, sql } from "drizzle-orm";
import * as z from "zod";
import { rowWhere, sign_ins, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import type { SignInFailure } from "./failures.ts";
import { err, ok, type Result } from "../ports.ts";

/** What only we may know until the person is back. */
export const pendingSchema = z.strictObject({
  nonce: z.string(),
  /** PKCE. */
  verifier: z.string(),
  return_to: z.string(),
  /** The provider's, at the start: a sign-in does not outlive a change of it. */
  revision: z.int(),
  /** The person must have proven who they are at this time or later; milliseconds since the Unix epoch. */
  authenticated_after: z.int().optional(),
});

export type Pending = z.infer<typeof pendingSchema>;

export type SignInRow = typeof sign_ins.$inferSelect;

export function signInsRepository(database: Database, tenant: string) {
  const mine = eq(sign_ins.tenant_id, tenant);
  const one = (state_hash: string) => and(mine, eq(sign_ins.state_hash, state_hash));

  return {
    /** @returns false at `limits.signIns_count` */
    async begin(
      row: Omit<SignInRow, "tenant_id" | "used_at" | "created_at" | "expires_at">,
      now: number,
    ): Promise<boolean> {
      const over = database
        .select({ rowid: sql`rowid` })
        .from(sign_ins)
        .where(and(mine, lt(sign_ins.expires_at, now)))
        .limit(limits.signInsSweep_count);
      const below = sql`(select count(*) from ${sign_ins} where ${mine}) < ${limits.signIns_count}`;
      const stored = { ...row, tenant_id: tenant, created_at: now, expires_at: now + limits.signIn_ms };
      const [, begun] = await database.batch([
        database.delete(sign_ins).where(and(mine, inArray(sql`rowid`, over))),
        database
          .insert(sign_ins)
          .select(rowWhere(sign_ins, stored, below))
          .returning({ at: sign_ins.created_at }),
      ]);
      return begun.length > 0;
    },

    /** Uses it up: for exactly one request, of the browser that holds the cookie. Another browser leaves it as it is. */
    async use(state_hash: string, browser_hash: string, now: number): Promise<Result<SignInRow, SignInFailure>> {
      const [used] = await database
        .update(sign_ins)
        .set({ used_at: now })
        .where(
          and(
            one(state_hash),
            eq(sign_ins.browser_hash, browser_hash),
            isNull(sign_ins.used_at),
            gt(sign_ins.expires_at, now),
          ),
        )
        .returning();
      if (used !== undefined) return ok(used);
      const [row] = await database.select().from(sign_ins).where(one(state_hash));
      if (row === undefined) return err("state_unknown");
      if (row.browser_hash !== browser_hash) return err("other_browser");
      return err(row.used_at === null ? "state_expired" : "state_used");
    },
  };
}
