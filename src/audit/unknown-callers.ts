/**
 * Failures of callers that nobody knows are summed: whoever floods the door cannot flood the log, nor compete with calls
 * for the Queue.
 */
import { limits } from "../limits.ts";
import type { Clock, Random, WaitUntil } from "../ports.ts";
import { log } from "../telemetry/index.ts";
import { networkPrefix } from "./network-prefix.ts";
import type { Recorder } from "./recorder.ts";

export interface UnknownCaller {
  readonly tenant: string;
  /** Stable reason of the refusal, from a fixed set. */
  readonly reason: string;
  /** IP address as the platform gives it. */
  readonly address: string | undefined;
}

export interface UnknownCallersDependencies {
  readonly clock: Clock;
  readonly waitUntil: WaitUntil;
  readonly recorder: Recorder;
  readonly random: Pick<Random, "uuid">;
}

export interface UnknownCallers {
  /** Counts one failure. The first of a window also sees to its events, behind its answer. Never throws. */
  count(caller: UnknownCaller, dependencies: UnknownCallersDependencies): void;
}

interface Counter {
  readonly tenant: string;
  readonly reason: string;
  readonly network: string;
  count: number;
}

/** Made once, at module scope: requests share its plain numbers and nothing else, no promise and no handle. */
export function createUnknownCallers(): UnknownCallers {
  let counters = new Map<string, Counter>();
  let opened_at: number | undefined;

  function add({ tenant, reason, network }: Omit<Counter, "count">, count: number): void {
    const key = JSON.stringify([tenant, reason, network]);
    // Past the bound one line for each tenant goes on counting; tenants are as many as the deployment has hostnames.
    const full = !counters.has(key) && counters.size >= limits.unknownCallers_count;
    const name = full ? JSON.stringify([tenant]) : key;
    const counter = counters.get(name);
    if (counter !== undefined) counter.count += count;
    else counters.set(name, { tenant, ...(full ? { reason: "many", network: "many" } : { reason, network }), count });
  }

  async function flush({ clock, recorder, random }: UnknownCallersDependencies): Promise<void> {
    const taken = [...counters.values()];
    const started = opened_at ?? clock.now();
    counters = new Map();
    opened_at = undefined;
    const record = async ({ tenant, reason, network, count }: Counter): Promise<void> => {
      const time = clock.now();
      const window_ms = Math.max(0, time - started);
      const summed = { reason, network, count, window_ms };
      const recorded = await recorder.record({
        type: "auth.failed",
        id: random.uuid(),
        tenant,
        time,
        actor: {},
        ...summed,
      });
      if (recorded.ok) return;
      add({ tenant, reason, network }, count);
      log("error", "Failures of unknown callers could not be recorded; they stay counted", { tenant, reason, count });
    };
    for (let at = 0; at < taken.length; at += limits.connectionsAtOnce_count) {
      await Promise.all(taken.slice(at, at + limits.connectionsAtOnce_count).map(record));
    }
  }

  return {
    count({ tenant, reason, address }, dependencies) {
      add({ tenant, reason, network: networkPrefix(address) }, 1);
      const now = dependencies.clock.now();
      // A window that is long over belongs to an invocation that was ended: its counts are taken over.
      const abandoned = opened_at !== undefined && Math.abs(now - opened_at) >= 2 * limits.unknownCallers_ms;
      if (opened_at !== undefined && !abandoned) return;
      opened_at = now;
      const window = async (): Promise<void> => {
        await dependencies.clock.sleep(limits.unknownCallers_ms);
        await flush(dependencies);
      };
      dependencies.waitUntil(window());
    },
  };
}
