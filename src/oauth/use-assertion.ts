/** An assertion is good for one token. */
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import type { Visit } from "../login/index.ts";
import { useOnce, type ForeignClaims } from "../trust/index.ts";

/**
 * Uses its `jti` up, for as long as any clock of ours could accept the assertion. Comes last: nothing is used up by a request that
 * is refused for another reason.
 * @returns false when somebody did before; true also where there is none
 * @see RFC 7523 section 3, item 7
 */
export async function useAssertionOnce(
  { platform, tenant }: Visit,
  purpose: "client_assertion" | "id_jag",
  { iss, jti, exp }: ForeignClaims,
): Promise<boolean> {
  if (jti === undefined) return true;
  const expires_at = exp * 1000 + 2 * limits.clockSkew_ms;
  const database = openDatabase(platform.bindings.DB);
  return useOnce(database, tenant.id, purpose, JSON.stringify([iss, jti]), expires_at, platform.ports.clock.now());
}
