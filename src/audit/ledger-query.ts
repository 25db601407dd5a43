/** One page of a Ledger as SQL. Every value is a bound parameter; free text becomes quoted phrases. */
import { limits } from "../limits.ts";

export interface LedgerFilter {
  readonly type?: string | undefined;
  readonly user?: string | undefined;
  readonly agent?: string | undefined;
  readonly server?: string | undefined;
  /** Tool, prompt, resource or task. */
  readonly tool?: string | undefined;
  readonly method?: string | undefined;
  readonly decision?: string | undefined;
  readonly outcome?: string | undefined;
  /** Milliseconds since the Unix epoch, both included. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly q?: string | undefined;
  /** Only events before this one in order of ingestion. */
  readonly before_seq?: number | undefined;
  readonly limit: number;
}

/**
 * An outcome `unknown` that a sweep wrote is left out once the real one has come, however late: both stay stored, since
 * nothing in a Ledger is ever changed, but a request shows one outcome.
 */
const notSuperseded = `NOT (outcome = 'unknown' AND request_id IS NOT NULL AND EXISTS (
  SELECT 1 FROM events AS real WHERE real.request_id = events.request_id AND real.outcome <> 'unknown'
))`;

const columns = {
  user: "user",
  agent: "agent",
  server: "server",
  tool: "name",
  method: "method",
  type: "type",
} as const;
const verdicts = { decision: "decision", outcome: "outcome" } as const;
const equal = { ...columns, ...verdicts };

/** @returns newest first, one row more than the limit when there is a next page */
export function pageOf(filter: LedgerFilter): { readonly sql: string; readonly values: SqlStorageValue[] } {
  const conditions = [notSuperseded];
  const values: SqlStorageValue[] = [];
  const where = (condition: string, value: SqlStorageValue): void => {
    conditions.push(condition);
    values.push(value);
  };
  for (const name of Object.keys(equal) as (keyof typeof equal)[]) {
    const value = filter[name];
    if (value !== undefined) where(`${equal[name]} = ?`, value);
  }
  if (filter.from !== undefined) where("time >= ?", filter.from);
  if (filter.to !== undefined) where("time <= ?", filter.to);
  if (filter.before_seq !== undefined) where("seq < ?", filter.before_seq);
  if (filter.q !== undefined) {
    where("seq IN (SELECT rowid FROM events_text WHERE events_text MATCH ?)", searchExpression(filter.q));
  }
  values.push(filter.limit + 1);
  return { sql: `SELECT seq, json FROM events WHERE ${conditions.join(" AND ")} ORDER BY seq DESC LIMIT ?`, values };
}

/**
 * All words must occur, each as the beginning of a word. Inside a quoted phrase FTS5 knows one special character, the
 * quote, which is doubled.
 * @see https://sqlite.org/fts5.html section 3.1 "FTS5 Strings"
 */
export function searchExpression(text: string): string {
  const words = text
    .toWellFormed()
    // A NUL would end the expression early.
    .split(/[\s\p{Cc}]+/u)
    .filter((word) => word !== "");
  const phrases = words.slice(0, limits.searchWords_count).map((word) => `"${word.replaceAll('"', '""')}"*`);
  return phrases.length === 0 ? '""' : phrases.join(" ");
}
