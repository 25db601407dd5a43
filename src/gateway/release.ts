/** The answer on its way to the client: with the outcome recorded behind it or, in strict tenants, before its last byte. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { encodeSse } from "../protocol/index.ts";
import type { Exchange } from "./exchange.ts";
import { acceptsJson, acceptsStream } from "./guards.ts";
import { logLost, nextMessage, releaseStream, type RecordOutcome } from "./release-stream.ts";
import { failed, type Answer, type Messages, type Reply } from "./reply.ts";
import { standing, type ServerName } from "./standing.ts";

const encoder = new TextEncoder();

/** @param servers that the request reached */
export async function release(
  exchange: Exchange,
  servers: readonly ServerName[],
  reply: Reply,
  record: RecordOutcome,
): Promise<Response> {
  if (reply.kind === "answer") return releaseAnswer(exchange, servers, reply, record);
  const { messages } = reply;
  if (!acceptsStream(exchange.headers)) {
    return releaseAnswer(exchange, servers, await lastOf(exchange, messages), record);
  }
  return releaseStream(exchange, { messages, servers: reply.watchesStanding === true ? undefined : servers }, record);
}

/** A client that reads no streams gets the answer alone. */
async function lastOf(exchange: Exchange, messages: Messages): Promise<Answer> {
  let next = await nextMessage(exchange, messages);
  while (next.done !== true) next = await nextMessage(exchange, messages);
  return { kind: "answer", status: 200, body: next.value.body, outcome: next.value.outcome };
}

export function respond(exchange: Exchange, reply: Answer, body = encoder.encode(reply.body)): Response {
  const status = statusOf(exchange, reply);
  const headers = { "cache-control": "no-store", ...reply.headers };
  if (reply.body === undefined) return new Response(null, { status, headers });
  // Some clients of the 2025 revisions read nothing but streams.
  return acceptsJson(exchange.headers)
    ? new Response(body, { status, headers: { "content-type": "application/json", ...headers } })
    : new Response(encodeSse(reply.body), { status, headers: { "content-type": "text/event-stream", ...headers } });
}

/**
 * In the 2025 revisions a JSON-RPC error is an answer like any other: their clients take another status for a broken
 * connection and never read the error.
 */
function statusOf({ request }: Exchange, { status, isHttp = false }: Answer): number {
  return request.era === "legacy" && !isHttp && status < 500 ? 200 : status;
}

/**
 * What a client gets whose request could not be recorded. A tool may have run even when its answer is an error, such as a
 * timeout; it must not be run again only because its record failed.
 */
export function unrecorded(exchange: Exchange): Failure {
  const mayHaveRun = exchange.request.methodName === "tools/call";
  return failure(mayHaveRun ? "executed_unrecorded" : "audit_unavailable", undefined, { reason: "audit_unavailable" });
}

async function releaseAnswer(
  exchange: Exchange,
  servers: readonly ServerName[],
  answer: Answer,
  record: RecordOutcome,
): Promise<Response> {
  const reply = (await mayHave(exchange, servers)) ? answer : noLongerAllowed(exchange);
  const body = encoder.encode(reply.body);
  const { outcome, upstreams } = reply;
  const sizes = { size_bytes: body.byteLength, size_chars: reply.body?.length ?? 0 };
  const recording = record({ outcome, ...sizes, ...(upstreams === undefined ? {} : { upstreams }) });
  if (exchange.snapshot.settings.audit_strict) {
    const after = await recording;
    if (!after.ok) return respond(exchange, failed(unrecorded(exchange), exchange.request.id));
  } else {
    exchange.platform.waitUntil(logLost(exchange, recording));
  }
  return respond(exchange, reply, body);
}

/** A revocation holds within `limits.snapshotFresh_ms`, also for a call that began before it. */
async function mayHave(exchange: Exchange, servers: readonly ServerName[]): Promise<boolean> {
  const running_ms = exchange.platform.ports.clock.now() - exchange.started_at;
  return running_ms < limits.snapshotFresh_ms || (await standing(exchange, servers)) !== undefined;
}

function noLongerAllowed({ request }: Exchange): Answer {
  const refused = failure("forbidden", "This is no longer allowed", { reason: "no_longer_allowed" });
  return { ...failed(refused, request.id), outcome: { status: "interrupted", reason: "no_longer_allowed" } };
}
