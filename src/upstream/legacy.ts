/** A request to a server of 2025-03-26 to 2025-11-25 over Streamable HTTP, in the session of its owner. */
import { BoundedMap } from "../bounded-map.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { isObject, META } from "../protocol/index.ts";
import type { UpstreamSession } from "../session/index.ts";
import type { Tell } from "./asks.ts";
import type { Target, UpstreamAnswer, UpstreamCall, UpstreamContext, UpstreamMessage, UpstreamReply } from "./call.ts";
import { isAnotherEra } from "./era-evidence.ts";
import { post, refusedStatus } from "./http.ts";
import { hasBatches } from "./legacy-handshake.ts";
import { cancel, converse, encodeHop, finish, mayStillRun, toHop } from "./legacy-hop.ts";
import {
  closeUpstreamSession,
  forgetSession,
  legacySession,
  neverAborted,
  sessionHeaders,
  setLogLevel,
  tell,
} from "./legacy-session.ts";
import { readAnswer, type Answered } from "./messages.ts";
import { readResumably } from "./resume.ts";

export async function* legacyRequest(context: UpstreamContext, server: Target, call: UpstreamCall): UpstreamReply {
  // A session that the server no longer knows is refused before anything ran: one more try on a new one is safe.
  for (const attempt of ["first", "renewed"] as const) {
    const session = call.session === undefined ? await legacySession(context, server, call.total_ms) : ok(call.session);
    if (!session.ok) return session;
    const isRenewable = attempt === "first" && call.session === undefined;
    const answered = yield* requestIn(context, server, session.value, call, isRenewable);
    if (answered === "session_lost") continue;
    if (isAnotherEra(answered)) await forgetSession(context, server, session.value);
    return answered;
  }
  return err(failure("upstream_refused", undefined, { reason: "session_lost" }));
}

/** @param isRenewable whether a lost session is given up, instead of being a failure */
async function* requestIn(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  call: UpstreamCall,
  isRenewable: boolean,
): AsyncGenerator<UpstreamMessage, Result<UpstreamAnswer, Failure> | "session_lost", void> {
  const { platform } = context;
  const hop = toHop(context, call);
  const headers = sessionHeaders(session);
  const batches = hasBatches(session.version);
  const tellNow: Tell = (body) => tell(context, server, session, body, { total_ms: limits.eraProbe_ms });
  const tellEnd: Tell = (body) =>
    tell(context, server, session, body, { total_ms: limits.eraProbe_ms, signal: neverAborted() });
  /** Whether the server is to be told that the session has no use any more. */
  let isDone = context.owner === undefined && call.session === undefined;
  try {
    await applyLogLevel(context, server, session, call);
    const until = platform.ports.clock.now() + call.total_ms;
    const { excuse } = hop;
    const response = await post(context, server, { headers, body: encodeHop(hop), total_ms: call.total_ms, excuse });
    if (!response.ok) {
      if (mayStillRun(response.error)) platform.waitUntil(cancel(context, server, hop, tellEnd));
      return response;
    }
    const { status } = response.value;
    if (isRenewable && session.id !== undefined && (status === 404 || status === 400)) {
      const answered = await readAnswer(response.value, hop.id, { batches });
      if (status === 400 && !isLostSession(answered)) return answered.ok ? ok(finish(hop, answered.value)) : answered;
      await forgetSession(context, server, session);
      // 404 says that it is gone; 400 may have meant something else.
      isDone = status === 400;
      return "session_lost";
    }
    if (status !== 200 && status !== 400) return err(await refusedStatus(response.value));
    const messages = readResumably(context, server, response.value, { id: hop.id, headers, batches, until, excuse });
    return yield* converse(context, server, hop, messages, { tell: tellNow, tellEnd });
  } finally {
    if (isDone) platform.waitUntil(closeUpstreamSession(context, server, session));
  }
}

/**
 * A conforming server answers 404 when it no longer knows the session; others 400, with an error that names no request, since
 * they could not place it, or with no JSON-RPC at all. An error with our id may come from a tool that ran.
 */
function isLostSession(answered: Result<Answered, Failure>): boolean {
  if (!answered.ok) return answered.error.code === "upstream_invalid";
  const { response, isPlaced } = answered.value;
  return !isPlaced && response.kind === "error" && (response.error.code === -32000 || response.error.code === -32600);
}

/** The level that this isolate last set in a session which clients of 2026-07-28 share. */
const levels = new BoundedMap<string>(limits.legacySessions_count);

/**
 * The level is a property of the request in 2026, and of the session in 2025, where the client's own is set when the session
 * opens. A failure leaves the call without logs.
 */
async function applyLogLevel(
  context: UpstreamContext,
  server: Target,
  session: UpstreamSession,
  { params }: UpstreamCall,
): Promise<void> {
  if (context.era === "legacy") return;
  const level = isObject(params["_meta"]) ? params["_meta"][META.logLevel] : undefined;
  if (typeof level !== "string") return;
  const key = JSON.stringify([context.tenant.id, context.owner, server.id, session.id]);
  if (levels.get(key) === level) return;
  if (await setLogLevel(context, server, session, level)) levels.set(key, level);
}
