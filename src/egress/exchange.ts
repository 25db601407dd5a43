/** One exchange with an upstream: its two deadlines, what must be given back, and the single way in which it ends. */
import { failure, type Failure } from "../errors.ts";
import type { Clock } from "../ports.ts";

/** Ends an exchange, and the body stream of one, before its time. Carries the failure as value. */
export class EgressAbort extends Error {
  readonly failure: Failure;

  constructor(failed: Failure) {
    super(failed.detail ?? failed.code);
    this.name = "EgressAbort";
    this.failure = failed;
  }
}

/** Times in which the upstream waits for us, for the answer to a question that it asked: its silence is then none of its own. */
export class Excuse {
  #open_count = 0;
  /** Counts whenever such a time ends. */
  ended_count = 0;
  /** When the last one ended; milliseconds since the Unix epoch. */
  ended_at = 0;

  get holds(): boolean {
    return this.#open_count > 0;
  }

  /** @returns what ends it. May be called more than once. */
  begin(clock: Clock): () => void {
    let over = false;
    this.#open_count += 1;
    return () => {
      if (over) return;
      over = true;
      this.#open_count -= 1;
      this.ended_count += 1;
      this.ended_at = clock.now();
    };
  }
}

export interface Deadlines {
  /** Silence before the first byte or between two. Time in which nobody reads the body is not the upstream's silence. */
  readonly idle_ms: number;
  /** From the wait for a connection to the last byte. */
  readonly total_ms: number;
  readonly excuse?: Excuse;
}

const over = "the exchange is over";

export class Exchange {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #caller: AbortSignal | undefined;
  readonly #controller = new AbortController();
  readonly #endings: ((abort: EgressAbort | undefined) => void)[] = [];
  #over = false;
  #abort: EgressAbort | undefined;
  #awaits = false;
  #await_count = 0;
  #awaitsSince = 0;

  constructor(clock: Clock, deadlines: Deadlines, caller: AbortSignal | undefined) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#caller = caller;
    if (caller?.aborted === true) {
      this.#cancelled();
      return;
    }
    caller?.addEventListener("abort", this.#cancelled, { once: true });
    void this.#watch();
  }

  /** Aborts when the exchange ends before everything came: for the request on the wire and for all that waits on its behalf. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it ended before its time, if it did. */
  get abort(): EgressAbort | undefined {
    return this.#abort;
  }

  /** Registers what must happen at the end; at once, if it has come. */
  onEnd(ending: (abort: EgressAbort | undefined) => void): void {
    if (this.#over) ending(this.#abort);
    else this.#endings.push(ending);
  }

  /** The upstream has the word: from here its silence counts. */
  awaitUpstream(): void {
    this.#awaits = true;
    this.#await_count += 1;
    this.#awaitsSince = this.#clock.now();
  }

  heardUpstream(): void {
    this.#awaits = false;
  }

  /** Ends it before its time. @returns the failure that holds: the first one */
  fail(failed: Failure): Failure {
    if (!this.#over) {
      this.#abort = new EgressAbort(failed);
      this.end();
    }
    return this.#abort?.failure ?? failed;
  }

  /** Ends it early but as wished: what is still on the wire is let go. */
  end(): void {
    this.#close(this.#abort ?? over);
  }

  /** Everything came: there is nothing to abort, and the timer is left to end with the invocation. Most calls end here. */
  complete(): void {
    this.#close(undefined);
  }

  #close(reason: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#caller?.removeEventListener("abort", this.#cancelled);
    if (reason !== undefined) this.#controller.abort(reason);
    for (const ending of this.#endings) ending(this.#abort);
  }

  /** Which wait for the upstream this is; undefined while it is not the upstream's turn. */
  #awaited(): number | undefined {
    const { excuse } = this.#deadlines;
    return this.#awaits && excuse?.holds !== true ? this.#await_count + (excuse?.ended_count ?? 0) : undefined;
  }

  #silentSince(): number {
    return Math.max(this.#awaitsSince, this.#deadlines.excuse?.ended_at ?? 0);
  }

  readonly #cancelled = (): void => {
    this.fail(failure("cancelled", undefined, { reason: "cancelled_by_caller" }));
  };

  /**
   * One timer for both deadlines, which looks again when it rings, instead of one for each chunk; after a success it is left
   * to end with the invocation. It sleeps at most `idle_ms`,
   * so it always rings before a silence that began meanwhile is due. The total is the sum of the sleeps, and the clock can only
   * shorten the next one: if it stands still or jumps back, a silence is noticed after at most twice its time.
   */
  async #watch(): Promise<void> {
    const { idle_ms, total_ms } = this.#deadlines;
    let elapsed_ms = 0;
    let nextLook_ms = idle_ms;
    while (!this.#over) {
      const awaited = this.#awaited();
      const pause_ms = Math.min(nextLook_ms, total_ms - elapsed_ms);
      await this.#clock.sleep(pause_ms, this.signal);
      if (this.#over) return;
      elapsed_ms += pause_ms;
      if (elapsed_ms >= total_ms) {
        this.fail(timeout("total_timeout", `did not finish within ${total_ms} ms`));
        return;
      }
      // Awaited all through the sleep: silent for as long as the sleep was set for, whatever the clock says.
      const stillAwaited = this.#awaited();
      const silent_ms =
        stillAwaited === undefined ? 0 : stillAwaited === awaited ? idle_ms : this.#clock.now() - this.#silentSince();
      if (silent_ms >= idle_ms) this.fail(timeout("idle_timeout", `was silent for ${idle_ms} ms`));
      nextLook_ms = Math.min(idle_ms, idle_ms - silent_ms);
    }
  }
}

function timeout(reason: string, what: string): Failure {
  return failure("upstream_timeout", `The upstream server ${what}.`, { reason });
}
