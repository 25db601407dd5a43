/**
 * A call needs an account of the person that is not connected: the person is asked, in the richest form that the client takes. A URL
 * that the client opens for them in 2026-07-28 and 2025-11-25, a link in the result of a tool for all others.
 * @see MCP 2026-07-28 elicitation, "URL Mode", and MRTR; MCP 2025-11-25 elicitation, "URL Elicitation Required Error"
 */
import { credentialTarget, mintLink, serverName } from "../../connections/index.ts";
import { failure, type Failure } from "../../errors.ts";
import type { JsonObject } from "../../ports.ts";
import { encodeResponse, missingCapabilities } from "../../protocol/index.ts";
import type { Server } from "../../registry/index.ts";
import { contextOf, type Exchange } from "../exchange.ts";
import { failed, type Answer } from "../reply.ts";
import { linkInput, sealLinkState } from "./link-state.ts";

interface Asked {
  readonly id: string;
  readonly url: string;
  readonly message: string;
}

/**
 * @param needed with the code `link_needed`
 * @param isSecond whether this call asked before: it would only open one page after the other
 */
export async function askToLink(
  exchange: Exchange,
  server: Server,
  needed: Failure,
  isSecond: boolean,
): Promise<Answer> {
  const { request } = exchange;
  const context = contextOf(exchange);
  const { user } = context.caller;
  // Whoever calls for itself has no account to connect.
  if (user === undefined) return failed(failure("upstream_credential", undefined, { reason: "no_person" }), request.id);
  const wanted = wantedOf(needed.data);
  const link = {
    account: "default",
    ...wanted,
    user_id: user.id,
    server_id: server.id,
    agent: exchange.principal.agent,
  };
  const { id, url } = await mintLink(context, link);
  const asked: Asked = { id, url, message: messageOf(server, needed) };
  const reason = `link_needed:${needed.reason ?? "not_linked"}`;
  const answer = await inForm(exchange, server, asked, isSecond);
  return { ...answer, outcome: { ...answer.outcome, reason } };
}

/** Whose link: what the room that found it missing says of it. */
function wantedOf(data: JsonObject | undefined): {
  readonly target?: string;
  readonly account?: string;
  readonly scope?: string;
  readonly step_ups?: number;
} {
  const { credential_id, account, scope, step_ups } = data ?? {};
  return {
    ...(typeof credential_id === "string" ? { target: credentialTarget(credential_id) } : {}),
    ...(typeof account === "string" ? { account } : {}),
    ...(typeof scope === "string" ? { scope } : {}),
    ...(typeof step_ups === "number" ? { step_ups } : {}),
  };
}

function messageOf(server: Server, { reason, data }: Failure): string {
  const name = serverName(server);
  const credential = data?.["credential_name"];
  if (typeof credential === "string") return `To use ${name}, give your ${credential}.`;
  const [connect, thing] =
    server.authentication.type === "oauth" ? ["connect your account", "account"] : ["give your own key", "key"];
  switch (reason) {
    case "not_linked":
      return `To use ${name}, ${connect}.`;
    case "insufficient_scope":
      return `${name} needs more permissions for this: ${connect} again to give them.`;
    case "needs_update":
      return `${name} has changed, and your ${thing} was given for what it was before: ${connect} again.`;
    default:
      return `${name} does not take your ${thing} any more: ${connect} again.`;
  }
}

async function inForm(exchange: Exchange, server: Server, asked: Asked, isSecond: boolean): Promise<Answer> {
  const { request } = exchange;
  const opensUrls =
    !isSecond && missingCapabilities({ [linkInput]: question(asked) }, request.meta.clientCapabilities).length === 0;
  if (opensUrls && request.era === "modern" && request.method.inputRequired) {
    const requestState = await sealLinkState(exchange, server.id);
    const result = { resultType: "input_required", inputRequests: { [linkInput]: question(asked) }, requestState };
    return answerOf(encodeResponse(request.id, { result }), "input_required");
  }
  if (opensUrls && request.era === "legacy" && request.version >= "2025-11-25") {
    const { id: elicitationId, url, message } = asked;
    const data = { elicitations: [{ mode: "url", elicitationId, url, message }] };
    return answerOf(encodeResponse(request.id, { error: { code: -32042, message, data } }), "input_required");
  }
  const text = `${asked.message} Open this link in a browser, then try again: ${asked.url}`;
  if (request.methodName !== "tools/call") {
    return failed(failure("link_needed", text), request.id);
  }
  const result: JsonObject = {
    ...(request.era === "modern" ? { resultType: "complete" } : {}),
    content: [{ type: "text", text }],
    isError: true,
  };
  return answerOf(encodeResponse(request.id, { result }), "tool_error");
}

/** 2026-07-28 has no id of an elicitation: nothing else speaks of it. */
const question = ({ url, message }: Asked): JsonObject => ({
  method: "elicitation/create",
  params: { mode: "url", message, url },
});

const answerOf = (body: string, status: "input_required" | "tool_error"): Answer => ({
  kind: "answer",
  status: 200,
  body,
  outcome: { status },
});
