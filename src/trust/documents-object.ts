/**
 * The Durable Object of one foreign host, for one tenant: of all who want a document one gets a lease and fetches, the others wait
 * for what it brings. It makes no request itself. Whether a document is fresh is a question of the caller's clock; its own
 * measures how long somebody waits.
 */
import { DurableObject } from "cloudflare:workers";
import { limits } from "../limits.ts";
import type { Clock } from "../ports.ts";
import { systemPorts } from "../system-ports.ts";
import { DocumentRows, documentTables, type KeptDocument } from "./document-rows.ts";
import type { DocumentFailure, DocumentKind } from "./documents.ts";

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

/** `fetch`: the claimer has the lease, fetches and settles. */
export type Claimed = Settled | { readonly kind: "fetch" };

export type Fetched =
  | { readonly kind: "document"; readonly json: string; readonly life_ms: number }
  | { readonly kind: "failure"; readonly failure: DocumentFailure };

interface Lease {
  readonly name: string;
  /** On the object's own clock. */
  readonly until: number;
  readonly settled: Promise<Settled>;
  settle(outcome: Settled): void;
}

const waitedTooLong: DocumentFailure = { reason: "document_busy", transient: true };
const overBudget: DocumentFailure = { reason: "document_host_budget", transient: true };

export class Documents extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Clock = systemPorts.clock;
  readonly #rows: DocumentRows;
  /** In memory: should the object be evicted, the worst is a second fetch. No more than `limits.documentsPerHost_count` at once. */
  readonly #leases = new Map<string, Lease>();

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    context.storage.sql.exec(documentTables);
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
      } else if (!isAwaited) {
        // And look again: from the last look to the lease nothing may come in between.
        await this.#wakeBy(now + limits.documentsPerHost_ms);
        isAwaited = true;
      } else if (this.#rows.take(kind, url, now)) {
        this.#leases.set(key, leaseFor(lease, this.clock.now() + limits.documentLease_ms));
        return { kind: "fetch" };
      } else {
        return this.#standIn({ kind, url }, now, overBudget);
      }
    }
  }

  /** What the holder of the lease got; also of one that came too late for its lease. */
  async settle(key: DocumentKey, lease: string, now: number, fetched: Fetched): Promise<Settled> {
    await this.#wakeBy(now + limits.documentLife_ms_min);
    const outcome: Settled =
      fetched.kind === "document"
        ? { kind: "known", document: this.#rows.put(key.kind, key.url, fetched.json, now, fetched.life_ms) }
        : this.#standIn(key, now, fetched.failure);
    const held = this.#leases.get(keyOf(key));
    if (held?.name === lease) {
      this.#leases.delete(keyOf(key));
      held.settle(outcome);
    }
    return outcome;
  }

  /** Clears what is expired. May run twice or late. */
  override async alarm(): Promise<void> {
    const next = this.#rows.sweep(this.clock.now());
    if (next !== undefined) await this.ctx.storage.setAlarm(next);
    else await this.ctx.storage.deleteAlarm();
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

  /** @returns undefined when the lease ran out: its holder died */
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
  const { promise, resolve } = Promise.withResolvers<Settled>();
  return { name, until, settled: promise, settle: resolve };
}
