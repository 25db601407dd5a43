/** One run: starts the parts, warms them, measures in interleaved rounds, counts operations, and stops everything again. */
import { randomBytes } from "node:crypto";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { modernRequest, type ModernRequest } from "../test/system/support/modern-request.ts";
import { startInstance, type Instance, type Place } from "./instance.ts";
import { idMark, type Load, type Measured } from "./load.ts";
import { allowedCores, cpuTime_us, descendants, memory_bytes, pin } from "./machine.ts";
import { countOperations, type Operations } from "./operations.ts";
import { startPeer, type Peer } from "./peer.ts";
import type { UpstreamStart, UpstreamStarted } from "./upstream.ts";

export interface Plan {
  readonly rounds: number;
  /** No round begins after this, so that a busy machine gets fewer rounds and not a longer wait. One is always made. */
  readonly rounds_ms: number;
  /**
   * Calls in one measurement, by connections. Multiples of 50: a call makes two events and a Queue delivers 100 at once, so no
   * event of one measurement is delivered in the next. Few, since what else the machine does changes within seconds.
   */
  readonly calls: ReadonlyMap<number, number>;
  readonly largeCalls: number;
  readonly listCalls: number;
}

export const fullPlan: Plan = {
  rounds: 15,
  rounds_ms: 150_000,
  calls: new Map([
    [1, 200],
    [16, 500],
    [64, 500],
  ]),
  largeCalls: 100,
  listCalls: 50,
};

export const quickPlan: Plan = {
  rounds: 3,
  rounds_ms: 12_000,
  calls: new Map([
    [1, 50],
    [16, 150],
    [64, 150],
  ]),
  largeCalls: 50,
  listCalls: 50,
};

/** One kind of call against one Worker. */
export interface Cell {
  readonly key: string;
  readonly path: string;
  readonly connections: number;
  /** Bytes of an answer, and upstreams behind it where that is what varies. */
  readonly answer_bytes: number;
  readonly upstreams?: number;
  readonly load: Load;
}

export interface Sample {
  readonly p50_us: number;
  readonly p99_us: number;
  readonly rps: number;
  readonly cpu_us: number | undefined;
}

export interface Figures {
  readonly cells: readonly Cell[];
  /** By key of the cell, in the order of rounds. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly operations: Operations;
  readonly memory: { readonly start_bytes: number | undefined; readonly end_bytes: number | undefined };
  readonly machine: {
    readonly cores: number;
    /** Processes that wanted to run in the minute before: with more than a few tenths the figures are those of a busy machine. */
    readonly load_average: number;
    readonly pinned: boolean;
  };
  readonly calls: number;
}

const largeConnections = 16;
const listSizes = [1, 5, 10];
const places: readonly Place[] = ["floor", "floor+audit", "governed", "governed+ledger"];
const ask_ms = 90_000;
const answerHead = `{"jsonrpc":"2.0","id":${idMark},`;

type Generator = Peer<Load, Measured>;

/** What has been started, stopped in reverse order, once. */
class Started {
  readonly #stops: (() => Promise<void>)[] = [];

  add<T>(value: T, stop: (value: T) => Promise<void>): T {
    this.#stops.push(() => stop(value));
    return value;
  }

  async stop(): Promise<void> {
    for (let stop = this.#stops.pop(); stop !== undefined; stop = this.#stops.pop()) await stop();
  }
}

/**
 * @param progress takes one line now and then
 * @throws when a part does not start, an answer is wrong, or `signal` aborts; everything is stopped then, too
 */
export async function runBenchmark(
  plan: Plan,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<Figures> {
  const started = new Started();
  const token = randomBytes(32).toString("base64url");
  const [load_average = 0] = loadavg();
  try {
    const upstreamProcess = started.add(
      startPeer<UpstreamStart, UpstreamStarted>(new URL("upstream.ts", import.meta.url)),
      (peer) => peer.stop(),
    );
    const { port } = await upstreamProcess.ask({ token }, ask_ms);
    const upstream = new URL(`http://127.0.0.1:${port}/mcp`);
    progress("Counting operations");
    const { warm: operations } = await countOperations(upstream, token);
    progress("Starting workerd");
    const instance = started.add(await startInstance(upstream, token, listSizes), ({ runtime }) => runtime.dispose());
    const generator: Generator = started.add(startPeer(new URL("load.ts", import.meta.url)), (peer) => peer.stop());
    const [workerd] = descendants(process.pid, "workerd");
    const machine = { cores: availableParallelism(), load_average, pinned: false };
    machine.pinned = pinAll(workerd, [upstreamProcess.pid, generator.pid]);
    const memoryNow = (): number | undefined => (workerd === undefined ? undefined : memory_bytes(workerd));

    const start_bytes = memoryNow();
    progress("Warming up");
    const cells = await prepareCells(plan, instance, generator, token, signal);
    const samples = await measure(plan, cells, generator, workerd, signal, progress);
    const calls = [...samples].reduce((sum, [key, list]) => sum + list.length * callsOf(cells, key), 0);
    return { cells, samples, operations, memory: { start_bytes, end_bytes: memoryNow() }, machine, calls };
  } finally {
    await started.stop();
  }
}

const callsOf = (cells: readonly Cell[], key: string): number =>
  cells.find((cell) => cell.key === key)?.load.calls ?? 0;

/** workerd alone on one core; what surrounds it on another. */
function pinAll(workerd: number | undefined, others: readonly number[]): boolean {
  const [first, second] = allowedCores();
  if (workerd === undefined || first === undefined || second === undefined) return false;
  return pin(workerd, first) && others.every((pid) => pin(pid, second));
}

/** Makes each call once, so that the right answer is known and everything is warm. */
async function prepareCells(
  plan: Plan,
  instance: Instance,
  generator: Generator,
  token: string,
  signal: AbortSignal,
): Promise<Cell[]> {
  const { ports, tokens, slug } = instance;
  const tokenOf = (place: Place, size = 1): string =>
    place === "floor" || place === "floor+audit" ? token : (tokens.get(size) ?? "");

  async function cell(
    place: Place,
    suffix: string,
    call: ModernRequest,
    load: Omit<Load, "port" | "headers" | "body">,
  ) {
    signal.throwIfAborted();
    const request = modernRequest({ ...call, id: Number(idMark) });
    const base = { ...load, port: ports[place], ...request };
    const { answer = "" } = await generator.ask(base, ask_ms);
    if (!answer.startsWith(answerHead) || !answer.includes('"result":'))
      throw new Error(`No result: ${answer.slice(0, 500)}`);
    const path = place + suffix;
    const { connections } = load;
    const ready = { ...base, expected: answer };
    await generator.ask(ready, ask_ms);
    return { key: `${path} ${connections}`, path, connections, answer_bytes: Buffer.byteLength(answer), load: ready };
  }

  const callOf = (name: string, place: Place): ModernRequest => ({
    method: "tools/call",
    params: { name, arguments: { query: "twenty characters ..." } },
    token: tokenOf(place),
  });
  const cells: Cell[] = [];
  for (const place of places) {
    const path = `/mcp/${slug}`;
    for (const [connections, calls] of plan.calls) {
      cells.push(await cell(place, "", callOf("small", place), { path, connections, calls }));
    }
  }
  for (const place of ["floor", "floor+audit", "governed"] as const) {
    const load = { path: `/mcp/${slug}`, connections: largeConnections, calls: plan.largeCalls };
    cells.push(await cell(place, " 64 KiB", callOf("large", place), load));
  }
  for (const upstreams of listSizes) {
    const load = { path: "/mcp", connections: 1, calls: plan.listCalls };
    const list = { method: "tools/list", token: tokenOf("governed", upstreams) };
    cells.push({ ...(await cell("governed", ` tools/list ${upstreams}`, list, load)), upstreams });
  }
  return cells;
}

/** Waits until workerd has nothing left to do, for at most three seconds: events are delivered behind the answers. */
async function settled(workerd: number | undefined): Promise<void> {
  const look_ms = 30;
  const idle_us = 1_500;
  let quiet = 0;
  for (let look = 0; look < 100 && quiet < 2; look += 1) {
    const before = workerd === undefined ? undefined : cpuTime_us(workerd);
    await sleep(look_ms);
    const used_us = workerd === undefined || before === undefined ? 0 : (cpuTime_us(workerd) ?? 0) - before;
    quiet = used_us < idle_us ? quiet + 1 : 0;
  }
}

async function measure(
  plan: Plan,
  cells: readonly Cell[],
  generator: Generator,
  workerd: number | undefined,
  signal: AbortSignal,
  progress: (line: string) => void,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(cells.map(({ key }) => [key, []]));
  // Partly filled batches of the warm-up are delivered after a second.
  await sleep(1_500);
  const begun_ms = performance.now();
  for (let round = 0; round < plan.rounds; round += 1) {
    if (round > 0 && performance.now() - begun_ms > plan.rounds_ms) break;
    progress(`Round ${round + 1} of ${plan.rounds}`);
    // Every other round backwards, so that no path always follows the same one.
    for (const { key, load } of round % 2 === 0 ? cells : cells.toReversed()) {
      signal.throwIfAborted();
      await settled(workerd);
      const before_us = workerd === undefined ? undefined : cpuTime_us(workerd);
      const { calls, wall_us, p50_us, p99_us } = await generator.ask(load, ask_ms);
      await settled(workerd);
      const used_us =
        workerd === undefined || before_us === undefined ? undefined : (cpuTime_us(workerd) ?? 0) - before_us;
      const cpu_us = used_us === undefined ? undefined : used_us / calls;
      samples.get(key)?.push({ p50_us, p99_us, rps: (calls / wall_us) * 1e6, cpu_us });
    }
  }
  return samples;
}
