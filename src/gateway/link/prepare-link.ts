/** What comes of an account that is asked for, before a request is relayed: it waited for one, or it is the tool that asks. */
import { serverName } from "../../connections/index.ts";
import { failure } from "../../errors.ts";
import { encodeResponse } from "../../protocol/index.ts";
import type { Exchange, Relay } from "../exchange.ts";
import { failed, type Answer, type Reply } from "../reply.ts";
import { untilLinked } from "./until-linked.ts";
import { answerUnlinked } from "./answer-unlinked.ts";
import { callConnectTool } from "./connect-call.ts";
import { resumeLink } from "./link-state.ts";

export type Prepared =
  | { readonly kind: "request"; readonly request: Relay }
  | { readonly kind: "reply"; readonly reply: Reply };

export async function prepareLink(exchange: Exchange, asked: Relay): Promise<Prepared> {
  const waited = await resumeLink(exchange, asked.permitted.server.id, asked.params);
  if (waited?.declined === true) return { kind: "reply", reply: declined(exchange, asked) };
  const request: Relay = waited === undefined ? asked : { ...asked, params: waited.params, hasWaited: true };
  if (waited !== undefined) await untilLinked(exchange, asked.permitted.server);
  const reply = await callConnectTool(exchange, request, (needed) => answerUnlinked(exchange, request, needed));
  return reply === undefined ? { kind: "request", request } : { kind: "reply", reply };
}

function declined(exchange: Exchange, { permitted }: Relay): Answer {
  const { id, methodName } = exchange.request;
  const text = `The person did not connect an account for ${serverName(permitted.server)}, so nothing was done.`;
  const outcome = { status: "tool_error", reason: "link_declined" } as const;
  if (methodName !== "tools/call") return { ...failed(failure("link_needed", text), id), outcome };
  const result = { resultType: "complete", content: [{ type: "text", text }], isError: true };
  return { kind: "answer", status: 200, body: encodeResponse(id, { result }), outcome };
}
