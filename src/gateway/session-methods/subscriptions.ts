/**
 * `resources/subscribe` and `resources/unsubscribe`. A server of 2025 keeps them in its session and is asked; for one of
 * 2026-07-28 the session's stream listens. Both are remembered, for a server that loses its session.
 * @see MCP 2025-11-25 resources, "Subscriptions"
 */
import { failure } from "../../errors.ts";
import { isObject } from "../../protocol/index.ts";
import { addSubscription, removeSubscription } from "../../session/index.ts";
import { eraOf } from "../../upstream/index.ts";
import { contextOf, type Exchange, type Relay } from "../exchange.ts";
import { relay } from "../relay.ts";
import { failed, type Messages, type Reply } from "../reply.ts";
import { acknowledged } from "./pong.ts";

export async function subscribe(exchange: Exchange, request: Relay): Promise<Reply> {
  const { id } = exchange.request;
  const { server } = request.permitted;
  const verdict = await eraOf(contextOf(exchange), server);
  if (!verdict.ok) return failed(verdict.error, id);
  const { resources } = verdict.value.capabilities;
  if (!isObject(resources) || resources["subscribe"] !== true) return failed(failure("method_not_found"), id);

  const { owner, subscription } = subjectOf(exchange, request);
  const added = await addSubscription(exchange, owner, subscription);
  if (!added.ok) return failed(added.error, id);
  if (verdict.value.era === "modern") return acknowledged(exchange);
  return onRefusal(await relay(exchange, request), async () => {
    await removeSubscription(exchange, owner, subscription);
  });
}

/** The answer may come on a stream: then it is known at its end. */
async function onRefusal(reply: Reply, forget: () => Promise<void>): Promise<Reply> {
  if (reply.kind === "answer") {
    if (reply.outcome.status !== "ok") await forget();
    return reply;
  }
  async function* watched(messages: Messages): Messages {
    const ending = yield* messages;
    if (ending.outcome.status !== "ok") await forget();
    return ending;
  }
  return { ...reply, messages: watched(reply.messages) };
}

export async function unsubscribe(exchange: Exchange, request: Relay): Promise<Reply> {
  const { id } = exchange.request;
  const { owner, subscription } = subjectOf(exchange, request);
  const removed = await removeSubscription(exchange, owner, subscription);
  if (!removed.ok) return failed(removed.error, id);
  const verdict = await eraOf(contextOf(exchange), request.permitted.server);
  if (!verdict.ok) return failed(verdict.error, id);
  return verdict.value.era === "modern" ? acknowledged(exchange) : relay(exchange, request);
}

function subjectOf({ session }: Exchange, { permitted, name }: Relay) {
  if (session === undefined || name === undefined) throw new Error("a check is missing");
  return { owner: session.client.owner, subscription: { server_id: permitted.server.id, uri: name } };
}
