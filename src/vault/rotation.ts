/**
 * How far a tenant's records are under the current key: one row for each tenant, in the database that it tells of, so that a restored
 * database resumes from what it holds.
 */
import { and, eq, ne, type SQL } from "drizzle-orm";
import { vault_rotations, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import { sealedColumns } from "./sealed-columns.ts";
import type { Vault } from "./vault.ts";

export type Rotation = typeof vault_rotations.$inferSelect;

/** Counts are those of the present walk over all records, but `rewrapped_count`, which is of all walks. Times as everywhere. */
export interface RotationProgress {
  /** Id of the key that everything is to be under. */
  readonly current: string;
  readonly keys: readonly { readonly kid: string }[];
  /**
   * `none`: nothing has begun to bring records under the current key, because there never was another, or because no step has run since
   * it is the current one. `done`: no record is under another key any more.
   */
  readonly state: "none" | "running" | "done";
  readonly seen_count: number;
  readonly rewrapped_count: number;
  /** They do not open, under any key there is, and were left as they are. The log names them. */
  readonly failed_count: number;
  readonly started_at?: number;
  readonly finished_at?: number;
  /** While there is nothing to do between two walks: when the next one may begin. */
  readonly next_walk_at?: number;
  /** Ids of keys that may leave the ring without anybody noticing. */
  readonly removable: readonly string[];
  /** From when on they may. Sooner, what clients carry under them is void: they start a session or sign in again. */
  readonly removable_at?: number;
}

export async function readRotation(database: Database, tenant: string): Promise<Rotation | undefined> {
  const [row] = await database.select().from(vault_rotations).where(eq(vault_rotations.tenant_id, tenant));
  return row;
}

/**
 * Begins anew where the last rotation was for another key.
 * @returns the rotation to the current key, or undefined when there never was another key
 */
export async function beginRotation(
  database: Database,
  vault: Pick<Vault, "keys">,
  tenant: string,
  now: number,
): Promise<Rotation | undefined> {
  const known = await readRotation(database, tenant);
  const { current, all } = vault.keys;
  if (known?.kid === current || (known === undefined && all.length === 1)) return known;
  const begun = {
    ...{ kid: current, stage: 0, after: "", seen_count: 0, rewrapped_count: 0, failed_count: 0 },
    ...{ started_at: now, updated_at: now, finished_at: null },
  };
  await database
    .insert(vault_rotations)
    .values({ tenant_id: tenant, ...begun })
    .onConflictDoUpdate({ target: vault_rotations.tenant_id, set: begun, setWhere: ne(vault_rotations.kid, current) });
  return readRotation(database, tenant);
}

/** @returns the statement that brings a rotation forward from where `from` stands, and does nothing when it stands elsewhere by now */
export function moveRotation(
  database: Database,
  from: Rotation,
  changes: Omit<Rotation, "tenant_id" | "kid" | "started_at" | "rewrapped_count"> & {
    readonly rewrapped_count: number | SQL;
  },
) {
  return database
    .update(vault_rotations)
    .set(changes)
    .where(
      and(
        eq(vault_rotations.tenant_id, from.tenant_id),
        eq(vault_rotations.kid, from.kid),
        eq(vault_rotations.stage, from.stage),
        eq(vault_rotations.after, from.after),
      ),
    )
    .returning();
}

/** Stages below are of a walk that is followed by another; from here on, of one that has met nothing to do yet. */
export const secondWalk = sealedColumns.length;

/** @returns when the walk that comes next may begin; undefined in the midst of one */
export const nextWalkAt = ({ stage, after, updated_at }: Rotation): number | undefined =>
  stage === secondWalk && after === "" ? updated_at + limits.rewrapSettle_ms : undefined;

export function describeRotation(
  rotation: Rotation | undefined,
  { keys: { current, all } }: Pick<Vault, "keys">,
  now: number,
): RotationProgress {
  const keys = all.map((kid) => ({ kid }));
  if (rotation?.kid !== current) {
    return { current, keys, state: "none", seen_count: 0, rewrapped_count: 0, failed_count: 0, removable: [] };
  }
  const { seen_count, rewrapped_count, failed_count, started_at, finished_at } = rotation;
  const counts = { current, keys, seen_count, rewrapped_count, failed_count, started_at };
  if (finished_at === null) {
    const next_walk_at = nextWalkAt(rotation);
    return { ...counts, state: "running", ...(next_walk_at === undefined ? {} : { next_walk_at }), removable: [] };
  }
  const others = all.filter((kid) => kid !== current);
  const removable_at = finished_at + limits.oldKey_ms;
  return {
    ...{ ...counts, state: "done", finished_at },
    ...(others.length === 0 ? {} : { removable_at }),
    removable: now >= removable_at ? others : [],
  };
}

/** @param now milliseconds since the Unix epoch */
export async function rotationProgress(
  database: Database,
  tenant: string,
  vault: Pick<Vault, "keys">,
  now: number,
): Promise<RotationProgress> {
  return describeRotation(await readRotation(database, tenant), vault, now);
}
