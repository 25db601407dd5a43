/**
 * What one stream sent lately, in memory while its client is there and in the session's object once it is not. Writes are
 * coalesced: a server that goes on talking to nobody must not keep an object busy that it shares with other sessions (RX-11).
 */
import { limits } from "../limits.ts";
import { keepEvents, type KeptEvent } from "../session/index.ts";
import type { Exchange } from "./exchange.ts";

export class EventKeeper {
  readonly #exchange: Exchange;
  readonly #owner: string;
  readonly #stream_id: string;
  /** Aborts with the last write, and with it the pause before another one. */
  readonly #over = new AbortController();
  #events: KeptEvent[] = [];
  #chars = 0;
  /** From the first write on nothing is dropped unwritten: the caller waits instead. */
  #isKeeping = false;
  #isPausing = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(exchange: Exchange, owner: string, stream_id: string) {
    this.#exchange = exchange;
    this.#owner = owner;
    this.#stream_id = stream_id;
  }

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  /** While the client is there the newest are held: older ones surely arrived. */
  hold(event: KeptEvent): void {
    this.#events.push(event);
    this.#chars += event.text.length;
    if (!this.#isKeeping) this.#trim();
  }

  /**
   * Writes what is held, at once or within `limits.replayPoll_ms` after the last write. Resolves when there is room for more or,
   * with `over`, when the attempt to write everything was made.
   */
  async keep(over: boolean): Promise<void> {
    this.#isKeeping = true;
    if (over) this.#over.abort();
    if (over || this.#isFull()) return this.#write(over);
    if (!this.#isPausing) void this.#writeAndPause();
  }

  async #writeAndPause(): Promise<void> {
    this.#isPausing = true;
    do {
      await this.#write(false);
      await this.#exchange.platform.ports.clock.sleep(limits.replayPoll_ms, this.#over.signal);
    } while (!this.#over.signal.aborted && !this.isEmpty);
    this.#isPausing = false;
  }

  /** One after the other: the object takes a later event that comes first for a gap. */
  #write(over: boolean): Promise<void> {
    this.#writing = this.#writing.then(() => this.#send(over));
    return this.#writing;
  }

  /** What could not be written goes with the next write, as far as there is room. */
  async #send(over: boolean): Promise<void> {
    const events = [...this.#events];
    const kept = await keepEvents(this.#exchange, this.#owner, this.#stream_id, events, over);
    // A session that is over has nobody who comes back for them.
    if (!kept.ok && kept.error.reason !== "session_ended") {
      this.#exchange.platform.log("warn", "Events could not be kept", { reason: kept.error.reason });
      return this.#trim();
    }
    this.#events = this.#events.slice(events.length);
    for (const { text } of events) this.#chars -= text.length;
  }

  #isFull(): boolean {
    return this.#events.length > limits.keptEvents_count || this.#chars > limits.heldEvents_chars;
  }

  #trim(): void {
    while (this.#isFull() && this.#events.length > 1) this.#chars -= this.#events.shift()?.text.length ?? 0;
  }
}
