/** Which Durable Object an event goes to. A tenant's id is preceded by its length, so no two tenants share an object. */
import { limits } from "../limits.ts";
import type { AuditEvent } from "./event.ts";

/** Dead letters that are no event belong to nobody; no tenant id has parentheses. */
export const unreadableTenant = "(unreadable)";

export const outboxName = (tenant: string, shard: number): string => `${tenant.length}:${tenant}:${shard}`;

/** Shards spread the writes of a busy tenant: one object takes a few hundred a second. */
export function outboxShard(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % limits.outboxShards_count;
}

/** A month in UTC, `2026-11`. */
export type Month = string;

export const monthOf = (time: number): Month => new Date(time).toISOString().slice(0, 7);

export function monthBefore(month: Month): Month {
  const first = new Date(`${month}-01T00:00:00Z`);
  first.setUTCMonth(first.getUTCMonth() - 1);
  return monthOf(first.getTime());
}

export const ledgerNameOfMonth = (tenant: string, month: Month): string => `${tenant.length}:${tenant}:${month}`;

/** @param time milliseconds since the Unix epoch */
export const ledgerName = (tenant: string, time: number): string => ledgerNameOfMonth(tenant, monthOf(time));

/**
 * The Ledger of an event: the month in which its id was made, and for an outcome that of its request's id. So a request
 * and its outcome always meet in one Ledger, which can then tell what is overdue.
 */
export function ledgerOf(event: AuditEvent): string {
  const id = event.type === "mcp.response" ? event.request_id : event.id;
  return ledgerName(event.tenant, timeOfId(id) ?? event.time);
}

/** @see RFC 9562 section 5.7: version 7 starts with 48 bits of milliseconds */
function timeOfId(id: string): number | undefined {
  return id[14] === "7" ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}
