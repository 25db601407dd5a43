/**
 * Workers allow six connections of one invocation to wait for response headers and let further ones wait unseen. The gateway
 * counts its own, so that a fan-out never starves the audit hand-over. Once its headers are there a connection no longer
 * counts (since April 2026), so streams may be many.
 * @see Cloudflare Workers limits, "Simultaneous open connections"
 */

/** Gives the connection back. May be called more than once. */
export type Release = () => void;

export interface ConnectionBudget {
  /**
   * Waits for a free connection, first come first served.
   * @throws the reason of `signal` when it aborts before a connection is free; the place in the queue is then given up
   */
  acquire(signal?: AbortSignal): Promise<Release>;
}

/**
 * A budget for one invocation: never shared between requests, or a request could wait for one that is gone.
 * @param count connections that may wait for response headers at once, at least one
 */
export function createConnectionBudget(count: number): ConnectionBudget {
  if (!Number.isInteger(count) || count < 1) throw new Error("A connection budget needs at least one connection.");
  let free = count;
  /** In order of arrival: a Set keeps it and lets an aborted waiter leave from the middle. */
  const waiters = new Set<() => void>();

  function take(): Release {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const [next] = waiters;
      if (next === undefined) free += 1;
      else next();
    };
  }

  return {
    acquire(signal) {
      if (signal?.aborted === true) return Promise.reject(signal.reason);
      if (free > 0) {
        free -= 1;
        return Promise.resolve(take());
      }
      return new Promise<Release>((resolve, reject) => {
        const leave = (): void => {
          waiters.delete(granted);
          reject(signal?.reason);
        };
        const granted = (): void => {
          waiters.delete(granted);
          signal?.removeEventListener("abort", leave);
          resolve(take());
        };
        waiters.add(granted);
        signal?.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
