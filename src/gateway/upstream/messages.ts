/** The messages of an upstream response, whether it is one JSON body or an event stream. */
import { EgressAbort, type SafeResponse } from "../../egress/index.ts";
import { failure, type Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import {
  encodeResponse,
  readServerMessage,
  readSse,
  SseOverflow,
  type RpcResponse,
  type ServerMessage,
} from "../../protocol/index.ts";

export interface Answered {
  readonly response: RpcResponse;
  readonly text: string;
  readonly status: number;
  /** Whether it names our request; false for an error of a server that could not tell which one it was. */
  readonly isPlaced: boolean;
}

/** A message before the answer: a notification, or a request of the server's (2025 revisions only). */
export type Interim = Exclude<ServerMessage, { kind: "response" }> & { readonly text: string };

const invalid = (reason: string): Failure => failure("upstream_invalid", undefined, { reason });

/**
 * Yields what comes before the answer to request `id`, and returns the answer. Messages that answer another id, or that
 * are not JSON-RPC, are dropped: they can belong to nobody here.
 */
export async function* readMessages(
  response: SafeResponse,
  id: string | number,
): AsyncGenerator<Interim, Result<Answered, Failure>, void> {
  const { status } = response;
  try {
    if (response.contentType === "application/json") {
      const text = await response.text();
      if (!text.ok) return text;
      const message = readServerMessage(text.value);
      if (message?.kind !== "response") return err(invalid("answer_mismatch"));
      const { response: answer, id: answered } = message;
      if (answered === id) return ok({ response: answer, text: text.value, status, isPlaced: true });
      // JSON-RPC 2.0 section 5: an error without an id, in the one answer to the one request.
      if (answered !== undefined || answer.kind !== "error") return err(invalid("answer_mismatch"));
      return ok({ response: answer, text: encodeResponse(id, answer), status, isPlaced: false });
    }
    if (response.contentType !== "text/event-stream" || response.body === null) {
      await response.discard();
      return err(failure("upstream_invalid", undefined, { reason: `upstream_http_${status}` }));
    }
    for await (const event of readSse(response.body, { event_bytes: limits.sseEvent_bytes })) {
      const message = event.data === "" ? undefined : readServerMessage(event.data);
      if (message === undefined) continue;
      if (message.kind === "response") {
        if (message.id !== id) continue;
        return ok({ response: message.response, text: event.data, status, isPlaced: true });
      }
      yield { ...message, text: event.data };
    }
    return err(invalid("stream_ended"));
  } catch (thrown) {
    if (thrown instanceof EgressAbort) return err(thrown.failure);
    if (thrown instanceof SseOverflow) return err(failure("upstream_too_large", undefined, { reason: "sse_event" }));
    throw thrown;
  }
}

/** The answer alone, for who has no use for what comes before it. */
export async function readAnswer(response: SafeResponse, id: string | number): Promise<Result<Answered, Failure>> {
  const messages = readMessages(response, id);
  let next = await messages.next();
  while (next.done !== true) next = await messages.next();
  return next.value;
}
