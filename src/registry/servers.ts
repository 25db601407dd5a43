/** The upstream servers of one tenant in D1. */
import { and, asc, eq, gt, notExists, sql } from "drizzle-orm";
import { clients, rowWhere, servers, upstream_clients, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { serverFromRow, type Server } from "./server.ts";

export interface StoredServer extends Server {
  readonly created_at: number;
  /** Grows with every change, also within one millisecond: the version that `If-Match` compares. */
  readonly updated_at: number;
}

export type ServerChanges = Partial<
  Pick<
    StoredServer,
    | "name"
    | "url"
    | "enabled"
    | "timeout_ms"
    | "authentication"
    | "credential"
    | "outbound_headers"
    | "header_secrets"
    | "agent_authentication"
    | "inbound_headers"
    | "revision"
    | "authentication_revision"
    | "access"
  >
>;

export type ServersRepository = ReturnType<typeof serversRepository>;

type Row = typeof servers.$inferSelect;

/** Every statement carries the tenant, since there is no method without it. */
export function serversRepository(database: Database, tenant: string) {
  const mine = eq(servers.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(servers.id, id));

  return {
    /** In the order of slugs. @param after the slug that the page starts behind */
    async page(after: string | undefined, count: number): Promise<StoredServer[]> {
      const rows = await database
        .select()
        .from(servers)
        .where(after === undefined ? mine : and(mine, gt(servers.slug, after)))
        .orderBy(asc(servers.slug))
        .limit(count);
      return rows.map(stored);
    },

    async get(id: string): Promise<StoredServer | undefined> {
      const [row] = await database.select().from(servers).where(one(id));
      return row === undefined ? undefined : stored(row);
    },

    /** Id and slug of each server: the whole tenant, because D1 binds at most 100 parameters in an IN list. */
    names(): Promise<{ id: string; slug: string }[]> {
      return database
        .select({ id: servers.id, slug: servers.slug })
        .from(servers)
        .where(mine)
        .limit(limits.serversPerTenant_count);
    },

    /** @returns `duplicate` when the slug is taken, `full` at `limits.serversPerTenant_count` */
    async insert(server: StoredServer): Promise<"inserted" | "duplicate" | "full"> {
      const row: Row = {
        ...server,
        tenant_id: tenant,
        authentication: JSON.stringify(server.authentication),
        outbound_headers: JSON.stringify(server.outbound_headers),
        agent_authentication: JSON.stringify(server.agent_authentication),
        inbound_headers: JSON.stringify(server.inbound_headers),
        access: JSON.stringify(server.access),
      };
      const below = sql`(select count(*) from ${servers} where ${mine}) < ${limits.serversPerTenant_count}`;
      const inserted = await database
        .insert(servers)
        .select(rowWhere(servers, row, below))
        .onConflictDoNothing()
        .returning({ id: servers.id });
      if (inserted.length > 0) return "inserted";
      const taken = await database
        .select({ id: servers.id })
        .from(servers)
        .where(and(mine, eq(servers.slug, server.slug)));
      return taken.length > 0 ? "duplicate" : "full";
    },

    /**
     * @param seen `updated_at` of the row that the change was computed from
     * @returns the new row, or `undefined` when it changed or went meanwhile
     */
    async update(id: string, seen: number, changes: ServerChanges, now: number): Promise<StoredServer | undefined> {
      const { authentication, outbound_headers, agent_authentication, inbound_headers, access, ...columns } = changes;
      const json = { authentication, outbound_headers, agent_authentication, inbound_headers, access };
      const [row] = await database
        .update(servers)
        .set({
          ...columns,
          ...asText(json),
          updated_at: Math.max(now, seen + 1),
        })
        .where(and(one(id), eq(servers.updated_at, seen)))
        .returning();
      return row === undefined ? undefined : stored(row);
    },

    /**
     * Removes the server, its id from every allow-list, and what we are to its authorization servers, in one transaction. Connections of
     * people are left: they are theirs to end.
     * @returns false when it changed or went meanwhile
     */
    async remove(id: string, seen: number, now: number): Promise<boolean> {
      const remains = database.select({ id: servers.id }).from(servers).where(one(id));
      const [removed] = await database.batch([
        database
          .delete(servers)
          .where(and(one(id), eq(servers.updated_at, seen)))
          .returning({ id: servers.id }),
        database
          .update(clients)
          .set({
            servers: sql`(select json_group_array(value) from json_each(${clients.servers}) where value <> ${id})`,
            updated_at: sql`max(${clients.updated_at} + 1, ${now})`,
          })
          .where(
            and(
              eq(clients.tenant_id, tenant),
              sql`exists (select 1 from json_each(${clients.servers}) where value = ${id})`,
              notExists(remains),
            ),
          ),
        database
          .delete(upstream_clients)
          .where(and(eq(upstream_clients.tenant_id, tenant), eq(upstream_clients.server_id, id), notExists(remains))),
      ]);
      return removed.length > 0;
    },
  };
}

/** Those of the members that are there, as JSON. */
function asText<M extends string>(members: Readonly<Record<M, unknown>>): Partial<Record<M, string>> {
  const texts: Partial<Record<M, string>> = {};
  for (const member in members) if (members[member] !== undefined) texts[member] = JSON.stringify(members[member]);
  return texts;
}

function stored(row: Row): StoredServer {
  return { ...serverFromRow(row), created_at: row.created_at, updated_at: row.updated_at };
}
