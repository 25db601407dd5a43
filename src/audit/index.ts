export { boundedText } from "./bounded-text.ts";
export { consumeAudit, consumeDeadLetters } from "./consumer.ts";
export { digestArguments } from "./digest-arguments.ts";
export { eventFilterSchema, type EventFilter } from "./event-filter.ts";
export {
  auditEvent,
  type Actor,
  type AdminEvent,
  type AuditEvent,
  type AuthEvent,
  type Outcome,
  type RequestEvent,
  type ResponseEvent,
  type Target,
} from "./event.ts";
export { queryEvents, type EventPage } from "./events.ts";
export { Ledger } from "./ledger.ts";
export { networkPrefix } from "./network-prefix.ts";
export { ledgerName, outboxName } from "./object-names.ts";
export { Outbox, type DeadLetter } from "./outbox.ts";
export { createRecorder, type Recorder } from "./recorder.ts";
export { createUnknownCallers, type UnknownCallers } from "./unknown-callers.ts";
export { wakeAudit, wakeUnreadable, type AuditStatus } from "./wake.ts";
