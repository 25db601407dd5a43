/** The answer on its way to the client: with the outcome recorded behind it or, in strict tenants, before its last byte. */
import type { Outcome } from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import type { Result } from "../ports.ts";
import { encodeSse, encodeSseComment } from "../protocol/index.ts";
import type { Exchange } from "./exchange.ts";
import { failed, type Ending, type Reply } from "./reply.ts";

type Answer = Extract<Reply, { kind: "answer" }>;
type Messages = Extract<Reply, { kind: "stream" }>["messages"];

export interface Measured {
  readonly outcome: Outcome;
  readonly size_bytes: number;
  readonly size_chars: number;
  readonly upstreams?: Readonly<Record<string, string>>;
}

/** Hands the `mcp.response` event over. Called once for each request. */
export type RecordOutcome = (measured: Measured) => Promise<Result<void, Failure>>;

const encoder = new TextEncoder();

export function release(exchange: Exchange, reply: Reply, record: RecordOutcome): Response | Promise<Response> {
  return reply.kind === "answer"
    ? releaseAnswer(exchange, reply, record)
    : releaseStream(exchange, reply.messages, record);
}

export function respond(reply: Answer, body = encoder.encode(reply.body)): Response {
  return new Response(body, {
    status: reply.status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
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
  const sizes = { size_bytes: body.byteLength, size_chars: reply.body.length };
  const recording = record({ outcome, ...sizes, ...(upstreams === undefined ? {} : { upstreams }) });
  if (exchange.snapshot.settings.audit_strict) {
    const after = await recording;
    if (!after.ok) return respond(failed(unrecorded(exchange), exchange.request.id));
  } else {
    exchange.platform.waitUntil(logLost(exchange, recording));
  }
  return respond(reply, body);
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
  const sizes = { size_bytes: 0, size_chars: 0 };
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  exchange.platform.waitUntil(ended);

  let recording: Promise<Result<void, Failure>> | undefined;
  const finish = (outcome: Outcome): Promise<Result<void, Failure>> => {
    recording ??= record({ outcome, ...sizes });
    void logLost(exchange, recording).then(end);
    return recording;
  };
  const cancel = async (): Promise<void> => {
    exchange.abandon();
    await finish({ status: "cancelled" });
    await messages.return({ outcome: { status: "cancelled" } });
  };
  // A client that closes the connection cancels the stream; the signal covers one that leaves before it reads.
  if (exchange.signal.aborted) void cancel();
  else exchange.signal.addEventListener("abort", () => void cancel(), { once: true });

  const measured = (message: string): Uint8Array => {
    const event = toEvent(message);
    sizes.size_bytes += event.byteLength;
    sizes.size_chars += message.length;
    return event;
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await nextMessage(exchange, messages);
      if (next.done !== true) return controller.enqueue(measured(next.value));
      const { outcome, body: last } = next.value;
      const event = last === undefined ? undefined : measured(last);
      const recorded = finish(outcome);
      // In strict tenants the response waits for its record.
      const kept = !strict || (await recorded).ok;
      if (event !== undefined) controller.enqueue(kept ? event : refusal(exchange));
      controller.close();
    },
    cancel,
  });
  return new Response(body, {
    status: 200,
    // `x-accel-buffering`: proxies must not hold events back.
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

const refusal = (exchange: Exchange): Uint8Array =>
  encodeSse(failed(failure("executed_unrecorded"), exchange.request.id).body);

/** An empty message stands for "still here". */
const toEvent = (message: string): Uint8Array => (message === "" ? encodeSseComment() : encodeSse(message));

async function nextMessage(exchange: Exchange, messages: Messages): Promise<IteratorResult<string, Ending>> {
  try {
    return await messages.next();
  } catch (cause) {
    exchange.platform.log("error", "A stream failed unexpectedly", { method: exchange.request.methodName, cause });
    const { body, outcome } = failed(failure("internal", undefined, { reason: "internal" }), exchange.request.id);
    return { done: true, value: { body, outcome } };
  }
}
