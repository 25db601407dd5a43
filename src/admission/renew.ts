/** A newer snapshot than the freshness of two seconds asks for, within a budget: anybody can send a token under an unknown key. */
import { BoundedMap } from "../bounded-map.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import { currentSnapshot, type Snapshot } from "../tenant/index.ts";

interface Window {
  readonly since: number;
  asked: number;
}

const windows = new BoundedMap<Window>(limits.snapshots_count);

/** @returns undefined past `limits.renewals_count` in this window and isolate, or when there is no snapshot to be had */
export async function renewSnapshot(platform: Platform, tenant: string): Promise<Snapshot | undefined> {
  const now = platform.ports.clock.now();
  const known = windows.get(tenant);
  const isOpen = known !== undefined && Math.abs(now - known.since) < limits.snapshotFresh_ms;
  const window: Window = isOpen ? known : { since: now, asked: 0 };
  if (!isOpen) windows.set(tenant, window);
  window.asked += 1;
  if (window.asked > limits.renewals_count) return undefined;
  const renewed = await currentSnapshot(platform, tenant, 0);
  return renewed.ok ? renewed.value : undefined;
}
