/**
 * Credentials that an administrator keeps by name, for headers of any server: one of the organisation, or a name under which each person
 * has their own, which is a connection with the target `credential:{id}`.
 */
import { and, asc, eq, getTableColumns, gt, ne, notExists, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import * as z from "zod";
import { connections, rowWhere, servers, stored_credentials, type Database } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { storedCredentialBinding, type Vault } from "../vault/index.ts";

export type StoredCredential = Readonly<Omit<typeof stored_credentials.$inferSelect, "tenant_id">>;

export type CredentialChanges = Partial<Pick<StoredCredential, "name" | "hint" | "credential" | "revision">>;

const contentSchema = z.strictObject({ value: z.string() });

/** The target of each person's own. */
export const credentialTarget = (id: string): string => `credential:${id}`;

/** @returns what goes into column `credential` of the row with this id and revision */
export function sealStoredCredential(
  vault: Pick<Vault, "seal">,
  tenant: string,
  { id, revision }: Pick<StoredCredential, "id" | "revision">,
  value: string,
): Promise<string> {
  return vault.seal(storedCredentialBinding(tenant, id, revision), JSON.stringify({ value }));
}

/** @returns the value; a failure as `Vault.open` gives it, with reason `no_credential` where each person has their own */
export async function openStoredCredential(
  vault: Pick<Vault, "open">,
  tenant: string,
  { id, revision, credential }: Pick<StoredCredential, "id" | "revision" | "credential">,
): Promise<Result<string, Failure>> {
  if (credential === null) return err(failure("unavailable", undefined, { reason: "no_credential" }));
  const opened = await vault.open(storedCredentialBinding(tenant, id, revision), credential);
  return opened.ok ? ok(contentSchema.parse(JSON.parse(opened.value)).value) : opened;
}

/** Every statement carries the tenant, since there is no method without it. */
export function storedCredentialsRepository(database: Database, tenant: string) {
  const table = stored_credentials;
  const mine = eq(table.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(table.id, id));
  const { tenant_id: _scope, ...shown } = getTableColumns(table);

  const namedBy = (id: string) =>
    and(
      eq(servers.tenant_id, tenant),
      sql`exists (select 1 from json_each(${servers.outbound_headers}) where json_extract(value, '$.credential_id') = ${id})`,
    );

  return {
    /** In the order of creation. @param after the id that the page starts behind */
    page(after: string | undefined, count: number): Promise<StoredCredential[]> {
      const where = after === undefined ? mine : and(mine, gt(table.id, after));
      return database.select(shown).from(table).where(where).orderBy(asc(table.id)).limit(count);
    },

    async get(id: string): Promise<StoredCredential | undefined> {
      const [row] = await database.select(shown).from(table).where(one(id));
      return row;
    },

    /** @returns `duplicate` when the name is taken, `full` at `limits.storedCredentials_count` */
    async insert(credential: StoredCredential): Promise<"inserted" | "duplicate" | "full"> {
      const below = sql`(select count(*) from ${table} where ${mine}) < ${limits.storedCredentials_count}`;
      const [inserted, present] = await database.batch([
        database
          .insert(table)
          .select(rowWhere(table, { ...credential, tenant_id: tenant }, below))
          .onConflictDoNothing()
          .returning({ id: table.id }),
        database
          .select({ id: table.id })
          .from(table)
          .where(and(mine, eq(table.name, credential.name))),
      ]);
      if (inserted.length > 0) return "inserted";
      return present.length > 0 ? "duplicate" : "full";
    },

    /**
     * @param seen `updated_at` of the row that the change was computed from
     * @returns the new row; `changed` when it changed or went meanwhile
     */
    async update(
      id: string,
      seen: number,
      changes: CredentialChanges,
      now: number,
    ): Promise<StoredCredential | "duplicate" | "changed"> {
      const others = alias(table, "others");
      const named = and(eq(others.tenant_id, tenant), eq(others.name, changes.name ?? ""), ne(others.id, id));
      const taken = database.select({ id: others.id }).from(others).where(named);
      const [updated, same] = await database.batch([
        database
          .update(table)
          .set({ ...changes, updated_at: Math.max(now, seen + 1) })
          .where(and(one(id), eq(table.updated_at, seen), notExists(taken)))
          .returning(shown),
        taken,
      ]);
      return updated[0] ?? (same.length > 0 ? "duplicate" : "changed");
    },

    /** Slugs of the servers that have a header with it. */
    async usedBy(id: string): Promise<string[]> {
      const rows = await database
        .select({ slug: servers.slug })
        .from(servers)
        .where(namedBy(id))
        .orderBy(asc(servers.slug))
        .limit(limits.serversPerTenant_count);
      return rows.map(({ slug }) => slug);
    },

    /**
     * Removes it with what people gave of their own for it: those are keys, so there is nobody to revoke them.
     * @returns false when a server names it, or when it changed or went meanwhile
     */
    async remove(id: string, seen: number): Promise<boolean> {
      const remains = database.select({ id: table.id }).from(table).where(one(id));
      const naming = database.select({ id: servers.id }).from(servers).where(namedBy(id));
      const [removed] = await database.batch([
        database
          .delete(table)
          .where(and(one(id), eq(table.updated_at, seen), notExists(naming)))
          .returning({ id: table.id }),
        database
          .delete(connections)
          .where(
            and(eq(connections.tenant_id, tenant), eq(connections.target, credentialTarget(id)), notExists(remains)),
          ),
      ]);
      return removed.length > 0;
    },
  };
}
