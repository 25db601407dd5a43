/** What became of the last question to each server, for administrators: its health without asking it. */
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import { catalogsStore, type Server, type ServerStatus } from "../../registry/index.ts";
import type { UpstreamContext } from "../../upstream/index.ts";

export interface Noted {
  readonly outcome: string;
  readonly isOk: boolean;
  readonly counted?: {
    readonly list: keyof ServerStatus["counts"];
    readonly count: number;
    readonly dropped_count: number;
  };
}

interface Known {
  readonly status: ServerStatus;
  /** What is in the store, so far as this isolate knows. */
  readonly written: ServerStatus | undefined;
}

const statuses = new BoundedMap<Known>(limits.statuses_count);

/** Stores the status when it changed, or when what is stored is a minute old. */
export async function noteStatus(context: UpstreamContext, server: Server, noted: Noted): Promise<void> {
  const { platform, tenant } = context;
  const store = catalogsStore(platform, tenant.id);
  const key = JSON.stringify([tenant.id, server.id]);
  const stored = statuses.get(key) === undefined ? await store.readStatus(server.id) : undefined;
  // Another question may have been noted while the store was read.
  const { status: before, written } = statuses.get(key) ?? { status: stored, written: stored };
  const status = merged(before, noted, platform.ports.clock.now());
  statuses.set(key, { status, written });
  if (!isDue(status, written)) return;
  // Marked before it is written, so that the next question does not write it as well.
  statuses.set(key, { status, written: status });
  if (!(await store.writeStatus(server.id, status))) statuses.set(key, { status, written });
}

function merged(before: ServerStatus | undefined, { outcome, isOk, counted }: Noted, at: number): ServerStatus {
  const ok_at = isOk ? at : before?.ok_at;
  return {
    outcome,
    at,
    ...(ok_at === undefined ? {} : { ok_at }),
    counts: { ...before?.counts, ...(counted === undefined ? {} : { [counted.list]: counted.count }) },
    dropped: { ...before?.dropped, ...(counted === undefined ? {} : { [counted.list]: counted.dropped_count }) },
  };
}

function isDue(status: ServerStatus, written: ServerStatus | undefined): boolean {
  if (written === undefined) return true;
  const age_ms = Math.abs(status.at - written.at);
  return (
    age_ms >= limits.statusWrite_ms || (age_ms >= limits.statusWrite_ms_min && essence(status) !== essence(written))
  );
}

const essence = ({ outcome, counts, dropped }: ServerStatus): string =>
  JSON.stringify([outcome, Object.entries(counts).toSorted(), Object.entries(dropped).toSorted()]);
