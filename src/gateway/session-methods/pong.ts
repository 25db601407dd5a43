import { encodeResponse } from "../../protocol/index.ts";
import type { Exchange } from "../exchange.ts";
import type { Answer } from "../reply.ts";

/** An answer without content: that it came is all. */
export function acknowledged(exchange: Exchange): Answer {
  const body = encodeResponse(exchange.request.id, { result: {} });
  return { kind: "answer", status: 200, body, outcome: { status: "ok" } };
}

/** Whether the gateway is there; its upstreams are not asked. */
export const pong = async (exchange: Exchange): Promise<Answer> => acknowledged(exchange);
