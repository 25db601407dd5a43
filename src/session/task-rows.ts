/**
 * Which tasks a session has started. A server that knows all its callers by one credential lists the tasks of all of them: what
 * is not in here is somebody else's.
 */
import { limits } from "../limits.ts";

export const taskTables = `
  CREATE TABLE IF NOT EXISTS tasks (
    position INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, server_id TEXT NOT NULL, task_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL, UNIQUE (owner, server_id, task_id)
  );
  CREATE INDEX IF NOT EXISTS tasks_expiry ON tasks (expires_at);
`;

export class TaskRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Past the bound the oldest is no longer listed. */
  add(owner: string, server_id: string, task_id: string, now: number): void {
    this.#sql.exec(
      "INSERT OR IGNORE INTO tasks (owner, server_id, task_id, expires_at) VALUES (?, ?, ?, ?)",
      owner,
      server_id,
      task_id,
      now + limits.taskHandle_ms,
    );
    this.#sql.exec(
      "DELETE FROM tasks WHERE owner = ? AND position NOT IN (SELECT position FROM tasks WHERE owner = ? ORDER BY position DESC LIMIT ?)",
      owner,
      owner,
      limits.tasksPerOwner_count,
    );
  }

  of(owner: string, server_id: string): string[] {
    const select = "SELECT task_id FROM tasks WHERE owner = ? AND server_id = ?";
    return this.#sql
      .exec<{ task_id: string }>(select, owner, server_id)
      .toArray()
      .map(({ task_id }) => task_id);
  }

  clear(owner: string): void {
    this.#sql.exec("DELETE FROM tasks WHERE owner = ?", owner);
  }

  /** @returns when the next one will be forgotten */
  sweep(now: number): number | undefined {
    this.#sql.exec("DELETE FROM tasks WHERE expires_at <= ?", now);
    return this.#sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM tasks").one().at ?? undefined;
  }
}
