/**
 * Requests that run, by session and id: a second one under the same id could get the first one's answer. Known to this isolate
 * only, which is where a client's connections meet as a rule.
 * @see MCP 2025-11-25 basic, "Requests": the id must not have been used before in the session
 */
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";

const running = new BoundedMap<symbol>(limits.runningRequests_count);

/**
 * @returns what gives the id back, to be called when the outcome of the request is known; undefined when the id is in use. The
 *   answer may have no reader by then: the call runs on, and its id with it.
 */
export function claimRequest(tenant: string, owner: string, id: string | number): (() => void) | undefined {
  const key = JSON.stringify([tenant, owner, id]);
  if (running.get(key) !== undefined) return undefined;
  const mine = Symbol(key);
  running.set(key, mine);
  return () => {
    if (running.get(key) === mine) running.delete(key);
  };
}
