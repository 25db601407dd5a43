/** Looking connections up. */
import { and, asc, desc, eq, gt, ne } from "drizzle-orm";
import { connections, openDatabase } from "../../db/index.ts";
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { ok, type Result } from "../../ports.ts";
import { factsOf, personal, rowOf, rowsOf, sealedOf, type ConnectionRow, type SealedConnection } from "./rows.ts";
import { openCredential } from "./sealing.ts";
import type { ConnectionStoreBase } from "./store-base.ts";
import type { ConnectionFacts, ConnectionKey, HeldCredential, StoredConnection } from "./types.ts";

export function connectionReading({ platform, vault, tenant: { id: tenant } }: ConnectionStoreBase) {
  const database = openDatabase(platform.bindings.DB);
  const mine = eq(connections.tenant_id, tenant);

  const reading = {
    /** The row that is in use, unopened. */
    async find(key: ConnectionKey): Promise<SealedConnection | undefined> {
      const [row] = await database.select().from(connections).where(rowOf(tenant, key));
      return row === undefined ? undefined : sealedOf(row);
    },

    /** Failures as those of `Vault.open`. */
    open: (row: SealedConnection): Promise<Result<HeldCredential, Failure>> => openCredential(vault, tenant, row),

    /** @returns undefined when there is none, or only one that is ending */
    async read(key: ConnectionKey): Promise<Result<StoredConnection, Failure> | undefined> {
      const row = await reading.find(key);
      if (row === undefined) return undefined;
      const opened = await reading.open(row);
      return opened.ok ? ok({ ...row, credential: opened.value }) : opened;
    },

    /** All of one person, the oldest first. */
    async facts(user_id: string): Promise<ConnectionFacts[]> {
      const rows = await database
        .select()
        .from(connections)
        .where(and(mine, eq(connections.user_id, user_id), ne(connections.state, "ending")))
        .orderBy(asc(connections.created_at), asc(connections.id))
        .limit(limits.connectionsPerUser_count);
      return shown(rows);
    },

    /** Of the whole tenant, in the order of ids. @param after the id that the page starts behind */
    async page(after: string | undefined, count: number): Promise<ConnectionFacts[]> {
      const rows = await database
        .select()
        .from(connections)
        .where(and(mine, ne(connections.state, "ending"), after === undefined ? undefined : gt(connections.id, after)))
        .orderBy(asc(connections.id))
        .limit(count);
      return shown(rows);
    },

    async byId(id: string): Promise<ConnectionFacts | undefined> {
      return shown(
        await database
          .select()
          .from(connections)
          .where(and(mine, eq(connections.id, id))),
      )[0];
    },

    /** The name of the default account at a target. */
    async accountFor(user_id: string, target: string): Promise<string | undefined> {
      const [row] = await database
        .select({ account: connections.account })
        .from(connections)
        .where(and(rowsOf(tenant, { user_id, target }), personal()))
        .orderBy(desc(connections.is_default), asc(connections.account))
        .limit(1);
      return row?.account;
    },
  };

  return reading;
}

const shown = (rows: readonly ConnectionRow[]): ConnectionFacts[] =>
  rows.flatMap((row) => {
    const sealed = sealedOf(row);
    return sealed === undefined ? [] : [factsOf(sealed)];
  });
