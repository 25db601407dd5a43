/** A logout token that may have been acted on. Unlike an assertion, it is used up together with what it does, in one batch. */
import { and, eq } from "drizzle-orm";
import { used_ids, type Database } from "../db/index.ts";
import { sha256 } from "../sha256.ts";

const purpose = "backchannel_logout";

export async function logoutToken(database: Database, tenant: string, { iss, jti }: Record<"iss" | "jti", string>) {
  const id_hash = await sha256(JSON.stringify([iss, jti]));

  return {
    async isUsed(): Promise<boolean> {
      const [row] = await database
        .select({ id_hash: used_ids.id_hash })
        .from(used_ids)
        .where(and(eq(used_ids.tenant_id, tenant), eq(used_ids.purpose, purpose), eq(used_ids.id_hash, id_hash)));
      return row !== undefined;
    },

    /** @returns the statement for the batch. Two requests at once both act: at the same time, and with the same outcome. */
    use(expires_at: number) {
      return database
        .insert(used_ids)
        .values({ tenant_id: tenant, purpose, id_hash, expires_at })
        .onConflictDoNothing();
    },
  };
}
