/** Whether a server takes a credential that somebody just gave, before it is kept. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { ownMeta } from "./modern.ts";
import { askUpstream } from "./request.ts";

/**
 * Asks for the server's tools, which a server that wants a credential does not tell without one.
 * @param context with the credential as `trial`
 * @returns `upstream_credential` when the server refuses it; failures of the server as they are: then nothing is known
 */
export async function tryCredential(context: UpstreamContext, server: Target): Promise<Result<void, Failure>> {
  const asked = await askUpstream({ ...context, owner: undefined }, server, {
    method: "tools/list",
    params: { _meta: ownMeta },
    total_ms: limits.liveCheck_ms,
  });
  // An error of the protocol comes from behind the door.
  if (asked.ok) return ok(undefined);
  const { code, reason } = asked.error;
  return code === "link_needed" ? err(failure("upstream_credential", undefined, { reason: reason ?? code })) : asked;
}
