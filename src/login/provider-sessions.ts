/** Web sessions by the session of the provider that they came from: what back-channel logout ends. */
import { and, eq } from "drizzle-orm";
import { web_sessions, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";

export function providerSessions(database: Database, tenant: string, provider_id: string, provider_session: string) {
  const mine = and(
    eq(web_sessions.tenant_id, tenant),
    eq(web_sessions.provider_id, provider_id),
    eq(web_sessions.provider_session, provider_session),
  );

  return {
    /** Who is signed in by it. One person, unless the provider gives a `sid` twice. */
    async users(): Promise<string[]> {
      const rows = await database
        .selectDistinct({ user_id: web_sessions.user_id })
        .from(web_sessions)
        .where(mine)
        .limit(limits.webSessionsPerUser_count);
      return rows.map(({ user_id }) => user_id);
    },

    /** @returns the statement that ends those of one person, for a batch */
    endOf(user_id: string) {
      return database.delete(web_sessions).where(and(mine, eq(web_sessions.user_id, user_id)));
    },
  };
}
