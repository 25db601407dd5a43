/**
 * The Durable Object of one connection: of all who want it renewed, over all isolates, one gets a lease and renews, the others wait for
 * that and then read the row in D1 again. It knows the newest revision, so that a row of old times is found out, and no secret. It makes
 * no request itself. Times of providers are questions of the caller's clock; its own measures how long somebody waits.
 */
import { DurableObject } from "cloudflare:workers";
import { limits } from "../../limits.ts";
import type { Clock } from "../../ports.ts";
import { systemPorts } from "../../system-ports.ts";
import {
  claimed,
  connectionStateSchema,
  ended,
  held,
  isLeased,
  issue,
  linked,
  newState,
  retired,
  settled,
  type Claimed,
  type ConnectionClaim,
  type ConnectionState,
  type Outcome,
} from "./connection-state.ts";

export class Connection extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Clock = systemPorts.clock;
  /** Those who wait for the end of the lease. In memory: should the object be evicted, their requests fail with it. */
  readonly #waiting = new Set<() => void>();

  /** Waits while another claimer has the lease, at most `limits.renewWait_ms`. */
  async claim(claim: ConnectionClaim): Promise<Claimed> {
    const state = this.#read();
    const step = claimed(state, claim, this.clock.now());
    if (step.state !== undefined) this.#write(step.state);
    if (step.outcome !== undefined) return step.outcome;
    const lease_ms = (state.lease?.until ?? 0) - this.clock.now();
    const isOver = await this.#wait(Math.min(lease_ms, limits.renewWait_ms));
    if (isOver || !isLeased(this.#read(), this.clock.now())) return { kind: "settled" };
    return { kind: "resting", reason: "token_renewal_slow", retry_at: claim.now + limits.renewPause_ms };
  }

  /** Asked by the holder of the lease right before it uses a refresh token, which may be sent once. @returns whether it may */
  hold(lease: string): boolean {
    const state = held(this.#read(), lease, this.clock.now());
    if (state !== undefined) this.#write(state);
    return state !== undefined;
  }

  /** What the holder of the lease did; also of one that came too late for its lease. */
  settle(lease: string, outcome: Outcome): void {
    const before = this.#read();
    const after = settled(before, lease, outcome);
    this.#write(after);
    if (before.lease !== null && after.lease === null) this.#wake();
  }

  /** For a new link. @param seen the revision of the row that it replaces, 0 without one @returns what to seal it for */
  issue(seen: number): number {
    const { state, outcome } = issue(this.#read(), seen);
    this.#write(state);
    return outcome;
  }

  /** The link is stored. */
  linked(revision: number): void {
    this.#write(linked(this.#read(), revision));
  }

  /** A row of this revision is used no more, also if somebody puts it back. */
  end(revision: number): void {
    this.#write(ended(this.#read(), revision));
  }

  /** The same, but not while somebody renews: what comes of that is revoked as well. @returns whether it is done */
  retire(revision: number): boolean {
    const state = retired(this.#read(), revision, this.clock.now());
    if (state !== undefined) this.#write(state);
    return state !== undefined;
  }

  /** @returns whether the lease ended within that time */
  async #wait(duration_ms: number): Promise<boolean> {
    const over = new AbortController();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = (): void => resolve(true);
    this.#waiting.add(wake);
    const late = this.clock.sleep(duration_ms, over.signal).then(() => false);
    const isOver = await Promise.race([promise, late]);
    this.#waiting.delete(wake);
    over.abort();
    return isOver;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #read(): ConnectionState {
    const stored = this.ctx.storage.kv.get("state");
    return stored === undefined ? newState : connectionStateSchema.parse(stored);
  }

  #write(state: ConnectionState): void {
    this.ctx.storage.kv.put("state", state);
  }
}
