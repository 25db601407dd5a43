/** People as lists of the admin API look them up. */
import { and, asc, eq, gt, inArray, sql } from "drizzle-orm";
import { users, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";

export interface NamedUser {
  readonly id: string;
  readonly name: string | null;
  readonly email: string | null;
}

export function userRows(database: Database, tenant: string) {
  const mine = eq(users.tenant_id, tenant);

  return {
    /** Ids of those with this e-mail address in any case: more than one where the tenant has several providers. */
    async idsByEmail(email: string, after: string | undefined, count: number): Promise<string[]> {
      const rows = await database
        .select({ id: users.id })
        .from(users)
        .where(
          and(
            mine,
            sql`lower(${users.email}) = ${email.toLowerCase()}`,
            after === undefined ? undefined : gt(users.id, after),
          ),
        )
        .orderBy(asc(users.id))
        .limit(count);
      return rows.map(({ id }) => id);
    },

    /** By id. Who is gone is missing. */
    async named(ids: readonly (string | null)[]): Promise<ReadonlyMap<string, NamedUser>> {
      const wanted = [...new Set(ids.filter((id) => id !== null))];
      const found: NamedUser[] = [];
      for (let at = 0; at < wanted.length; at += limits.boundIds_count) {
        const part = wanted.slice(at, at + limits.boundIds_count);
        const rows = database
          .select({ id: users.id, name: users.name, email: users.email })
          .from(users)
          .where(and(mine, inArray(users.id, part)));
        found.push(...(await rows));
      }
      return new Map(found.map((user) => [user.id, user]));
    },
  };
}
