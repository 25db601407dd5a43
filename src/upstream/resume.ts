/**
 * Answers on streams that break off: a server of 2025-11-25 may close the connection and have its client come back for the
 * rest. Never by a second POST: the call may have run.
 * @see MCP 2025-11-25 streamable HTTP, "Resumability and Redelivery"; SEP-1699
 */
import type { Excuse, SafeResponse } from "../egress/index.ts";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Result } from "../ports.ts";
import type { SseCursor } from "../protocol/index.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { get } from "./http.ts";
import { readMessages, type Answered, type Interim } from "./messages.ts";

export const newCursor = (): SseCursor => ({ id: undefined, retry_ms: undefined });

/** Ids that can be sent back in a header; others cannot be resumed from. */
const eventId = new RegExp(`^[\\x21-\\x7e](?:[\\x20-\\x7e]{0,${limits.eventId_chars - 2}}[\\x21-\\x7e])?$`);

/** @returns the header that takes a stream up where it broke off; none when that cannot be said */
export function lastEventHeader({ id }: SseCursor): [string, string][] {
  return id !== undefined && eventId.test(id) ? [["last-event-id", id]] : [];
}

/** The server's wish within bounds: 0 would be a busy loop, and a day no answer. */
export function retryPause_ms({ retry_ms }: SseCursor): number {
  return Math.min(limits.streamRetry_ms_max, Math.max(limits.streamRetry_ms_min, retry_ms ?? limits.streamRetry_ms));
}

export interface Resumable {
  readonly id: string | number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly batches: boolean;
  /** Milliseconds since the Unix epoch after which nobody waits for the answer. */
  readonly until: number;
  readonly excuse: Excuse;
}

/** As `readMessages`, and the rest of a stream that ends or breaks before the answer. Without an event id it stays broken. */
export async function* readResumably(
  context: UpstreamContext,
  server: Target,
  response: SafeResponse,
  request: Resumable,
): AsyncGenerator<Interim, Result<Answered, Failure>, void> {
  const cursor = newCursor();
  const reading = { batches: request.batches, cursor };
  let read = yield* readMessages(response, request.id, reading);
  for (let at = 0; at < limits.streamReconnects_count && !read.ok && isBrokenOff(read.error); at++) {
    const again = await reconnect(context, server, request, cursor);
    if (again === undefined) return read;
    if (again.ok) read = yield* readMessages(again.value, request.id, reading);
    else read = again;
  }
  return read;
}

/** The stream ended or broke, or could not be reached again: the server may still hold the answer. */
const isBrokenOff = ({ code, reason }: Failure): boolean =>
  reason === "stream_ended" || code === "upstream_unreachable";

/** @returns undefined when there is nothing to come back to */
async function reconnect(
  context: UpstreamContext,
  server: Target,
  request: Resumable,
  cursor: SseCursor,
): Promise<Result<SafeResponse, Failure> | undefined> {
  const { clock } = context.platform.ports;
  const resumption = lastEventHeader(cursor);
  const pause_ms = retryPause_ms(cursor);
  if (resumption.length === 0 || clock.now() + pause_ms >= request.until) return undefined;
  await clock.sleep(pause_ms, context.signal);
  const response = await get(context, server, {
    headers: [...request.headers, ...resumption],
    total_ms: Math.max(1, request.until - clock.now()),
    excuse: request.excuse,
  });
  if (!response.ok || (response.value.status === 200 && response.value.contentType === "text/event-stream")) {
    return response;
  }
  await response.value.discard();
  return undefined;
}
