/** The second way to delivery, for the scheduled handler: an alarm that the platform lost is set again. */
import { limits } from "../limits.ts";
import { ledgerNameOfMonth, monthBefore, monthOf, outboxName, unreadableTenant } from "./object-names.ts";

export interface AuditStatus {
  /** Events that wait for the Queue. */
  readonly pending: number;
  readonly dead: number;
  /** Events in the Ledgers of this month and the one before. */
  readonly stored: number;
  /** Requests in them that have no outcome yet. */
  readonly open: number;
}

/**
 * Wakes the Outboxes of the tenant and its two newest Ledgers, and sums what they hold: the balance of the log.
 * @param now milliseconds since the Unix epoch
 */
export async function wakeAudit(bindings: Env, tenant: string, now: number): Promise<AuditStatus> {
  const outboxes = await wakeOutboxes(bindings, tenant);
  const month = monthOf(now);
  const ledgers = await Promise.all(
    [month, monthBefore(month)].map((each) =>
      bindings.LEDGER.get(bindings.LEDGER.idFromName(ledgerNameOfMonth(tenant, each))).status(),
    ),
  );
  return {
    ...outboxes,
    stored: ledgers.reduce((sum, { stored }) => sum + stored, 0),
    open: ledgers.reduce((sum, { open }) => sum + open, 0),
  };
}

/** Dead letters that are no event and so belong to no tenant. */
export const wakeUnreadable = (bindings: Env): Promise<{ pending: number; dead: number }> =>
  wakeOutboxes(bindings, unreadableTenant);

async function wakeOutboxes(bindings: Env, tenant: string): Promise<{ pending: number; dead: number }> {
  const shards = Array.from({ length: limits.outboxShards_count }, (_, shard) =>
    bindings.OUTBOX.get(bindings.OUTBOX.idFromName(outboxName(tenant, shard))).status(),
  );
  const all = await Promise.all(shards);
  return {
    pending: all.reduce((sum, { pending }) => sum + pending, 0),
    dead: all.reduce((sum, { dead }) => sum + dead, 0),
  };
}
