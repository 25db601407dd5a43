/**
 * Every column of D1 that keeps something sealed for longer than a day, with the binding of its texts: what a change of keys has to seal
 * anew. Not among them is what ends by itself long before an old key may leave the ring: remembered answers of the admin API (a day),
 * ways to link (minutes), and successors of refresh tokens, which live in the objects of their grants (seconds).
 */
import { and, asc, eq, getTableName, isNotNull, sql, type SQL } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import * as z from "zod";
import {
  connections,
  identity_providers,
  servers,
  signing_keys,
  stored_credentials,
  upstream_clients,
  type Database,
} from "../db/index.ts";
import {
  connectionBinding,
  providerCredentialBinding,
  serverCredentialBinding,
  serverHeaderSecretsBinding,
  signingKeyBinding,
  storedCredentialBinding,
  upstreamClientBinding,
} from "./bindings.ts";
import type { Binding } from "./sealed-record.ts";

export interface SealedText {
  /** The key of its row within the tenant. */
  readonly key: readonly string[];
  readonly binding: Binding;
  readonly sealed: string;
}

export interface Resealed extends SealedText {
  readonly under_current: string;
}

interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /**
   * In the order of keys.
   * @param after the key that the rows stand behind
   */
  read(
    database: Database,
    tenant: string,
    after: readonly string[] | undefined,
    count: number,
  ): Promise<readonly SealedText[]>;
  /** The statement that puts each text in the place of the one it was made from, and only there: whoever wrote meanwhile has won. */
  replace(database: Database, tenant: string, resealed: readonly Resealed[]): BatchItem<"sqlite">;
}

interface Definition<Facts extends z.ZodType> {
  readonly table: SQLiteTable;
  readonly tenant: SQLiteColumn;
  readonly column: SQLiteColumn;
  /** The primary key after the tenant. */
  readonly key: readonly SQLiteColumn[];
  /** What the binding is made of. */
  readonly facts: Readonly<Record<string, SQLiteColumn>>;
  readonly schema: Facts;
  readonly bindingOf: (tenant: string, facts: z.output<Facts>) => Binding;
}

function sealedColumn<Facts extends z.ZodType>(definition: Definition<Facts>): SealedColumn {
  const { table, tenant: tenantColumn, column, key, facts, schema, bindingOf } = definition;
  const keys = sql.join([...key], sql`, `);
  return {
    table: getTableName(table),
    column: column.name,

    async read(database, tenant, after, count) {
      const behind =
        after === undefined
          ? undefined
          : sql`(${keys}) > (${sql.join(
              after.map((part) => sql`${part}`),
              sql`, `,
            )})`;
      const rows: readonly Readonly<Record<string, unknown>>[] = await database
        .select({ ...facts, ...Object.fromEntries(key.map((part, at) => [`key${at}`, part])), sealed: column })
        .from(table)
        .where(and(eq(tenantColumn, tenant), isNotNull(column), behind))
        .orderBy(...key.map((part) => asc(part)))
        .limit(count);
      return rows.map((row) => ({
        key: key.map((_, at) => z.string().parse(row[`key${at}`])),
        binding: bindingOf(tenant, schema.parse(row)),
        sealed: z.string().parse(row["sealed"]),
      }));
    },

    replace(database, tenant, resealed) {
      // One value for all of them: D1 binds at most 100.
      const moves = JSON.stringify(
        resealed.map(({ key: at, sealed, under_current }) => [under_current, sealed, ...at]),
      );
      const moved = (at: number): SQL => sql`json_extract(moved.value, ${`$[${at}]`})`;
      const same = and(
        eq(tenantColumn, tenant),
        ...key.map((part, at) => sql`${part} = ${moved(at + 2)}`),
        sql`${column} = ${moved(1)}`,
      );
      return database
        .update(table)
        .set({ [column.name]: moved(0) })
        .from(sql`json_each(${moves}) as moved`)
        .where(same)
        .returning({ column });
    },
  };
}

const revised = z.object({ id: z.string(), revision: z.int() });

/** In the order in which they are walked: the position in it is kept in `vault_rotations`, so a new one goes to the end. */
export const sealedColumns: readonly SealedColumn[] = [
  sealedColumn({
    table: servers,
    tenant: servers.tenant_id,
    column: servers.credential,
    key: [servers.id],
    facts: { id: servers.id, revision: servers.revision },
    schema: revised,
    bindingOf: (tenant, { id, revision }) => serverCredentialBinding(tenant, id, revision),
  }),
  sealedColumn({
    table: servers,
    tenant: servers.tenant_id,
    column: servers.header_secrets,
    key: [servers.id],
    facts: { id: servers.id, revision: servers.revision },
    schema: revised,
    bindingOf: (tenant, { id, revision }) => serverHeaderSecretsBinding(tenant, id, revision),
  }),
  sealedColumn({
    table: identity_providers,
    tenant: identity_providers.tenant_id,
    column: identity_providers.credential,
    key: [identity_providers.id],
    facts: { id: identity_providers.id, revision: identity_providers.revision },
    schema: revised,
    bindingOf: (tenant, { id, revision }) => providerCredentialBinding(tenant, id, revision),
  }),
  sealedColumn({
    table: connections,
    tenant: connections.tenant_id,
    column: connections.credential,
    key: [connections.id],
    facts: {
      id: connections.id,
      user_id: connections.user_id,
      target: connections.target,
      account: connections.account,
      issuer: connections.issuer,
      token_endpoint: connections.token_endpoint,
      revision: connections.revision,
    },
    schema: revised.extend({
      user_id: z.string(),
      target: z.string(),
      account: z.string(),
      issuer: z.string(),
      token_endpoint: z.string(),
    }),
    bindingOf: (tenant, { revision, ...row }) => connectionBinding(tenant, row, revision),
  }),
  sealedColumn({
    table: upstream_clients,
    tenant: upstream_clients.tenant_id,
    column: upstream_clients.credential,
    key: [upstream_clients.server_id, upstream_clients.issuer],
    facts: {
      server_id: upstream_clients.server_id,
      issuer: upstream_clients.issuer,
      token_endpoint: upstream_clients.token_endpoint,
      revision: upstream_clients.revision,
    },
    schema: z.object({ server_id: z.string(), issuer: z.string(), token_endpoint: z.string(), revision: z.int() }),
    bindingOf: (tenant, { revision, ...row }) => upstreamClientBinding(tenant, row, revision),
  }),
  sealedColumn({
    table: stored_credentials,
    tenant: stored_credentials.tenant_id,
    column: stored_credentials.credential,
    key: [stored_credentials.id],
    facts: { id: stored_credentials.id, revision: stored_credentials.revision },
    schema: revised,
    bindingOf: (tenant, { id, revision }) => storedCredentialBinding(tenant, id, revision),
  }),
  sealedColumn({
    table: signing_keys,
    tenant: signing_keys.tenant_id,
    column: signing_keys.private_key,
    key: [signing_keys.kid],
    facts: { kid: signing_keys.kid },
    schema: z.object({ kid: z.string() }),
    bindingOf: (tenant, { kid }) => signingKeyBinding(tenant, kid),
  }),
];
