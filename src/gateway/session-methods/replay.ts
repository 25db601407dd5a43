/** The rest of a stream whose client lost the connection, while the call behind it may still run. */
import { limits } from "../../limits.ts";
import type { Exchange } from "../exchange.ts";
import type { Ending, Messages } from "../reply.ts";
import type { SeenEvent } from "../sender.ts";
import { replayEvents } from "../session/index.ts";

/** Yields what came after the event that the client saw last. What was never this session's is never found. */
export async function* replay(exchange: Exchange, { stream_id, kind, seq }: SeenEvent): Messages {
  const { session, platform, signal } = exchange;
  const { clock } = platform.ports;
  const done: Ending = { outcome: { status: "ok" } };
  if (session === undefined) return done;
  const called_at = clock.now();
  let seen = seq;
  while (!signal.aborted) {
    const kept = await replayEvents(exchange, session.client.owner, stream_id, seen);
    if (!kept.ok) return { outcome: { status: "error", reason: kept.error.reason ?? kept.error.code } };
    for (const event of kept.value?.events ?? []) {
      seen = event.seq;
      yield event.text;
    }
    // The stream of a session goes on as a new one; a call goes on until its answer.
    if (kind === "session" || kept.value?.over === true) return done;
    const waited_ms = clock.now() - called_at;
    if (waited_ms >= (kept.value === undefined ? limits.replayWait_ms : limits.upstreamTotal_ms)) return done;
    await clock.sleep(limits.replayPoll_ms, signal);
  }
  return { outcome: { status: "cancelled" } };
}
