/** What becomes of connections that are there. */
import { and, eq, ne, sql } from "drizzle-orm";
import { connections, openDatabase } from "../../db/index.ts";
import { askConnection } from "./objects.ts";
import { connectionReading } from "./reading.ts";
import { endingSince, keepDefault, personal, rowOf, rowsOf } from "./rows.ts";
import { sealCredential } from "./sealing.ts";
import { byRow, mayHave, type ConnectionStoreBase } from "./store-base.ts";
import type { ConnectionFacts, ConnectionKey, NewConnection } from "./types.ts";

/** What a renewal changes. */
export type Renewed = Pick<
  NewConnection,
  "credential" | "issuer" | "token_endpoint" | "revocation_endpoint" | "client_id" | "scope" | "fit"
>;

export function connectionChanging(base: ConnectionStoreBase) {
  const { platform, vault } = base;
  const tenant = base.tenant.id;
  const { clock } = platform.ports;
  const database = openDatabase(platform.bindings.DB);
  const mine = eq(connections.tenant_id, tenant);
  const reading = connectionReading(base);

  return {
    /**
     * Stores what a renewal brought, if the row still is the one that was renewed: of two, one wins. A row that is ending meanwhile
     * takes it as well and stays so, so that the new tokens are revoked and not the old ones.
     */
    async renew(held: ConnectionFacts, renewed: Renewed, revision: number): Promise<boolean> {
      const { credential, ...columns } = renewed;
      const sealed = await sealCredential(vault, tenant, { ...held, ...columns, revision }, credential);
      const allowed = mayHave(base, held);
      const written = await database
        .update(connections)
        .set({
          ...columns,
          ...{ credential: sealed, revision, updated_at: clock.now() },
          ...{ state: sql`case when ${connections.state} = 'ending' then 'ending' else 'linked' end` },
          ...{ reason: sql`case when ${connections.state} = 'ending' then ${connections.reason} end` },
        })
        .where(and(byRow(tenant, held), sql`(${connections.state} = 'ending' or ${allowed})`))
        .returning({ state: connections.state });
      return written.length > 0;
    },

    /** The connection works no more until a person links it again. @returns whether it did until now */
    async breakOff(row: Pick<ConnectionFacts, "id" | "revision">, reason: string): Promise<boolean> {
      const broken = await database
        .update(connections)
        .set({ state: "needs_reauth", reason, updated_at: clock.now() })
        .where(and(byRow(tenant, row), eq(connections.state, "linked")))
        .returning({ id: connections.id });
      return broken.length > 0;
    },

    /**
     * Writes why something is wrong with a connection that is used all the same, for those who look at it. It stays the same revision, and
     * its token gets no younger.
     * @param row as it was read: nothing is written over what somebody else found out since
     */
    async remark(row: Pick<ConnectionFacts, "id" | "revision" | "reason">, reason: string | null): Promise<void> {
      const isAsRead = sql`${connections.reason} is ${row.reason}`;
      await database
        .update(connections)
        .set({ reason })
        .where(and(byRow(tenant, row), eq(connections.state, "linked"), isAsRead));
    },

    /** @returns false when there is no such account */
    async setDefault(key: ConnectionKey): Promise<boolean> {
      const isThere = sql`exists (select 1 from ${connections} where ${and(rowOf(tenant, key), personal())})`;
      const changed = await database
        .update(connections)
        .set({ is_default: sql`${connections.account} = ${key.account}` })
        .where(and(rowsOf(tenant, key), isThere))
        .returning({ id: connections.id });
      return changed.length > 0;
    },

    /**
     * The connection is used no more. The caller announces it, and `endings` revokes it.
     * @returns false when there is none with this id, or it is ending already
     */
    async end(id: string, reason: string): Promise<boolean> {
      const row = await reading.byId(id);
      if (row === undefined) return false;
      const [ended] = await database.batch([
        database
          .update(connections)
          .set(endingSince(clock.now(), reason))
          .where(and(mine, eq(connections.id, id), ne(connections.state, "ending")))
          .returning({ revision: connections.revision }),
        keepDefault(database, tenant, row),
      ]);
      const [{ revision } = {}] = ended;
      if (revision === undefined) return false;
      // Should it not be told, it is when the credential is revoked.
      await askConnection(base, row, async (object): Promise<void> => await object.end(revision));
      return true;
    },
  };
}
