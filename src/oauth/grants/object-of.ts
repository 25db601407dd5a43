/** The way to the object of a grant. It fails at times, as every object does; then nothing is known to have happened. */
import type { Platform } from "../../platform.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { Grant } from "./grant-object.ts";

export async function askGrant<T>(
  platform: Platform,
  tenant: string,
  grant_id: string,
  ask: (grant: DurableObjectStub<Grant>) => Promise<T>,
): Promise<Result<T, "grant_unavailable">> {
  try {
    return ok(await ask(platform.bindings.GRANT.getByName(`${tenant}:${grant_id}`)));
  } catch (cause) {
    platform.log("warn", "The object of a grant did not answer", { tenant, grant: grant_id, cause });
    return err("grant_unavailable");
  }
}
