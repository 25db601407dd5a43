import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { sha256 } from "../sha256.ts";
import { readCookie, sessionCookie } from "./cookies.ts";
import { sessionsRepository, type WebSession } from "./sessions.ts";
import type { Visit } from "./visit.ts";

/** The session that a request presents, if it lives. Being seen keeps it from falling idle. */
export async function currentSession(visit: Visit, headers: Headers): Promise<WebSession | undefined> {
  const cookie = readCookie(headers, sessionCookie);
  if (cookie === undefined) return undefined;
  const { platform, tenant } = visit;
  const now = platform.ports.clock.now();
  const repository = sessionsRepository(openDatabase(platform.bindings.DB), tenant.id);
  const found = await repository.find(await sha256(cookie), now);
  if (found === undefined) return undefined;
  if (now - found.last_seen_at >= limits.webSessionTouch_ms) await repository.touch(found.session.hash, now);
  return found.session;
}
