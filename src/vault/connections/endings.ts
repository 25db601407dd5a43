/** Connections that are used no more and whose tokens still live at their providers. */
import { and, asc, eq, lte, sql } from "drizzle-orm";
import { connections, openDatabase } from "../../db/index.ts";
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Result } from "../../ports.ts";
import { askConnection } from "./objects.ts";
import type { ConnectionRow } from "./rows.ts";
import { openCredential } from "./sealing.ts";
import type { ConnectionStoreBase } from "./store-base.ts";
import type { HeldCredential } from "./types.ts";

export interface EndingConnection extends Omit<ConnectionRow, "tenant_id" | "state"> {
  /** Failures as those of `Vault.open`. */
  open(): Promise<Result<HeldCredential, Failure>>;
}

export function connectionEndings(base: ConnectionStoreBase) {
  const { platform, vault } = base;
  const tenant = base.tenant.id;
  const database = openDatabase(platform.bindings.DB);
  const mine = and(eq(connections.tenant_id, tenant), eq(connections.state, "ending"));

  return {
    /**
     * Those that are due. Each is counted as a try and due again later, so that of two who ask at once one gets it.
     * A row of which a renewal is running waits for its end.
     */
    async take(now: number): Promise<EndingConnection[]> {
      const due = await database
        .select({ id: connections.id })
        .from(connections)
        .where(and(mine, lte(connections.next_try_at, now)))
        .orderBy(asc(connections.next_try_at), asc(connections.id))
        .limit(limits.revocationsPerRun_count);
      const taken: EndingConnection[] = [];
      for (const { id } of due) {
        const [row] = await database
          .update(connections)
          .set({ tries: sql`${connections.tries} + 1`, next_try_at: now + limits.revocationRetry_ms })
          .where(and(mine, eq(connections.id, id), lte(connections.next_try_at, now)))
          .returning();
        if (row !== undefined && (await isRetired(row))) taken.push(ending(row));
      }
      return taken;
    },

    /** The row goes, unless a renewal changed it meanwhile. */
    async remove({ id, revision }: Pick<EndingConnection, "id" | "revision">): Promise<boolean> {
      const removed = await database
        .delete(connections)
        .where(and(mine, eq(connections.id, id), eq(connections.revision, revision)))
        .returning({ id: connections.id });
      return removed.length > 0;
    },
  };

  /** From here on nobody can put the row back. An object that cannot be told does not keep the credential alive for ever. */
  async function isRetired(row: ConnectionRow): Promise<boolean> {
    const retired = await askConnection(
      base,
      row,
      async (object): Promise<boolean> => await object.retire(row.revision),
    );
    return retired ?? row.tries >= limits.revocationTries_count;
  }

  function ending({ tenant_id: _tenant, state: _state, ...row }: ConnectionRow): EndingConnection {
    return {
      ...row,
      open: () => openCredential(vault, tenant, row),
    };
  }
}
