/** The session that a request names, as far as the caller may know of it. */
import { sessionNameOf } from "../../admission/index.ts";
import { failure, type Failure } from "../../errors.ts";
import { err, ok, type Result } from "../../ports.ts";
import { checkVersionHeader } from "../../protocol/index.ts";
import { openSessionId, readFacts } from "../../session/index.ts";
import type { Caller } from "../caller.ts";
import type { Exchange } from "../exchange.ts";

export type Session = NonNullable<Exchange["session"]>;

const missing = failure("bad_header", "Mcp-Session-Id is missing: send initialize first", {
  reason: "session_missing",
});

/**
 * @returns `session_not_found` for an id that is not this caller's on this endpoint, whatever is wrong with it; `bad_header`
 *   for none at all, and for a protocol version that no session has
 * @see MCP 2025-11-25 transports, "Session Management" and "Protocol Version Header"
 */
export async function resume({ front, principal, headers }: Caller): Promise<Result<Session, Failure>> {
  const id = headers.get("mcp-session-id");
  if (id === null || id === "") return err(missing);
  const { vault, platform, tenant, endpoint } = front;
  const client = await openSessionId(
    vault,
    platform.ports.clock,
    tenant.id,
    sessionNameOf(principal),
    endpoint.path,
    id,
  );
  if (client === undefined) return err(failure("session_not_found", undefined, { reason: "session_unknown" }));
  const version = checkVersionHeader(headers);
  if (version !== undefined) return err(version);
  const facts = await readFacts(front, client.owner);
  if (!facts.ok) return facts;
  if (facts.value.ended) return err(failure("session_not_found", undefined, { reason: "session_ended" }));
  return ok({ client, facts: facts.value });
}
