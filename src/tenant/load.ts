/** D1 rows to a snapshot. */
import { and, eq, gt, isNull } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { clients, servers, tenants, tokens } from "../db/index.ts";
import type { Mode } from "../env.ts";
import { serverFromRow } from "../registry/index.ts";
import { defaultSettings, settingsSchema } from "./settings.ts";
import type { Client, Snapshot, Token } from "./snapshot.ts";

const idsColumn = z.array(z.string());

/**
 * @param version as the Tenant object told it before this call, so that the snapshot is at least as new as its version
 * @throws when D1 fails or any row is not readable: half a configuration decides nothing, so the caller refuses the request
 */
export async function loadSnapshot(
  database: D1Database,
  tenant: string,
  version: number,
  now: number,
  mode: Mode,
): Promise<Snapshot> {
  const db = drizzle(database);
  const [tenantRows, serverRows, clientRows, tokenRows] = await db.batch([
    db.select().from(tenants).where(eq(tenants.id, tenant)),
    db.select().from(servers).where(eq(servers.tenant_id, tenant)).orderBy(servers.slug),
    db.select().from(clients).where(eq(clients.tenant_id, tenant)),
    db
      .select()
      .from(tokens)
      .where(and(eq(tokens.tenant_id, tenant), isNull(tokens.revoked_at), gt(tokens.expires_at, now))),
  ]);
  const row = tenantRows[0];
  const live = tokenRows.map((token) => [token.hash, toToken(token)] as const);
  return {
    tenant,
    version,
    loaded_at: now,
    // Settings that development mode stored, and a set-up that was taken back, leave a row without an administrator.
    initialised: (row !== undefined && row.initialised_at > 0) || mode === "development",
    settings: row === undefined ? defaultSettings : settingsSchema.parse(JSON.parse(row.settings)),
    servers: new Map(serverRows.map((server) => [server.slug, serverFromRow(server)])),
    clients: new Map(clientRows.map((client) => [client.id, toClient(client)])),
    tokens: new Map(live),
    tokensById: new Map(live.map(([, token]) => [token.id, token])),
  };
}

function toClient(row: typeof clients.$inferSelect): Client {
  return {
    id: row.id,
    name: row.name,
    enabled: row.enabled,
    servers: new Set(idsColumn.parse(JSON.parse(row.servers))),
  };
}

function toToken(row: typeof tokens.$inferSelect): Token {
  return { id: row.id, kind: row.kind, client_id: row.client_id, expires_at: row.expires_at };
}
