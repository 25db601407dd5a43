/** Measures loads: latency at the generator, processor time of workerd, and that in interleaved rounds. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Load, Measured, Opening } from "./load.ts";
import { allowedCores, cpuTime_us, memory_bytes, pin } from "./machine.ts";
import { idMark } from "./message.ts";
import type { Peer } from "./peer.ts";

export type Generator = Peer<Load | Opening, Measured>;

export interface Sample {
  readonly p50_us: number;
  readonly p99_us: number;
  readonly rps: number;
  readonly cpu_us: number | undefined;
}

/** One kind of call against one Worker. */
export interface Cell {
  readonly key: string;
  /** Bytes of an answer. */
  readonly answer_bytes: number;
  readonly load: Load & { readonly expected: string };
}

export type Samples = ReadonlyMap<string, readonly Sample[]>;

export interface Rounds {
  readonly rounds: number;
  /** No round begins after this, so that a busy machine gets fewer rounds and not a longer wait. One is always made. */
  readonly rounds_ms: number;
}

export const ask_ms = 90_000;
const answerHead = `{"jsonrpc":"2.0","id":${idMark},`;

export class Meter {
  readonly #generator: Generator;
  readonly #workerd: number | undefined;
  readonly #signal: AbortSignal;
  #calls = 0;
  /** Whether workerd has one core for itself, and what surrounds it another. */
  readonly pinned: boolean;

  /** @param workerd its process, where it is known */
  constructor(generator: Generator, workerd: number | undefined, others: readonly number[], signal: AbortSignal) {
    this.#generator = generator;
    this.#workerd = workerd;
    this.#signal = signal;
    this.pinned = pinAll(workerd, [...others, generator.pid]);
  }

  /** Calls that were made. */
  get calls(): number {
    return this.#calls;
  }

  /** Resident memory of workerd. */
  memory_bytes(): number | undefined {
    return this.#workerd === undefined ? undefined : memory_bytes(this.#workerd);
  }

  /** Makes one call. @returns its answer @throws when that is none with a result */
  async once(load: Omit<Load, "calls" | "connections">): Promise<Sample & { readonly answer: string }> {
    const { answer = "", ...sample } = await this.#measure({ ...load, calls: 1, connections: 1 });
    if (!answer.startsWith(answerHead) || !answer.includes('"result":'))
      throw new Error(`No result: ${answer.slice(0, 500)}`);
    return { ...sample, answer };
  }

  /** Makes a cell of a load, so that the right answer is known and everything is warm. */
  async prepare(key: string, load: Omit<Load, "expected">): Promise<Cell> {
    const { answer } = await this.once(load);
    const ready = { ...load, expected: answer };
    await this.#generator.ask(ready, ask_ms);
    return { key, answer_bytes: Buffer.byteLength(answer), load: ready };
  }

  /** Makes calls whose answers are known, or opens sessions. */
  async sample(load: (Load & { readonly expected: string }) | Opening): Promise<Sample> {
    const { answer: _none, ...sample } = await this.#measure(load);
    return sample;
  }

  /** Every cell once in each round, every other round backwards, so that no cell always follows the same one. */
  async rounds(
    cells: readonly Cell[],
    { rounds, rounds_ms }: Rounds,
    progress: (line: string) => void,
  ): Promise<Samples> {
    const samples = new Map<string, Sample[]>(cells.map(({ key }) => [key, []]));
    // Partly filled batches of the warm-up are delivered after a second.
    await sleep(1_500);
    const begun_ms = performance.now();
    for (let round = 0; round < rounds; round += 1) {
      if (round > 0 && performance.now() - begun_ms > rounds_ms) break;
      progress(`Round ${round + 1} of ${rounds}`);
      for (const { key, load } of round % 2 === 0 ? cells : cells.toReversed()) {
        samples.get(key)?.push(await this.sample(load));
      }
    }
    return samples;
  }

  /** Waits until workerd has nothing left to do, for at most three seconds: events are delivered behind the answers. */
  async #settled(): Promise<void> {
    const look_ms = 30;
    const idle_us = 1_500;
    let quiet = 0;
    for (let look = 0; look < 100 && quiet < 2; look += 1) {
      const before = this.#cpu_us();
      await sleep(look_ms);
      const used_us = before === undefined ? 0 : (this.#cpu_us() ?? 0) - before;
      quiet = used_us < idle_us ? quiet + 1 : 0;
    }
  }

  async #measure(load: Load | Opening): Promise<Sample & Pick<Measured, "answer">> {
    this.#signal.throwIfAborted();
    await this.#settled();
    const before_us = this.#cpu_us();
    const { calls, wall_us, p50_us, p99_us, answer } = await this.#generator.ask(load, ask_ms);
    await this.#settled();
    const after_us = this.#cpu_us();
    this.#calls += calls;
    const cpu_us = before_us === undefined || after_us === undefined ? undefined : (after_us - before_us) / calls;
    return { p50_us, p99_us, rps: (calls / wall_us) * 1e6, cpu_us, ...(answer === undefined ? {} : { answer }) };
  }

  #cpu_us(): number | undefined {
    return this.#workerd === undefined ? undefined : cpuTime_us(this.#workerd);
  }
}

function pinAll(workerd: number | undefined, others: readonly number[]): boolean {
  const [first, second] = allowedCores();
  if (workerd === undefined || first === undefined || second === undefined) return false;
  return pin(workerd, first) && others.every((pid) => pin(pid, second));
}
