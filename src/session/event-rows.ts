/**
 * Events of streams whose client lost the connection. Each stream belongs to its owner: nobody else's `Last-Event-ID` finds
 * it (MC-33). A write costs what it adds, however much is there already (RX-11).
 * @see MCP 2025-11-25 transports, "Resumability and Redelivery"
 */
import { limits } from "../limits.ts";
import type { KeptEvent } from "./types.ts";

export const eventTables = `
  CREATE TABLE IF NOT EXISTS kept_streams (
    owner TEXT NOT NULL, stream_id TEXT NOT NULL, over INTEGER NOT NULL,
    dropped_seq INTEGER NOT NULL, -- every event after this one is there, up to
    newest_seq INTEGER NOT NULL, -- this one: a replay from before the first of them would have a gap
    bytes INTEGER NOT NULL, -- of the events that are there
    resumer TEXT NOT NULL, -- the last who asked for them
    expires_at INTEGER NOT NULL, PRIMARY KEY (owner, stream_id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS kept_streams_expiry ON kept_streams (expires_at);
  CREATE TABLE IF NOT EXISTS kept_events (
    owner TEXT NOT NULL, stream_id TEXT NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, text TEXT NOT NULL,
    UNIQUE (owner, stream_id, seq)
  );
`;

/** What a client that came back wants. */
export interface Missed {
  readonly stream_id: string;
  readonly after_seq: number;
  /** A UUID version 7 that names who asks: whoever began later has the stream. */
  readonly resumer: string;
}

export type Replay =
  | {
      readonly kind: "events";
      readonly events: KeptEvent[];
      /** The stream has ended: nothing comes after these. */
      readonly over: boolean;
    }
  /** No such stream or none any more; events in between are gone; somebody else asked later. */
  | { readonly kind: "unknown" | "gap" | "replaced" };

type Extent = { dropped_seq: number; newest_seq: number };

export class EventRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  keep(owner: string, stream_id: string, events: readonly KeptEvent[], over: boolean, now: number): void {
    const known = this.#extent(owner, stream_id);
    let { dropped_seq, newest_seq } = known ?? { dropped_seq: 0, newest_seq: 0 };
    let added_bytes = 0;
    for (const { seq, text } of events) {
      // A write whose answer was lost comes again.
      if (seq <= newest_seq) continue;
      const bytes = new TextEncoder().encode(text).length;
      // What could never be kept must not reach the storage, where a row has its own bound.
      const fits = bytes <= limits.keptEvents_bytes;
      if (!fits) dropped_seq = seq;
      else if (seq > newest_seq + 1) dropped_seq = seq - 1;
      newest_seq = seq;
      if (!fits) continue;
      this.#sql.exec("INSERT INTO kept_events VALUES (?, ?, ?, ?, ?)", owner, stream_id, seq, bytes, text);
      added_bytes += bytes;
    }
    this.#sql.exec(
      `INSERT INTO kept_streams VALUES (?, ?, ?, 0, ?, ?, '', ?) ON CONFLICT (owner, stream_id) DO UPDATE SET
         over = max(over, excluded.over), newest_seq = excluded.newest_seq, bytes = bytes + excluded.bytes,
         expires_at = excluded.expires_at`,
      owner,
      stream_id,
      over ? 1 : 0,
      newest_seq,
      added_bytes,
      now + limits.keptEvents_ms,
    );
    this.#drop(owner, stream_id, Math.max(dropped_seq, newest_seq - limits.keptEvents_count));
    this.#trimBytes(owner, stream_id);
    if (known === undefined) this.#trimStreams(owner, stream_id);
  }

  replay(owner: string, { stream_id, after_seq, resumer }: Missed, now: number): Replay {
    const stream = this.#sql
      .exec<{ over: number; dropped_seq: number; resumer: string }>(
        "SELECT over, dropped_seq, resumer FROM kept_streams WHERE owner = ? AND stream_id = ? AND expires_at > ?",
        owner,
        stream_id,
        now,
      )
      .toArray()[0];
    if (stream === undefined) return { kind: "unknown" };
    if (resumer < stream.resumer) return { kind: "replaced" };
    if (resumer > stream.resumer) {
      const take = "UPDATE kept_streams SET resumer = ? WHERE owner = ? AND stream_id = ?";
      this.#sql.exec(take, resumer, owner, stream_id);
    }
    if (after_seq < stream.dropped_seq) return { kind: "gap" };
    const events = this.#sql
      .exec<{ seq: number; text: string }>(
        "SELECT seq, text FROM kept_events WHERE owner = ? AND stream_id = ? AND seq > ? ORDER BY seq",
        owner,
        stream_id,
        after_seq,
      )
      .toArray();
    return { kind: "events", events, over: stream.over === 1 };
  }

  clear(owner: string): void {
    this.#sql.exec("DELETE FROM kept_streams WHERE owner = ?", owner);
    this.#sql.exec("DELETE FROM kept_events WHERE owner = ?", owner);
  }

  /** @returns when the next stream expires */
  sweep(now: number): number | undefined {
    const expired = this.#sql
      .exec<{ owner: string; stream_id: string }>(
        "SELECT owner, stream_id FROM kept_streams WHERE expires_at <= ? LIMIT ?",
        now,
        limits.sessionSweep_count,
      )
      .toArray();
    for (const { owner, stream_id } of expired) this.#forget(owner, stream_id);
    return (
      this.#sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM kept_streams").one().at ?? undefined
    );
  }

  #extent(owner: string, stream_id: string): Extent | undefined {
    const select = "SELECT dropped_seq, newest_seq FROM kept_streams WHERE owner = ? AND stream_id = ?";
    return this.#sql.exec<Extent>(select, owner, stream_id).toArray()[0];
  }

  /** Too many bytes of all streams of the owner: from the front of the one that was silent for longest, this one last. */
  #trimBytes(owner: string, stream_id: string): void {
    const streams = this.#sql
      .exec<{ stream_id: string; bytes: number }>(
        "SELECT stream_id, bytes FROM kept_streams WHERE owner = ? ORDER BY stream_id = ?, expires_at",
        owner,
        stream_id,
      )
      .toArray();
    let excess_bytes = streams.reduce((sum, { bytes }) => sum + bytes, 0) - limits.keptEvents_bytes;
    for (const stream of streams) {
      if (excess_bytes <= 0) return;
      let up_to_seq = 0;
      const oldest = "SELECT seq, bytes FROM kept_events WHERE owner = ? AND stream_id = ? ORDER BY seq";
      for (const { seq, bytes } of this.#sql.exec<{ seq: number; bytes: number }>(oldest, owner, stream.stream_id)) {
        up_to_seq = seq;
        excess_bytes -= bytes;
        if (excess_bytes <= 0) break;
      }
      this.#drop(owner, stream.stream_id, up_to_seq);
    }
  }

  #trimStreams(owner: string, stream_id: string): void {
    const streams = this.#sql
      .exec<{ stream_id: string }>(
        "SELECT stream_id FROM kept_streams WHERE owner = ? ORDER BY stream_id = ? DESC, expires_at DESC LIMIT -1 OFFSET ?",
        owner,
        stream_id,
        limits.keptStreams_count,
      )
      .toArray();
    for (const stream of streams) this.#forget(owner, stream.stream_id);
  }

  /** Events up to this one are gone, or never were. */
  #drop(owner: string, stream_id: string, up_to_seq: number): void {
    const gone = this.#sql
      .exec<{ bytes: number }>(
        "DELETE FROM kept_events WHERE owner = ? AND stream_id = ? AND seq <= ? RETURNING bytes",
        owner,
        stream_id,
        up_to_seq,
      )
      .toArray();
    this.#sql.exec(
      `UPDATE kept_streams SET dropped_seq = max(dropped_seq, ?), bytes = bytes - ?
       WHERE owner = ? AND stream_id = ? AND dropped_seq < ?`,
      up_to_seq,
      gone.reduce((sum, { bytes }) => sum + bytes, 0),
      owner,
      stream_id,
      up_to_seq,
    );
  }

  #forget(owner: string, stream_id: string): void {
    this.#sql.exec("DELETE FROM kept_streams WHERE owner = ? AND stream_id = ?", owner, stream_id);
    this.#sql.exec("DELETE FROM kept_events WHERE owner = ? AND stream_id = ?", owner, stream_id);
  }
}
