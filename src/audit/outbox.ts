/**
 * Where events wait that the Queue did not take, and where dead letters are kept. An event leaves only after the Queue
 * (or, for a dead letter, the Ledger) has it, so a crash repeats and never loses.
 */
import { DurableObject } from "cloudflare:workers";
import { limits } from "../limits.ts";
import type { Clock } from "../ports.ts";
import { systemPorts } from "../system-ports.ts";
import { log } from "../telemetry/index.ts";
import { auditEvent, type AuditEvent } from "./event.ts";
import { ledgerOf } from "./object-names.ts";

export interface DeadLetter {
  /** Id of the event or, when it has none, of the message. */
  readonly id: string;
  /** JSON as it came. */
  readonly body: string;
  readonly reason: string;
}

export interface OutboxStatus {
  /** Events that wait for the Queue. */
  readonly pending: number;
  /** Dead letters, readable or not. */
  readonly dead: number;
}

type PendingRow = { seq: number; json: string; bytes: number };

const tables = `
  CREATE TABLE IF NOT EXISTS pending (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL, bytes INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS dead (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, reason TEXT NOT NULL, parked_at INTEGER NOT NULL,
    retry_at INTEGER -- null: not an event, kept for an operator to read
  );
  CREATE INDEX IF NOT EXISTS dead_retry ON dead (retry_at) WHERE retry_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS delivery (only INTEGER PRIMARY KEY CHECK (only = 1), failures INTEGER NOT NULL, next_at INTEGER NOT NULL);
  INSERT OR IGNORE INTO delivery VALUES (1, 0, 0);
`;

export class Outbox extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Pick<Clock, "now"> = systemPorts.clock;
  /** The most rows that this object keeps; replaced in tests. */
  rows_max: number = limits.outboxEvents_count;
  #rows: number;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.storage.sql.exec(tables);
    const { pending, dead } = this.#counts();
    this.#rows = pending + dead;
  }

  /**
   * Takes all events or none; repeated ids count as taken.
   * @returns `accepted: false` when the object is full: the caller must refuse what it wanted to record
   */
  async put(events: readonly AuditEvent[]): Promise<{ accepted: boolean }> {
    if (this.#rows + events.length > this.rows_max) return { accepted: false };
    // The alarm first: if this stops half-way there is an alarm without events, never an event without an alarm.
    await this.#wakeBy(this.clock.now() + limits.outboxRetry_ms);
    this.#rows += this.#insert(
      "INSERT OR IGNORE INTO pending (id, json, bytes) VALUES (?, ?, ?) RETURNING id",
      events.map((event) => {
        const json = JSON.stringify(event);
        return [event.id, json, new TextEncoder().encode(json).length];
      }),
    );
    return { accepted: true };
  }

  /** Keeps dead letters; those that are events are offered to their Ledger every `limits.deadLetterRetry_ms`. */
  async park(letters: readonly DeadLetter[]): Promise<{ accepted: boolean }> {
    if (this.#rows + letters.length > this.rows_max) return { accepted: false };
    const now = this.clock.now();
    await this.#wakeBy(now + limits.deadLetterRetry_ms);
    this.#rows += this.#insert(
      "INSERT OR IGNORE INTO dead (id, body, reason, parked_at, retry_at) VALUES (?, ?, ?, ?, ?) RETURNING id",
      letters.map(({ id, body, reason }) => {
        const retry_at = readEvent(body) === undefined ? null : now + limits.deadLetterRetry_ms;
        return [id, body, reason, now, retry_at];
      }),
    );
    return { accepted: true };
  }

  /** What waits here. Also sets an alarm that went missing, so that a scheduled caller is a second way to delivery. */
  async status(): Promise<OutboxStatus> {
    const next = this.#nextWork();
    if (next !== undefined) await this.#wakeBy(next);
    return this.#counts();
  }

  /** Delivers what is due. May run twice or late: receivers drop repeated ids, and times are compared, not counted. */
  override async alarm(): Promise<void> {
    const now = this.clock.now();
    // Before any work, since the platform gives up on an alarm that keeps failing.
    await this.ctx.storage.setAlarm(now + limits.outboxRetry_ms_max);
    await this.#deliverPending(now);
    await this.#deliverDead(now);
    const next = this.#nextWork();
    if (next === undefined) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }

  async #deliverPending(now: number): Promise<void> {
    const { sql } = this.ctx.storage;
    if (this.#delivery().next_at > now) return;
    for (let batches = 0; batches < limits.outboxAlarmBatches_count; batches += 1) {
      const batch = this.#nextBatch();
      if (batch.length === 0) return;
      try {
        await this.env.AUDIT.sendBatch(batch.map(({ json }) => ({ body: JSON.parse(json), contentType: "json" })));
      } catch (error) {
        const failures = this.#delivery().failures + 1;
        const wait_ms = Math.min(limits.outboxRetry_ms * 2 ** (failures - 1), limits.outboxRetry_ms_max);
        sql.exec("UPDATE delivery SET failures = ?, next_at = ?", failures, now + wait_ms);
        log("warn", "The audit Queue refused a batch of the Outbox", { error, failures, wait_ms });
        return;
      }
      // Only what was sent: others may have been put while the Queue answered.
      for (const { seq } of batch) {
        this.#rows -= sql.exec("DELETE FROM pending WHERE seq = ? RETURNING seq", seq).toArray().length;
      }
      sql.exec("UPDATE delivery SET failures = 0, next_at = 0 WHERE failures <> 0");
    }
  }

  #nextBatch(): PendingRow[] {
    const rows = this.ctx.storage.sql
      .exec<PendingRow>("SELECT seq, json, bytes FROM pending ORDER BY seq LIMIT ?", limits.outboxBatch_count)
      .toArray();
    const batch: PendingRow[] = [];
    let bytes = 0;
    for (const row of rows) {
      // 100 bytes of overhead for each message count towards the size of a batch.
      bytes += row.bytes + 100;
      if (batch.length > 0 && bytes > limits.outboxBatch_bytes) break;
      batch.push(row);
    }
    return batch;
  }

  async #deliverDead(now: number): Promise<void> {
    const { sql } = this.ctx.storage;
    const due = sql
      .exec<{ id: string; body: string }>(
        "SELECT id, body FROM dead WHERE retry_at <= ? ORDER BY retry_at LIMIT ?",
        now,
        limits.outboxBatch_count,
      )
      .toArray();
    for (const { id, body } of due) {
      const event = readEvent(body);
      try {
        if (event === undefined) throw new Error("A dead letter that was an event is none any more.");
        await this.env.LEDGER.get(this.env.LEDGER.idFromName(ledgerOf(event))).append([event]);
        this.#rows -= sql.exec("DELETE FROM dead WHERE id = ? RETURNING id", id).toArray().length;
      } catch (error) {
        sql.exec("UPDATE dead SET retry_at = ? WHERE id = ?", now + limits.deadLetterRetry_ms, id);
        log("error", "The Ledger refused a dead letter again", { error, event_id: id });
      }
    }
  }

  /** @returns how many rows are new */
  #insert(statement: string, rows: readonly (readonly SqlStorageValue[])[]): number {
    const { sql } = this.ctx.storage;
    return this.ctx.storage.transactionSync(() =>
      rows.reduce((added, row) => added + sql.exec(statement, ...row).toArray().length, 0),
    );
  }

  #counts(): OutboxStatus {
    const count = (table: "pending" | "dead"): number =>
      this.ctx.storage.sql.exec<{ count: number }>(`SELECT count(*) AS count FROM ${table}`).one().count;
    return { pending: count("pending"), dead: count("dead") };
  }

  #delivery(): { failures: number; next_at: number } {
    return this.ctx.storage.sql
      .exec<{ failures: number; next_at: number }>("SELECT failures, next_at FROM delivery")
      .one();
  }

  /** When the next delivery is due, or undefined when nothing waits that could be delivered. */
  #nextWork(): number | undefined {
    const { sql } = this.ctx.storage;
    const times: number[] = [];
    if (sql.exec("SELECT 1 FROM pending LIMIT 1").toArray().length > 0) times.push(this.#delivery().next_at);
    const { retry_at } = sql.exec<{ retry_at: number | null }>("SELECT min(retry_at) AS retry_at FROM dead").one();
    if (retry_at !== null) times.push(retry_at);
    return times.length === 0 ? undefined : Math.max(Math.min(...times), this.clock.now());
  }

  async #wakeBy(time: number): Promise<void> {
    const current = await this.ctx.storage.getAlarm();
    if (current === null || current > time) await this.ctx.storage.setAlarm(time);
  }
}

function readEvent(body: string): AuditEvent | undefined {
  try {
    return auditEvent.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}
