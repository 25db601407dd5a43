/**
 * The snapshot that a request runs on: from isolate memory while it is fresh, checked against the Tenant object when it is
 * not. What is shared between requests is the immutable snapshot and two times; never a promise, which would die with the
 * request that made it.
 */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import { err, ok, type Result } from "../ports.ts";
import { loadSnapshot } from "./load.ts";
import type { Snapshot } from "./snapshot.ts";

interface Entry {
  readonly snapshot: Snapshot;
  /** When the check that last confirmed it was sent. */
  checked_at: number;
  /** When a check behind an answer was last started. */
  refresh_at: number;
}

const entries = new Map<string, Entry>();

const unavailable = failure("unavailable", "The configuration could not be checked. Try again.", {
  reason: "snapshot_unavailable",
  headers: { "retry-after": "1" },
});

/**
 * @returns a snapshot at most `fresh_ms` old, or `unavailable` when none could be had within
 *   `limits.snapshotCheck_ms`
 */
export async function currentSnapshot(
  platform: Platform,
  tenant: string,
  fresh_ms: number = limits.snapshotFresh_ms,
): Promise<Result<Snapshot, Failure>> {
  const now = platform.ports.clock.now();
  const entry = entries.get(tenant);
  const age_ms = entry === undefined ? Infinity : now - entry.checked_at;
  // A clock that went back makes the age negative: then nothing is known to be fresh.
  if (entry !== undefined && age_ms >= 0 && age_ms < fresh_ms) {
    if (age_ms >= limits.snapshotRefresh_ms && now - entry.refresh_at >= limits.snapshotCheck_ms) {
      entry.refresh_at = now;
      platform.waitUntil(refresh(platform, tenant, now));
    }
    return ok(entry.snapshot);
  }
  const abandoned = new AbortController();
  const refreshed = await Promise.race([
    refresh(platform, tenant, now),
    platform.ports.clock.sleep(
      entry === undefined ? limits.snapshotFirst_ms : limits.snapshotCheck_ms,
      abandoned.signal,
    ),
  ]);
  abandoned.abort();
  return refreshed === undefined ? err(unavailable) : ok(refreshed);
}

/** Makes a change that is already in D1 hold everywhere within `limits.snapshotFresh_ms`. */
export async function announceChange(platform: Platform, tenant: string): Promise<Result<void, Failure>> {
  try {
    await platform.bindings.TENANT.getByName(tenant).announce();
  } catch {
    return err(unavailable);
  }
  entries.delete(tenant);
  return ok(undefined);
}

/** Never rejects: a failed check leaves the old entry to its age, and the request that needed it is refused. */
async function refresh(platform: Platform, tenant: string, asked_at: number): Promise<Snapshot | undefined> {
  try {
    const version = await platform.bindings.TENANT.getByName(tenant).version();
    const known = entries.get(tenant);
    // In both directions: a clock that went back must neither keep a snapshot for longer nor distrust it for ever.
    if (known?.snapshot.version === version && Math.abs(asked_at - known.snapshot.loaded_at) < limits.snapshotLife_ms) {
      const ahead = known.checked_at > platform.ports.clock.now();
      known.checked_at = ahead ? asked_at : Math.max(known.checked_at, asked_at);
      return known.snapshot;
    }
    const snapshot = await loadSnapshot(platform.bindings.DB, tenant, version, asked_at, platform.configuration.mode);
    remember(tenant, snapshot, asked_at);
    return snapshot;
  } catch (cause) {
    platform.log("warn", "The configuration could not be checked", { tenant, cause });
    return undefined;
  }
}

function remember(tenant: string, snapshot: Snapshot, checked_at: number): void {
  const known = entries.get(tenant);
  // Two loads may overlap: the later version wins, so a revocation never comes undone.
  if (known !== undefined && known.snapshot.version > snapshot.version) return;
  entries.delete(tenant);
  if (entries.size >= limits.snapshots_count) {
    const oldest = entries.keys().next();
    if (!oldest.done) entries.delete(oldest.value);
  }
  entries.set(tenant, { snapshot, checked_at, refresh_at: checked_at });
}
