/** The way from an invocation to the object that holds an owner's state. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Session } from "./session-object.ts";
import type { SessionContext } from "./types.ts";

/** The name of the object; no tenant id has a colon. */
export function shardOf(tenant: string, owner: string): string {
  // FNV-1a: spreads, and is not meant to resist anybody.
  let hash = 0x811c9dc5;
  for (let at = 0; at < owner.length; at += 1) hash = Math.imul(hash ^ owner.charCodeAt(at), 0x01000193);
  return `${tenant}:session:${(hash >>> 0) % limits.sessionShards_count}`;
}

const unavailable = failure("unavailable", "The session could not be read. Try again.", {
  reason: "session_unavailable",
  headers: { "retry-after": "1" },
});

/**
 * Asks the owner's object and waits `wait_ms` for it. What is asked may still happen after that.
 * @returns the answer or, fail closed, `unavailable`
 */
export async function askShard<T>(
  { platform, tenant }: SessionContext,
  owner: string,
  wait_ms: number,
  question: (shard: DurableObjectStub<Session>) => Promise<T>,
): Promise<Result<T, Failure>> {
  async function answered(): Promise<Result<T, Failure>> {
    try {
      return ok(await question(platform.bindings.SESSION.getByName(shardOf(tenant.id, owner))));
    } catch (cause) {
      platform.log("warn", "A session object could not be asked", { tenant: tenant.id, cause });
      return err(unavailable);
    }
  }
  const settled = new AbortController();
  const result = await Promise.race([answered(), platform.ports.clock.sleep(wait_ms, settled.signal)]);
  settled.abort();
  return result ?? err(unavailable);
}
