/** The answer on its way to the client: with the outcome recorded behind it or, in strict tenants, before its last byte. */
import type { Outcome } from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import type { Result } from "../ports.ts";
import { encodeSse } from "../protocol/index.ts";
import { acceptsJson, acceptsStream } from "./guards.ts";
import { failed, type Answer, type Ending, type Messages, type Reply } from "./reply.ts";
import type { Exchange } from "./exchange.ts";
import { createSender } from "./sender.ts";

export interface Measured {
  readonly outcome: Outcome;
  readonly size_bytes: number;
  readonly size_chars: number;
  readonly upstreams?: Readonly<Record<string, string>>;
  readonly asked?: readonly string[];
}

/** Hands the `mcp.response` event over. Called once for each request. */
export type RecordOutcome = (measured: Measured) => Promise<Result<void, Failure>>;

const encoder = new TextEncoder();

export async function release(exchange: Exchange, reply: Reply, record: RecordOutcome): Promise<Response> {
  if (reply.kind === "answer") return releaseAnswer(exchange, reply, record);
  if (acceptsStream(exchange.headers)) return releaseStream(exchange, reply.messages, record);
  return releaseAnswer(exchange, await lastOf(exchange, reply.messages), record);
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

async function releaseAnswer(exchange: Exchange, reply: Answer, record: RecordOutcome): Promise<Response> {
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

/** The sweeper gives a request whose response event is lost the outcome `unknown`; here it is only said. */
async function logLost(exchange: Exchange, recording: Promise<Result<void, Failure>>): Promise<void> {
  const result = await recording;
  if (!result.ok) exchange.platform.log("error", "An outcome could not be recorded", { tenant: exchange.tenant.id });
}

/**
 * One event stream. Each message is pulled when the client has room for it, so a slow reader slows the upstream down and
 * nothing piles up here.
 */
function releaseStream(exchange: Exchange, messages: Messages, record: RecordOutcome): Response {
  const strict = exchange.snapshot.settings.audit_strict;
  const sender = createSender(exchange);
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  exchange.platform.waitUntil(ended);

  let recording: Promise<Result<void, Failure>> | undefined;
  const finish = ({ outcome, asked = [] }: Ending): Promise<Result<void, Failure>> => {
    recording ??= record({ outcome, ...sender.sizes, ...(asked.length === 0 ? {} : { asked }) });
    void logLost(exchange, recording).then(end);
    return recording;
  };
  let over = false;
  /** The next event; `over` after the last. */
  const step = async (): Promise<Uint8Array | undefined> => {
    const next = await nextMessage(exchange, messages);
    if (next.done !== true) return sender.event(next.value);
    over = true;
    const { body: last } = next.value;
    const event = last === undefined ? undefined : sender.event(last);
    const recorded = finish(next.value);
    // In strict tenants the response waits for its record.
    const kept = !strict || (await recorded).ok;
    return event === undefined || kept ? event : sender.event(refusal(exchange));
  };
  let pulling: Promise<Uint8Array | undefined> | undefined;
  const leave = async (): Promise<void> => {
    if (sender.outlivesClient) {
      // The client of a 2025 revision lost the connection, which cancels nothing: the rest is kept until it comes back.
      await sender.keep(over);
      await pulling;
      for (await sender.keep(over); !over; await sender.keep(over)) await step();
      return end();
    }
    exchange.abandon();
    await finish({ outcome: { status: "cancelled" } });
    await messages.return({ outcome: { status: "cancelled" } });
    await sender.keep(true);
  };
  // A client that closes the connection cancels the stream; the signal covers one that leaves before it reads.
  let left: Promise<void> | undefined;
  const cancel = (): Promise<void> => (left ??= leave());
  const signals = sender.outlivesClient ? [exchange.gone] : [exchange.gone, exchange.signal];
  for (const signal of signals) {
    if (signal.aborted) void cancel();
    else signal.addEventListener("abort", () => void cancel(), { once: true });
  }

  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const first = sender.first();
      if (first !== undefined) controller.enqueue(first);
    },
    async pull(controller) {
      pulling = step();
      const event = await pulling;
      // The client may be gone by now: then what came is kept for it.
      if (left !== undefined) return;
      if (event !== undefined) controller.enqueue(event);
      if (over) controller.close();
    },
    cancel,
  });
  return new Response(body, {
    status: 200,
    // `x-accel-buffering`: proxies must not hold events back.
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

const refusal = (exchange: Exchange): string => failed(failure("executed_unrecorded"), exchange.request.id).body;

async function nextMessage(exchange: Exchange, messages: Messages): Promise<IteratorResult<string, Ending>> {
  try {
    return await messages.next();
  } catch (cause) {
    exchange.platform.log("error", "A stream failed unexpectedly", { method: exchange.request.methodName, cause });
    const { body, outcome } = failed(failure("internal", undefined, { reason: "internal" }), exchange.request.id);
    return { done: true, value: { body, outcome } };
  }
}
