/** The answer to a request that an account is missing for. */
import type { Failure } from "../../errors.ts";
import { encodeResponse } from "../../protocol/index.ts";
import { kindOf } from "../catalog/kinds.ts";
import type { Exchange, Relay } from "../exchange.ts";
import type { Answer } from "../reply.ts";
import { askToLink } from "./ask-to-link.ts";
import { connectTool } from "./connect-tool.ts";

/** @param needed with the code `link_needed` */
export async function answerUnlinked(
  exchange: Exchange,
  { permitted, hasWaited }: Relay,
  needed: Failure,
): Promise<Answer> {
  const { id, methodName, era } = exchange.request;
  const kind = kindOf(methodName);
  if (kind === undefined) return askToLink(exchange, permitted.server, needed, hasWaited === true);
  // A list cannot ask for anything: it has the tool that does.
  const items = kind.method === "tools/list" ? [connectTool(permitted.server)] : [];
  const freshness = era === "modern" ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {};
  const body = encodeResponse(id, { result: { [kind.member]: items, ...freshness } });
  return { kind: "answer", status: 200, body, outcome: { status: "ok", reason: "link_needed" } };
}
