/** What may be used once, for instance the `jti` of an assertion: who inserts the row has used it, and nobody else. */
import { inArray, lt, sql } from "drizzle-orm";
import { used_ids, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { sha256 } from "../sha256.ts";

/**
 * @param purpose what it is used for; ids of different purposes never meet
 * @param id with everything that makes it one of a kind, its issuer above all; only its hash is stored
 * @param expires_at when nobody would accept it any more, skew of clocks included; in milliseconds since the Unix epoch
 * @returns true for exactly one caller
 * @see RFC 7523 section 3, item 7
 */
export async function useOnce(
  database: Database,
  tenant: string,
  purpose: string,
  id: string,
  expires_at: number,
  now: number,
): Promise<boolean> {
  const expired = database
    .select({ rowid: sql`rowid` })
    .from(used_ids)
    .where(lt(used_ids.expires_at, now))
    .limit(limits.usedIdsSweep_count);
  const [, inserted] = await database.batch([
    database.delete(used_ids).where(inArray(sql`rowid`, expired)),
    database
      .insert(used_ids)
      .values({ tenant_id: tenant, purpose, id_hash: await sha256(id), expires_at })
      .onConflictDoNothing()
      .returning({ id_hash: used_ids.id_hash }),
  ]);
  return inserted.length > 0;
}
