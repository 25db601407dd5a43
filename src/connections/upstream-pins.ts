/** What the clients that administrators configured were first used with, in D1. */
import { and, eq, sql } from "drizzle-orm";
import { rowWhere, upstream_clients, type Database } from "../db/index.ts";
import { changes, key, parsed, type UpstreamClient } from "./upstream-clients.ts";

/** Every statement carries the tenant, since there is no method without it. */
export function upstreamPinsRepository(database: Database, tenant: string) {
  const of = (server_id: string) =>
    and(eq(upstream_clients.tenant_id, tenant), eq(upstream_clients.server_id, server_id));

  return {
    /** What the configured client of this revision of the server was first used with. */
    async pin(server_id: string, server_revision: number): Promise<UpstreamClient | undefined> {
      const [row] = await database
        .select()
        .from(upstream_clients)
        .where(and(of(server_id), isPin(server_revision)))
        .limit(1);
      return row === undefined ? undefined : parsed(row);
    },

    /** Keeps it, unless this revision is pinned already: whoever comes second reads what the first one saw. */
    async putPin(client: UpstreamClient): Promise<void> {
      const row = { ...client, tenant_id: tenant };
      const pinned = sql`exists (select 1 from ${upstream_clients} where ${and(of(client.server_id), isPin(client.server_revision))})`;
      await database
        .insert(upstream_clients)
        .select(rowWhere(upstream_clients, row, sql`not ${pinned}`))
        .onConflictDoUpdate({
          target: key,
          set: changes(row),
        });
    },
  };
}

const isPin = (server_revision: number) =>
  and(eq(upstream_clients.server_revision, server_revision), eq(upstream_clients.how, "configured"));
