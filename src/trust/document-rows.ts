/** The documents of one host that are kept, and how often it was asked. */
import { limits } from "../limits.ts";
import type { DocumentKind } from "./documents.ts";

export const documentTables = `
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

/** Key sets and discovery documents: without them nobody signs in. A client can wait until its host is up again. */
const standsIn: Readonly<Record<DocumentKind, boolean>> = { client_metadata: false, discovery: true, jwks: true };

export class DocumentRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** @returns the document, if it may still be used at all */
  get(kind: DocumentKind, url: string, now: number): DocumentRow | undefined {
    const select = `SELECT json, fetched_at, fresh_until, tried_at FROM documents
      WHERE kind = ? AND url = ? AND keep_until > ?`;
    return this.#sql.exec<DocumentRow & Record<string, SqlStorageValue>>(select, kind, url, now).toArray()[0];
  }

  /** Counts a fetch. @returns false at `limits.documentsPerHost_count` in the window; then it must not happen */
  take(kind: DocumentKind, url: string, now: number): boolean {
    this.#sql.exec("DELETE FROM fetches WHERE at <= ? OR at > ?", now - limits.documentsPerHost_ms, now);
    const { count } = this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM fetches").one();
    if (count >= limits.documentsPerHost_count) return false;
    this.#sql.exec("INSERT INTO fetches VALUES (?)", now);
    this.#sql.exec("UPDATE documents SET tried_at = ? WHERE kind = ? AND url = ?", now, kind, url);
    return true;
  }

  put(kind: DocumentKind, url: string, json: string, now: number, life_ms: number): KeptDocument {
    const fresh_until = now + life_ms;
    const keep_until = fresh_until + (standsIn[kind] ? limits.documentStale_ms_max : 0);
    const insert = "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)";
    this.#sql.exec(insert, kind, url, json, now, fresh_until, keep_until, now);
    this.#sql.exec(
      `DELETE FROM documents WHERE (kind, url) IN
        (SELECT kind, url FROM documents ORDER BY fetched_at DESC LIMIT -1 OFFSET ?)`,
      limits.documentsKept_count,
    );
    return { json, fetched_at: now };
  }

  /** @returns when the next thing expires */
  sweep(now: number): number | undefined {
    this.#sql.exec("DELETE FROM documents WHERE keep_until <= ?", now);
    this.#sql.exec("DELETE FROM fetches WHERE at <= ?", now - limits.documentsPerHost_ms);
    const next = `SELECT min(at) AS at FROM (SELECT min(keep_until) AS at FROM documents
      UNION ALL SELECT max(at) + ? FROM fetches)`;
    return this.#sql.exec<{ at: number | null }>(next, limits.documentsPerHost_ms).one().at ?? undefined;
  }
}
