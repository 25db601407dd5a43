import { openDatabase } from "../db/index.ts";
import { authEvent } from "./auth-event.ts";
import { clearCookie, sessionCookie } from "./cookies.ts";
import { sessionsRepository, type WebSession } from "./sessions.ts";
import type { Visit } from "./visit.ts";

/**
 * Ends the session of this browser. What AI clients were allowed stays: that is revoked on its own page. The caller has checked the
 * form, so that no foreign page signs anybody out.
 * @returns the value of the Set-Cookie header that clears the cookie
 */
export async function endSession(visit: Visit, session: WebSession): Promise<string> {
  const { platform, tenant, recorder } = visit;
  const ended = await sessionsRepository(openDatabase(platform.bindings.DB), tenant.id).remove(session.hash);
  if (ended) {
    const { user, provider_id } = session;
    const act = { action: "sign_out.complete", outcome: "ok", reason: "user", user, provider: provider_id } as const;
    await recorder.record(authEvent(visit, act));
  }
  return clearCookie(sessionCookie);
}
