/** What somebody who can write to the database would do. */
import { and, eq } from "drizzle-orm";
import { connections } from "../../../src/db/index.ts";
import type { ConnectionKey } from "../../../src/vault/index.ts";
import type { Row, World } from "../connections/world.ts";

/** Puts a row in place of whatever is there. */
export async function putBack(world: World, row: Row): Promise<void> {
  await world.database
    .delete(connections)
    .where(and(eq(connections.tenant_id, row.tenant_id), eq(connections.user_id, row.user_id)));
  await world.database.insert(connections).values(row);
}

export async function edit(world: World, key: ConnectionKey, change: Partial<Row>): Promise<void> {
  const row = await world.row(key);
  if (row === undefined) throw new Error("no row");
  await world.database
    .update(connections)
    .set(change)
    .where(and(eq(connections.tenant_id, row.tenant_id), eq(connections.id, row.id)));
}

export async function mustRow(world: World, key: ConnectionKey): Promise<Row> {
  const row = await world.row(key);
  if (row === undefined) throw new Error("no row");
  return row;
}
