/** Statements on the rows of connections, each of one tenant. */
import { and, eq, ne, notLike, sql, type SQL } from "drizzle-orm";
import { connections, users, type Database } from "../../db/index.ts";
import type { ConnectionFacts, ConnectionKey } from "./types.ts";

export type ConnectionRow = typeof connections.$inferSelect;

/** A row that is in use, with its credential still sealed. */
export interface SealedConnection extends ConnectionFacts {
  /** JWE. */
  readonly credential: string;
}

/** Names of accounts that people cannot choose: tokens that Gatehouse gets by itself for a header. */
const machineAccounts = "header:%";

export const rowsOf = (tenant: string, key: Pick<ConnectionKey, "user_id" | "target">): SQL | undefined =>
  and(
    eq(connections.tenant_id, tenant),
    eq(connections.user_id, key.user_id),
    eq(connections.target, key.target),
    ne(connections.state, "ending"),
  );

export const rowOf = (tenant: string, key: ConnectionKey): SQL | undefined =>
  and(rowsOf(tenant, key), eq(connections.account, key.account));

/** Of several accounts at one target: those of which one is the default. */
export const personal = (): SQL => notLike(connections.account, machineAccounts);

/** For a batch: where no account of a target is the default any more, the first by its name becomes it. */
export function keepDefault(database: Database, tenant: string, key: Pick<ConnectionKey, "user_id" | "target">) {
  const mine = and(rowsOf(tenant, key), personal());
  return database
    .update(connections)
    .set({ is_default: true })
    .where(
      and(
        eq(connections.tenant_id, tenant),
        sql`${connections.id} = (select ${sql.identifier("id")} from ${connections} where ${mine}
          order by ${connections.account} limit 1)`,
        sql`not exists (select 1 from ${connections} where ${mine} and ${eq(connections.is_default, true)})`,
      ),
    );
}

/**
 * For the batch of what ends a person's access: their connections are used no more, and go when they are revoked. The caller announces
 * the change; `endings` does the rest.
 */
export function endConnectionsOf(database: Database, tenant: string, user_id: string, now: number) {
  return database
    .update(connections)
    .set(endingSince(now, "user_disabled"))
    .where(and(eq(connections.tenant_id, tenant), eq(connections.user_id, user_id), ne(connections.state, "ending")));
}

export const endingSince = (now: number, reason: string) => ({
  ...{ state: "ending" as const, reason, is_default: false, tries: 0, next_try_at: now, updated_at: now },
});

/** Whoever is disabled while they link leaves nothing. */
export const enabledUser = (tenant: string, user_id: string): SQL =>
  sql`exists (select 1 from ${users} where ${and(
    eq(users.tenant_id, tenant),
    eq(users.id, user_id),
    eq(users.enabled, true),
  )})`;

/** @returns undefined for one that is ending */
export function sealedOf({ tenant_id: _tenant, tries: _tries, next_try_at: _next, state, ...row }: ConnectionRow) {
  return state === "ending" ? undefined : ({ ...row, state } satisfies SealedConnection);
}

export function factsOf({ credential: _sealed, ...facts }: SealedConnection): ConnectionFacts {
  return facts;
}
