/**
 * Requests that run, by session and id: a second one under the same id could get the first one's answer. Known to this isolate
 * only, which is where a client's connections meet as a rule.
 * @see MCP 2025-11-25 basic, "Requests": the id must not have been used before in the session
 */
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";

const running = new BoundedMap<symbol>(limits.runningRequests_count);

export interface Claim {
  /** Gives the id back when the response is read to its end, or is dropped. */
  holdFor(response: Response): Response;
}

/** @returns undefined when the id is in use */
export function claimRequest(tenant: string, owner: string, id: string | number): Claim | undefined {
  const key = JSON.stringify([tenant, owner, id]);
  if (running.get(key) !== undefined) return undefined;
  const mine = Symbol(key);
  running.set(key, mine);
  const release = (): void => {
    if (running.get(key) === mine) running.delete(key);
  };
  return {
    holdFor(response) {
      if (response.headers.get("content-type") !== "text/event-stream" || response.body === null) {
        release();
        return response;
      }
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      response.body.pipeTo(writable).then(release, release);
      return new Response(readable, response);
    },
  };
}
