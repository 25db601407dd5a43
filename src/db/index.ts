/** The one way to D1: drizzle over the binding, and the statement shape that keeps a limit without a race. */
import { DrizzleQueryError, getTableColumns, sql, type SQL } from "drizzle-orm";
import { drizzle, type DrizzleD1Database } from "drizzle-orm/d1";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";

export * from "./schema.ts";

export type Database = DrizzleD1Database;

export function openDatabase(binding: D1Database): Database {
  return drizzle(
    new Proxy(binding, {
      get(target, property) {
        if (property === "batch") return (statements: D1PreparedStatement[]) => batch(target, statements);
        const member: unknown = Reflect.get(target, property);
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    }),
  );
}

class BatchFailure extends Error {}

/** Drizzle gives failures of single statements a class of their own, but not those of batches. */
async function batch(binding: D1Database, statements: D1PreparedStatement[]): Promise<D1Result[]> {
  try {
    return await binding.batch(statements);
  } catch (cause) {
    throw new BatchFailure("A batch failed", { cause });
  }
}

/** Whether D1 failed, which is expected at times and no bug. Nobody knows then whether what was asked has happened. */
export function isDatabaseFailure(thrown: unknown): boolean {
  return thrown instanceof DrizzleQueryError || thrown instanceof BatchFailure;
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
