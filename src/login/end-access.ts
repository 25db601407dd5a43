/** Ends what people have: of one person, or of all whom a provider vouches for. */
import { and, eq, sql } from "drizzle-orm";
import { openDatabase, revocations, users, web_sessions, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { announceRevocation, laterRevocation, revokeTokens } from "../tenant/index.ts";
import { endConnectionsOf } from "../vault/index.ts";
import { authEvent } from "./auth-event.ts";
import { endSessionsOf } from "./sessions.ts";
import { toUser, usersRepository, type User } from "./users.ts";
import type { Visit } from "./visit.ts";

/**
 * Enables or disables a person. Disabling ends web sessions, voids access tokens within `limits.snapshotFresh_ms`, and ends the
 * connections of the person: they are used no more from now on, and are revoked at their providers and destroyed by `endings`, which the
 * timer calls (VT-15). Grants cannot be refreshed while it lasts.
 * @returns undefined when there is no such person
 */
export async function setUserEnabled(visit: Visit, id: string, enabled: boolean): Promise<User | undefined> {
  const { platform, tenant, recorder } = visit;
  const now = platform.ports.clock.now();
  const database = openDatabase(platform.bindings.DB);
  const change = usersRepository(database, tenant.id).setEnabled(id, enabled, now);
  const [[row]] = enabled
    ? await database.batch([change])
    : await database.batch([
        change,
        endSessionsOf(database, tenant.id, id),
        endConnectionsOf(database, tenant.id, id, now),
        revokeTokens(database, tenant.id, { kind: "user", subject: id }, now),
      ]);
  if (row === undefined) return undefined;
  const user = toUser(row);
  // Once more at a time after the change is stored: a refresh that read just before it mints with a time just before it.
  if (!enabled) await revokeTokens(database, tenant.id, { kind: "user", subject: id }, platform.ports.clock.now());
  await announceRevocation(platform, tenant.id);
  const action = enabled ? "user.enable" : "user.disable";
  await recorder.record(authEvent(visit, { action, outcome: "ok", user, provider: user.provider_id }));
  return user;
}

/**
 * Ends sessions and access tokens of everybody whom a provider vouches for, after it was disabled or removed. Sessions and refreshes
 * are refused already, since they ask for an enabled provider; this reaches the tokens that are out.
 */
export async function endProvider(visit: Visit, provider_id: string): Promise<void> {
  const { platform, tenant } = visit;
  const database = openDatabase(platform.bindings.DB);
  await database.batch([
    database
      .delete(web_sessions)
      .where(and(eq(web_sessions.tenant_id, tenant.id), eq(web_sessions.provider_id, provider_id))),
    voidTokensOfProvider(database, tenant.id, provider_id, platform.ports.clock.now()),
  ]);
  await announceRevocation(platform, tenant.id);
}

/** Ends the access tokens alone: they hold what the last sign-in told. Grants go on, and clients get new tokens by themselves. */
export async function endTokensOfProvider(visit: Visit, provider_id: string): Promise<void> {
  const { platform, tenant } = visit;
  const database = openDatabase(platform.bindings.DB);
  await voidTokensOfProvider(database, tenant.id, provider_id, platform.ports.clock.now());
  await announceRevocation(platform, tenant.id);
}

function voidTokensOfProvider(database: Database, tenant: string, provider_id: string, now: number) {
  const theirs = database
    .select({
      ...{ tenant_id: users.tenant_id, kind: sql<"user">`'user'`.as("kind"), subject: users.id },
      not_before: sql<number>`${now}`.as("not_before"),
      expires_at: sql<number>`${now + limits.revocation_ms}`.as("expires_at"),
    })
    .from(users)
    .where(and(eq(users.tenant_id, tenant), eq(users.provider_id, provider_id)));
  return database.insert(revocations).select(theirs).onConflictDoUpdate(laterRevocation);
}
