/**
 * Sealing what is at rest anew after a change of keys, while everything is in use.
 *
 * Each record is replaced only where it still is the text that was opened, so a change by anybody else wins; its binding and revision stay.
 * Calls never wait for this: they open records under any key of the ring.
 *
 * One walk over all records is not enough. An isolate of the old deployment still seals under the old key for a while, and so may a change
 * that read a record before it was replaced and writes it back. So a second walk begins `limits.rewrapSettle_ms` after the first has
 * ended; when it meets a record under another key, a further one follows. Only after a walk that met none the rotation is done.
 */
import * as z from "zod";
import { sql } from "drizzle-orm";
import { openDatabase, vault_rotations, type Database } from "../db/index.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import {
  beginRotation,
  describeRotation,
  moveRotation,
  nextWalkAt,
  readRotation,
  secondWalk,
  type Rotation,
  type RotationProgress,
} from "./rotation.ts";
import { sealedColumns, type Resealed, type SealedText } from "./sealed-columns.ts";
import type { Vault } from "./vault.ts";

const end = 2 * sealedColumns.length;

const keySchema = z.array(z.string());

/**
 * One bounded step: at most `limits.rewrap_count` records. Begins by itself when the current key is a new one, resumes wherever a former
 * step was cut off, and may run beside another.
 * @throws when the database fails; what it had done stays done
 */
export async function rewrap(platform: Platform, vault: Vault, tenant: string): Promise<RotationProgress> {
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  let rotation = await beginRotation(database, vault, tenant, now);
  let budget_count = limits.rewrap_count;
  while (rotation !== undefined && budget_count > 0 && isDue(rotation, vault, now)) {
    const count = Math.min(budget_count, limits.rewrapBatch_count);
    const walked: Step = await walk(platform, database, vault, rotation, count);
    budget_count -= Math.max(walked.looked_count, 1);
    // Undefined: a step beside this one was faster.
    rotation = walked.rotation ?? (await readRotation(database, tenant));
  }
  return describeRotation(rotation, vault, now);
}

function isDue(rotation: Rotation, { keys }: Vault, now: number): boolean {
  // Another deployment may have begun one of its own meanwhile.
  if (rotation.kid !== keys.current || rotation.finished_at !== null) return false;
  return now >= (nextWalkAt(rotation) ?? 0);
}

interface Step {
  readonly looked_count: number;
  readonly rotation: Rotation | undefined;
}

/** One transaction: the records of one column that come next, and that they were seen. */
async function walk(
  platform: Platform,
  database: Database,
  vault: Vault,
  rotation: Rotation,
  count: number,
): Promise<Step> {
  const { tenant_id: tenant, stage } = rotation;
  const column = sealedColumns[stage % sealedColumns.length];
  if (column === undefined) throw new Error("A rotation stands at a column that there is not.");
  const after = rotation.after === "" ? undefined : keySchema.parse(JSON.parse(rotation.after));
  const texts = await column.read(database, tenant, after, count);
  const { looked_count, resealed, failed } = await resealAll(vault, texts);
  const place = `${column.table}.${column.column}`;
  for (const { record, reason } of failed) {
    platform.log("error", "A sealed record does not open", { tenant, place, record, reason });
  }
  const isLast = looked_count === texts.length && texts.length < count;
  const last = isLast ? undefined : texts[looked_count - 1];
  // What was to be the last walk met a record under another key: another one follows it.
  const from = stage >= secondWalk && resealed.length > 0 ? stage - secondWalk : stage;
  const next = last === undefined ? from + 1 : from;
  const begins = stage === secondWalk && rotation.after === "";
  const moved = moveRotation(database, rotation, {
    stage: next,
    after: last === undefined ? "" : JSON.stringify(last.key),
    seen_count: (begins ? 0 : rotation.seen_count) + looked_count,
    failed_count: (begins ? 0 : rotation.failed_count) + failed.length,
    // Of the statement before it, which is the replacement.
    rewrapped_count:
      resealed.length === 0 ? rotation.rewrapped_count : sql`${vault_rotations.rewrapped_count} + changes()`,
    updated_at: platform.ports.clock.now(),
    finished_at: next === end ? platform.ports.clock.now() : null,
  });
  const moves =
    resealed.length === 0
      ? await moved
      : (await database.batch([column.replace(database, tenant, resealed), moved]))[1];
  return { looked_count, rotation: moves[0] };
}

interface Walked {
  readonly looked_count: number;
  readonly resealed: readonly Resealed[];
  readonly failed: readonly { readonly record: string; readonly reason: string | undefined }[];
}

/** As many of the texts as one transaction takes, and at least one. */
async function resealAll(vault: Vault, texts: readonly SealedText[]): Promise<Walked> {
  const resealed: Resealed[] = [];
  const failed: Walked["failed"][number][] = [];
  let looked_count = 0;
  let chars = 0;
  for (const text of texts) {
    chars += text.sealed.length;
    if (looked_count > 0 && chars > limits.rewrapBatch_chars) break;
    looked_count += 1;
    const opened = await vault.reseal(text.binding, text.sealed);
    if (!opened.ok) failed.push({ record: text.key.join(" "), reason: opened.error.reason });
    else if (opened.value !== undefined) resealed.push({ ...text, under_current: opened.value });
  }
  return { looked_count, resealed, failed };
}
