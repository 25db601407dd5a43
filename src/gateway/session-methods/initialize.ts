/**
 * `initialize`: the beginning of a session. What was agreed on goes into the session id, sealed, so that nothing is stored until
 * there is something to remember.
 * @see MCP 2025-11-25 lifecycle, "Initialization", and transports, "Session Management"
 */
import { sessionNameOf } from "../../admission/index.ts";
import { ok, type JsonObject } from "../../ports.ts";
import { encodeResponse } from "../../protocol/index.ts";
import { knowNew, mintSessionId } from "../../session/index.ts";
import { describeAggregate, describeServer, outcomesKey, serverInfo } from "../catalog/index.ts";
import type { Exchange, Permitted } from "../exchange.ts";
import { failed, type Reply } from "../reply.ts";

export async function initialize(exchange: Exchange, permitted?: Permitted): Promise<Reply> {
  const { request, session, principal, endpoint } = exchange;
  if (session === undefined) throw new Error("initialize without a session to begin");
  const { client } = session;
  const described =
    permitted === undefined ? ok(await describeAggregate(exchange)) : await describeServer(exchange, permitted);
  if (!described.ok) return failed(described.error, request.id);
  const { capabilities, instructions, outcomes } = described.value;
  const result: JsonObject = {
    protocolVersion: client.version,
    capabilities,
    serverInfo,
    ...(instructions === undefined ? {} : { instructions }),
    ...(outcomes === undefined ? {} : { _meta: { [outcomesKey]: { ...outcomes } } }),
  };
  const id = await mintSessionId(exchange, {
    principal_id: sessionNameOf(principal),
    endpoint_path: endpoint.path,
    session: client,
  });
  knowNew(exchange, client.owner);
  return {
    kind: "answer",
    status: 200,
    body: encodeResponse(request.id, { result }),
    headers: { "mcp-session-id": id },
    outcome: { status: "ok" },
    ...(outcomes === undefined ? {} : { upstreams: outcomes }),
  };
}
