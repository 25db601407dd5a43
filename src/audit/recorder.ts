/** The hand-over of an event: it returns when the event is durable, or says that it is not. */
import { failure, type Failure } from "../errors.ts";
import { log } from "../telemetry/index.ts";
import { err, ok, type Clock, type Result } from "../ports.ts";
import type { AuditEvent } from "./event.ts";
import { fitEvent } from "./fit-event.ts";
import { handOver } from "./hand-over.ts";
import { outboxName, outboxShard } from "./object-names.ts";
import type { Outbox } from "./outbox.ts";

export interface Recorder {
  /**
   * Resolves when the event is in the Queue or, if that refuses or stalls, in an Outbox.
   * @returns `audit_unavailable` when neither took it: then the call must be refused or reported as unrecorded
   */
  record(event: AuditEvent): Promise<Result<void, Failure>>;
}

export interface RecorderDependencies {
  readonly queue: Pick<Queue<AuditEvent>, "send">;
  readonly outbox: DurableObjectNamespace<Outbox>;
  readonly clock: Clock;
}

export function createRecorder({ queue, outbox, clock }: RecorderDependencies): Recorder {
  async function toOutbox(event: AuditEvent): Promise<Result<void, Failure>> {
    const name = outboxName(event.tenant, outboxShard(event.id));
    const put = await handOver(async () => outbox.get(outbox.idFromName(name)).put([event]), clock);
    if (put.ok && put.value.accepted) return ok(undefined);
    const reason = put.ok ? "outbox_full" : "outbox_unreachable";
    log("error", "An audit event could not be made durable", {
      event_id: event.id,
      reason,
      ...(put.ok ? {} : { error: put.error }),
    });
    return err(failure("audit_unavailable", undefined, { reason }));
  }

  return {
    async record(event) {
      const fitted = fitEvent(event);
      if (!fitted.ok) {
        log("error", "What should be recorded is no audit event", { event_id: event.id, type: event.type });
        return fitted;
      }
      const sent = await handOver(() => queue.send(fitted.value), clock);
      // A full, throttled or broken Queue is an everyday fault: any refusal leads to the Outbox.
      return sent.ok ? ok(undefined) : toOutbox(fitted.value);
    },
  };
}
