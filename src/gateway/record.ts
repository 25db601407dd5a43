/**
 * Nothing is answered that is not recorded. The request event is on its way while the upstream works; the answer is released
 * when it is durable; the response event follows. Strict tenants wait on both sides.
 */
import {
  boundedText,
  digestArguments,
  type Actor,
  type AuditEvent,
  type Outcome,
  type Target,
} from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { encodeSse, encodeSseComment, MODERN_VERSION } from "../protocol/index.ts";
import type { Json, Result } from "../ports.ts";
import type { Decision } from "../policy/index.ts";
import type { Exchange } from "./exchange.ts";
import { failed, outcomeOf, type Reply } from "./reply.ts";

/** What the request is about, as policy sees it: server and original name, never an alias. */
export interface Subject {
  readonly decision: Decision;
  readonly server?: { readonly id: string; readonly slug: string };
  readonly name?: string;
  readonly arguments?: Json;
  /** How long the request may take, in milliseconds. */
  readonly duration_ms?: number;
}

/** Runs an allowed request between its two events. */
export async function recorded(exchange: Exchange, subject: Subject, run: () => Promise<Reply>): Promise<Response> {
  const request_id = exchange.platform.ports.random.uuid();
  const durable = recordRequest(exchange, subject, request_id);
  if (exchange.snapshot.settings.audit_strict) {
    const before = await durable;
    if (!before.ok) return respond(failed(before.error, exchange.request.id));
  }
  let reply: Reply;
  try {
    reply = await run();
  } catch (cause) {
    exchange.platform.log("error", "A request failed unexpectedly", { method: exchange.request.methodName, cause });
    reply = failed(failure("internal", undefined, { reason: "internal" }), exchange.request.id);
  }
  const done = await durable;
  if (!done.ok) {
    if (reply.kind === "stream") await reply.messages.return({ status: "interrupted", reason: "audit_unavailable" });
    return respond(failed(unrecorded(exchange, reply), exchange.request.id));
  }
  const outcomes = responseRecorder(exchange, subject, request_id);
  return reply.kind === "answer" ? answer(exchange, reply, outcomes) : stream(exchange, reply.messages, outcomes);
}

/** Records a request that is refused before anything happens; the one event is all there is. */
export async function recordRefusal(exchange: Exchange, subject: Subject): Promise<Result<void, Failure>> {
  return recordRequest(exchange, subject, exchange.platform.ports.random.uuid());
}

async function recordRequest(exchange: Exchange, subject: Subject, id: string): Promise<Result<void, Failure>> {
  const { tenant, vault } = exchange;
  const digests = await digestArguments(subject.arguments, (value) => vault.digest(tenant.id, value));
  const event: AuditEvent = {
    id,
    type: "mcp.request",
    tenant: tenant.id,
    time: exchange.started_at,
    actor: actorOf(exchange),
    target: targetOf(exchange, subject),
    decision: subject.decision,
    request: {
      size_bytes: exchange.request_bytes,
      token_weight: Math.ceil(exchange.request_bytes / 4),
      ...(Object.keys(digests).length === 0 ? {} : { arguments: digests }),
    },
    source: exchange.source,
    deadline: exchange.started_at + (subject.duration_ms ?? limits.upstreamTotal_ms),
  };
  return exchange.recorder.record(event);
}

function actorOf(exchange: Exchange): Actor {
  const client_name = boundedText(exchange.request.meta.clientInfo?.name);
  return { agent: exchange.principal.agent, ...(client_name === undefined ? {} : { client_name }) };
}

function targetOf(exchange: Exchange, subject: Subject): Target {
  const name = boundedText(subject.name);
  return {
    method: boundedText(exchange.request.methodName) ?? "",
    endpoint: exchange.endpoint.path,
    ...(subject.server === undefined ? {} : { server: subject.server.slug, server_id: subject.server.id }),
    ...(name === undefined ? {} : { name }),
    protocol_version: MODERN_VERSION,
  };
}

/** A call that ran must not be repeated only because its record failed. */
function unrecorded(exchange: Exchange, reply: Reply): Failure {
  const mayHaveRun =
    exchange.request.methodName === "tools/call" && (reply.kind === "stream" || reply.outcome.status !== "error");
  return failure(mayHaveRun ? "executed_unrecorded" : "audit_unavailable", undefined, { reason: "audit_unavailable" });
}

interface Measured {
  readonly outcome: Outcome;
  readonly size_bytes: number;
  readonly size_chars: number;
  readonly upstreams?: Readonly<Record<string, string>>;
}

type RecordResponse = (measured: Measured) => Promise<Result<void, Failure>>;

function responseRecorder(exchange: Exchange, subject: Subject, request_id: string): RecordResponse {
  const { clock, random } = exchange.platform.ports;
  return ({ outcome, size_bytes, size_chars, upstreams }) =>
    exchange.recorder.record({
      id: random.uuid(),
      type: "mcp.response",
      tenant: exchange.tenant.id,
      time: clock.now(),
      actor: actorOf(exchange),
      request_id,
      target: targetOf(exchange, subject),
      outcome,
      duration_ms: Math.max(0, clock.now() - exchange.started_at),
      response: { size_bytes, token_weight: Math.ceil(size_chars / 4) },
      ...(upstreams === undefined ? {} : { upstreams: { ...upstreams } }),
    });
}

async function answer(
  exchange: Exchange,
  reply: Extract<Reply, { kind: "answer" }>,
  record: RecordResponse,
): Promise<Response> {
  const body = encoder.encode(reply.body);
  const recording = record({
    outcome: reply.outcome,
    size_bytes: body.byteLength,
    size_chars: reply.body.length,
    ...(reply.upstreams === undefined ? {} : { upstreams: reply.upstreams }),
  });
  if (exchange.snapshot.settings.audit_strict) {
    const after = await recording;
    if (!after.ok) return respond(failed(unrecorded(exchange, reply), exchange.request.id));
  } else {
    exchange.platform.waitUntil(settled(exchange, recording));
  }
  return respond(reply, body);
}

/** The sweeper gives a request whose response event is lost the outcome `unknown`; here it is only said. */
async function settled(exchange: Exchange, recording: Promise<Result<void, Failure>>): Promise<void> {
  const result = await recording;
  if (!result.ok)
    exchange.platform.log("error", "A response event could not be recorded", { tenant: exchange.tenant.id });
}

const encoder = new TextEncoder();

function respond(reply: Extract<Reply, { kind: "answer" }>, body = encoder.encode(reply.body)): Response {
  return new Response(body, {
    status: reply.status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

function stream(exchange: Exchange, messages: AsyncGenerator<string, Outcome, void>, record: RecordResponse): Response {
  const strict = exchange.snapshot.settings.audit_strict;
  let size_bytes = 0;
  let size_chars = 0;
  let finish: (outcome: Outcome) => Promise<Result<void, Failure>>;
  const ended = new Promise<void>((resolve) => {
    let recording: Promise<Result<void, Failure>> | undefined;
    finish = (outcome) => {
      recording ??= record({ outcome, size_bytes, size_chars });
      void settled(exchange, recording).then(resolve);
      return recording;
    };
  });
  exchange.platform.waitUntil(ended);
  // The client's disconnect cancels the stream; the signal covers a client that leaves before it reads.
  exchange.signal.addEventListener("abort", () => void finish({ status: "cancelled" }), { once: true });

  // In strict tenants the last message is held back until its record is durable.
  let held: string | undefined;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await nextMessage(messages);
      const sent = strict ? held : undefined;
      if (next.done !== true) {
        size_bytes += next.value.length;
        size_chars += next.value.length;
        if (!strict) return controller.enqueue(toEvent(next.value));
        held = next.value;
        return controller.enqueue(sent === undefined ? encodeSseComment() : toEvent(sent));
      }
      const after = await finish(next.value);
      if (sent !== undefined) {
        const refusal = after.ok ? undefined : failed(failure("executed_unrecorded"), exchange.request.id).body;
        controller.enqueue(toEvent(refusal ?? sent));
      }
      controller.close();
    },
    async cancel() {
      await finish({ status: "cancelled" });
      await messages.return({ status: "cancelled" });
    },
  });
  return new Response(body, {
    status: 200,
    // `x-accel-buffering`: proxies must not hold events back.
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** An empty message stands for "still here". */
const toEvent = (message: string): Uint8Array => (message === "" ? encodeSseComment() : encodeSse(message));

async function nextMessage(messages: AsyncGenerator<string, Outcome, void>): Promise<IteratorResult<string, Outcome>> {
  try {
    return await messages.next();
  } catch {
    return { done: true, value: outcomeOf(failure("internal", undefined, { reason: "internal" })) };
  }
}
