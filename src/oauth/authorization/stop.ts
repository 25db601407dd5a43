/** An authorization that ends on a page of ours: noted for the administrator and recorded, within bounds. */
import { openDatabase } from "../../db/index.ts";
import { authEvent, type Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { countAttempt, type AttemptRule } from "../../trust/index.ts";
import { noteBlocked } from "../agents/index.ts";
import { blockedRedirects } from "../redirects/index.ts";
import type { StopReason } from "../stop.ts";
import type { OAuthClient, Stop } from "../types.ts";

/** Anybody can send a browser here: what is blocked becomes an event of its own so often, and a count from then on. */
const events: AttemptRule = {
  purpose: "blocked_authorization",
  count_max: limits.blockedEvents_count,
  window_ms: limits.blockedEvents_ms,
};

export interface Blocked {
  readonly reason: StopReason;
  /** The client as far as it is known. */
  readonly client: Pick<OAuthClient, "id" | "name"> & { readonly kind: OAuthClient["kind"] | "unknown" };
  readonly redirect_uri?: string | undefined;
}

/** A client that the tenant knows or could know, and that it does not let through. */
export async function blockAuthorization(visit: Visit, { reason, client, redirect_uri }: Blocked): Promise<Stop> {
  const { platform, tenant, source } = visit;
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  const stop = { reason, client_id: client.id, client_name: client.name, redirect_uri };
  if (!(await countAttempt(database, tenant.id, events, source.network, now))) {
    visit.countUnknown(reason);
    return stop;
  }
  if (reason === "redirect_uri_untrusted" && redirect_uri !== undefined) {
    await blockedRedirects(database, tenant.id).note(
      { client_id: client.id, redirect_uri, client_name: client.name },
      now,
    );
  }
  await noteBlocked(visit, client, reason);
  const act = { action: "authorization.block", outcome: "refused", reason, redirect_uri } as const;
  // Where it cannot be recorded the recorder has logged it, and the answer is a refusal in any case.
  await visit.recorder.record(authEvent(visit, { ...act, agent: client.id, client_name: client.name }));
  return stop;
}
