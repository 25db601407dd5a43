/** Tells every isolate of a change that D1 holds already and that must not be taken back, such as a revocation. */
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import { announceChange } from "./store.ts";

/**
 * Where it fails, it is tried again behind the answer, and what cannot be told even so is picked up after `limits.snapshotLife_ms` at
 * the latest.
 * @returns whether it is told now
 */
export async function announceRevocation(platform: Platform, tenant: string): Promise<boolean> {
  // The object may have been moved just now; the next call reaches it where it is.
  for (let tries = 0; tries < 2; tries += 1) if ((await announceChange(platform, tenant)).ok) return true;
  platform.waitUntil(announceLater(platform, tenant));
  return false;
}

async function announceLater(platform: Platform, tenant: string): Promise<void> {
  for (const wait_ms of limits.announceRetries_ms) {
    await platform.ports.clock.sleep(wait_ms);
    if ((await announceChange(platform, tenant)).ok) return;
  }
  platform.log("error", "A revocation could not be announced", { tenant });
}
