/**
 * One event stream to the client. Each message is pulled when the client has room for it, so a slow reader slows the upstream
 * down and nothing piles up here. Beside it runs the question whether the client may still have it.
 */
import type { Outcome } from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Result } from "../ports.ts";
import type { Exchange } from "./exchange.ts";
import { failed, type Ending, type Message, type Messages } from "./reply.ts";
import { createSender, type Sender } from "./sender.ts";
import { standing, type ServerName } from "./standing.ts";

export interface Measured {
  readonly outcome: Outcome;
  readonly size_bytes: number;
  readonly size_chars: number;
  readonly upstreams?: Readonly<Record<string, string>>;
}

/** Hands the `mcp.response` event over. Called once for each request. */
export type RecordOutcome = (measured: Measured) => Promise<Result<void, Failure>>;

export interface Streamed {
  readonly messages: Messages;
  /** Servers that may no longer speak here once the principal may no longer use them; undefined where the messages see to it. */
  readonly servers: readonly ServerName[] | undefined;
}

export function releaseStream(exchange: Exchange, streamed: Streamed, record: RecordOutcome): Response {
  return new Response(new ReleasedStream(exchange, streamed, record).body(), {
    status: 200,
    // `x-accel-buffering`: proxies must not hold events back.
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** The sweeper gives a request whose response event is lost the outcome `unknown`; here it is only said. */
export async function logLost(exchange: Exchange, recording: Promise<Result<void, Failure>>): Promise<void> {
  const result = await recording;
  if (!result.ok) exchange.platform.log("error", "An outcome could not be recorded", { tenant: exchange.tenant.id });
}

export async function nextMessage(exchange: Exchange, messages: Messages): Promise<IteratorResult<Message, Ending>> {
  try {
    return await messages.next();
  } catch (cause) {
    exchange.platform.log("error", "A stream failed unexpectedly", { method: exchange.request.methodName, cause });
    const { body, outcome } = failed(failure("internal", undefined, { reason: "internal" }), exchange.request.id);
    return { done: true, value: { body, outcome } };
  }
}

class ReleasedStream {
  readonly #exchange: Exchange;
  readonly #streamed: Streamed;
  readonly #record: RecordOutcome;
  readonly #sender: Sender;
  /** Aborts when everything is said and recorded. */
  readonly #ended = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #recording: Promise<Result<void, Failure>> | undefined;
  #logged: Promise<void> | undefined;
  #pulling: Promise<unknown> | undefined;
  /** What happens once nobody reads any more. */
  #left: Promise<void> | undefined;
  #over = false;
  #silent_since: number;

  constructor(exchange: Exchange, streamed: Streamed, record: RecordOutcome) {
    this.#exchange = exchange;
    this.#streamed = streamed;
    this.#record = record;
    this.#sender = createSender(exchange, streamed.servers?.[0]?.slug);
    this.#silent_since = exchange.platform.ports.clock.now();
  }

  body(): ReadableStream<Uint8Array> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exchange.platform.waitUntil(promise);
    this.#ended.signal.addEventListener("abort", () => resolve(), { once: true });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
        const first = this.#sender.first();
        if (first !== undefined) controller.enqueue(first);
      },
      pull: () => this.#pull(),
      cancel: () => {
        const left = this.#leave();
        // What runs on without the client is nothing that its connection waits for.
        return this.#sender.outlivesClient ? undefined : left;
      },
    });
    // A client that closes the connection cancels the stream; the signals cover one that leaves before it reads.
    const { gone, signal } = this.#exchange;
    for (const given of this.#sender.outlivesClient ? [gone] : [gone, signal]) {
      if (given.aborted) void this.#leave();
      else given.addEventListener("abort", () => void this.#leave(), { once: true });
    }
    if (this.#streamed.servers !== undefined) void this.#watch(this.#streamed.servers);
    return body;
  }

  async #pull(): Promise<void> {
    const stepping = this.#step();
    this.#pulling = stepping;
    const event = await stepping;
    // The client may be gone by now: then what came is kept for it.
    if (this.#left !== undefined) return;
    if (event !== undefined) this.#controller?.enqueue(event);
    if (!this.#over) return;
    this.#controller?.close();
    // Nothing tells whether the last events arrived: a client that lost the connection asks for them.
    await this.#sender.keep(true);
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#logged;
    this.#ended.abort("ended");
  }

  /** The next event; none is left when the stream is over. */
  async #step(): Promise<Uint8Array | undefined> {
    if (this.#over) return undefined;
    const next = await nextMessage(this.#exchange, this.#streamed.messages);
    this.#silent_since = this.#exchange.platform.ports.clock.now();
    if (next.done !== true) return this.#sender.event(next.value);
    const { outcome, body: last } = next.value;
    const recorded = this.#finish(outcome, last ?? "");
    // In strict tenants the response waits for its record: it goes nowhere before that, to no client and into no store.
    const kept = !this.#exchange.snapshot.settings.audit_strict || (await recorded).ok;
    this.#over = true;
    if (last === undefined) return undefined;
    return this.#sender.event(kept ? last : failed(failure("executed_unrecorded"), this.#exchange.request.id).body);
  }

  #finish(outcome: Outcome, last = ""): Promise<Result<void, Failure>> {
    if (this.#recording !== undefined) return this.#recording;
    const { size_bytes, size_chars } = this.#sender.sizes;
    const measured = {
      outcome,
      size_bytes: size_bytes + (last === "" ? 0 : this.#sender.measure(last)),
      size_chars: size_chars + last.length,
    };
    this.#recording = this.#record(measured);
    this.#logged = logLost(this.#exchange, this.#recording);
    return this.#recording;
  }

  #leave(): Promise<void> {
    return (this.#left ??= this.#sender.outlivesClient ? this.#drain() : this.#cancel());
  }

  /** The client of a 2025 revision lost the connection, which cancels nothing: the rest is kept until it comes back. */
  async #drain(): Promise<void> {
    await this.#sender.keep(this.#over);
    await this.#pulling;
    for (await this.#sender.keep(this.#over); !this.#over; await this.#sender.keep(this.#over)) await this.#step();
    await this.#end();
  }

  async #cancel(): Promise<void> {
    await this.#stop({ status: "cancelled" });
    await this.#sender.keep(true);
  }

  async #stop(outcome: Outcome): Promise<void> {
    this.#exchange.abandon();
    await this.#finish(outcome);
    await this.#streamed.messages.return({ outcome });
    this.#over = true;
    await this.#end();
  }

  /** Ends the stream when it may not go on, whether somebody reads it or not; and says now and then that it is there. */
  async #watch(servers: readonly ServerName[]): Promise<void> {
    const { clock } = this.#exchange.platform.ports;
    for (;;) {
      await clock.sleep(limits.streamRecheck_ms, this.#ended.signal);
      if (this.#ended.signal.aborted) return;
      if ((await standing(this.#exchange, servers)) === undefined) return this.#cut();
      const isSilent = clock.now() - this.#silent_since >= limits.listenKeepAlive_ms;
      // Without a word now and then the platform does not notice that the client is gone.
      if (!isSilent || this.#left !== undefined || (this.#controller?.desiredSize ?? 0) <= 0) continue;
      this.#silent_since = clock.now();
      this.#controller?.enqueue(this.#sender.event(""));
    }
  }

  async #cut(): Promise<void> {
    const wasRead = this.#left === undefined;
    this.#left ??= Promise.resolve();
    await this.#stop({ status: "interrupted", reason: "no_longer_allowed" });
    if (wasRead) this.#controller?.close();
  }
}
