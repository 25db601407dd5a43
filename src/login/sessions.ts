/** Browsers in which people are signed in. The cookie holds 256 random bits; D1 holds their hash. */
import { and, desc, eq, gt, inArray, lt, notInArray, sql } from "drizzle-orm";
import * as z from "zod";
import { identity_providers, rowWhere, users, web_sessions, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { toAdmittedUser, type User } from "./users.ts";

export interface WebSession {
  /** SHA-256 of the cookie. */
  readonly hash: string;
  readonly user: User;
  readonly provider_id: string;
  /** When the person last proved who they are, in milliseconds since the Unix epoch; 0 when the provider told nothing and may have asked nobody. */
  readonly authenticated_at: number;
  readonly created_at: number;
  readonly expires_at: number;
  /** Country and network at sign-in. */
  readonly source: { readonly country?: string | undefined; readonly network: string };
}

type Row = typeof web_sessions.$inferSelect;
export type NewSession = Omit<Row, "tenant_id" | "source" | "last_seen_at" | "expires_at"> & Pick<WebSession, "source">;

const sourceColumn = z.object({ country: z.string().optional(), network: z.string() });

/** @returns the statement that ends all sessions of a person, for a batch */
export function endSessionsOf(database: Database, tenant: string, user_id: string) {
  return database
    .delete(web_sessions)
    .where(and(eq(web_sessions.tenant_id, tenant), eq(web_sessions.user_id, user_id)));
}

export function sessionsRepository(database: Database, tenant: string) {
  const mine = eq(web_sessions.tenant_id, tenant);
  const one = (hash: string) => and(mine, eq(web_sessions.hash, hash));
  const ofUser = (user_id: string) => and(mine, eq(web_sessions.user_id, user_id));
  const enabledUser = (user_id: string) =>
    sql`exists (select 1 from ${users} where ${and(
      eq(users.tenant_id, tenant),
      eq(users.id, user_id),
      eq(users.enabled, true),
    )})`;

  return {
    /**
     * Stores a session; the person's oldest ones go at `limits.webSessionsPerUser_count`.
     * @returns false when the person was disabled meanwhile
     */
    async insert(session: NewSession): Promise<boolean> {
      const now = session.created_at;
      const row = {
        ...session,
        source: JSON.stringify(session.source),
        ...{ tenant_id: tenant, last_seen_at: now, expires_at: now + limits.webSession_ms },
      };
      const over = database
        .select({ rowid: sql`rowid` })
        .from(web_sessions)
        .where(and(mine, lt(web_sessions.expires_at, now)))
        .limit(limits.webSessionsSweep_count);
      const newest = database
        .select({ hash: web_sessions.hash })
        .from(web_sessions)
        .where(ofUser(session.user_id))
        .orderBy(desc(web_sessions.created_at), desc(sql`rowid`))
        .limit(limits.webSessionsPerUser_count);
      const [, inserted] = await database.batch([
        database.delete(web_sessions).where(and(mine, inArray(sql`rowid`, over))),
        database
          .insert(web_sessions)
          .select(rowWhere(web_sessions, row, enabledUser(session.user_id)))
          .returning({ hash: web_sessions.hash }),
        database.delete(web_sessions).where(and(ofUser(session.user_id), notInArray(web_sessions.hash, newest))),
      ]);
      return inserted.length > 0;
    },

    /** A session that lives: of an enabled person at an enabled provider that admits them, neither too old nor idle for too long. */
    async find(hash: string, now: number): Promise<{ session: WebSession; last_seen_at: number } | undefined> {
      const [found] = await database
        .select({ session: web_sessions, user: users, options: identity_providers.options })
        .from(web_sessions)
        .innerJoin(users, and(eq(users.tenant_id, tenant), eq(users.id, web_sessions.user_id)))
        .innerJoin(
          identity_providers,
          and(eq(identity_providers.tenant_id, tenant), eq(identity_providers.id, web_sessions.provider_id)),
        )
        .where(
          and(
            one(hash),
            gt(web_sessions.expires_at, now),
            gt(web_sessions.last_seen_at, now - limits.webSessionIdle_ms),
            eq(users.enabled, true),
            eq(identity_providers.enabled, true),
          ),
        );
      const user = found === undefined ? undefined : toAdmittedUser(found.user, found.options);
      if (found === undefined || user === undefined) return undefined;
      const { provider_id, authenticated_at, created_at, last_seen_at, expires_at, source } = found.session;
      const session = {
        ...{ hash, user, provider_id, authenticated_at, created_at, expires_at },
        source: sourceColumn.parse(JSON.parse(source)),
      };
      return { session, last_seen_at };
    },

    async touch(hash: string, now: number): Promise<void> {
      await database
        .update(web_sessions)
        .set({ last_seen_at: now })
        .where(and(one(hash), lt(web_sessions.last_seen_at, now)));
    },

    async remove(hash: string): Promise<boolean> {
      const removed = await database.delete(web_sessions).where(one(hash)).returning({ hash: web_sessions.hash });
      return removed.length > 0;
    },
  };
}
