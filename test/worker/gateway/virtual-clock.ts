/** A clock that a test moves by hand: it tells who sleeps, so that a test waits for that instead of for time. */
import type { Clock } from "../../../src/ports.ts";

interface Sleeper {
  readonly until: number;
  wake(): void;
}

export class VirtualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Map<number, (() => void)[]>();

  constructor(start: number) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  sleep(duration_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper: Sleeper = { until: this.#now + duration_ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
      for (const seen of this.#watchers.get(duration_ms) ?? []) seen();
      this.#watchers.delete(duration_ms);
    });
  }

  /** Resolves when somebody goes to sleep for exactly `duration_ms`; at once when somebody already does. */
  asleep(duration_ms: number): Promise<void> {
    for (const { until } of this.#sleepers) if (until === this.#now + duration_ms) return Promise.resolve();
    return this.anew(duration_ms);
  }

  /** The same, but only for who goes to sleep from now on: sleeps that nobody waits for any more do not count. */
  anew(duration_ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#watchers.set(duration_ms, [...(this.#watchers.get(duration_ms) ?? []), resolve]);
    });
  }

  /** Moves time on and wakes whoever is due, in order. */
  advance(duration_ms: number): void {
    this.#now += duration_ms;
    const due = [...this.#sleepers].filter(({ until }) => until <= this.#now).sort((a, b) => a.until - b.until);
    for (const sleeper of due) sleeper.wake();
  }
}
