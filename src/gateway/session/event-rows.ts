/**
 * Events of streams whose client lost the connection. Each stream belongs to its owner: nobody else's `Last-Event-ID` finds
 * it (MC-33).
 * @see MCP 2025-11-25 transports, "Resumability and Redelivery"
 */
import { limits } from "../../limits.ts";
import type { KeptEvent } from "./types.ts";

export const eventTables = `
  CREATE TABLE IF NOT EXISTS kept_streams (
    owner TEXT NOT NULL, stream_id TEXT NOT NULL, over INTEGER NOT NULL,
    dropped_seq INTEGER, -- events up to this one did not fit: a replay from before it would have a gap
    expires_at INTEGER NOT NULL, PRIMARY KEY (owner, stream_id)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS kept_streams_expiry ON kept_streams (expires_at);
  CREATE TABLE IF NOT EXISTS kept_events (
    position INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, stream_id TEXT NOT NULL, seq INTEGER NOT NULL,
    text TEXT NOT NULL, bytes INTEGER NOT NULL, UNIQUE (owner, stream_id, seq)
  );
`;

export interface Replay {
  readonly events: KeptEvent[];
  /** The stream has ended: nothing comes after these. */
  readonly over: boolean;
}

type Place = { readonly position: number; readonly stream_id: string; readonly seq: number };

export class EventRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  keep(owner: string, stream_id: string, events: readonly KeptEvent[], over: boolean, now: number): void {
    this.#sql.exec(
      `INSERT INTO kept_streams VALUES (?, ?, ?, NULL, ?)
       ON CONFLICT (owner, stream_id) DO UPDATE SET over = max(over, excluded.over), expires_at = excluded.expires_at`,
      owner,
      stream_id,
      over ? 1 : 0,
      now + limits.keptEvents_ms,
    );
    for (const { seq, text } of events) {
      const bytes = new TextEncoder().encode(text).length;
      // What could never be kept must not reach the storage, where a row has its own bound.
      if (bytes > limits.keptEvents_bytes) this.#dropUpTo(owner, stream_id, seq);
      else {
        const insert = "INSERT OR IGNORE INTO kept_events (owner, stream_id, seq, text, bytes) VALUES (?, ?, ?, ?, ?)";
        this.#sql.exec(insert, owner, stream_id, seq, text, bytes);
      }
    }
    this.#trim(owner, stream_id);
  }

  /** @returns undefined when the stream is not known or the events after `after_seq` are not all there */
  replay(owner: string, stream_id: string, after_seq: number, now: number): Replay | undefined {
    const stream = this.#sql
      .exec<{ over: number; dropped_seq: number | null }>(
        "SELECT over, dropped_seq FROM kept_streams WHERE owner = ? AND stream_id = ? AND expires_at > ?",
        owner,
        stream_id,
        now,
      )
      .toArray()[0];
    if (stream === undefined || (stream.dropped_seq !== null && after_seq < stream.dropped_seq)) return undefined;
    const events = this.#sql
      .exec<{ seq: number; text: string }>(
        "SELECT seq, text FROM kept_events WHERE owner = ? AND stream_id = ? AND seq > ? ORDER BY seq",
        owner,
        stream_id,
        after_seq,
      )
      .toArray();
    return { events, over: stream.over === 1 };
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

  /** Oldest first: too many of this stream, too many bytes of all, too many streams. */
  #trim(owner: string, stream_id: string): void {
    const ofStream = this.#sql
      .exec<Place>(
        `SELECT position, stream_id, seq FROM kept_events WHERE owner = ? AND stream_id = ?
         ORDER BY position DESC LIMIT -1 OFFSET ?`,
        owner,
        stream_id,
        limits.keptEvents_count,
      )
      .toArray();
    const ofOwner = this.#sql
      .exec<Place>(
        `SELECT position, stream_id, seq FROM (
           SELECT position, stream_id, seq, sum(bytes) OVER (ORDER BY position DESC) AS newer_bytes
           FROM kept_events WHERE owner = ?
         ) WHERE newer_bytes > ?`,
        owner,
        limits.keptEvents_bytes,
      )
      .toArray();
    for (const place of [...ofStream, ...ofOwner]) {
      this.#sql.exec("DELETE FROM kept_events WHERE position = ?", place.position);
      this.#dropUpTo(owner, place.stream_id, place.seq);
    }
    const streams = this.#sql
      .exec<{ stream_id: string }>(
        "SELECT stream_id FROM kept_streams WHERE owner = ? ORDER BY expires_at DESC LIMIT -1 OFFSET ?",
        owner,
        limits.keptStreams_count,
      )
      .toArray();
    for (const stream of streams) this.#forget(owner, stream.stream_id);
  }

  #dropUpTo(owner: string, stream_id: string, seq: number): void {
    this.#sql.exec(
      "UPDATE kept_streams SET dropped_seq = max(coalesce(dropped_seq, ?), ?) WHERE owner = ? AND stream_id = ?",
      seq,
      seq,
      owner,
      stream_id,
    );
  }

  #forget(owner: string, stream_id: string): void {
    this.#sql.exec("DELETE FROM kept_streams WHERE owner = ? AND stream_id = ?", owner, stream_id);
    this.#sql.exec("DELETE FROM kept_events WHERE owner = ? AND stream_id = ?", owner, stream_id);
  }
}
