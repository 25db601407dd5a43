/** The OpenID providers of one tenant in D1. */
import { and, asc, eq, gt, isNull, ne, notExists, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import * as z from "zod";
import { identity_providers, rowWhere, type Database } from "../db/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { providerCredentialBinding, type Vault } from "../vault/index.ts";
import type { ProviderKind } from "./provider-kinds.ts";
import { providerOptionsSchema, type ProviderOptions } from "./provider-options.ts";

export interface StoredProvider {
  readonly id: string;
  readonly kind: ProviderKind;
  readonly name: string;
  readonly issuer: string;
  readonly client_id: string;
  /** Sealed client secret; null for a public client. */
  readonly credential: string | null;
  readonly options: ProviderOptions;
  /** Null until the first discovery. */
  readonly token_endpoint_origin: string | null;
  readonly enabled: boolean;
  /** Whoever changes issuer, client id or credential counts this up, and seals the credential for the new value. */
  readonly revision: number;
  readonly created_at: number;
  /** Grows with every change: the version that `If-Match` compares. */
  readonly updated_at: number;
}

export type ProviderChanges = Partial<
  Pick<StoredProvider, "name" | "issuer" | "client_id" | "credential" | "options" | "enabled" | "revision">
>;

const credentialSchema = z.strictObject({ client_secret: z.string() });

/** @param revision of the row that will hold it */
export function sealProviderSecret(
  vault: Vault,
  tenant: string,
  { id, revision }: Pick<StoredProvider, "id" | "revision">,
  client_secret: string,
): Promise<string> {
  return vault.seal(providerCredentialBinding(tenant, id, revision), JSON.stringify({ client_secret }));
}

/** @returns undefined for a public client; failures as those of `Vault.open` */
export async function openProviderSecret(
  vault: Vault,
  tenant: string,
  provider: StoredProvider,
): Promise<Result<string | undefined, Failure>> {
  if (provider.credential === null) return ok(undefined);
  const opened = await vault.open(
    providerCredentialBinding(tenant, provider.id, provider.revision),
    provider.credential,
  );
  if (!opened.ok) return opened;
  const parsed = credentialSchema.safeParse(JSON.parse(opened.value));
  return parsed.success
    ? ok(parsed.data.client_secret)
    : err(failure("unavailable", undefined, { reason: "vault_form" }));
}

export function providersRepository(database: Database, tenant: string) {
  const table = identity_providers;
  const mine = eq(table.tenant_id, tenant);
  const one = (id: string) => and(mine, eq(table.id, id));

  return {
    /** In the order of creation. @param after the id that the page starts behind */
    async page(after: string | undefined, count: number): Promise<StoredProvider[]> {
      const where = after === undefined ? mine : and(mine, gt(table.id, after));
      return (await database.select().from(table).where(where).orderBy(asc(table.id)).limit(count)).map(stored);
    },

    /** Those at which people can sign in, in the order of creation. */
    async enabled(): Promise<StoredProvider[]> {
      const rows = await database
        .select()
        .from(table)
        .where(and(mine, eq(table.enabled, true)))
        .orderBy(asc(table.id))
        .limit(limits.providersPerTenant_count);
      return rows.map(stored);
    },

    async get(id: string): Promise<StoredProvider | undefined> {
      const [row] = await database.select().from(table).where(one(id));
      return row === undefined ? undefined : stored(row);
    },

    async byIssuer(issuer: string): Promise<StoredProvider | undefined> {
      const [row] = await database
        .select()
        .from(table)
        .where(and(mine, eq(table.issuer, issuer)));
      return row === undefined ? undefined : stored(row);
    },

    /** @returns `full` at `limits.providersPerTenant_count`, `duplicate` when the issuer is there already */
    async insert(provider: StoredProvider): Promise<"inserted" | "full" | "duplicate"> {
      const row = { ...provider, tenant_id: tenant, options: JSON.stringify(provider.options) };
      const below = sql`(select count(*) from ${table} where ${mine}) < ${limits.providersPerTenant_count}`;
      const inserted = await database
        .insert(table)
        .select(rowWhere(table, row, below))
        .onConflictDoNothing()
        .returning({ id: table.id });
      if (inserted.length > 0) return "inserted";
      return (await this.byIssuer(provider.issuer)) === undefined ? "full" : "duplicate";
    },

    /**
     * A new revision forgets the token endpoint, so that the next discovery sets it.
     * @param seen `updated_at` of the row that the change was computed from
     * @returns the new row, or undefined when it changed or went meanwhile, or when another provider has the new issuer
     */
    async update(id: string, seen: number, changes: ProviderChanges, now: number): Promise<StoredProvider | undefined> {
      const { options, ...columns } = changes;
      const others = alias(table, "others");
      const taken = database
        .select({ id: others.id })
        .from(others)
        .where(and(eq(others.tenant_id, tenant), eq(others.issuer, changes.issuer ?? ""), ne(others.id, id)));
      const [row] = await database
        .update(table)
        .set({
          ...columns,
          ...(options === undefined ? {} : { options: JSON.stringify(options) }),
          ...(changes.revision === undefined ? {} : { token_endpoint_origin: null }),
          updated_at: Math.max(now, seen + 1),
        })
        .where(and(one(id), eq(table.updated_at, seen), notExists(taken)))
        .returning();
      return row === undefined ? undefined : stored(row);
    },

    /** Its people can sign in no more; the caller ends what they have with `endProvider`. */
    async remove(id: string, seen: number): Promise<boolean> {
      const removed = await database
        .delete(table)
        .where(and(one(id), eq(table.updated_at, seen)))
        .returning({ id: table.id });
      return removed.length > 0;
    },

    /** Keeps the first origin that discovery gave for this revision. @returns the one that is kept */
    async pinTokenEndpoint(id: string, revision: number, origin: string): Promise<string | null | undefined> {
      const current = and(one(id), eq(table.revision, revision));
      const [pinned] = await database
        .update(table)
        .set({ token_endpoint_origin: origin })
        .where(and(current, isNull(table.token_endpoint_origin)))
        .returning({ kept: table.token_endpoint_origin });
      if (pinned !== undefined) return pinned.kept;
      const [row] = await database.select({ kept: table.token_endpoint_origin }).from(table).where(current);
      return row?.kept;
    },
  };
}

/** @throws when a row is not readable */
function stored({ tenant_id: _tenant, ...row }: typeof identity_providers.$inferSelect): StoredProvider {
  return { ...row, options: providerOptionsSchema.parse(JSON.parse(row.options)) };
}
