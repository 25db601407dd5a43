/**
 * `DELETE`: the end of a session, for ever. Its sessions with upstream servers end with it.
 * @see MCP 2025-11-25 transports, "Session Management"
 */
import { failure } from "../../errors.ts";
import { endSession, type Facts } from "../../session/index.ts";
import { closeUpstreamSession } from "../../upstream/index.ts";
import { contextOf, type Exchange } from "../exchange.ts";
import { refusedWithoutId, type Reply } from "../reply.ts";

export async function end(exchange: Exchange): Promise<Reply> {
  const { session, platform } = exchange;
  if (session === undefined) return refusedWithoutId(failure("method_not_allowed"));
  const ended = await endSession(exchange, session.client.owner, session.client.expires_at);
  if (!ended.ok) return refusedWithoutId(ended.error);
  if (ended.value.ended) return refusedWithoutId(failure("session_not_found", undefined, { reason: "session_ended" }));
  platform.waitUntil(closeUpstreams(exchange, ended.value));
  return { kind: "answer", status: 204, isHttp: true, body: undefined, outcome: { status: "ok" } };
}

/** Also with servers that the principal may no longer use: nothing of the session should stay there. */
async function closeUpstreams(exchange: Exchange, facts: Facts): Promise<void> {
  const context = { ...contextOf(exchange), signal: AbortSignal.any([]) };
  const servers = [...exchange.snapshot.servers.values()];
  const closing = facts.upstreams.map((upstream) => {
    const server = servers.find(({ id, revision }) => id === upstream.server_id && revision === upstream.revision);
    return server === undefined ? undefined : closeUpstreamSession(context, server, upstream);
  });
  await Promise.all(closing);
}
