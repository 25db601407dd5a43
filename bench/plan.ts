/** How much is measured. */
import type { Rounds } from "./meter.ts";

export const parts = ["calls", "sessions", "lists", "operations"] as const;
export type Part = (typeof parts)[number];

export interface Plan {
  readonly only: ReadonlySet<Part>;
  readonly calls: Rounds & {
    /**
     * Calls in one measurement, by connections. Multiples of 50: a call makes two events and a Queue delivers 100 at once, so no
     * event of one measurement is delivered in the next. Few, since what else the machine does changes within seconds.
     */
    readonly small: ReadonlyMap<number, number>;
    readonly large: number;
  };
  readonly sessions: Rounds & {
    /** How many are open, ascending. */
    readonly sizes: readonly number[];
    /** In one measurement. */
    readonly calls: number;
  };
  readonly lists: Rounds & {
    readonly sizes: readonly number[];
    readonly calls: number;
    /** How often a cold list and one after a restart are measured, each time with other servers. */
    readonly starts: number;
  };
}

export const fullPlan: Plan = {
  only: new Set(parts),
  calls: {
    rounds: 15,
    rounds_ms: 150_000,
    small: new Map([
      [1, 200],
      [16, 500],
      [64, 500],
    ]),
    large: 100,
  },
  // So many rounds of so many calls go once round all sessions.
  sessions: { rounds: 10, rounds_ms: 40_000, sizes: [100, 1_000, 10_000], calls: 1_000 },
  lists: { rounds: 8, rounds_ms: 40_000, sizes: [1, 5, 10, 50], calls: 50, starts: 3 },
};

export const quickPlan: Plan = {
  only: new Set(parts),
  calls: {
    rounds: 3,
    rounds_ms: 12_000,
    small: new Map([
      [1, 50],
      [16, 150],
      [64, 150],
    ]),
    large: 50,
  },
  sessions: { rounds: 3, rounds_ms: 6_000, sizes: [100, 1_000], calls: 350 },
  lists: { rounds: 2, rounds_ms: 5_000, sizes: [1, 5, 10, 50], calls: 20, starts: 1 },
};
