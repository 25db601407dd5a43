/** Requests that a server of the 2025 revisions makes: answered here, handed on to the client, or refused. */
import { failure, type Failure } from "../errors.ts";
import type { JsonObject, Result } from "../ports.ts";
import { encodeNotification, encodeResponse } from "../protocol/index.ts";
import type { Target, UpstreamAsk, UpstreamContext } from "./call.ts";
import type { Interim } from "./messages.ts";

export type ServerRequest = Extract<Interim, { kind: "request" }>;

/** Sends a message that has no answer of its own to the server. */
export type Tell = (body: string) => Promise<Result<void, Failure>>;

/** Whether what a server asks can reach the client behind this request: it has a session in which it can answer. */
export const canBeAsked = (context: UpstreamContext): boolean =>
  context.era === "legacy" && context.owner?.startsWith("session:") === true;

export const answerPing = (tell: Tell, { id }: ServerRequest): Promise<Result<void, Failure>> =>
  tell(encodeResponse(id, { result: {} }));

/** @see MCP 2025-11-25 lifecycle, "Operation": what was not negotiated is not to be used */
export const refuseRequest = (tell: Tell, { id }: ServerRequest): Promise<Result<void, Failure>> =>
  tell(encodeResponse(id, { error: { code: -32601, message: "This client does not take requests from the server" } }));

/** @param onAnswer is called when the answer is on its way: from then on it is the server's turn again */
export function toAsk(
  context: UpstreamContext,
  server: Target,
  tell: Tell,
  { id, method, params = {} }: ServerRequest,
  onAnswer: () => void,
): UpstreamAsk {
  let answered = false;
  const deliver = async (body: string): Promise<void> => {
    const told = await tell(body);
    if (told.ok) return;
    context.platform.log("info", "The client's answer did not reach the upstream", {
      server: server.slug,
      method,
      reason: told.error.reason,
    });
  };
  return {
    kind: "ask",
    id,
    method,
    params,
    async answer(response) {
      if (answered) return;
      answered = true;
      onAnswer();
      const body: JsonObject = "result" in response ? { result: response.result } : { error: response.error };
      await deliver(JSON.stringify({ jsonrpc: "2.0", id, ...body }));
    },
    progress: (progress) => deliver(encodeNotification("notifications/progress", progress)),
  };
}

export const bridgeNeeded = (server: Target, method: string): Failure =>
  failure(
    "bridge_needed",
    `Server "${server.slug}" speaks an earlier revision of MCP and asked for ${method.slice(0, 64)} in the middle of the call. ` +
      "Gatehouse cannot pass that to a client of 2026-07-28 yet. The call was ended; it may have run in part.",
    { reason: "bridge_needed" },
  );
