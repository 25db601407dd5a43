/** The messages of an upstream response, whether it is one JSON body or an event stream. */
import { EgressAbort, type SafeResponse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import {
  encodeResponse,
  parseFaithful,
  readServerMessage,
  readSse,
  SseOverflow,
  stringifyFaithful,
  type RpcResponse,
  type ServerMessage,
  type SseCursor,
  type SseEvent,
} from "../protocol/index.ts";

export interface Answered {
  readonly response: RpcResponse;
  readonly text: string;
  readonly status: number;
  /** Whether it names our request; false for an error of a server that could not tell which one it was. */
  readonly isPlaced: boolean;
}

export type ReadMessage = ServerMessage & { readonly text: string };

/** A message before the answer: a notification, or a request of the server's (2025 revisions only). */
export type Interim = Exclude<ReadMessage, { kind: "response" }>;

export interface Reading {
  /** JSON-RPC batches are read as their messages. Only 2025-03-26 has them. */
  readonly batches?: boolean;
  /** Kept up to date for who takes the stream up again. */
  readonly cursor?: SseCursor;
}

const invalid = (reason: string): Failure => failure("upstream_invalid", undefined, { reason });

/**
 * Yields what comes before the answer to request `id`, and returns the answer. Messages that answer another id, or that
 * are not JSON-RPC, are dropped: they can belong to nobody here.
 */
export async function* readMessages(
  response: SafeResponse,
  id: string | number,
  reading: Reading = {},
): AsyncGenerator<Interim, Result<Answered, Failure>, void> {
  if (response.contentType === "application/json") return yield* readBody(response, id, reading);
  const messages = readStream(response, reading);
  try {
    return yield* untilAnswer(messages, id, response.status);
  } finally {
    await messages.return(ok(undefined));
  }
}

/** The same from a stream that goes on after the answer. */
export async function* untilAnswer(
  messages: MessageStream,
  id: string | number,
  status: number,
): AsyncGenerator<Interim, Result<Answered, Failure>, void> {
  for (;;) {
    const next = await messages.next();
    if (next.done === true) return next.value.ok ? err(invalid("stream_ended")) : next.value;
    const message = next.value;
    if (message.kind !== "response") yield message;
    else if (message.id === id) return ok({ response: message.response, text: message.text, status, isPlaced: true });
  }
}

export type MessageStream = AsyncGenerator<ReadMessage, Result<void, Failure>, void>;

/** All messages of an event stream, until it ends. */
export async function* readStream(response: SafeResponse, reading: Reading = {}): MessageStream {
  if (response.contentType !== "text/event-stream" || response.body === null) {
    await response.discard();
    return err(invalid(`upstream_http_${response.status}`));
  }
  return yield* readEvents(readSse(response.body, { event_bytes: limits.sseEvent_bytes }, reading.cursor), reading);
}

/** The messages of events, as far as they have not been read. */
export async function* readEvents(events: AsyncGenerator<SseEvent, void>, reading: Reading = {}): MessageStream {
  try {
    for await (const event of events) yield* readTexts(event.data, reading.batches === true);
    return ok(undefined);
  } catch (thrown) {
    return err(streamFailure(thrown));
  }
}

/** What ended a stream before its time. @throws what is none of it */
export function streamFailure(thrown: unknown): Failure {
  if (thrown instanceof EgressAbort) return thrown.failure;
  if (thrown instanceof SseOverflow) return failure("upstream_too_large", undefined, { reason: "sse_event" });
  throw thrown;
}

async function* readBody(
  response: SafeResponse,
  id: string | number,
  reading: Reading,
): AsyncGenerator<Interim, Result<Answered, Failure>, void> {
  const { status } = response;
  const text = await response.text();
  if (!text.ok) return text;
  const messages = readTexts(text.value, reading.batches === true);
  for (const message of messages) {
    if (message.kind !== "response") {
      // Beside the answer there is room for others in a batch only.
      if (messages.length > 1) yield message;
      continue;
    }
    const { response: answer, id: answered } = message;
    if (answered === id) return ok({ response: answer, text: message.text, status, isPlaced: true });
    // JSON-RPC 2.0 section 5: an error without an id, in the one answer to the one request.
    if (messages.length === 1 && answered === undefined && answer.kind === "error") {
      return ok({ response: answer, text: encodeResponse(id, answer), status, isPlaced: false });
    }
  }
  return err(invalid("answer_mismatch"));
}

/** The message of a text; of a batch each, in its order. What is no message is left out. */
function readTexts(text: string, batches: boolean): ReadMessage[] {
  if (text === "") return [];
  const texts = batches && /^\s*\[/.test(text) ? batchTexts(text) : [text];
  return texts.flatMap((one) => {
    const message = readServerMessage(one);
    return message === undefined ? [] : [{ ...message, text: one }];
  });
}

/**
 * Each message of a batch is written anew, so that what is read here is what goes on.
 * @see JSON-RPC 2.0 section 6; MCP 2025-03-26 streamable HTTP, "Sending Messages to the Server"
 */
function batchTexts(text: string): string[] {
  try {
    const batch = parseFaithful(text);
    if (!Array.isArray(batch) || batch.length > limits.batchMessages_count) return [];
    return batch.map(stringifyFaithful);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return [];
    throw thrown;
  }
}

/** The answer alone, for who has no use for what comes before it. */
export async function readAnswer(
  response: SafeResponse,
  id: string | number,
  reading?: Reading,
): Promise<Result<Answered, Failure>> {
  const messages = readMessages(response, id, reading);
  let next = await messages.next();
  while (next.done !== true) next = await messages.next();
  return next.value;
}
