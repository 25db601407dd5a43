/** The rest of a stream whose client lost the connection, while the call behind it may still run. */
import { limits } from "../../limits.ts";
import { replayEvents } from "../../session/index.ts";
import type { Exchange } from "../exchange.ts";
import type { Ending, Messages } from "../reply.ts";
import { eventId, type SeenEvent } from "../sender.ts";
import { mayUse } from "../standing.ts";

/**
 * Yields what came after the event that the client saw last, each under its own id. What was never this session's is never found,
 * nothing comes after a gap, and a client that came back once more has this one ended.
 */
export async function* replay(exchange: Exchange, { stream_id, kind, slug, seq }: SeenEvent): Messages {
  const { session, platform, signal } = exchange;
  const { clock, random } = platform.ports;
  const done: Ending = { outcome: { status: "ok" } };
  if (session === undefined) return done;
  const called_at = clock.now();
  const resumer = random.uuid();
  let after_seq = seq;
  let pause_ms: number = limits.replayPoll_ms;
  while (!signal.aborted) {
    if (slug !== undefined && !(await mayUse(exchange, slug))) {
      return { outcome: { status: "interrupted", reason: "no_longer_allowed" } };
    }
    const found = await replayEvents(exchange, session.client.owner, { stream_id, after_seq, resumer });
    if (!found.ok) return { outcome: { status: "error", reason: found.error.reason ?? found.error.code } };
    const { value: kept } = found;
    if (kept.kind === "gap" || kept.kind === "replaced") {
      return { outcome: { status: "error", reason: `replay_${kept.kind}` } };
    }
    if (kept.kind === "events") {
      for (const event of kept.events) {
        after_seq = event.seq;
        yield { id: eventId(stream_id, event.seq), text: event.text };
      }
      if (kept.events.length > 0) pause_ms = limits.replayPoll_ms;
    }
    // The stream of a session goes on as a new one; a call goes on until its answer.
    if (kind === "session" || (kept.kind === "events" && kept.over)) return done;
    const waits_ms = clock.now() - called_at + pause_ms;
    if (waits_ms > (kept.kind === "unknown" ? limits.replayWait_ms : limits.upstreamTotal_ms)) return done;
    await clock.sleep(pause_ms, signal);
    pause_ms = Math.min(2 * pause_ms, limits.replayPoll_ms_max);
  }
  return { outcome: { status: "cancelled" } };
}
