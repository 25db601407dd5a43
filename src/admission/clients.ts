/** The machine clients of one tenant in D1: who they are and which servers exist for them. */
import { and, asc, eq, gt, inArray, notExists, sql } from "drizzle-orm";
import * as z from "zod";
import { clients, rowWhere, tokens, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { registrationMetadataSchema, type RegistrationMetadata } from "../oauth/index.ts";
import { revokeTokens } from "../tenant/index.ts";

export interface StoredClient {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  /** Server ids: the allow-list. */
  readonly servers: readonly string[];
  /** How it may get tokens of OAuth; null: it may not. */
  readonly oauth: RegistrationMetadata | null;
  readonly created_at: number;
  /** Grows with every change, also within one millisecond: the version that `If-Match` compares. */
  readonly updated_at: number;
}

export type ClientChanges = Partial<Pick<StoredClient, "name" | "description" | "enabled" | "servers" | "oauth">>;

type Row = typeof clients.$inferSelect;

const allowList = z.array(z.string()).max(limits.serversPerTenant_count);

/** Every statement carries the tenant, since there is no method without it. */
export function clientsRepository(database: Database, tenant: string) {
  const mine = eq(clients.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(clients.id, id));
  const voided = (id: string, now: number) => revokeTokens(database, tenant, { kind: "client", subject: id }, now);

  return {
    /** In the order of creation. @param after the id that the page starts behind */
    async page(after: string | undefined, count: number): Promise<StoredClient[]> {
      const rows = await database
        .select()
        .from(clients)
        .where(after === undefined ? mine : and(mine, gt(clients.id, after)))
        .orderBy(asc(clients.id))
        .limit(count);
      return rows.map(stored);
    },

    async get(id: string): Promise<StoredClient | undefined> {
      const [row] = await database.select().from(clients).where(one(id));
      return row === undefined ? undefined : stored(row);
    },

    /** @returns `full` at `limits.clientsPerTenant_count` */
    async insert(client: StoredClient): Promise<"inserted" | "full"> {
      const row: Row = {
        ...client,
        tenant_id: tenant,
        servers: JSON.stringify(client.servers),
        oauth: oauthColumn(client.oauth),
      };
      const below = sql`(select count(*) from ${clients} where ${mine}) < ${limits.clientsPerTenant_count}`;
      const inserted = await database
        .insert(clients)
        .select(rowWhere(clients, row, below))
        .returning({ id: clients.id });
      return inserted.length > 0 ? "inserted" : "full";
    },

    /**
     * @param seen `updated_at` of the row that the change was computed from
     * @param voids whether its access tokens end with the change, in the same transaction
     * @returns the new row, or `undefined` when it changed or went meanwhile
     */
    async update(
      id: string,
      seen: number,
      changes: ClientChanges,
      now: number,
      voids: boolean,
    ): Promise<StoredClient | undefined> {
      const { servers, oauth, ...columns } = changes;
      const update = database
        .update(clients)
        .set({
          ...columns,
          ...(servers === undefined ? {} : { servers: JSON.stringify(servers) }),
          ...(oauth === undefined ? {} : { oauth: oauthColumn(oauth) }),
          updated_at: Math.max(now, seen + 1),
        })
        .where(and(one(id), eq(clients.updated_at, seen)))
        .returning();
      // Where the change loses its race, tokens end for nothing: their client gets new ones.
      const [[row]] = await (voids ? database.batch([update, voided(id, now)]) : database.batch([update]));
      return row === undefined ? undefined : stored(row);
    },

    /** Removes the client, its tokens and secrets, in one transaction. @returns false when it changed or went meanwhile */
    async remove(id: string, seen: number, now: number): Promise<boolean> {
      const remains = database.select({ id: clients.id }).from(clients).where(one(id));
      const [removed] = await database.batch([
        database
          .delete(clients)
          .where(and(one(id), eq(clients.updated_at, seen)))
          .returning({ id: clients.id }),
        database
          .delete(tokens)
          .where(
            and(
              eq(tokens.tenant_id, tenant),
              inArray(tokens.kind, ["client", "secret"]),
              eq(tokens.client_id, id),
              notExists(remains),
            ),
          ),
        voided(id, now),
      ]);
      return removed.length > 0;
    },
  };
}

const oauthColumn = (oauth: RegistrationMetadata | null): string | null =>
  oauth === null ? null : JSON.stringify(oauth);

function stored(row: Row): StoredClient {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    enabled: row.enabled,
    servers: allowList.parse(JSON.parse(row.servers)),
    oauth: row.oauth === null ? null : registrationMetadataSchema.parse(JSON.parse(row.oauth)),
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}
