/**
 * The audit log of one tenant and one month. It takes each event once, in the order of arrival, never changes one, and
 * gives every request an outcome. A request and its outcome are always in the same Ledger (see `ledgerOf`), also when a
 * month ends between them.
 */
import { DurableObject } from "cloudflare:workers";
import { limits } from "../limits.ts";
import type { Clock } from "../ports.ts";
import { systemPorts } from "../system-ports.ts";
import type { AuditEvent } from "./event.ts";
import { columnsOf, insertEvent, ledgerTables, readEvent, searchTextOf, unknownOutcome } from "./ledger-rows.ts";
import { pageOf, type LedgerFilter } from "./ledger-query.ts";
import { ledgerOf } from "./object-names.ts";

export interface LedgerPage {
  /** Newest first, in order of ingestion. */
  readonly events: AuditEvent[];
  /** `before_seq` of the next page; undefined on the last one. */
  readonly next: number | undefined;
}

export class Ledger extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Pick<Clock, "now"> = systemPorts.clock;
  /** A month that nothing was written to stays without storage: reading the past must not create objects. */
  #written: boolean;
  #seq = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#written = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'events'").toArray().length > 0;
    if (this.#written) this.#open();
  }

  /**
   * Stores the events whose ids are new, all or none. Returns when they are durable.
   * @throws when an event belongs to another tenant or month: a bug that must not be stored
   */
  async append(events: readonly AuditEvent[]): Promise<void> {
    if (events.some((event) => this.ctx.id.name !== undefined && ledgerOf(event) !== this.ctx.id.name)) {
      throw new Error("An event was sent to the Ledger of another tenant or month.");
    }
    await this.#write(events);
  }

  async query(filter: LedgerFilter): Promise<LedgerPage> {
    if (!this.#written) return { events: [], next: undefined };
    const { sql, values } = pageOf(filter);
    const rows = this.ctx.storage.sql.exec<{ seq: number; json: string }>(sql, ...values).toArray();
    const page = rows.slice(0, filter.limit);
    return {
      events: page.map(({ json }) => readEvent(json)),
      next: rows.length > page.length ? page.at(-1)?.seq : undefined,
    };
  }

  /** How many events are stored and how many requests wait for their outcome. Sets an alarm that went missing. */
  async status(): Promise<{ stored: number; open: number }> {
    if (!this.#written) return { stored: 0, open: 0 };
    await this.#schedule();
    const { open } = this.ctx.storage.sql.exec<{ open: number }>("SELECT count(*) AS open FROM open_requests").one();
    return { stored: this.#seq, open };
  }

  /**
   * The sweeper: a request whose outcome is overdue gets `unknown`. May run twice or late, since the id of that event
   * follows from the request's.
   */
  override async alarm(): Promise<void> {
    const now = this.clock.now();
    // Before any work, since the platform gives up on an alarm that keeps failing.
    await this.ctx.storage.setAlarm(now + limits.outcomeGrace_ms);
    if (!this.#written) return;
    const overdue = this.ctx.storage.sql
      .exec<{ json: string }>(
        `SELECT events.json FROM open_requests JOIN events ON events.id = open_requests.request_id
         WHERE open_requests.deadline <= ? ORDER BY open_requests.deadline LIMIT ?`,
        now - limits.outcomeGrace_ms,
        limits.outcomesPerAlarm_count,
      )
      .toArray()
      .map(({ json }) => readEvent(json));
    await this.#write(overdue.flatMap((event) => (event.type === "mcp.request" ? [unknownOutcome(event, now)] : [])));
    if (this.#nextDeadline() === undefined) await this.ctx.storage.deleteAlarm();
  }

  async #write(events: readonly AuditEvent[]): Promise<void> {
    if (!this.#written) this.#open();
    this.#seq = this.ctx.storage.transactionSync(() =>
      events.reduce((seq, event) => this.#store(seq, event), this.#seq),
    );
    await this.#schedule();
  }

  #open(): void {
    const { sql } = this.ctx.storage;
    sql.exec(ledgerTables);
    this.#seq = sql.exec<{ seq: number }>("SELECT coalesce(max(seq), 0) AS seq FROM events").one().seq;
    this.#written = true;
  }

  /** @returns the last sequence number in use afterwards */
  #store(seq: number, event: AuditEvent): number {
    const { sql } = this.ctx.storage;
    if (sql.exec("SELECT 1 FROM events WHERE id = ?", event.id).toArray().length > 0) return seq;
    sql.exec(insertEvent, seq + 1, ...columnsOf(event));
    sql.exec("INSERT INTO events_text (rowid, text) VALUES (?, ?)", seq + 1, searchTextOf(event));
    if (event.type === "mcp.response") {
      sql.exec("DELETE FROM open_requests WHERE request_id = ?", event.request_id);
    }
    // What was refused is over with its request event.
    if (event.type === "mcp.request" && event.decision.effect === "allow") {
      // Queues do not keep order: the outcome may be here already.
      sql.exec(
        `INSERT INTO open_requests SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM events WHERE request_id = ?)`,
        event.id,
        event.deadline,
        event.id,
      );
    }
    return seq + 1;
  }

  #nextDeadline(): number | undefined {
    const sql = "SELECT min(deadline) AS deadline FROM open_requests";
    return this.ctx.storage.sql.exec<{ deadline: number | null }>(sql).one().deadline ?? undefined;
  }

  /** An alarm at the first time at which an outcome is overdue. One that is earlier stays: it finds nothing, at no harm. */
  async #schedule(): Promise<void> {
    const deadline = this.#nextDeadline();
    if (deadline === undefined) return;
    const due = Math.max(deadline + limits.outcomeGrace_ms, this.clock.now());
    const current = await this.ctx.storage.getAlarm();
    if (current === null || current > due) await this.ctx.storage.setAlarm(due);
  }
}
