/** Who Gatehouse is at the authorization servers of one tenant's servers, where it registered itself: in D1. */
import { and, asc, count, desc, eq, exists, inArray, notExists, notInArray, sql } from "drizzle-orm";
import { connections, rowWhere, upstream_clients, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { clientAuthenticationSchema, type ClientAuthentication } from "../registry/index.ts";

type Row = typeof upstream_clients.$inferSelect;

export type UpstreamClient = Omit<Row, "tenant_id" | "client_authentication"> & {
  readonly client_authentication: ClientAuthentication;
};

/**
 * Where a registration is kept that another one took the place of: what was connected with it is renewed with it. No issuer has a
 * fragment, so this is never the place of one.
 * @see RFC 8414 section 2
 */
export const formerPlace = (issuer: string, client_id: string): string => `${issuer}#${client_id}`;

/** Every statement carries the tenant, since there is no method without it. */
export function upstreamClientsRepository(database: Database, tenant: string) {
  const mine = eq(upstream_clients.tenant_id, tenant);
  const of = (server_id: string) => and(mine, eq(upstream_clients.server_id, server_id));
  const one = (server_id: string, issuer: string) => and(of(server_id), eq(upstream_clients.issuer, issuer));

  return {
    async get(server_id: string, issuer: string): Promise<UpstreamClient | undefined> {
      const [row] = await database.select().from(upstream_clients).where(one(server_id, issuer));
      return row === undefined ? undefined : parsed(row);
    },

    /** The registration with this client id, also where another one took its place. */
    async registration(server_id: string, issuer: string, client_id: string): Promise<UpstreamClient | undefined> {
      const [row] = await database
        .select()
        .from(upstream_clients)
        .where(and(of(server_id), isOfClient(issuer, client_id)))
        // The one in use before a former one.
        .orderBy(asc(upstream_clients.issuer))
        .limit(1);
      return row === undefined ? undefined : parsed(row);
    },

    /** All that are kept of an issuer, the one in use first, then the newest: each is good for its own redirect URI. */
    async registrations(server_id: string, issuer: string): Promise<UpstreamClient[]> {
      const former = sql`${issuer} || '#' || ${upstream_clients.client_id}`;
      const isOfIssuer = sql`${upstream_clients.issuer} in (${issuer}, ${former})`;
      const rows = await database
        .select()
        .from(upstream_clients)
        .where(and(of(server_id), isOfIssuer, eq(upstream_clients.how, "dynamic")))
        .orderBy(desc(eq(upstream_clients.issuer, issuer)), desc(upstream_clients.updated_at));
      return rows.map(parsed);
    },

    /** Registrations that something is connected with: these are never let go. */
    async countUsed(server_id: string): Promise<number> {
      const used = and(
        of(server_id),
        eq(upstream_clients.how, "dynamic"),
        exists(usersOf(database, tenant, server_id)),
      );
      const [row] = await database.select({ n: count() }).from(upstream_clients).where(used);
      return row?.n ?? 0;
    },

    /** Keeps the first registration at an issuer. @returns false when another one was quicker */
    async putRegistration(client: UpstreamClient): Promise<boolean> {
      const row = { ...client, tenant_id: tenant };
      const kept = await database.insert(upstream_clients).values(row).onConflictDoNothing().returning();
      if (kept.length > 0) await prune(database, tenant, client);
      return kept.length > 0;
    },

    /**
     * Puts a registration in place of what was there, if that is still as it was seen.
     * @param former what was there, at its `formerPlace`; undefined where nobody can need it
     * @returns false when another one was quicker
     */
    async replaceRegistration(
      client: UpstreamClient,
      seen: Pick<UpstreamClient, "revision">,
      former: UpstreamClient | undefined,
    ): Promise<boolean> {
      const isSeen = and(one(client.server_id, client.issuer), eq(upstream_clients.revision, seen.revision));
      const replace = database
        .update(upstream_clients)
        .set(changes({ ...client, tenant_id: tenant }))
        .where(isSeen)
        .returning();
      if (former === undefined) return (await replace).length > 0;
      const row = { ...former, tenant_id: tenant };
      const [, kept] = await database.batch([
        database
          .insert(upstream_clients)
          .select(rowWhere(upstream_clients, row, sql`exists (select 1 from ${upstream_clients} where ${isSeen})`))
          .onConflictDoUpdate({
            target: key,
            set: changes(row),
          }),
        replace,
      ]);
      if (kept.length > 0) await prune(database, tenant, client);
      return kept.length > 0;
    },

    /** The authorization server said that it does not know it: it is used no more for new links, and stays for what was made with it. */
    async doubt(issuer: string, client_id: string): Promise<void> {
      await database
        .update(upstream_clients)
        .set({ server_revision: 0 })
        .where(and(mine, isOfClient(issuer, client_id)));
    },
  };
}

export const key = [upstream_clients.tenant_id, upstream_clients.server_id, upstream_clients.issuer];

/** What is renewed with the registration of the row that is looked at. */
const usersOf = (database: Database, tenant: string, server_id: string) =>
  database
    .select({ one: sql`1` })
    .from(connections)
    .where(
      and(
        eq(connections.tenant_id, tenant),
        eq(connections.target, server_id),
        eq(connections.client_id, upstream_clients.client_id),
      ),
    );

/** The oldest of a server with too many go, but none that a connection is renewed with. */
async function prune(database: Database, tenant: string, newest: UpstreamClient): Promise<void> {
  const ofServer = and(eq(upstream_clients.tenant_id, tenant), eq(upstream_clients.server_id, newest.server_id));
  const users = usersOf(database, tenant, newest.server_id);
  const kept = database
    .select({ issuer: upstream_clients.issuer })
    .from(upstream_clients)
    .where(ofServer)
    .orderBy(
      desc(eq(upstream_clients.issuer, newest.issuer)),
      desc(exists(users)),
      desc(upstream_clients.updated_at),
      desc(upstream_clients.issuer),
    )
    .limit(limits.upstreamClientsPerServer_count);
  const isSpare = and(notInArray(upstream_clients.issuer, kept), notExists(users));
  await database.delete(upstream_clients).where(and(ofServer, isSpare));
}

const isOfClient = (issuer: string, client_id: string) =>
  and(
    inArray(upstream_clients.issuer, [issuer, formerPlace(issuer, client_id)]),
    eq(upstream_clients.client_id, client_id),
    eq(upstream_clients.how, "dynamic"),
  );

/** All but what identifies the row and when it was made. */
export function changes({ tenant_id: _tenant, server_id: _server, issuer: _issuer, created_at: _made, ...rest }: Row) {
  return rest;
}

export function parsed({ tenant_id: _tenant, ...row }: Row): UpstreamClient {
  return { ...row, client_authentication: clientAuthenticationSchema.parse(row.client_authentication) };
}
