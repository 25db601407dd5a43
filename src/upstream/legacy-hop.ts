/** One request to a server of the 2025 revisions or before, whatever carries it: its ids, its params, and what comes back. */
import { Excuse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Json, type JsonObject, type Result } from "../ports.ts";
import { encodeNotification, encodeRequest, isObject } from "../protocol/index.ts";
import { answerPing, bridgeNeeded, canBeAsked, refuseRequest, toAsk, type Tell } from "./asks.ts";
import type {
  Target,
  UpstreamAnswer,
  UpstreamCall,
  UpstreamContext,
  UpstreamNotification,
  UpstreamReply,
} from "./call.ts";
import type { Answered, Interim } from "./messages.ts";

export interface Hop {
  readonly id: string | number;
  /**
   * Whether id and progress token are the client's own, so that bytes can go through. A client of 2025 has a session with the
   * server to itself, so its ids are unique there. Clients of 2026-07-28 share one.
   */
  readonly isTransparent: boolean;
  readonly call: UpstreamCall;
  /** The client's. */
  readonly progressToken: Json | undefined;
  /** While the server waits for the client. */
  readonly excuse: Excuse;
}

export function toHop(context: UpstreamContext, call: UpstreamCall): Hop {
  const isTransparent = context.era === "legacy" && call.own !== true;
  const meta = call.params["_meta"];
  return {
    id: isTransparent ? context.id : context.platform.ports.random.uuid(),
    isTransparent,
    call,
    progressToken: isObject(meta) ? meta["progressToken"] : undefined,
    excuse: new Excuse(),
  };
}

/** Of the keys that MCP reserves, the one that 2025-11-25 has. The others came with 2026-07-28. */
const knownKey = "io.modelcontextprotocol/related-task";
const isKept = (key: string): boolean => key === knownKey || !key.startsWith("io.modelcontextprotocol/");

export function encodeHop(hop: Hop): string {
  const { method, params } = hop.call;
  return encodeRequest(hop.id, method, hopParams(hop, params));
}

function hopParams(hop: Hop, params: JsonObject): JsonObject {
  const { _meta: given, ...rest } = params;
  if (!isObject(given)) return rest;
  const entries = Object.entries(given);
  const kept = entries.filter(([key]) => isKept(key));
  if (kept.length === 0 && entries.length > 0) return rest;
  const meta = Object.fromEntries(kept);
  // A progress token must be unique in the session, which the client's is not in one that it shares.
  if (hop.progressToken !== undefined && !hop.isTransparent) meta["progressToken"] = hop.id;
  return { ...params, _meta: meta };
}

export const mayStillRun = ({ code }: Failure): boolean => code === "cancelled" || code === "upstream_timeout";

type Messages = AsyncGenerator<Interim, Result<Answered, Failure>, void>;

/**
 * What comes back. Ended early, the server is told so.
 * @param tell reaches the server while this request runs
 * @param tellEnd reaches it afterwards, too
 */
export async function* converse(
  context: UpstreamContext,
  server: Target,
  hop: Hop,
  messages: Messages,
  ways: { readonly tell: Tell; readonly tellEnd: Tell },
): UpstreamReply {
  let over = false;
  let requests_count = 0;
  const waits: Waits = new Map();
  const isRelayed = canBeAsked(context) && hop.call.own !== true;
  const requests_count_max = isRelayed ? limits.upstreamAsks_count : limits.upstreamRequests_count;
  try {
    for (let next = await messages.next(); ; next = await messages.next()) {
      if (next.done === true) {
        over = next.value.ok || !mayStillRun(next.value.error);
        return next.value.ok ? ok(finish(hop, next.value.value)) : next.value;
      }
      const message = next.value;
      if (message.kind === "notification") {
        if (message.method === "notifications/cancelled") endWait(waits, message.params);
        const notification = passOn(hop, message);
        if (notification !== undefined) yield notification;
        continue;
      }
      // Each costs a subrequest of this invocation, which the audit hand-over needs as well.
      if (++requests_count > requests_count_max) {
        return err(failure("upstream_invalid", undefined, { reason: "request_flood" }));
      }
      if (message.method === "ping") await answerPing(ways.tell, message);
      else if (isRelayed) {
        const end = hop.excuse.begin(context.platform.ports.clock);
        waits.set(message.id, end);
        yield toAsk(context, server, ways.tell, message, end);
      } else {
        await refuseRequest(ways.tell, message);
        return err(bridgeNeeded(server, message.method));
      }
    }
  } finally {
    await messages.return(err(failure("upstream_invalid")));
    // Closing the connection is no cancellation before 2026-07-28, so it is said.
    if (!over) context.platform.waitUntil(cancel(context, server, hop, ways.tellEnd));
  }
}

/** By the server's ids of its requests what ends the time in which it waits for the client. */
type Waits = Map<Json, () => void>;

/**
 * The server takes a request back, so that its silence is its own again.
 * @see MCP 2025-11-25 cancellation
 */
function endWait(waits: Waits, params: JsonObject | undefined): void {
  waits.get(params?.["requestId"] ?? null)?.();
}

/** @see MCP 2025-11-25 cancellation */
export async function cancel(context: UpstreamContext, server: Target, hop: Hop, tell: Tell): Promise<void> {
  const told = await tell(encodeNotification("notifications/cancelled", { requestId: hop.id }));
  if (!told.ok) context.platform.log("info", "A cancellation did not reach the upstream", { server: server.slug });
}

/** As it came, but for the progress of this request under a token of this hop. */
function passOn(hop: Hop, message: Extract<Interim, { kind: "notification" }>): UpstreamNotification | undefined {
  const { kind, method, params = {}, text } = message;
  if (method !== "notifications/progress" || hop.isTransparent) return { kind, method, params, text };
  if (hop.progressToken === undefined || params["progressToken"] !== hop.id) return undefined;
  const own = { ...params, progressToken: hop.progressToken };
  return { kind, method, params: own, text: encodeNotification(method, own) };
}

export function finish(hop: Hop, { response, text, status }: Answered): UpstreamAnswer {
  return {
    era: "legacy",
    response,
    text: hop.isTransparent ? text : undefined,
    size_chars: text.length,
    status,
  };
}
