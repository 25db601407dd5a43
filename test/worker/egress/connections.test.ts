import { describe, expect, it, vi } from "vitest";
import { createConnectionBudget, type Release } from "../../../src/egress/index.ts";

/** Takes a place and notes the order in which places are given. */
function taker(budget: ReturnType<typeof createConnectionBudget>): {
  given: string[];
  take: (name: string, signal?: AbortSignal) => Promise<Release>;
} {
  const given: string[] = [];
  return {
    given,
    take: async (name, signal) => {
      const release = await budget.acquire(signal);
      given.push(name);
      return release;
    },
  };
}

describe("RX-01: the connection budget", () => {
  it("RX-01: gives no more connections than it has", async () => {
    const { given, take } = taker(createConnectionBudget(2));
    await Promise.all([take("a"), take("b")]);
    void take("c");
    await Promise.resolve();
    expect(given).toEqual(["a", "b"]);
  });

  it("RX-01: gives a free connection to the first who waits", async () => {
    const { given, take } = taker(createConnectionBudget(1));
    const release = await take("a");
    const [second, third] = [take("b"), take("c")];
    release();
    (await second)();
    await third;
    expect(given).toEqual(["a", "b", "c"]);
  });

  it("RX-01: a release that is called twice frees one connection", async () => {
    const { given, take } = taker(createConnectionBudget(1));
    const release = await take("a");
    const second = take("b");
    void take("c");
    release();
    release();
    await second;
    await Promise.resolve();
    expect(given).toEqual(["a", "b"]);
  });

  it("RX-01: who gives up loses the place in the queue", async () => {
    const { given, take } = taker(createConnectionBudget(1));
    const release = await take("a");
    const impatient = new AbortController();
    const second = take("b", impatient.signal);
    const third = take("c");
    impatient.abort(new Error("gave up"));
    await expect(second).rejects.toThrow("gave up");
    release();
    await third;
    expect(given).toEqual(["a", "c"]);
  });

  it("RX-01: who gave up before asking gets nothing", async () => {
    const budget = createConnectionBudget(1);
    await expect(budget.acquire(AbortSignal.abort(new Error("gave up")))).rejects.toThrow("gave up");
    await budget.acquire();
  });

  it("RX-01: an abort after the grant does not take the connection back", async () => {
    const { given, take } = taker(createConnectionBudget(1));
    const release = await take("a");
    const late = new AbortController();
    const second = take("b", late.signal);
    release();
    const releaseSecond = await second;
    late.abort();
    const third = take("c");
    expect(given).toEqual(["a", "b"]);
    releaseSecond();
    await third;
  });

  it("RX-01: a grant leaves no listener on a signal that outlives it", async () => {
    const budget = createConnectionBudget(1);
    const release = await budget.acquire();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const second = budget.acquire(signal);
    release();
    await second;
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])("RX-01: a budget of %s is a bug", (count) => {
    expect(() => createConnectionBudget(count)).toThrow("at least one");
  });
});
