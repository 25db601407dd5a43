/** The platform of these tests: a network that is a function, and a clock that only moves when it is told to. */
import type { EgressPolicy, SafeRequest } from "../../../src/egress/index.ts";
import type { Clock, Network, Ports } from "../../../src/ports.ts";

export class ManualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<{ due: number; wake: () => void }>();

  constructor(now = 1_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** Timers that are set: an exchange that is over must leave none. */
  get timers_count(): number {
    return this.#sleepers.size;
  }

  sleep(duration_ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        due: this.#now + duration_ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener("abort", sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
    });
  }

  /** Moves on, ringing each timer at its time. */
  async advance(duration_ms: number): Promise<void> {
    const end = this.#now + duration_ms;
    for (;;) {
      await settle();
      const next = [...this.#sleepers].filter((sleeper) => sleeper.due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#now = next.due;
      next.wake();
    }
    this.#now = end;
    await settle();
  }

  /** Moves the wall clock without a timer noticing, as an adjustment of the host's clock does. */
  jump(difference_ms: number): void {
    this.#now += difference_ms;
    for (const sleeper of this.#sleepers) sleeper.due += difference_ms;
  }
}

/** Lets everything that can run run, native streams included. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class Wire {
  readonly requests: Request[] = [];
  readonly clock = new ManualClock();
  readonly ports: Ports;

  constructor(network: Network) {
    this.ports = {
      clock: this.clock,
      random: { bytes: (length) => new Uint8Array(length), uuid: () => "00000000-0000-7000-8000-000000000000" },
      network: (request) => {
        this.requests.push(request);
        return network(request);
      },
    };
  }
}

export const policy: EgressPolicy = { mode: "enterprise", origins: new Set() };

export function request(more: Partial<SafeRequest> = {}): SafeRequest {
  return {
    url: "https://mcp.example.com/mcp",
    method: "GET",
    headers: new Headers({ accept: "application/json" }),
    idle_ms: 1_000,
    total_ms: 10_000,
    body_bytes: 1_000,
    stream_bytes: 4_000,
    redirects: "refuse",
    ...more,
  };
}

export interface Upstream {
  readonly stream: ReadableStream<Uint8Array>;
  /** Times that the body was asked for bytes. */
  pulls_count: number;
  cancelled: boolean;
}

/** A body that gives `next(n)` on the n-th pull: bytes, nothing at all (silence), or its end. */
export function upstream(next: (pull: number) => Uint8Array | "silence" | "end" | "reset"): Upstream {
  const made: { pulls_count: number; cancelled: boolean } = { pulls_count: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        made.pulls_count += 1;
        const what = next(made.pulls_count);
        if (what === "silence") return new Promise<void>(() => undefined);
        if (what === "reset") controller.error(new Error("ECONNRESET https://mcp.example.com/mcp?key=hunter2"));
        else if (what === "end") controller.close();
        else controller.enqueue(what);
        return undefined;
      },
      cancel() {
        made.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return Object.assign(made, { stream });
}

export const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0x61);
