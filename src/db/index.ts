/** The one way to D1: drizzle over the binding, and the statement shape that keeps a limit without a race. */
import { getTableColumns, sql, type SQL } from "drizzle-orm";
import { drizzle, type DrizzleD1Database } from "drizzle-orm/d1";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";

export * from "./schema.ts";

export type Database = DrizzleD1Database;

export function openDatabase(binding: D1Database): Database {
  return drizzle(binding);
}

/**
 * A row for `insert(table).select(…)` that is inserted only where `condition` holds. Condition and insert are one statement,
 * so that of many parallel requests none gets past a limit (read-then-write lets several through).
 */
export function rowWhere<T extends SQLiteTable>(table: T, row: T["$inferInsert"], condition: SQL): SQL {
  const given: Record<string, unknown> = row;
  const values = Object.entries(getTableColumns(table)).map(
    ([name, column]) => sql`${sql.param(given[name] ?? null, column)}`,
  );
  return sql` select ${sql.join(values, sql`, `)} where ${condition}`;
}
