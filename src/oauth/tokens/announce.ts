/** Tells every isolate of a change that D1 holds already. */
import type { Visit } from "../../login/index.ts";
import { announceChange } from "../../tenant/index.ts";

/** What cannot be told is picked up after `limits.snapshotLife_ms` at the latest; nothing is taken back for that. */
export async function announce({ platform, tenant }: Pick<Visit, "platform" | "tenant">): Promise<void> {
  const announced = await announceChange(platform, tenant.id);
  if (!announced.ok) platform.log("error", "A revocation could not be announced", { tenant: tenant.id });
}
