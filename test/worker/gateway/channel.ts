/** Event streams that a test holds the ends of: the upstream's, which it writes, and the gateway's, which it reads. */
import type { Json, JsonObject } from "../../../src/ports.ts";
import { eventsOf, type Seen } from "./support.ts";

export interface Channel {
  readonly response: Response;
  send(message: Json): void;
  /** Bytes as they are. */
  write(text: string): void;
  end(): void;
  /** Resolves when the gateway gave the stream up, by its signal or by cancelling the body. */
  readonly closed: Promise<void>;
  /** Resolves when the gateway has read what was written and waits for more. */
  readonly read: Promise<void>;
}

const encoder = new TextEncoder();

/** A stream for the answer to `seen`. */
export function openChannel(seen: Seen): Channel {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const { promise: read, resolve: wasRead } = Promise.withResolvers<void>();
  let written = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  seen.signal.addEventListener("abort", () => resolve(), { once: true });
  const body = new ReadableStream<Uint8Array>({
    start: (started) => void (controller = started),
    pull: () => {
      if (written) wasRead();
    },
    cancel: () => resolve(),
  });
  const write = (text: string): void => {
    written = true;
    controller?.enqueue(encoder.encode(text));
  };
  return {
    response: new Response(body, { headers: { "content-type": "text/event-stream" } }),
    send: (message) => write(`data: ${JSON.stringify(message)}\n\n`),
    write,
    end: () => controller?.close(),
    closed,
    read,
  };
}

/** Reads the events of a response one by one. */
export class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    if (response.body === null) throw new Error("no body");
    this.#reader = response.body.getReader();
  }

  /** The next event as it is on the wire, comments included; undefined at the end. */
  async raw(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = this.#text.slice(0, end + 2);
        this.#text = this.#text.slice(end + 2);
        return event;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  /** The next message; undefined at the end. */
  async next(): Promise<JsonObject | undefined> {
    for (let event = await this.raw(); event !== undefined; event = await this.raw()) {
      const [message] = eventsOf(event);
      if (message !== undefined) return message;
    }
    return undefined;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
