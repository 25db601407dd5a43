/** A stream of changes from one server, in whichever way its era has for that. */
import { failure, type Failure } from "../errors.ts";
import { err, type JsonObject, type Result } from "../ports.ts";
import type { Target, UpstreamContext, UpstreamMessage } from "./call.ts";
import { eraOf } from "./era.ts";
import { watchLegacy } from "./watch-legacy.ts";
import { watchModern } from "./watch-modern.ts";

/** By the upstream's own names. */
export interface WatchFilter {
  readonly toolsListChanged?: true;
  readonly promptsListChanged?: true;
  readonly resourcesListChanged?: true;
  readonly resourceSubscriptions?: readonly string[];
  readonly taskIds?: readonly string[];
}

export interface Watch {
  /** What of the filter the server agreed to. */
  readonly acknowledged: JsonObject;
  /** Ends when the server ended it for good. The receiver filters: a server may send what nobody asked for. */
  readonly messages: AsyncGenerator<UpstreamMessage, void, void>;
  /** Lets the server go, at once; needed in every case. */
  close(): Promise<void>;
}

/**
 * @param params of the client's request, with its `_meta`
 * @returns `upstream_refused` with reason `no_stream` from a server that has none
 * @see MCP 2026-07-28 subscriptions; MCP 2025-11-25 streamable HTTP, "Listening for Messages from the Server"
 */
export async function watchUpstream(
  context: UpstreamContext,
  server: Target,
  filter: WatchFilter,
  params: JsonObject,
): Promise<Result<Watch, Failure>> {
  const verdict = await eraOf(context, server);
  if (!verdict.ok) return verdict;
  const closing = new AbortController();
  const closable = { ...context, signal: AbortSignal.any([context.signal, closing.signal]) };
  const close = (): void => closing.abort();
  if (verdict.value.era === "modern") return watchModern(closable, server, filter, params, close);
  if (verdict.value.transport === "streamable") return watchLegacy(closable, server, filter, close);
  // HTTP+SSE: its stream belongs to a handshake of its own, and ends with the one request that it serves here.
  return err(failure("upstream_refused", undefined, { reason: "no_stream" }));
}
