/** A call of the tool that stands for an account which is not connected. */
import { serverName } from "../../connections/index.ts";
import type { Failure } from "../../errors.ts";
import { holderOf } from "../../outbound/index.ts";
import type { JsonObject } from "../../ports.ts";
import { encodeNotification, encodeResponse } from "../../protocol/index.ts";
import type { Server } from "../../registry/index.ts";
import { catalogOf } from "../catalog/index.ts";
import { contextOf, type Exchange, type Relay } from "../exchange.ts";
import { acceptsStream } from "../guards.ts";
import { failed, type Ending, type Messages, type Reply } from "../reply.ts";
import { connectToolName } from "./connect-tool.ts";

/** @returns undefined when this is another tool, or one that the server itself has by that name */
export async function callConnectTool(
  exchange: Exchange,
  request: Relay,
  ask: (needed: Failure) => Promise<Reply>,
): Promise<Reply | undefined> {
  const { server } = request.permitted;
  if (exchange.request.methodName !== "tools/call" || request.name !== connectToolName) return undefined;
  const context = contextOf(exchange);
  const holder = await holderOf(context, server);
  if (holder.ok && holder.value === "") return undefined;
  // The server has the last word: it may refuse an account that looks connected from here.
  const tools = await catalogOf(context, server, "tools/list");
  if (!tools.ok) {
    return tools.error.code === "link_needed" ? ask(tools.error) : failed(tools.error, exchange.request.id);
  }
  const own = tools.value.entries.some(({ original }) => original === connectToolName);
  return own ? undefined : connected(exchange, server);
}

/** Clients of 2025 are told on the same stream that there are other tools now; those of 2026-07-28 were told not to keep the list. */
function connected(exchange: Exchange, server: Server): Reply {
  const name = serverName(server);
  const { request, headers } = exchange;
  const text = `Your ${name} account is connected. List the tools again to see those of ${name}.`;
  const result: JsonObject = {
    ...(request.era === "modern" ? { resultType: "complete" } : {}),
    content: [{ type: "text", text }],
  };
  const body = encodeResponse(request.id, { result });
  const outcome = { status: "ok" } as const;
  if (request.era === "modern" || !acceptsStream(headers)) return { kind: "answer", status: 200, body, outcome };
  return { kind: "stream", messages: withNews({ body, outcome }) };
}

async function* withNews(ending: Ending): Messages {
  yield encodeNotification("notifications/tools/list_changed", {});
  return Promise.resolve(ending);
}
