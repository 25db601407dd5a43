/**
 * The events of one response stream. Streams of the 2025 revisions have event ids, and what was sent is held for a while: when
 * the client loses the connection it is kept in the session's object, where its next connection finds it. As long as all goes
 * well nothing is stored.
 * @see MCP 2025-11-25 transports, "Resumability and Redelivery"
 */
import { base64url } from "jose";
import { limits } from "../limits.ts";
import { encodeSse, encodeSseComment, encodeSsePriming } from "../protocol/index.ts";
import type { Exchange } from "./exchange.ts";
import { keepEvents, type KeptEvent } from "./session/index.ts";

export interface Sender {
  /** Of everything sent so far. */
  readonly sizes: { size_bytes: number; size_chars: number };
  /** Whether the request goes on when its client is gone. */
  readonly outlivesClient: boolean;
  /** What the stream starts with before there is anything to say. */
  first(): Uint8Array | undefined;
  /** Bytes that the event of this message would have. */
  measure(message: string): number;
  /** @param message JSON; an empty one stands for "still here" */
  event(message: string): Uint8Array;
  /** Stores what was sent since the last time. @param over whether that is all */
  keep(over: boolean): Promise<void>;
}

/** The method by which the exchange of a session's own stream goes. */
export const streamMethod = "GET";

export function createSender(exchange: Exchange): Sender {
  const { session } = exchange;
  return session === undefined
    ? plainSender()
    : resumableSender(exchange, session.client.owner, session.client.version >= "2025-11-25");
}

function plainSender(): Sender {
  const sizes = { size_bytes: 0, size_chars: 0 };
  return {
    sizes,
    outlivesClient: false,
    first: () => undefined,
    measure: (message) => encodeSse(message).byteLength,
    event: (message) => count(sizes, message, message === "" ? encodeSseComment() : encodeSse(message)),
    keep: () => Promise.resolve(),
  };
}

function count(sizes: Sender["sizes"], message: string, event: Uint8Array): Uint8Array {
  sizes.size_bytes += event.byteLength;
  sizes.size_chars += message.length;
  return event;
}

function resumableSender(exchange: Exchange, owner: string, primes: boolean): Sender {
  const sizes = { size_bytes: 0, size_chars: 0 };
  const isStream = exchange.request.methodName === streamMethod;
  const lastSeen = isStream ? parseEventId(exchange.headers.get("last-event-id") ?? "") : undefined;
  // The rest of a call's stream goes on under its own ids, and is kept already.
  const resumed = lastSeen?.kind === "call" ? lastSeen : undefined;
  const fresh_id = (isStream ? "s" : "c") + base64url.encode(exchange.platform.ports.random.bytes(12));
  const stream_id = resumed?.stream_id ?? fresh_id;
  const held = new HeldEvents();
  let seq = resumed?.seq ?? 0;
  return {
    sizes,
    outlivesClient: !isStream,
    // Older clients take an event without data for a broken one (SEP-1699 came with 2025-11-25).
    first: () => (primes ? encodeSsePriming(`${stream_id}.${seq}`) : undefined),
    measure: (message) => encodeSse(message, `${stream_id}.${seq + 1}`).byteLength,
    event(message) {
      if (message === "") return count(sizes, message, encodeSseComment());
      seq += 1;
      held.add({ seq, text: message });
      return count(sizes, message, encodeSse(message, `${stream_id}.${seq}`));
    },
    async keep(over) {
      if (resumed !== undefined) return;
      const kept = await keepEvents(exchange, owner, stream_id, held.take(), over);
      if (!kept.ok) exchange.platform.log("warn", "Events could not be kept", { reason: kept.error.reason });
    },
  };
}

/** The last event that a client saw. */
export interface SeenEvent {
  readonly stream_id: string;
  readonly kind: "call" | "session";
  readonly seq: number;
}

/** @returns undefined for what is no event id of ours */
export function parseEventId(id: string): SeenEvent | undefined {
  const { letter, rest, seq } = /^(?<letter>[cs])(?<rest>[A-Za-z0-9_-]{16})\.(?<seq>\d{1,9})$/.exec(id)?.groups ?? {};
  if (letter === undefined || rest === undefined || seq === undefined) return undefined;
  return { stream_id: letter + rest, kind: letter === "s" ? "session" : "call", seq: Number(seq) };
}

/** The newest events within the bounds: older ones surely arrived. */
class HeldEvents {
  #events: KeptEvent[] = [];
  #chars = 0;

  add(event: KeptEvent): void {
    this.#events.push(event);
    this.#chars += event.text.length;
    while (
      this.#events.length > limits.keptEvents_count ||
      (this.#chars > limits.keptEvents_bytes && this.#events.length > 1)
    ) {
      this.#chars -= this.#events.shift()?.text.length ?? 0;
    }
  }

  take(): KeptEvent[] {
    const taken = this.#events;
    this.#events = [];
    this.#chars = 0;
    return taken;
  }
}
