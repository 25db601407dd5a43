/**
 * State of sessions that cannot be in the id that the client holds. One object is a shard with many owners: one object for each
 * session would cost four times the CPU, since idle objects are evicted after seconds. It checks nothing but the owner that the
 * Worker names; only the Worker can reach it.
 */
import { DurableObject } from "cloudflare:workers";
import * as z from "zod";
import { limits } from "../limits.ts";
import type { Clock } from "../ports.ts";
import { systemPorts } from "../system-ports.ts";
import { EventRows, eventTables, type Missed, type Replay } from "./event-rows.ts";
import { LeaseRows, leaseTables } from "./lease-rows.ts";
import { LineRows, lineTables, type LineRequest } from "./line-rows.ts";
import {
  OwnerRows,
  ownerTables,
  refused,
  type Changes,
  type OwnerState,
  type Refusal,
  type StoredUpstream,
  type Written,
} from "./owner-rows.ts";
import { TaskRows, taskTables } from "./task-rows.ts";
import type { KeptEvent } from "./types.ts";

export type Claim =
  | { readonly kind: "known" | "open" | "busy"; readonly state: OwnerState }
  | { readonly kind: "refused"; readonly reason: Refusal };

const lineRequest = z.strictObject({
  id: z.string(),
  owner: z.string(),
  role: z.enum(["call", "stream"]),
  request_id: z.string().nullable(),
  resumed: z.boolean(),
}) satisfies z.ZodType<LineRequest>;

export class Session extends DurableObject<Env> {
  /** Replaced in tests. The platform makes this object, so nobody can hand it a clock. */
  clock: Pick<Clock, "now" | "sleep"> = systemPorts.clock;
  readonly #owners: OwnerRows;
  readonly #leases: LeaseRows;
  readonly #lines: LineRows;
  readonly #events: EventRows;
  readonly #tasks: TaskRows;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const { sql } = context.storage;
    sql.exec(ownerTables + leaseTables + lineTables + eventTables + taskTables);
    this.#owners = new OwnerRows(sql);
    this.#leases = new LeaseRows(sql);
    this.#lines = new LineRows(context);
    this.#events = new EventRows(sql);
    this.#tasks = new TaskRows(sql);
  }

  read(owner: string): OwnerState {
    return this.#owners.state(owner);
  }

  /** What changed after version `since`. */
  changes(since: number): Changes {
    return this.#owners.changes(since);
  }

  setLogLevel(owner: string, level: string): Promise<Written> {
    return this.#write(owner, (now) => this.#owners.setLogLevel(owner, level, now));
  }

  addSubscription(owner: string, server_id: string, uri: string): Promise<Written> {
    return this.#write(owner, (now) => this.#owners.addSubscription(owner, server_id, uri, now));
  }

  removeSubscription(owner: string, server_id: string, uri: string): Promise<Written> {
    return this.#write(owner, (now) => this.#owners.removeSubscription(owner, server_id, uri, now));
  }

  markDiverged(owner: string, server_id: string): Promise<Written> {
    return this.#write(owner, (now) => this.#owners.markDiverged(owner, server_id, now));
  }

  forgetUpstream(owner: string, server_id: string, session_id: string | null): Promise<Written> {
    return this.#write(owner, (now) => this.#owners.forgetUpstream(owner, server_id, session_id, now));
  }

  /** Only under the lease that stands: else another claimer opens a session, or has. */
  storeUpstream(owner: string, lease: string, session: StoredUpstream): Promise<Written> {
    return this.#write(owner, (now) => {
      if (this.#owners.ended(owner)) return refused("session_ended");
      if (!this.#leases.give(owner, session.server_id, lease)) return refused("lease_lost");
      return this.#owners.storeUpstream(owner, session, now);
    });
  }

  /**
   * A session with the server, or the right to open one under the name `lease`. Waits for whoever has that right already,
   * for `limits.upstreamLeaseWait_ms` in all; then the server is `busy`.
   */
  async claimUpstream(owner: string, server_id: string, revision: number, lease: string): Promise<Claim> {
    const patience = this.clock.now() + limits.upstreamLeaseWait_ms;
    await this.#wakeBy(this.clock.now() + limits.upstreamTotal_ms);
    for (;;) {
      const now = this.clock.now();
      if (this.#owners.ended(owner)) return { kind: "refused", reason: "session_ended" };
      const state = this.#owners.state(owner);
      if (this.#owners.upstreamRevision(owner, server_id) === revision) return { kind: "known", state };
      const wait_ms = this.#leases.take(owner, server_id, lease, now);
      if (wait_ms === 0) return { kind: "open", state };
      if (now >= patience) return { kind: "busy", state };
      await this.#leases.wait(this.clock, owner, server_id, Math.min(wait_ms, patience - now));
    }
  }

  releaseUpstream(owner: string, server_id: string, lease: string): void {
    this.#leases.give(owner, server_id, lease);
  }

  /** @returns the state before and after; nothing of the session is left then but that it is over */
  async end(owner: string, expires_at: number): Promise<{ before: OwnerState; after: OwnerState }> {
    const now = this.clock.now();
    await this.#wakeBy(Math.max(expires_at, now));
    const before = this.#owners.state(owner);
    this.#owners.end(owner, expires_at, now);
    this.#leases.clear(owner);
    this.#events.clear(owner);
    this.#tasks.clear(owner);
    this.#lines.endAll(owner, "deleted");
    return { before, after: this.#owners.state(owner) };
  }

  /** @returns false when the session is over */
  async keepEvents(owner: string, stream_id: string, events: readonly KeptEvent[], over: boolean): Promise<boolean> {
    const now = this.clock.now();
    await this.#wakeBy(now + limits.keptEvents_ms);
    if (this.#owners.ended(owner)) return false;
    this.#events.keep(owner, stream_id, events, over, now);
    return true;
  }

  replayEvents(owner: string, missed: Missed): Replay {
    return this.#events.replay(owner, missed, this.clock.now());
  }

  async addTask(owner: string, server_id: string, task_id: string): Promise<void> {
    const now = this.clock.now();
    await this.#wakeBy(now + limits.taskHandle_ms);
    if (!this.#owners.ended(owner)) this.#tasks.add(owner, server_id, task_id, now);
  }

  tasks(owner: string, server_id: string): string[] {
    return this.#tasks.of(owner, server_id);
  }

  /** @returns false when the message would have to wait and too many do. Messages to nobody count as delivered. */
  async deliver(owner: string, frame: string): Promise<boolean> {
    const now = this.clock.now();
    await this.#wakeBy(now + limits.mailbox_ms);
    return this.#owners.ended(owner) || this.#lines.deliver(owner, frame, now);
  }

  /** Opens a line; RPC cannot carry a WebSocket. */
  override async fetch(request: Request): Promise<Response> {
    const line = lineRequest.parse(JSON.parse(new URL(request.url).searchParams.get("line") ?? ""));
    const now = this.clock.now();
    await this.#wakeBy(now + limits.lineCheck_ms);
    const { 0: client, 1: server } = new WebSocketPair();
    if (this.#owners.ended(line.owner)) this.#lines.refuse(line, server);
    else if (!this.#lines.connect(line, server, now)) return new Response(null, { status: 429 });
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    await this.#closed(socket, code);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#closed(socket, abnormal_code);
  }

  /** Clears what is expired. May run twice or late. */
  override async alarm(): Promise<void> {
    const now = this.clock.now();
    // Before any work, since the platform gives up on an alarm that keeps failing.
    await this.ctx.storage.setAlarm(now + limits.sessionSweep_ms);
    const next = [this.#owners, this.#leases, this.#lines, this.#events, this.#tasks].flatMap(
      (rows) => rows.sweep(now) ?? [],
    );
    if (next.length === 0) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(Math.max(Math.min(...next), now) + limits.sessionSweep_ms);
  }

  async #write(owner: string, write: (now: number) => Written): Promise<Written> {
    const now = this.clock.now();
    // The alarm first: if this stops half-way there is an alarm without rows, never rows without an alarm.
    await this.#wakeBy(now + limits.principalFacts_ms);
    const written = write(now);
    if (written.kind === "written" && written.changed) this.#lines.notify(owner);
    return written;
  }

  async #closed(socket: WebSocket, code: number): Promise<void> {
    const now = this.clock.now();
    await this.#wakeBy(now + limits.lineRemembered_ms);
    for (const id of this.ctx.getTags(socket)) this.#lines.closed(id, code, now);
  }

  /** Later than the time given, so that many things go in one alarm. */
  async #wakeBy(time: number): Promise<void> {
    const current = await this.ctx.storage.getAlarm();
    const at = time + limits.sessionSweep_ms;
    if (current === null || current > at) await this.ctx.storage.setAlarm(at);
  }
}

/** @see RFC 6455 section 7.4.1 */
const abnormal_code = 1006;
