/** Credentials of people at other systems, in D1: sealed, each bound to its row and to the issuer that it is for. */
import { and, eq, sql } from "drizzle-orm";
import * as z from "zod";
import { connections, rowWhere, users, type Database } from "../db/index.ts";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { connectionBinding } from "./bindings.ts";
import { jsonOf } from "./encoding.ts";
import type { Vault } from "./vault.ts";

/** Which connection of a person. */
export interface ConnectionKey {
  readonly user_id: string;
  /** A server id, or `idp` for the tokens of the identity provider. */
  readonly target: string;
  readonly account: string;
}

export const tokenCredentialSchema = z.strictObject({
  access_token: z.string(),
  refresh_token: z.string().optional(),
  id_token: z.string().optional(),
  /** Of the access token, in milliseconds since the Unix epoch; null when its issuer does not tell. */
  expires_at: z.int().nullable(),
  /** Where it came from, and the only place that its refresh token may go. */
  token_endpoint: z.url(),
});

export type TokenCredential = z.infer<typeof tokenCredentialSchema>;

export interface StoredConnection extends ConnectionKey {
  readonly state: "linked" | "needs_reauth";
  readonly issuer: string;
  readonly credential: TokenCredential;
  readonly revision: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** @returns the statement that removes all connections of a person, for a batch with what ends that person's access */
export function removeConnections(database: Database, tenant: string, user_id: string) {
  return database.delete(connections).where(and(eq(connections.tenant_id, tenant), eq(connections.user_id, user_id)));
}

export function connectionsRepository(database: Database, tenant: string, vault: Vault) {
  const one = ({ user_id, target, account }: ConnectionKey) =>
    and(
      eq(connections.tenant_id, tenant),
      eq(connections.user_id, user_id),
      eq(connections.target, target),
      eq(connections.account, account),
    );
  const binding = (key: ConnectionKey, issuer: string, revision: number) =>
    connectionBinding(tenant, { user_id: key.user_id, target: key.target, account: key.account, issuer }, revision);

  return {
    /**
     * Stores a credential in place of the former one. Only for a person who may sign in: whoever is disabled meanwhile leaves none.
     * @returns false when the person is not there or disabled, or when others wrote the same connection all the time
     */
    async put(key: ConnectionKey, issuer: string, credential: TokenCredential, now: number): Promise<boolean> {
      const enabled = sql`exists (select 1 from ${users} where ${and(
        eq(users.tenant_id, tenant),
        eq(users.id, key.user_id),
        eq(users.enabled, true),
      )})`;
      for (let tries = 0; tries < limits.connectionWrites_count; tries += 1) {
        const [known] = await database.select({ revision: connections.revision }).from(connections).where(one(key));
        const revision = (known?.revision ?? 0) + 1;
        const sealed = await vault.seal(binding(key, issuer, revision), JSON.stringify(credential));
        const row = {
          ...{ tenant_id: tenant, user_id: key.user_id, target: key.target, account: key.account },
          ...{ state: "linked" as const, credential: sealed, issuer, revision, created_at: now, updated_at: now },
        };
        // What was sealed holds for one revision only: a row that moved on meanwhile is read again.
        const written = await database
          .insert(connections)
          .select(rowWhere(connections, row, enabled))
          .onConflictDoUpdate({
            target: [connections.tenant_id, connections.user_id, connections.target, connections.account],
            set: { state: "linked", credential: sealed, issuer, revision, updated_at: now },
            setWhere: eq(connections.revision, revision - 1),
          })
          .returning({ revision: connections.revision });
        if (written.length > 0) return true;
      }
      return false;
    },

    /** @returns undefined when there is none; a failure as `Vault.open` gives it, and for a text of another form */
    async get(key: ConnectionKey): Promise<Result<StoredConnection, Failure> | undefined> {
      const [row] = await database.select().from(connections).where(one(key));
      if (row === undefined) return undefined;
      const opened = await vault.open(binding(key, row.issuer, row.revision), row.credential);
      if (!opened.ok) return err(opened.error);
      const { user_id, target, account, state, issuer, revision, created_at, updated_at } = row;
      const credential = tokenCredentialSchema.parse(jsonOf(opened.value));
      return ok({ user_id, target, account, state, issuer, credential, revision, created_at, updated_at });
    },

    async remove(key: ConnectionKey): Promise<boolean> {
      const removed = await database.delete(connections).where(one(key)).returning({ target: connections.target });
      return removed.length > 0;
    },

    async removeAllOf(user_id: string): Promise<void> {
      await removeConnections(database, tenant, user_id);
    },
  };
}
