/** Clients that registered themselves (RFC 7591), of one tenant in D1. They go when nobody used them for a while. */
import { and, asc, eq, gt, inArray, isNull, lt, lte, not, notExists, sql } from "drizzle-orm";
import * as z from "zod";
import { dynamic_clients, grants, rowWhere, type Database } from "../../db/index.ts";
import { limits } from "../../limits.ts";
import type { OAuthClient } from "../types.ts";
import { keysOf } from "./document.ts";
import { selfGrants } from "./metadata.ts";
import { jwksSchema } from "./registration.ts";

/** The column `metadata`: what the client described itself as when it registered. */
const metadataSchema = z.strictObject({
  name: z.string(),
  redirect_uris: z.array(z.string()),
  authentication: z.enum(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]),
  grant_types: z.array(z.enum(selfGrants)),
  jwks: jwksSchema.optional(),
  jwks_uri: z.string().optional(),
  application_type: z.enum(["native", "web"]).optional(),
});

export type DynamicMetadata = z.infer<typeof metadataSchema>;

export interface DynamicClient {
  readonly id: string;
  readonly metadata: DynamicMetadata;
  /** SHA-256 of its secret; null for a client without. */
  readonly secret_hash: string | null;
  readonly created_at: number;
  readonly expires_at: number;
}

/** `expires_at` is written again when it is this much behind. */
const extendStep_ms = limits.dynamicClient_ms / 90;

/** Every statement carries the tenant, since there is no method without it. */
export function dynamicClients(database: Database, tenant: string) {
  const mine = eq(dynamic_clients.tenant_id, tenant);

  return {
    /**
     * Clears away what expired, and where the table is full the oldest that nobody allows anything: anybody can register, and must
     * not close the door behind them. The rates of registration keep the oldest a day old at least.
     * @returns `full` at `limits.dynamicClients_count` in use
     */
    async insert(client: DynamicClient, now: number): Promise<"inserted" | "full"> {
      const expired = database
        .select({ id: dynamic_clients.id })
        .from(dynamic_clients)
        .where(and(mine, lte(dynamic_clients.expires_at, now)))
        .limit(limits.dynamicClientsSweep_count);
      const below = sql`(select count(*) from ${dynamic_clients} where ${mine}) < ${limits.dynamicClients_count}`;
      const isUsed = database
        .select({ id: grants.id })
        .from(grants)
        .where(
          and(
            eq(grants.tenant_id, tenant),
            eq(grants.client_id, dynamic_clients.id),
            isNull(grants.revoked_at),
            gt(grants.expires_at, now),
          ),
        );
      const oldestUnused = database
        .select({ id: dynamic_clients.id })
        .from(dynamic_clients)
        .where(and(mine, notExists(isUsed)))
        .orderBy(asc(dynamic_clients.created_at))
        .limit(1);
      const row = { ...client, tenant_id: tenant, metadata: JSON.stringify(client.metadata) };
      const [, , inserted] = await database.batch([
        database.delete(dynamic_clients).where(and(mine, inArray(dynamic_clients.id, expired))),
        database.delete(dynamic_clients).where(and(mine, not(below), inArray(dynamic_clients.id, oldestUnused))),
        database
          .insert(dynamic_clients)
          .select(rowWhere(dynamic_clients, row, below))
          .returning({ id: dynamic_clients.id }),
      ]);
      return inserted.length > 0 ? "inserted" : "full";
    },

    /** It was used: it lives on. */
    async extend(id: string, now: number): Promise<void> {
      const expires_at = now + limits.dynamicClient_ms;
      await database
        .update(dynamic_clients)
        .set({ expires_at })
        .where(
          and(
            mine,
            eq(dynamic_clients.id, id),
            gt(dynamic_clients.expires_at, now),
            lt(dynamic_clients.expires_at, expires_at - extendStep_ms),
          ),
        );
    },
  };
}

/** The statement that looks for a living one. */
export function selectDynamicClient(database: Database, tenant: string, id: string, now: number) {
  return database
    .select()
    .from(dynamic_clients)
    .where(and(eq(dynamic_clients.tenant_id, tenant), eq(dynamic_clients.id, id), gt(dynamic_clients.expires_at, now)));
}

export function dynamicClientOf(row: typeof dynamic_clients.$inferSelect): OAuthClient {
  const metadata = metadataSchema.parse(JSON.parse(row.metadata));
  return {
    id: row.id,
    kind: "dynamic",
    name: metadata.name,
    domain: undefined,
    redirect_uris: metadata.redirect_uris,
    authentication: metadata.authentication,
    keys: metadata.authentication === "private_key_jwt" ? keysOf(metadata.jwks, metadata.jwks_uri) : undefined,
    grant_types: new Set(metadata.grant_types),
    pre_approved: false,
    workloads: [],
  };
}
