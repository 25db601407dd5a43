/**
 * The object's side of the lines: which exist, which are connected, and what waits for those that are not. A message reaches
 * lines of its owner only (MC-34).
 */
import { limits } from "../limits.ts";
import { encodeFrame, readHead } from "./frame.ts";
import type { LineMessage } from "./types.ts";

export const lineTables = `
  CREATE TABLE IF NOT EXISTS lines (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, role TEXT NOT NULL, request_id TEXT, expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS lines_owner ON lines (owner);
  CREATE INDEX IF NOT EXISTS lines_expiry ON lines (expires_at);
  CREATE TABLE IF NOT EXISTS mailbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL,
    line_id TEXT, -- null: for a line that is not open yet
    request_id TEXT, frame TEXT NOT NULL, bytes INTEGER NOT NULL, expires_at INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS mailbox_owner ON mailbox (owner);
  CREATE INDEX IF NOT EXISTS mailbox_expiry ON mailbox (expires_at);
`;

export interface LineRequest {
  readonly id: string;
  readonly owner: string;
  readonly role: "call" | "stream";
  /** JSON of the client's request id: `1` and `"1"` are two. */
  readonly request_id: string | null;
  /** A line that broke comes back under its id. */
  readonly resumed: boolean;
}

type EndReason = Extract<LineMessage, { kind: "ended" }>["reason"];
type LineRow = { id: string; role: string; request_id: string | null };

const open_state = 1;
const done_code = 1000;

export class LineRows {
  readonly #context: DurableObjectState;
  readonly #sql: SqlStorage;

  constructor(context: DurableObjectState) {
    this.#context = context;
    this.#sql = context.storage.sql;
  }

  /** @returns false when the owner has too many lines */
  connect(line: LineRequest, socket: WebSocket, now: number): boolean {
    const others = this.#of(line.owner).filter(({ id }) => id !== line.id);
    if (others.length >= limits.linesPerOwner_count) return false;
    const streams = others.filter(({ role }) => role === "stream");
    for (const broken of this.#context.getWebSockets(line.id)) broken.close(done_code);
    this.#context.acceptWebSocket(socket, [line.id]);
    if (line.role === "stream" && line.resumed && streams.length > 0) {
      finish(socket, "replaced");
      return true;
    }
    if (line.role === "stream") for (const { id } of streams) this.#end(id, "replaced");
    const expires_at = now + limits.lineCheck_ms;
    const { id, owner, role, request_id } = line;
    this.#sql.exec("INSERT OR REPLACE INTO lines VALUES (?, ?, ?, ?, ?)", id, owner, role, request_id, expires_at);
    this.#sendMail(line, socket, now);
    return true;
  }

  /** A session that is over accepts a line only to say so. */
  refuse(line: LineRequest, socket: WebSocket): void {
    this.#context.acceptWebSocket(socket, [line.id]);
    finish(socket, "deleted");
  }

  /** @returns false when it would have to wait and the mailbox is full */
  deliver(owner: string, frame: string, now: number): boolean {
    const head = readHead(frame);
    switch (head.kind) {
      case "answer":
        return this.#toLine(owner, lineOf(head.id), frame, now);
      case "progress":
        return this.#toLine(owner, lineOf(head.token), frame, now);
      case "cancelled":
        return this.#cancel(owner, JSON.stringify(head.request_id), frame, now);
      case "changed":
        this.notify(owner);
        return true;
      case "ended":
        this.endAll(owner, head.reason);
        return true;
    }
  }

  /** Tells the stream that the facts changed. One that is broken asks for them anyway when it comes back. */
  notify(owner: string): void {
    for (const { id, role } of this.#of(owner)) if (role === "stream") this.#send(id, changed);
  }

  endAll(owner: string, reason: EndReason): void {
    for (const { id } of this.#of(owner)) this.#end(id, reason);
    this.#sql.exec("DELETE FROM mailbox WHERE owner = ?", owner);
  }

  /** A line that was closed on purpose is forgotten; one that broke may come back, and answers to its questions wait. */
  closed(id: string, code: number, now: number): void {
    if (this.#sockets(id).length > 0) return;
    if (code === done_code) this.#forget(id);
    else this.#sql.exec("UPDATE lines SET expires_at = ? WHERE id = ?", now + limits.lineRemembered_ms, id);
  }

  /** @returns when the next line or message expires */
  sweep(now: number): number | undefined {
    this.#sql.exec("DELETE FROM mailbox WHERE expires_at <= ?", now);
    const expired = this.#sql
      .exec<{ id: string }>("SELECT id FROM lines WHERE expires_at <= ? LIMIT ?", now, limits.sessionSweep_count)
      .toArray();
    for (const { id } of expired) {
      if (this.#sockets(id).length === 0) this.#forget(id);
      else this.#sql.exec("UPDATE lines SET expires_at = ? WHERE id = ?", now + limits.lineCheck_ms, id);
    }
    const next =
      "SELECT min(at) AS at FROM (SELECT min(expires_at) AS at FROM lines UNION ALL SELECT min(expires_at) FROM mailbox)";
    return this.#sql.exec<{ at: number | null }>(next).one().at ?? undefined;
  }

  /** A line that never was, or is another owner's, gets nothing and nothing is kept for it. */
  #toLine(owner: string, id: string, frame: string, now: number): boolean {
    const known = this.#of(owner).some((line) => line.id === id);
    if (!known || this.#send(id, frame)) return true;
    return this.#keep({ owner, line_id: id, request_id: null, frame }, now);
  }

  /** To every call of the owner, since not each says which request it serves; kept for the one that is not there yet. */
  #cancel(owner: string, request_id: string, frame: string, now: number): boolean {
    const calls = this.#of(owner).filter(({ role }) => role === "call");
    const reached = calls.filter(({ id }) => this.#send(id, frame));
    if (reached.some((line) => line.request_id === request_id)) return true;
    return this.#keep({ owner, line_id: null, request_id, frame }, now);
  }

  #keep(
    {
      owner,
      line_id,
      request_id,
      frame,
    }: { owner: string; line_id: string | null; request_id: string | null; frame: string },
    now: number,
  ): boolean {
    const bytes = new TextEncoder().encode(frame).length;
    const held = this.#sql
      .exec<{ count: number; bytes: number }>(
        "SELECT count(*) AS count, coalesce(sum(bytes), 0) AS bytes FROM mailbox WHERE owner = ? AND expires_at > ?",
        owner,
        now,
      )
      .one();
    if (held.count >= limits.mailbox_count || held.bytes + bytes > limits.mailbox_bytes) return false;
    this.#sql.exec(
      "INSERT INTO mailbox (owner, line_id, request_id, frame, bytes, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
      owner,
      line_id,
      request_id,
      frame,
      bytes,
      now + limits.mailbox_ms,
    );
    return true;
  }

  #sendMail(line: LineRequest, socket: WebSocket, now: number): void {
    const mail = this.#sql
      .exec<{ position: number; frame: string }>(
        `SELECT position, frame FROM mailbox
         WHERE owner = ? AND expires_at > ? AND (line_id = ? OR (line_id IS NULL AND request_id = ? AND 'call' = ?))
         ORDER BY position`,
        line.owner,
        now,
        line.id,
        line.request_id,
        line.role,
      )
      .toArray();
    for (const { position, frame } of mail) {
      socket.send(frame);
      this.#sql.exec("DELETE FROM mailbox WHERE position = ?", position);
    }
  }

  #of(owner: string): LineRow[] {
    return this.#sql.exec<LineRow>("SELECT id, role, request_id FROM lines WHERE owner = ?", owner).toArray();
  }

  #sockets(id: string): WebSocket[] {
    return this.#context.getWebSockets(id).filter(({ readyState }) => readyState === open_state);
  }

  /** @returns false when the line is not connected */
  #send(id: string, frame: string): boolean {
    const sockets = this.#sockets(id);
    for (const socket of sockets) socket.send(frame);
    return sockets.length > 0;
  }

  #end(id: string, reason: EndReason): void {
    for (const socket of this.#sockets(id)) finish(socket, reason);
    this.#forget(id);
  }

  #forget(id: string): void {
    this.#sql.exec("DELETE FROM lines WHERE id = ?", id);
    this.#sql.exec("DELETE FROM mailbox WHERE line_id = ?", id);
  }
}

const changed = encodeFrame({ kind: "changed" });

function finish(socket: WebSocket, reason: EndReason): void {
  socket.send(encodeFrame({ kind: "ended", reason }));
  socket.close(done_code);
}

/** Ids that go out on a line are `{line}.{n}`, and no line id has a dot. */
const lineOf = (id: string): string => id.slice(0, Math.max(0, id.indexOf(".")));
