/**
 * The Durable Object of one foreign host, for one tenant, and either for what administrators named or for clients: of all who want a document one gets a lease and fetches, the others wait
 * for what it brings. It makes no request itself. Whether a document is fresh is a question of the caller's clock; its own
 * measures how long somebody waits.
 */
import { DurableObject } from "cloudflare:workers";
import { limits } from "../limits.ts";
import type { Clock } from "../ports.ts";
import { systemPorts } from "../system-ports.ts";
import { isClientKind, type DocumentKind, type Judgement } from "./document-kind.ts";
import { DocumentRows, type KeptDocument } from "./document-rows.ts";
import type { DocumentFailure } from "./documents.ts";

export interface DocumentKey {
  readonly kind: DocumentKind;
  readonly url: string;
}

export interface DocumentClaim extends DocumentKey {
  /** Name of the lease, if the claimer gets it. */
  readonly lease: string;
  /** What was fetched up to this time will not do. */
  readonly newer_than: number | null;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

export type Settled =
  | { readonly kind: "known"; readonly document: KeptDocument }
  | { readonly kind: "failed"; readonly failure: DocumentFailure };

/**
 * `fetch`: the claimer has the lease, fetches and settles. `first`: nothing is kept of what a stranger names, and nothing is written
 * down for it: the claimer pays before it fetches, or releases the lease.
 */
export type Claimed = Settled | { readonly kind: "fetch"; readonly first: boolean };

export type Fetched =
  | {
      readonly kind: "document";
      readonly json: string;
      readonly life_ms: number;
      readonly judgement: Judgement;
    }
  | { readonly kind: "failure"; readonly failure: DocumentFailure };

interface Lease {
  readonly name: string;
  /** On the object's own clock. */
  readonly until: number;
  /** Undefined: its holder let go of it, and the next one may try. */
  readonly settled: Promise<Settled | undefined>;
  settle(outcome: Settled | undefined): void;
}

const waitedTooLong: DocumentFailure = { reason: "document_busy", transient: true };
const overBudget: DocumentFailure = { reason: "document_host_budget", transient: true };

export class Documents extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Clock = systemPorts.clock;
  readonly #rows: DocumentRows;
  /** In memory: should the object be evicted, the worst is a second fetch. */
  readonly #leases = new Map<string, Lease>();

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#rows = new DocumentRows(context.storage.sql);
  }

  /** The document, or the right to fetch it. Waits while another claimer has that right. */
  async claim({ kind, url, lease, newer_than, now }: DocumentClaim): Promise<Claimed> {
    const key = keyOf({ kind, url });
    const patience = this.clock.now() + limits.documentWait_ms;
    for (let isAwaited = false; ;) {
      const known = this.#answer(kind, url, newer_than, now);
      if (known !== undefined) return { kind: "known", document: known };
      const held = this.#leases.get(key);
      if (held !== undefined && held.until > this.clock.now()) {
        const settled = await this.#outcome(held);
        if (settled !== undefined) return settled;
        if (this.clock.now() >= patience) return this.#standIn({ kind, url }, now, waitedTooLong);
      } else if (isClientKind(kind) && this.#rows.get(kind, url, now) === undefined) {
        return this.#give(key, lease) ? { kind: "fetch", first: true } : { kind: "failed", failure: overBudget };
      } else if (!isAwaited) {
        // And look again: from the last look to the lease nothing may come in between.
        await this.#wakeBy(now + limits.documentsPerHost_ms);
        isAwaited = true;
      } else if (this.#rows.take(kind, url, now) && this.#give(key, lease)) {
        return { kind: "fetch", first: false };
      } else {
        return this.#standIn({ kind, url }, now, overBudget);
      }
    }
  }

  /** What the holder of the lease got; also of one that came too late for its lease. */
  async settle(key: DocumentKey, lease: string, now: number, fetched: Fetched): Promise<Settled> {
    const outcome = await this.#keep(key, now, fetched);
    this.#end(key, lease, outcome);
    return outcome;
  }

  /** The holder may not fetch, for a reason that is its own. */
  release(key: DocumentKey, lease: string): void {
    this.#end(key, lease, undefined);
  }

  /** Clears what is expired, and the object with it when nothing is left. May run twice or late. */
  override async alarm(): Promise<void> {
    const next = this.#rows.sweep(this.clock.now());
    if (next !== undefined) return this.ctx.storage.setAlarm(next);
    this.#rows.cleared();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  /** Writes down what may be kept, and nothing else. */
  async #keep({ kind, url }: DocumentKey, now: number, fetched: Fetched): Promise<Settled> {
    if (fetched.kind === "failure") {
      // Its publisher took it away, or made it something else: that is no outage of a client.
      if (isClientKind(kind) && !fetched.failure.transient) this.#rows.remove(kind, url);
      return this.#standIn({ kind, url }, now, fetched.failure);
    }
    const { json, life_ms, judgement } = fetched;
    if (judgement === "wrong") this.#rows.remove(kind, url);
    if (judgement === "accepted" || this.#rows.get(kind, url, now) !== undefined) {
      await this.#wakeBy(now + limits.documentLife_ms_min);
      this.#rows.put(kind, url, json, now, life_ms);
    }
    return { kind: "known", document: { json, fetched_at: now } };
  }

  /** What is at hand, if it will do. */
  #answer(kind: DocumentKind, url: string, newer_than: number | null, now: number): KeptDocument | undefined {
    const row = this.#rows.get(kind, url, now);
    if (row === undefined) return undefined;
    const document = { json: row.json, fetched_at: row.fetched_at };
    if (now < row.fresh_until && row.fetched_at > (newer_than ?? -Infinity)) return document;
    // Asked for a moment ago: unknown key ids, and a host that is down, must not cause a fetch each.
    const isCooling = now < row.tried_at + limits.documentCooldown_ms && !this.#leases.has(keyOf({ kind, url }));
    return isCooling ? document : undefined;
  }

  #standIn({ kind, url }: DocumentKey, now: number, failure: DocumentFailure): Settled {
    const row = this.#rows.get(kind, url, now);
    if (row === undefined) return { kind: "failed", failure };
    return { kind: "known", document: { json: row.json, fetched_at: row.fetched_at } };
  }

  /** @returns false when too many are out */
  #give(key: string, name: string): boolean {
    const now = this.clock.now();
    if (this.#leases.size >= limits.documentLeases_count) {
      for (const [other, { until }] of this.#leases) if (until <= now) this.#leases.delete(other);
    }
    if (this.#leases.size >= limits.documentLeases_count) return false;
    this.#leases.set(key, leaseFor(name, now + limits.documentLease_ms));
    return true;
  }

  #end(key: DocumentKey, lease: string, outcome: Settled | undefined): void {
    const held = this.#leases.get(keyOf(key));
    if (held?.name !== lease) return;
    this.#leases.delete(keyOf(key));
    held.settle(outcome);
  }

  /** @returns undefined when the lease ran out, since its holder died, or was let go of */
  async #outcome(lease: Lease): Promise<Settled | undefined> {
    const over = new AbortController();
    const late = this.clock.sleep(lease.until - this.clock.now(), over.signal).then(() => undefined);
    const settled = await Promise.race([lease.settled, late]);
    over.abort();
    return settled;
  }

  /** The alarm before the rows: if this stops half-way there is an alarm without rows, never rows without an alarm. */
  async #wakeBy(time: number): Promise<void> {
    const current = await this.ctx.storage.getAlarm();
    if (current === null || current > time) await this.ctx.storage.setAlarm(time);
  }
}

/** No URL has a space. */
const keyOf = ({ kind, url }: DocumentKey): string => `${kind} ${url}`;

function leaseFor(name: string, until: number): Lease {
  const { promise, resolve } = Promise.withResolvers<Settled | undefined>();
  return { name, until, settled: promise, settle: resolve };
}
