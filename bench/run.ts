/** One run: starts what the parts of the plan need, measures them one after the other, and stops everything again. */
import { availableParallelism, loadavg } from "node:os";
import { measureCalls, type CallFigures } from "./calls.ts";
import { startInstance, type Instance } from "./instance.ts";
import { measureLists, type ListFigures } from "./lists.ts";
import { descendants } from "./machine.ts";
import { Meter, type Generator } from "./meter.ts";
import { countOperations, type Counted } from "./operations.ts";
import { startPeer } from "./peer.ts";
import type { Plan } from "./plan.ts";
import { measureSessions, type SessionFigures } from "./sessions.ts";
import { startUpstreams, type UpstreamProcess } from "./upstreams.ts";

/** What the plan leaves out is undefined or empty. */
export interface Figures {
  readonly operations: Counted | undefined;
  readonly calls: CallFigures | undefined;
  readonly sessions: readonly SessionFigures[];
  readonly lists: readonly ListFigures[];
  readonly machine: {
    readonly cores: number;
    /** Processes that wanted to run in the minute before: with more than a few tenths the figures are those of a busy machine. */
    readonly load_average: number;
    readonly pinned: boolean;
  };
  readonly calls_count: number;
}

type Progress = (line: string) => void;

/**
 * @param progress takes one line now and then
 * @throws when a part does not start, an answer is wrong, or `signal` aborts; everything is stopped then, too
 */
export async function runBenchmark(plan: Plan, signal: AbortSignal, progress: Progress): Promise<Figures> {
  const [load_average = 0] = loadavg();
  const upstream = await startUpstreams();
  const generator: Generator = startPeer(new URL("load.ts", import.meta.url));
  const meters: Meter[] = [];
  const meterOf = (): Meter => {
    const [workerd] = descendants(process.pid, "workerd");
    const meter = new Meter(generator, workerd, [upstream.peer.pid], signal);
    meters.push(meter);
    return meter;
  };
  try {
    const measured = await measureParts(plan, upstream, meterOf, progress);
    const pinned = meters.length > 0 && meters.every((meter) => meter.pinned);
    const machine = { cores: availableParallelism(), load_average, pinned };
    return { ...measured, machine, calls_count: meters.reduce((sum, { calls }) => sum + calls, 0) };
  } finally {
    await generator.stop();
    await upstream.peer.stop();
  }
}

/** One workerd at a time. */
async function measureParts(
  plan: Plan,
  { upstreams }: UpstreamProcess,
  meterOf: () => Meter,
  progress: Progress,
): Promise<Pick<Figures, "operations" | "calls" | "sessions" | "lists">> {
  async function inInstance<T>(measure: (instance: Instance, meter: Meter) => Promise<T>): Promise<T> {
    progress("Starting workerd");
    const instance = await startInstance(upstreams);
    try {
      return await measure(instance, meterOf());
    } finally {
      await instance.runtime.dispose();
    }
  }
  const { only } = plan;
  if (only.has("operations")) progress("Counting operations");
  const operations = only.has("operations") ? await countOperations(upstreams) : undefined;
  const calls = only.has("calls")
    ? await inInstance((instance, meter) => measureCalls(plan, instance, upstreams.token, meter, progress))
    : undefined;
  const sessions: SessionFigures[] = [];
  // Each kind in a workerd of its own, so that the memory is that of its sessions alone.
  for (const era of only.has("sessions") ? (["modern", "legacy"] as const) : []) {
    const measured = await inInstance((instance, meter) =>
      measureSessions(plan, instance, era, upstreams.token, meter, progress),
    );
    sessions.push(...measured);
  }
  const lists = only.has("lists") ? await measureLists(plan, upstreams, meterOf, progress) : [];
  return { operations, calls, sessions, lists };
}
