/**
 * Credentials in use, in the memory of the isolate and nowhere else: at most `limits.credentialCache_ms` (U12), and only for the version of
 * the tenant's configuration under which they were put, which every revocation counts up. What may not be used any more is dropped with
 * the next question of anybody, not only passed over.
 */
import { limits } from "../limits.ts";
import type { ConnectionKey } from "../vault/index.ts";
import type { Base, LiveCredential } from "./types.ts";

interface Entry {
  readonly tenant: string;
  readonly version: number;
  readonly live: LiveCredential;
  readonly fit: string;
  readonly put_at: number;
  readonly until: number;
}

type Asker = Pick<Base, "platform" | "tenant" | "snapshot">;

/** In the order in which they were put. */
const entries = new Map<string, Entry>();
const versions = new Map<string, number>();

const nameOf = (tenant: string, { user_id, target, account }: ConnectionKey): string =>
  JSON.stringify([tenant, user_id, target, account]);

/** @param isFit whether one that was made for this may be used */
export function recall(base: Asker, key: ConnectionKey, isFit: (fit: string) => boolean): LiveCredential | undefined {
  const now = base.platform.ports.clock.now();
  sweep(base, now);
  const entry = entries.get(nameOf(base.tenant.id, key));
  if (entry === undefined || entry.version !== base.snapshot.version || !isFit(entry.fit)) return undefined;
  return now >= entry.put_at && now < entry.until ? entry.live : undefined;
}

/** @param until when somebody has to look at it again: its renewal or its end, if there is any */
export function remember(
  base: Asker,
  key: ConnectionKey,
  fit: string,
  live: LiveCredential,
  until = Number.POSITIVE_INFINITY,
): void {
  const { version } = base.snapshot;
  const tenant = base.tenant.id;
  // A request that began before a revocation must not bring back what that took away.
  if (version < (versions.get(tenant) ?? version)) return;
  const put_at = base.platform.ports.clock.now();
  const name = nameOf(tenant, key);
  entries.delete(name);
  if (entries.size >= limits.credentialCache_count) drop(entries.keys().next().value);
  const end = Math.min(put_at + limits.credentialCache_ms, until);
  entries.set(name, { tenant, version, live, fit, put_at, until: end });
}

export function forget({ tenant }: Pick<Asker, "tenant">, key: ConnectionKey): void {
  entries.delete(nameOf(tenant.id, key));
}

/** The oldest come first. A tenant that has a new version loses everything at once. */
function sweep({ tenant, snapshot }: Asker, now: number): void {
  for (const [name, { put_at }] of entries) {
    if (now < put_at + limits.credentialCache_ms && now >= put_at) break;
    entries.delete(name);
  }
  const known = versions.get(tenant.id);
  if (known !== undefined && known >= snapshot.version) return;
  if (known !== undefined) {
    for (const [name, entry] of entries) if (entry.tenant === tenant.id) entries.delete(name);
  }
  versions.delete(tenant.id);
  if (versions.size >= limits.snapshots_count) forgetOldestTenant();
  versions.set(tenant.id, snapshot.version);
}

function forgetOldestTenant(): void {
  const [oldest] = versions.keys();
  if (oldest === undefined) return;
  versions.delete(oldest);
  for (const [name, entry] of entries) if (entry.tenant === oldest) entries.delete(name);
}

function drop(name: string | undefined): void {
  if (name !== undefined) entries.delete(name);
}
