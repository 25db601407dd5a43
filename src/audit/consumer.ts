/** The end of the Queue: each message reaches its Ledger or stays, and one bad message never holds the others up. */
import { log } from "../telemetry/index.ts";
import { auditEvent, type AuditEvent } from "./event.ts";
import { ledgerOf, outboxName, outboxShard, unreadableTenant } from "./object-names.ts";
import type { DeadLetter } from "./outbox.ts";

interface Group<T> {
  readonly messages: Message[];
  readonly items: T[];
}

/**
 * Stores a batch of the audit Queue. Messages of a Ledger that fails are retried, all others are acknowledged; what is no
 * event is parked, since no retry would make it one.
 * @returns the events that are stored now
 */
export async function consumeAudit(batch: MessageBatch, bindings: Env): Promise<AuditEvent[]> {
  const ledgers = new Map<string, Group<AuditEvent>>();
  const unreadable: Message[] = [];
  for (const message of batch.messages) {
    const event = auditEvent.safeParse(message.body);
    if (event.success) addTo(ledgers, ledgerOf(event.data), message, event.data);
    else unreadable.push(message);
  }
  const { LEDGER } = bindings;
  const stored: AuditEvent[] = [];
  await Promise.all([
    settleGroups(ledgers, async (name, events) => {
      await LEDGER.get(LEDGER.idFromName(name)).append(events);
      stored.push(...events);
    }),
    park(unreadable, "unreadable", bindings),
  ]);
  return stored;
}

/** Keeps what the Queue gave up on. Unbounded retries of its own queue come after, so nothing is deleted unseen. */
export async function consumeDeadLetters(batch: MessageBatch, bindings: Env): Promise<void> {
  await park(batch.messages, "retries_exhausted", bindings);
}

async function park(messages: readonly Message[], reason: string, bindings: Env): Promise<void> {
  const outboxes = new Map<string, Group<DeadLetter>>();
  for (const message of messages) {
    const event = auditEvent.safeParse(message.body);
    const id = event.success ? event.data.id : message.id;
    const name = outboxName(event.success ? event.data.tenant : unreadableTenant, outboxShard(id));
    addTo(outboxes, name, message, { id, body: JSON.stringify(message.body) ?? "null", reason });
  }
  const { OUTBOX } = bindings;
  await settleGroups(outboxes, async (name, letters) => {
    const { accepted } = await OUTBOX.get(OUTBOX.idFromName(name)).park(letters);
    if (!accepted) throw new Error("The Outbox is full.");
  });
}

function addTo<T>(groups: Map<string, Group<T>>, name: string, message: Message, item: T): void {
  const group = groups.get(name) ?? { messages: [], items: [] };
  group.messages.push(message);
  group.items.push(item);
  groups.set(name, group);
}

/** Acknowledges the messages of each group that was delivered, and retries those of each that was not. */
async function settleGroups<T>(
  groups: ReadonlyMap<string, Group<T>>,
  deliver: (name: string, items: T[]) => Promise<void>,
): Promise<void> {
  const deliveries = [...groups].map(async ([name, { messages, items }]) => {
    try {
      await deliver(name, items);
      for (const message of messages) message.ack();
    } catch (error) {
      for (const message of messages) message.retry();
      log("error", "Audit events could not be stored and will be retried", {
        error,
        object: name,
        count: items.length,
      });
    }
  });
  await Promise.all(deliveries);
}
