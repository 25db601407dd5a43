/**
 * The events of one response stream. Streams of the 2025 revisions have event ids, and what was sent lately is held: when the
 * client loses the connection, or the stream ends, it is kept in the session's object, where the client's next connection finds it.
 * @see MCP 2025-11-25 transports, "Resumability and Redelivery"
 */
import { base64url } from "jose";
import { encodeSse, encodeSseComment, encodeSsePriming } from "../protocol/index.ts";
import type { ClientSession } from "../session/index.ts";
import { EventKeeper } from "./event-keeper.ts";
import type { Exchange } from "./exchange.ts";
import type { Message } from "./reply.ts";

export interface Sender {
  /** Of everything sent so far. */
  readonly sizes: { size_bytes: number; size_chars: number };
  /** Whether the request goes on when its client is gone. */
  readonly outlivesClient: boolean;
  /** What the stream starts with before there is anything to say. */
  first(): Uint8Array | undefined;
  event(message: Message): Uint8Array;
  /** @returns bytes of the event that `message` would be next */
  measure(message: string): number;
  /**
   * Has what was sent stored, soon rather than at once: to be called after each event that nobody reads. Resolves when the next
   * one may be sent or, at the end, when it is done.
   * @param over whether that is all
   */
  keep(over: boolean): Promise<void>;
}

/** The method by which the exchange of a session's own stream goes. */
export const streamMethod = "GET";

/** @param slug of the server that speaks on the stream, where it is one */
export function createSender(exchange: Exchange, slug?: string): Sender {
  return exchange.session === undefined ? plainSender() : resumableSender(exchange, exchange.session.client, slug);
}

function plainSender(): Sender {
  const sizes = { size_bytes: 0, size_chars: 0 };
  return {
    sizes,
    outlivesClient: false,
    first: () => undefined,
    event: (message) => count(sizes, message),
    measure: (message) => encode(message).byteLength,
    keep: () => Promise.resolve(),
  };
}

function encode(message: Message): Uint8Array {
  if (message === "") return encodeSseComment();
  return typeof message === "string" ? encodeSse(message) : encodeSse(message.text, message.id);
}

function count(sizes: Sender["sizes"], message: Message): Uint8Array {
  const event = encode(message);
  sizes.size_bytes += event.byteLength;
  sizes.size_chars += typeof message === "string" ? message.length : message.text.length;
  return event;
}

function resumableSender(exchange: Exchange, { owner, version }: ClientSession, slug: string | undefined): Sender {
  const sizes = { size_bytes: 0, size_chars: 0 };
  const isStream = exchange.request.methodName === streamMethod;
  const lastSeen = isStream ? parseEventId(exchange.headers.get("last-event-id") ?? "") : undefined;
  const own = (isStream ? "s" : "c") + base64url.encode(exchange.platform.ports.random.bytes(12));
  const stream_id = slug === undefined ? own : `${own}~${slug}`;
  const keeper = new EventKeeper(exchange, owner, stream_id);
  let seq = 0;
  return {
    sizes,
    outlivesClient: !isStream,
    // Older clients take an event without data for a broken one (SEP-1699 came with 2025-11-25). A client that comes back stays
    // where it was until it has what it missed.
    first: () =>
      version >= "2025-11-25"
        ? encodeSsePriming(eventId(lastSeen?.stream_id ?? stream_id, lastSeen?.seq ?? seq))
        : undefined,
    event(message) {
      // What has an id is kept already.
      if (typeof message !== "string" || message === "") return count(sizes, message);
      seq += 1;
      keeper.hold({ seq, text: message });
      return count(sizes, { id: eventId(stream_id, seq), text: message });
    },
    measure: (message) => encode({ id: eventId(stream_id, seq + 1), text: message }).byteLength,
    async keep(over) {
      // That a call runs is worth knowing even before it says anything; a session's stream nobody waits for.
      if (!isStream || !keeper.isEmpty) await keeper.keep(over);
    },
  };
}

export const eventId = (stream_id: string, seq: number): string => `${stream_id}.${seq}`;

/** The last event that a client saw. */
export interface SeenEvent {
  readonly stream_id: string;
  readonly kind: "call" | "session";
  /** Of the server that spoke on it. Part of the stream's name, so that no other finds the stream. */
  readonly slug: string | undefined;
  readonly seq: number;
}

/** @returns undefined for what is no event id of ours */
export function parseEventId(id: string): SeenEvent | undefined {
  const { stream_id, letter, slug, seq } = form.exec(id)?.groups ?? {};
  if (stream_id === undefined || seq === undefined) return undefined;
  return { stream_id, kind: letter === "s" ? "session" : "call", slug, seq: Number(seq) };
}

const form = /^(?<stream_id>(?<letter>[cs])[A-Za-z0-9_-]{16}(?:~(?<slug>[a-z0-9-]{1,32}))?)\.(?<seq>\d{1,9})$/;
