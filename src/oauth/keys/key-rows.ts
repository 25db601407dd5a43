/** The signing keys of one tenant in D1. */
import { and, asc, desc, eq, gt, lte, sql } from "drizzle-orm";
import * as z from "zod";
import { rowWhere, signing_keys, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";

export type SigningKeyRow = typeof signing_keys.$inferSelect;

/** A public ES256 key as it is stored and published. */
export const publicKeySchema = z.strictObject({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: z.string(),
  y: z.string(),
  kid: z.string(),
  alg: z.literal("ES256"),
  use: z.literal("sig"),
});

export type PublicKey = z.infer<typeof publicKeySchema>;

/** A retired key verifies until the last token that it signed is over, on every clock. */
export const verifiesUntil = (retired_at: number): number => retired_at + limits.revocation_ms;

/** Every statement carries the tenant, since there is no method without it. */
export function signingKeyRows(database: Database, tenant: string) {
  const mine = eq(signing_keys.tenant_id, tenant);

  return {
    /** The key that signs now: of several the one that was activated last. */
    async active(now: number): Promise<SigningKeyRow | undefined> {
      const [row] = await database
        .select()
        .from(signing_keys)
        .where(and(mine, lte(signing_keys.active_at, now), gt(signing_keys.retired_at, now)))
        .orderBy(desc(signing_keys.active_at), desc(signing_keys.kid))
        .limit(1);
      return row;
    },

    /** The one that signs last, now or in future. */
    async last(now: number): Promise<SigningKeyRow | undefined> {
      const [row] = await database
        .select()
        .from(signing_keys)
        .where(and(mine, gt(signing_keys.retired_at, now)))
        .orderBy(desc(signing_keys.active_at), desc(signing_keys.kid))
        .limit(1);
      return row;
    },

    /** Public keys that verify now or will. */
    async published(now: number): Promise<PublicKey[]> {
      const rows = await database
        .select({ public_key: signing_keys.public_key })
        .from(signing_keys)
        .where(and(mine, gt(signing_keys.expires_at, now)))
        .orderBy(asc(signing_keys.active_at));
      return rows.map((row) => publicKeySchema.parse(JSON.parse(row.public_key)));
    },

    /** @returns false when there is a key that signs now: of many callers one inserts */
    async insertFirst(row: SigningKeyRow, now: number): Promise<boolean> {
      const none = sql`not exists (select 1 from ${signing_keys} where ${mine} and ${lte(signing_keys.active_at, now)} and ${gt(signing_keys.retired_at, now)})`;
      const inserted = await database
        .insert(signing_keys)
        .select(rowWhere(signing_keys, row, none))
        .returning({ kid: signing_keys.kid });
      return inserted.length > 0;
    },

    /**
     * The successor of `last`, which signs until then: so it is published for its whole time ahead even when the cron came late.
     * @returns false when there is another successor already
     */
    async insertNext(row: SigningKeyRow, last: SigningKeyRow): Promise<boolean> {
      const none = sql`not exists (select 1 from ${signing_keys} where ${mine} and ${gt(signing_keys.active_at, last.active_at)})`;
      const isNext = sql`exists (select 1 from ${signing_keys} where ${mine} and ${eq(signing_keys.kid, row.kid)})`;
      const [inserted] = await database.batch([
        database
          .insert(signing_keys)
          .select(rowWhere(signing_keys, row, none))
          .returning({ kid: signing_keys.kid }),
        database
          .update(signing_keys)
          .set({ retired_at: row.active_at, expires_at: verifiesUntil(row.active_at) })
          .where(and(mine, eq(signing_keys.kid, last.kid), isNext)),
      ]);
      return inserted.length > 0;
    },

    /** It signs no more from now on. */
    async retire(kid: string, now: number): Promise<void> {
      await database
        .update(signing_keys)
        .set({ retired_at: now, expires_at: verifiesUntil(now) })
        .where(and(mine, eq(signing_keys.kid, kid), gt(signing_keys.retired_at, now)));
    },

    async removeExpired(now: number): Promise<void> {
      await database.delete(signing_keys).where(and(mine, lte(signing_keys.expires_at, now)));
    },
  };
}
