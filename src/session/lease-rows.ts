/**
 * Who may open a session with an upstream server: one claimer at a time for an owner and a server. The lease is a row, so that
 * it outlives an eviction; those who wait for it do so in memory and look at the rows again when they wake.
 */
import { limits } from "../limits.ts";
import type { Clock } from "../ports.ts";

export const leaseTables = `
  CREATE TABLE IF NOT EXISTS leases (
    owner TEXT NOT NULL, server_id TEXT NOT NULL, lease TEXT NOT NULL,
    free_at INTEGER NOT NULL, -- from here on another claimer may take it; until one does, it stands
    expires_at INTEGER NOT NULL, PRIMARY KEY (owner, server_id)
  ) WITHOUT ROWID;
`;

export class LeaseRows {
  readonly #sql: SqlStorage;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @returns milliseconds until the lease of another claimer is free; 0 when it is granted under the name `lease` */
  take(owner: string, server_id: string, lease: string, now: number): number {
    const held = this.#sql
      .exec<{ free_at: number }>("SELECT free_at FROM leases WHERE owner = ? AND server_id = ?", owner, server_id)
      .toArray()[0];
    if (held !== undefined && held.free_at > now) return held.free_at - now;
    const free_at = now + limits.upstreamLease_ms;
    const expires_at = now + limits.upstreamTotal_ms;
    this.#sql.exec(
      "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?)",
      owner,
      server_id,
      lease,
      free_at,
      expires_at,
    );
    return 0;
  }

  /** Ends the lease, if it is still this one, and wakes who waits. @returns whether it was */
  give(owner: string, server_id: string, lease: string): boolean {
    const remove = "DELETE FROM leases WHERE owner = ? AND server_id = ? AND lease = ? RETURNING 1";
    const given = this.#sql.exec(remove, owner, server_id, lease).toArray().length > 0;
    if (given) this.#wake(keyOf(owner, server_id));
    return given;
  }

  /** Ends all leases of an owner that is over. */
  clear(owner: string): void {
    const remove = "DELETE FROM leases WHERE owner = ? RETURNING server_id";
    for (const { server_id } of this.#sql.exec<{ server_id: string }>(remove, owner).toArray()) {
      this.#wake(keyOf(owner, server_id));
    }
  }

  /** Until the lease is given back, or for `wait_ms`. */
  async wait(clock: Pick<Clock, "sleep">, owner: string, server_id: string, wait_ms: number): Promise<void> {
    const key = keyOf(owner, server_id);
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(wake));
    await clock.sleep(wait_ms, woken.signal);
    waiting.delete(wake);
    if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
  }

  /** @returns when the next lease expires */
  sweep(now: number): number | undefined {
    this.#sql.exec("DELETE FROM leases WHERE expires_at <= ?", now);
    return this.#sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM leases").one().at ?? undefined;
  }

  #wake(key: string): void {
    for (const wake of this.#waiting.get(key) ?? []) wake();
  }
}

/** No owner has a line feed: owners are ours, and principal ids are visible text. */
const keyOf = (owner: string, server_id: string): string => `${owner}\n${server_id}`;
