/** The documents of one host that are kept, and how often it was asked. */
import { limits } from "../limits.ts";
import { isClientKind, type DocumentKind } from "./document-kind.ts";

const documentTables = `
  CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, url TEXT NOT NULL, json TEXT NOT NULL, fetched_at INTEGER NOT NULL,
    fresh_until INTEGER NOT NULL,
    keep_until INTEGER NOT NULL, -- from fresh_until on it only stands in while its host fails
    tried_at INTEGER NOT NULL,   -- when it was last asked for, with or without success
    PRIMARY KEY (kind, url)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS fetches (at INTEGER NOT NULL);
`;

export interface KeptDocument {
  /** JSON that was read strictly before. */
  readonly json: string;
  readonly fetched_at: number;
}

export interface DocumentRow extends KeptDocument {
  readonly fresh_until: number;
  readonly tried_at: number;
  // What the platform's type for rows asks of an object.
  readonly [column: string]: SqlStorageValue;
}

/** A client waits for days until its people come back; providers are asked all the time. */
const stale_ms = (kind: DocumentKind): number =>
  isClientKind(kind) ? limits.clientDocumentStale_ms_max : limits.documentStale_ms_max;

/** An object that keeps nothing has no tables: hosts that somebody invented must leave nothing behind. */
export class DocumentRows {
  readonly #sql: SqlStorage;
  #hasTables: boolean;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#hasTables = sql.exec("SELECT name FROM sqlite_master WHERE name = 'documents'").toArray().length > 0;
  }

  /** @returns the document, if it may still be used at all */
  get(kind: DocumentKind, url: string, now: number): DocumentRow | undefined {
    if (!this.#hasTables) return undefined;
    const select = `SELECT json, fetched_at, fresh_until, tried_at FROM documents
      WHERE kind = ? AND url = ? AND keep_until > ?`;
    return this.#sql.exec<DocumentRow & Record<string, SqlStorageValue>>(select, kind, url, now).toArray()[0];
  }

  /** Counts a fetch. @returns false at `limits.documentsPerHost_count` in the window; then it must not happen */
  take(kind: DocumentKind, url: string, now: number): boolean {
    this.#makeTables();
    this.#sql.exec("DELETE FROM fetches WHERE at <= ? OR at > ?", now - limits.documentsPerHost_ms, now);
    const { count } = this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM fetches").one();
    if (count >= limits.documentsPerHost_count) return false;
    this.#sql.exec("INSERT INTO fetches VALUES (?)", now);
    this.#sql.exec("UPDATE documents SET tried_at = ? WHERE kind = ? AND url = ?", now, kind, url);
    return true;
  }

  put(kind: DocumentKind, url: string, json: string, now: number, life_ms: number): void {
    this.#makeTables();
    const fresh_until = now + life_ms;
    const insert = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)";
    this.#sql.exec(insert, kind, url, json, now, fresh_until, fresh_until + stale_ms(kind), now);
    // Of its own kind only: who can have many documents of one kind kept crowds out none of another.
    this.#sql.exec(
      `DELETE FROM documents WHERE kind = ? AND url IN
        (SELECT url FROM documents WHERE kind = ? ORDER BY fetched_at DESC LIMIT -1 OFFSET ?)`,
      kind,
      kind,
      limits.documentsKept_count,
    );
  }

  remove(kind: DocumentKind, url: string): void {
    if (this.#hasTables) this.#sql.exec("DELETE FROM documents WHERE kind = ? AND url = ?", kind, url);
  }

  /** @returns when the next thing expires; undefined when there is nothing any more */
  sweep(now: number): number | undefined {
    if (!this.#hasTables) return undefined;
    this.#sql.exec("DELETE FROM documents WHERE keep_until <= ?", now);
    this.#sql.exec("DELETE FROM fetches WHERE at <= ?", now - limits.documentsPerHost_ms);
    const next = `SELECT min(at) AS at FROM (SELECT min(keep_until) AS at FROM documents
      UNION ALL SELECT max(at) + ? FROM fetches)`;
    return this.#sql.exec<{ at: number | null }>(next, limits.documentsPerHost_ms).one().at ?? undefined;
  }

  /** The storage was cleared. */
  cleared(): void {
    this.#hasTables = false;
  }

  #makeTables(): void {
    if (!this.#hasTables) this.#sql.exec(documentTables);
    this.#hasTables = true;
  }
}
