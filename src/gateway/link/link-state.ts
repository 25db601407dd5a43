/** What a client of 2026-07-28 carries while its person connects an account: which request it is that waits for it. */
import { limits } from "../../limits.ts";
import type { JsonObject } from "../../ports.ts";
import { isObject } from "../../protocol/index.ts";
import type { Exchange } from "../exchange.ts";
import { openRequestState, sealRequestState } from "../handles.ts";

/** The request that asks for it, in `inputRequests`. */
export const linkInput = "connect_account";

/** No upstream's state is this text: those are sealed in the same way, behind a character that this has not. */
const waiting = "gatehouse:link";
const own = "link.";

export async function sealLinkState(exchange: Exchange, server_id: string): Promise<string> {
  return own + (await sealRequestState(exchange, server_id, waiting, limits.linkState_ms));
}

export interface Resumed {
  /** The params of the call, as it was before anybody asked. */
  readonly params: JsonObject;
  /** The person said no. */
  readonly declined: boolean;
}

/** @returns undefined when these are not params of a request that waited for an account */
export async function resumeLink(
  exchange: Exchange,
  server_id: string,
  params: JsonObject,
): Promise<Resumed | undefined> {
  if (exchange.request.era === "legacy") return undefined;
  const { requestState, inputResponses, ...rest } = params;
  if (typeof requestState !== "string" || !requestState.startsWith(own)) return undefined;
  const opened = await openRequestState(exchange, server_id, requestState.slice(own.length));
  if (!opened.ok || opened.value !== waiting) return undefined;
  const answer = isObject(inputResponses) ? inputResponses[linkInput] : undefined;
  return { params: rest, declined: isObject(answer) && answer["action"] !== "accept" };
}
