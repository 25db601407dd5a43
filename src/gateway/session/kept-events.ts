/**
 * Events of a stream that lost its client, for the `Last-Event-ID` with which it comes back.
 * @see MCP 2025-11-25 transports, "Resumability and Redelivery"
 */
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import { refusal } from "./facts.ts";
import type { Replay } from "./event-rows.ts";
import { askShard } from "./shard.ts";
import type { KeptEvent, SessionContext } from "./types.ts";

/**
 * Keeps events in addition to those that are kept already; past the bounds the oldest go.
 * @param over nothing comes after these
 */
export async function keepEvents(
  context: SessionContext,
  owner: string,
  stream_id: string,
  events: readonly KeptEvent[],
  over: boolean,
): Promise<Result<void, Failure>> {
  const kept = await askShard(context, owner, limits.snapshotFirst_ms, (object) =>
    object.keepEvents(owner, stream_id, events, over),
  );
  if (!kept.ok) return kept;
  return kept.value ? ok(undefined) : err(refusal("session_ended"));
}

/** @returns the events after `after_seq`, or undefined when they are not all there: unknown stream, too late or too many */
export const replayEvents = (
  context: SessionContext,
  owner: string,
  stream_id: string,
  after_seq: number,
): Promise<Result<Replay | undefined, Failure>> =>
  askShard(context, owner, limits.snapshotFirst_ms, (object) => object.replayEvents(owner, stream_id, after_seq));
