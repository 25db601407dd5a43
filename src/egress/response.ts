/** The answer of an upstream as the rest of the program gets it: bounded in bytes and time, and read at the reader's pace. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { EgressAbort, Exchange } from "./exchange.ts";
import { cancelBody, openSource } from "./source.ts";

export interface SafeResponse {
  readonly status: number;
  /** As received: what of it may go on to a client is not decided here. */
  readonly headers: Headers;
  /** Media type without parameters in lower case, or "". */
  readonly contentType: string;
  /** Errors with an `EgressAbort` when a bound is broken. Either this or `text()` is used, and once. */
  readonly body: ReadableStream<Uint8Array> | null;
  /** The whole body as UTF-8; bytes that are none are `upstream_invalid`. */
  text(): Promise<Result<string, Failure>>;
  /** Gives the connection back without reading on. An answer that is neither read nor discarded keeps it open until the deadline. */
  discard(): Promise<void>;
}

export interface BodyCaps {
  /** Decoded bytes of a plain body. */
  readonly body_bytes: number;
  /** Decoded bytes of a `text/event-stream` body. */
  readonly stream_bytes: number;
}

function essence(headers: Headers): string {
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  return type.trim().toLowerCase();
}

const tooLarge = (cap_bytes: number): Failure =>
  failure("upstream_too_large", `The upstream server's answer has more than ${cap_bytes} bytes.`, {
    reason: "response_too_large",
  });

const brokenOff = (): Failure =>
  failure("upstream_unreachable", "The connection to the upstream server broke off.", { reason: "connection_lost" });

const notUtf8 = (): Failure =>
  failure("upstream_invalid", "The upstream server's answer is not valid UTF-8.", { reason: "response_not_utf8" });

const discarded = (): Failure => failure("cancelled", undefined, { reason: "response_discarded" });

/** The length that frames the body on the wire. Of a compressed body it says nothing about the decoded bytes, which are counted. */
function announcedBytes(headers: Headers): number | undefined {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding") ? undefined : Number(length);
}

type Read = () => Promise<Result<Uint8Array | undefined, EgressAbort>>;

/** A reader that counts decoded bytes (a few kilobytes of gzip may hold hundreds of megabytes) and ends the exchange. */
function boundedReader(stream: ReadableStream<Uint8Array>, exchange: Exchange, cap_bytes: number): Read {
  const source = openSource(stream);
  let seen_bytes = 0;
  let open = true;
  exchange.onEnd((abort) => {
    // The rejection would repeat the error for which the source is given up.
    if (open) source.cancel(abort).catch(() => undefined);
  });

  return async function read() {
    exchange.awaitUpstream();
    let chunk: Uint8Array | undefined;
    try {
      chunk = await source.read();
      if (chunk === undefined) {
        open = false;
        exchange.complete();
      } else {
        exchange.heardUpstream();
        seen_bytes += chunk.byteLength;
        if (seen_bytes > cap_bytes) exchange.fail(tooLarge(cap_bytes));
      }
    } catch {
      open = false;
      exchange.fail(brokenOff());
    }
    return exchange.abort === undefined ? ok(chunk) : err(exchange.abort);
  };
}

/** No read-ahead: the source is pulled when the reader pulls, so that a slow client slows the upstream and not our memory. */
function pulledStream(read: Read, exchange: Exchange): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        // At once, not at the next read: a reader that waits for its own client must learn of the deadline too.
        exchange.onEnd((abort) => {
          if (abort !== undefined) controller.error(abort);
        });
      },
      async pull(controller) {
        const chunk = await read();
        if (!chunk.ok) return;
        if (chunk.value === undefined) controller.close();
        else controller.enqueue(chunk.value);
      },
      cancel: () => exchange.end(),
    },
    { highWaterMark: 0 },
  );
}

/** Used for whole bodies only, so it keeps nothing from one to the next. */
const wholeBody = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Bodies of an announced length up to this are read by the platform in one go; it counts as one wait for the upstream. */
const atOnce_bytes = 256 * 1024;

/** The cheap way for the common answer: half the time of reading it piece by piece, and bounded by its announced length. */
async function readAtOnce(response: Response, exchange: Exchange, cap_bytes: number): Promise<Result<string, Failure>> {
  exchange.awaitUpstream();
  const bytes = await new Promise<ArrayBuffer | undefined>((resolve) => {
    exchange.onEnd(() => resolve(undefined));
    response.arrayBuffer().then(resolve, () => exchange.fail(brokenOff()));
  });
  if (bytes === undefined) return err(exchange.fail(brokenOff()));
  if (bytes.byteLength > cap_bytes) return err(exchange.fail(tooLarge(cap_bytes)));
  exchange.complete();
  try {
    return ok(wholeBody.decode(bytes));
  } catch {
    return err(notUtf8());
  }
}

/** Most answers are one chunk: they are decoded at once, without a decoder of their own. */
async function readText(read: Read, exchange: Exchange): Promise<Result<string, Failure>> {
  const first = await read();
  if (!first.ok) return err(first.error.failure);
  if (first.value === undefined) return ok("");
  let chunk = await read();
  try {
    if (chunk.ok && chunk.value === undefined) return ok(wholeBody.decode(first.value));
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
    let text = decoder.decode(first.value, { stream: true });
    for (; chunk.ok && chunk.value !== undefined; chunk = await read()) {
      text += decoder.decode(chunk.value, { stream: true });
    }
    return chunk.ok ? ok(text + decoder.decode()) : err(chunk.error.failure);
  } catch {
    return err(exchange.fail(notUtf8()));
  }
}

/**
 * Puts the bounds around an answer.
 * @returns `upstream_too_large` when the announced length alone breaks the cap
 */
export function boundedResponse(response: Response, exchange: Exchange, caps: BodyCaps): Result<SafeResponse, Failure> {
  const { status, headers, body: source } = response;
  const contentType = essence(headers);
  const cap_bytes = contentType === "text/event-stream" ? caps.stream_bytes : caps.body_bytes;
  const announced_bytes = announcedBytes(headers) ?? Infinity;
  if (announced_bytes !== Infinity && announced_bytes > cap_bytes) {
    cancelBody(response);
    return err(exchange.fail(tooLarge(cap_bytes)));
  }
  let taken = false;
  let stream: ReadableStream<Uint8Array> | undefined;
  if (source === null) exchange.end();
  else {
    exchange.onEnd(() => {
      if (!taken) cancelBody(response);
    });
  }
  const take = (): ReadableStream<Uint8Array> => {
    if (source === null || taken) throw new Error("The body of this answer was taken already.");
    taken = true;
    return source;
  };
  return ok({
    status,
    headers,
    contentType,
    get body() {
      if (source === null) return null;
      stream ??= pulledStream(boundedReader(take(), exchange, cap_bytes), exchange);
      return stream;
    },
    async text() {
      if (source === null) return ok("");
      if (!taken && exchange.abort !== undefined) return err(exchange.abort.failure);
      const body = take();
      return announced_bytes <= atOnce_bytes
        ? readAtOnce(response, exchange, cap_bytes)
        : readText(boundedReader(body, exchange, cap_bytes), exchange);
    },
    async discard() {
      // A failure, not an end: whoever still reads must not take the part that came for the whole.
      exchange.fail(discarded());
    },
  });
}
