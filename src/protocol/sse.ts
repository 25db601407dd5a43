/**
 * Server-sent events, read from an upstream that may be hostile and written so that no data can become a second event.
 * @see WHATWG HTML section 9.2
 */
import { createParser } from "eventsource-parser";

export interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: string;
}

/** Where a stream can be taken up again. The reader keeps it up to date; nothing in it is checked. */
export interface SseCursor {
  /** Of the last event that had one. */
  id: string | undefined;
  /** How long the server asks to wait before that. */
  retry_ms: number | undefined;
}

/** An event, or a line, longer than its bound. */
export class SseOverflow extends Error {
  readonly tag = "sse_overflow";
  constructor(event_bytes: number) {
    super(`An event is longer than ${event_bytes} bytes`);
  }
}

const LF = 0x0a;
const CR = 0x0d;
/** `event: ` is the longest field that a line may start with beside its value. */
const field_bytes = 8;
const encoder = new TextEncoder();

/**
 * Reads events until the stream ends; one that is not complete by then is dropped. Ending the iteration cancels the stream.
 * @param bounds.event_bytes the most that the data of one event, or one line, may have
 * @param cursor kept up to date with what has been read, for who takes the stream up again
 * @throws {SseOverflow} after the events before the overlong one; and what the stream itself throws
 * @see WHATWG HTML section 9.2.6
 */
export async function* readSse(
  stream: ReadableStream<Uint8Array>,
  bounds: { readonly event_bytes: number },
  cursor?: SseCursor,
): AsyncGenerator<SseEvent, void, undefined> {
  const decoder = new SseDecoder(bounds.event_bytes, cursor);
  const reader = stream.getReader();
  let open = true;
  try {
    for (;;) {
      const read = await reader.read().catch((thrown: unknown) => {
        open = false;
        throw thrown;
      });
      if (read.done) {
        open = false;
        return;
      }
      yield* decoder.decode(read.value);
      if (decoder.overflowed) throw new SseOverflow(bounds.event_bytes);
    }
  } finally {
    if (open) await reader.cancel();
  }
}

class SseDecoder {
  overflowed = false;
  readonly #event_bytes: number;
  // The parser strips the byte order mark.
  readonly #utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  readonly #parser;
  #events: SseEvent[] = [];
  /** Text of a line without its end: the parser would copy it with each piece that it is fed. */
  #pieces: string[] = [];
  /** Of the line that the bytes so far end in. The parser skips comments unbuffered, so it does not bound them. */
  #line_bytes = 0;

  constructor(event_bytes: number, cursor: SseCursor | undefined) {
    this.#event_bytes = event_bytes;
    this.#parser = createParser({
      maxBufferSize: event_bytes + field_bytes,
      onEvent: ({ id, event, data }) => {
        // Nothing after the overlong event counts, though it came in the same chunk.
        this.overflowed ||= exceeds(data, event_bytes);
        if (this.overflowed) return;
        this.#events.push({ data, ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }) });
      },
      // For a block without data too, which is no event but moves the place to resume from.
      onId: (id) => {
        if (cursor !== undefined) cursor.id = id;
      },
      onRetry: (retry_ms) => {
        if (cursor !== undefined) cursor.retry_ms = retry_ms;
      },
      onError: (error) => {
        this.overflowed ||= error.type === "max-buffer-size-exceeded";
      },
    });
  }

  /** @returns the events that `chunk` completes */
  decode(chunk: Uint8Array): SseEvent[] {
    const first = firstLineEnd(chunk);
    if (this.#line_bytes + first > this.#event_bytes + field_bytes) {
      this.overflowed = true;
      return [];
    }
    const last = Math.max(chunk.lastIndexOf(LF), chunk.lastIndexOf(CR));
    this.#line_bytes = last === -1 ? this.#line_bytes + chunk.length : chunk.length - 1 - last;
    this.#pieces.push(this.#utf8.decode(chunk, { stream: true }));
    if (last === -1) return [];
    this.#parser.feed(this.#pieces.join(""));
    this.#pieces = [];
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

function firstLineEnd(chunk: Uint8Array): number {
  const lf = chunk.indexOf(LF);
  const cr = (lf === -1 ? chunk : chunk.subarray(0, lf)).indexOf(CR);
  return cr !== -1 ? cr : lf !== -1 ? lf : chunk.length;
}

/** UTF-8 takes one to three bytes for each UTF-16 unit, so most data need not be encoded to know. */
function exceeds(data: string, bytes_max: number): boolean {
  if (data.length > bytes_max) return true;
  return data.length * 3 > bytes_max && encoder.encode(data).length > bytes_max;
}

/**
 * One event. Line breaks in JSON text are insignificant whitespace, since in strings they are escaped: as spaces they cannot
 * end the event.
 * @param json JSON text
 * @param id minted here, never an upstream's
 * @see RFC 8259 section 2; WHATWG HTML section 9.2.5; CVE-2026-29085
 */
export function encodeSse(json: string, id?: string): Uint8Array {
  return encoder.encode(`${id === undefined ? "" : idLine(id)}data: ${json.replace(/[\r\n]+/g, " ")}\n\n`);
}

/**
 * The first event of a stream: without a message, so that a client can resume from before the first one. Only for clients
 * of 2025-11-25, since older ones take it for a broken message.
 * @param retry_ms how long the client is to wait before it connects again
 * @see MCP 2025-11-25 transports, "Sending Messages to the Server"
 */
export function encodeSsePriming(id: string, retry_ms?: number): Uint8Array {
  const retry = retry_ms === undefined ? "" : `retry: ${Math.trunc(retry_ms)}\n`;
  return encoder.encode(`${idLine(id)}${retry}data:\n\n`);
}

/** @throws {TypeError} for what clients could not give back in `Last-Event-ID` */
function idLine(id: string): string {
  if (!/^[\x21-\x7e]+$/.test(id)) throw new TypeError("An event id must be visible ASCII");
  return `id: ${id}\n`;
}

/** A line that clients ignore, to keep the connection open. */
export function encodeSseComment(): Uint8Array {
  return encoder.encode(":\n\n");
}
