/** D1 rows to a snapshot. */
import { and, desc, eq, gt, isNull, ne } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import * as z from "zod";
import { clients, revocations, servers, signing_keys, tenants, tokens } from "../db/index.ts";
import type { Mode } from "../env.ts";
import { limits } from "../limits.ts";
import { serverFromRow } from "../registry/index.ts";
import { defaultSettings, settingsSchema } from "./settings.ts";
import type { Client, Snapshot, Token, VerificationKey } from "./snapshot.ts";

const idsColumn = z.array(z.string());
const jwkColumn = z.record(z.string(), z.string());

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
  const [tenantRows, serverRows, clientRows, tokenRows, keyRows, revocationRows] = await db.batch([
    db.select().from(tenants).where(eq(tenants.id, tenant)),
    db.select().from(servers).where(eq(servers.tenant_id, tenant)).orderBy(servers.slug),
    db.select().from(clients).where(eq(clients.tenant_id, tenant)),
    db
      .select()
      .from(tokens)
      .where(
        and(
          eq(tokens.tenant_id, tenant),
          ne(tokens.kind, "secret"),
          isNull(tokens.revoked_at),
          gt(tokens.expires_at, now),
        ),
      ),
    db
      .select()
      .from(signing_keys)
      .where(and(eq(signing_keys.tenant_id, tenant), gt(signing_keys.expires_at, now))),
    db
      .select()
      .from(revocations)
      .where(and(eq(revocations.tenant_id, tenant), gt(revocations.expires_at, now)))
      .orderBy(desc(revocations.not_before))
      .limit(limits.revocations_count + 1),
  ]);
  const row = tenantRows[0];
  const live = tokenRows.map((token) => [token.hash, toToken(token)] as const);
  const held = revocationRows.slice(0, limits.revocations_count);
  const newestOmitted = revocationRows[limits.revocations_count];
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
    verificationKeys: new Map(keyRows.map((key) => [key.kid, toVerificationKey(key)])),
    revocations: new Map(held.map(({ kind, subject, not_before }) => [`${kind}:${subject}`, not_before])),
    // Those that were left out are no newer than this one: what was issued since then they do not concern.
    revokedBefore: newestOmitted?.not_before ?? 0,
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

function toVerificationKey(row: typeof signing_keys.$inferSelect): VerificationKey {
  return {
    kid: row.kid,
    jwk: jwkColumn.parse(JSON.parse(row.public_key)),
    active_at: row.active_at,
    expires_at: row.expires_at,
  };
}

function toToken(row: typeof tokens.$inferSelect): Token {
  return { id: row.id, kind: row.kind, client_id: row.client_id, expires_at: row.expires_at };
}
