/**
 * Nothing is answered that is not recorded. The request event is on its way while the upstream works; the answer is released
 * when it is durable; the response event follows. Strict tenants wait on both sides.
 */
import { boundedText, digestArguments, type Target } from "../audit/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Decision } from "../policy/index.ts";
import type { Json, Result } from "../ports.ts";
import { actorOf } from "./actor.ts";
import type { Exchange } from "./exchange.ts";
import type { RecordOutcome } from "./release-stream.ts";
import { release, respond, unrecorded } from "./release.ts";
import { failed, type Reply } from "./reply.ts";

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
    if (!before.ok) return respond(exchange, failed(before.error, exchange.request.id));
  }
  const reply = await runSafely(exchange, run);
  const done = await durable;
  if (!done.ok) {
    // A generator that nobody started does not clean up: the upstream is let go by the signal.
    exchange.abandon();
    if (reply.kind === "stream") await reply.messages.return({ outcome: { status: "interrupted" } });
    return respond(exchange, failed(unrecorded(exchange), exchange.request.id));
  }
  const servers = subject.server === undefined ? [] : [subject.server];
  return release(exchange, servers, reply, outcomeRecorder(exchange, subject, request_id));
}

/** Records a request that is refused before anything happens; the one event is all there is. */
export async function recordRefusal(exchange: Exchange, subject: Subject): Promise<Result<void, Failure>> {
  return recordRequest(exchange, subject, exchange.platform.ports.random.uuid());
}

/** A bug is logged and answered like any failure: the request has an event, so it gets an outcome. */
async function runSafely(exchange: Exchange, run: () => Promise<Reply>): Promise<Reply> {
  try {
    return await run();
  } catch (cause) {
    exchange.platform.log("error", "A request failed unexpectedly", { method: exchange.request.methodName, cause });
    return failed(failure("internal", undefined, { reason: "internal" }), exchange.request.id);
  }
}

async function recordRequest(exchange: Exchange, subject: Subject, id: string): Promise<Result<void, Failure>> {
  const { tenant, vault } = exchange;
  const digests = await digestArguments(subject.arguments, (value) => vault.digest(tenant.id, value));
  return exchange.recorder.record({
    id,
    type: "mcp.request",
    tenant: tenant.id,
    time: exchange.started_at,
    actor: actorOf(exchange.principal, exchange.request.meta.clientInfo?.name),
    target: targetOf(exchange, subject),
    decision: subject.decision,
    request: {
      size_bytes: exchange.request_bytes,
      token_weight: Math.ceil(exchange.request_bytes / 4),
      ...(Object.keys(digests).length === 0 ? {} : { arguments: digests }),
    },
    source: exchange.source,
    deadline: exchange.started_at + (subject.duration_ms ?? limits.upstreamTotal_ms),
  });
}

function outcomeRecorder(exchange: Exchange, subject: Subject, request_id: string): RecordOutcome {
  const { clock, random } = exchange.platform.ports;
  return ({ outcome, size_bytes, size_chars, upstreams }) => {
    const time = clock.now();
    exchange.settled?.();
    return exchange.recorder.record({
      id: random.uuid(),
      type: "mcp.response",
      tenant: exchange.tenant.id,
      time,
      actor: actorOf(exchange.principal, exchange.request.meta.clientInfo?.name),
      request_id,
      target: targetOf(exchange, subject),
      outcome,
      duration_ms: Math.max(0, time - exchange.started_at),
      response: { size_bytes, token_weight: Math.ceil(size_chars / 4) },
      ...(upstreams === undefined ? {} : { upstreams: { ...upstreams } }),
      ...(exchange.used.size === 0 ? {} : { connections: [...exchange.used] }),
      ...(exchange.asked.length === 0 ? {} : { asked: exchange.asked.map((method) => boundedText(method) ?? "") }),
    });
  };
}

function targetOf(exchange: Exchange, subject: Subject): Target {
  const name = boundedText(subject.name);
  return {
    method: exchange.request.methodName,
    endpoint: exchange.endpoint.path,
    ...(subject.server === undefined ? {} : { server: subject.server.slug, server_id: subject.server.id }),
    ...(name === undefined ? {} : { name }),
    protocol_version: exchange.request.version,
  };
}
