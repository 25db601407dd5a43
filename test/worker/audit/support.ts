/** Events, a clock that tests move, and bindings with faults. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { v7 } from "uuid";
import {
  ledgerName,
  type AuditEvent,
  type Ledger,
  type Outbox,
  type RequestEvent,
  type ResponseEvent,
} from "../../../src/audit/index.ts";
import type { Clock } from "../../../src/ports.ts";

/** Far ahead: an alarm in the past would fire at once. */
export const start = Date.UTC(2090, 10, 21, 12);

export interface TestClock extends Clock {
  time: number;
  /** Ends every sleep that is due at `time`. */
  advance(duration_ms: number): Promise<void>;
}

/** Time stands still until a test moves it. */
export function testClock(time: number = start): TestClock {
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const clock: TestClock = {
    time,
    now: () => clock.time,
    sleep: (duration_ms, signal) =>
      new Promise((resolve) => {
        const sleeper = { at: clock.time + duration_ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          resolve();
        });
      }),
    async advance(duration_ms) {
      clock.time += duration_ms;
      for (const sleeper of sleepers) {
        if (sleeper.at > clock.time) continue;
        sleepers.delete(sleeper);
        sleeper.wake();
      }
      // Lets what waited run on.
      await Promise.resolve();
    },
  };
  return clock;
}

export const idAt = (time: number): string => v7({ msecs: time });

const target = { method: "tools/call", endpoint: "/mcp", server: "github", server_id: "s1", name: "search_code" };

export function requestAt(time: number, more: Partial<RequestEvent> = {}): RequestEvent {
  return {
    type: "mcp.request",
    id: idAt(time),
    tenant: "a",
    time,
    actor: { agent: "client-1", client_name: "Claude" },
    target,
    decision: { effect: "allow", policy: "allow-list:client-1", reason: "listed" },
    request: { size_bytes: 120, token_weight: 30, arguments: {} },
    source: { country: "CH", network: "192.0.2.0/24" },
    deadline: time + 60_000,
    ...more,
  };
}

export function responseTo(request: RequestEvent, more: Partial<ResponseEvent> = {}): ResponseEvent {
  return {
    type: "mcp.response",
    id: idAt(request.time + 50),
    tenant: request.tenant,
    time: request.time + 50,
    actor: request.actor,
    request_id: request.id,
    target: request.target,
    outcome: { status: "ok" },
    duration_ms: 50,
    response: { size_bytes: 80, token_weight: 20 },
    ...more,
  };
}

export const outbox = (name: string): DurableObjectStub<Outbox> => env.OUTBOX.get(env.OUTBOX.idFromName(name));
export const ledgerNamed = (name: string): DurableObjectStub<Ledger> => env.LEDGER.get(env.LEDGER.idFromName(name));
export const ledgerAt = (time: number, tenant = "a"): DurableObjectStub<Ledger> =>
  ledgerNamed(ledgerName(tenant, time));

/** The binding, with some of its methods replaced. */
export function withFaults<T extends object>(binding: T, faults: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(binding, {
    get(target_, property) {
      if (property in faults) return Reflect.get(faults, property);
      const value: unknown = Reflect.get(target_, property);
      return typeof value === "function" ? value.bind(target_) : value;
    },
  });
}

/** Gives the running object another clock or other bindings; an eviction takes them away again. */
export async function equip<T extends Outbox | Ledger>(
  stub: DurableObjectStub<T>,
  equipment: { clock?: Pick<Clock, "now">; env?: Partial<Env>; rows_max?: number },
): Promise<void> {
  await runInDurableObject(stub, (instance) => {
    const { env: bindings, ...fields } = equipment;
    Object.assign(instance, fields);
    if (bindings !== undefined) Object.defineProperty(instance, "env", { value: { ...env, ...bindings } });
  });
}

export const alarmOf = (stub: DurableObjectStub<Outbox | Ledger>): Promise<number | null> =>
  runInDurableObject(stub, (_instance, state) => state.storage.getAlarm());

/** A Queue that keeps what it is sent, or throws while `fault` is set. */
export class WatchedQueue {
  readonly sent: AuditEvent[] = [];
  readonly batches: number[] = [];
  fault: Error | undefined;

  readonly binding: Queue = withFaults(env.AUDIT, {
    send: async (body: AuditEvent) => {
      if (this.fault !== undefined) throw this.fault;
      this.sent.push(body);
    },
    sendBatch: async (messages: Iterable<MessageSendRequest<AuditEvent>>) => {
      if (this.fault !== undefined) throw this.fault;
      const bodies = [...messages].map(({ body }) => body);
      this.batches.push(bodies.length);
      this.sent.push(...bodies);
    },
  });
}

export const ids = (events: readonly { id: string }[]): string[] => events.map(({ id }) => id);
export type { AuditEvent };
