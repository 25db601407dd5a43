/**
 * Events of a stream that lost its client, for the `Last-Event-ID` with which it comes back.
 * @see MCP 2025-11-25 transports, "Resumability and Redelivery"
 */
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import type { Missed, Replay } from "./event-rows.ts";
import { refusal } from "./facts.ts";
import { askShard } from "./shard.ts";
import type { KeptEvent, SessionContext } from "./types.ts";

/**
 * Keeps events in addition to those that are kept already; past the bounds the oldest go. Each event of a stream has the number
 * after the one before: a number that is left out is a gap.
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

export const replayEvents = (
  context: SessionContext,
  owner: string,
  missed: Missed,
): Promise<Result<Replay, Failure>> =>
  askShard(
    context,
    owner,
    limits.snapshotFirst_ms,
    async (object): Promise<Replay> => await object.replayEvents(owner, missed),
  );
