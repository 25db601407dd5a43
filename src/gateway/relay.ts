/** One request to one upstream and its answer back: the heart of the data path. */
import { limits } from "../limits.ts";
import { failure, type Failure } from "../errors.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { encodeResponse } from "../protocol/index.ts";
import { contextOf, type Exchange, type Relay } from "./exchange.ts";
import { openRequestState } from "./handles.ts";
import { inboundParamHeaders } from "./param-headers.ts";
import { failed, outcomeOf, type Reply } from "./reply.ts";
import { finishResult } from "./result.ts";
import {
  forgetToolIndex,
  requestUpstream,
  type UpstreamAnswer,
  type UpstreamNotification,
  type UpstreamReply,
} from "./upstream/index.ts";

export async function relay(exchange: Exchange, request: Relay): Promise<Reply> {
  const { id } = exchange.request;
  const params = await withOwnState(exchange, request);
  if (!params.ok) return failed(params.error, id);
  const opened = await open(exchange, request, params.value);
  if (!opened.ok) return failed(opened.error, id);
  const { reply, first } = opened.value;
  if (first.done === true) return finish(exchange, request, first.value);
  return { kind: "stream", messages: converse(exchange, request, reply, first.value) };
}

/** The client's sealed `requestState` becomes the upstream's own again. */
async function withOwnState(exchange: Exchange, request: Relay): Promise<Result<JsonObject, Failure>> {
  const handle = request.params["requestState"];
  if (typeof handle !== "string") return ok(request.params);
  const state = await openRequestState(exchange, request.permitted.server.id, handle);
  return state.ok ? ok({ ...request.params, requestState: state.value }) : state;
}

interface Opened {
  readonly reply: UpstreamReply;
  readonly first: IteratorResult<UpstreamNotification, Result<UpstreamAnswer, Failure>>;
}

/**
 * Sends the request and waits for the first message. An upstream that refuses the mirrored headers did not run anything: its
 * tools are read again and the request is sent once more.
 */
async function open(exchange: Exchange, request: Relay, params: JsonObject): Promise<Result<Opened, Failure>> {
  const context = contextOf(exchange);
  const { server } = request.permitted;
  for (const attempt of ["first", "again"] as const) {
    const paramHeaders = await inboundParamHeaders(exchange, server, params, request.name);
    if (!paramHeaders.ok) return paramHeaders;
    const reply = requestUpstream(context, server, {
      method: exchange.request.methodName,
      params,
      ...(request.name === undefined ? {} : { name: request.name }),
      paramHeaders: paramHeaders.value,
      total_ms: limits.upstreamTotal_ms,
    });
    const first = await reply.next();
    if (attempt === "first" && first.done === true && isHeaderMismatch(first.value)) {
      forgetToolIndex(context, server);
      continue;
    }
    return ok({ reply, first });
  }
  return err(failure("upstream_invalid", undefined, { reason: "upstream_header_mismatch" }));
}

const isHeaderMismatch = (answer: Result<UpstreamAnswer, Failure>): boolean =>
  answer.ok && answer.value.response.kind === "error" && answer.value.response.error.code === -32020;

/** Notifications as they come, then the answer. */
async function* converse(
  exchange: Exchange,
  request: Relay,
  reply: UpstreamReply,
  first: UpstreamNotification,
): Extract<Reply, { kind: "stream" }>["messages"] {
  try {
    for (let notification = first; ;) {
      if (mayPass(exchange, notification)) yield notification.text;
      const next = await reply.next();
      if (next.done === true) {
        return await finish(exchange, request, next.value);
      }
      notification = next.value;
    }
  } finally {
    await reply.return(err(failure("upstream_invalid", undefined, { reason: "cancelled" })));
  }
}

/**
 * Only what belongs to this request may come on its stream; log messages only when it asked for them.
 * @see MCP 2026-07-28 streamable HTTP "Receiving Messages", logging
 */
function mayPass(exchange: Exchange, notification: UpstreamNotification): boolean {
  const { meta } = exchange.request;
  if (notification.method === "notifications/message") return meta.logLevel !== undefined;
  if (notification.method !== "notifications/progress") return false;
  return meta.progressToken !== undefined && notification.params["progressToken"] === meta.progressToken;
}

type Answer = Extract<Reply, { kind: "answer" }>;

async function finish(exchange: Exchange, request: Relay, answered: Result<UpstreamAnswer, Failure>): Promise<Answer> {
  const { id } = exchange.request;
  if (!answered.ok) {
    const cancelled = exchange.signal.aborted;
    return { ...failed(answered.error, id), ...(cancelled ? { outcome: { status: "cancelled" as const } } : {}) };
  }
  const { response, text } = answered.value;
  if (response.kind === "error") return finishError(exchange, answered.value);
  const finished = await finishResult(exchange, request, response.result);
  if (!finished.ok) return { ...failed(finished.error, id), outcome: outcomeOf(finished.error) };
  const { result, changed, outcome } = finished.value;
  const untouched = !changed && text !== undefined;
  return {
    kind: "answer",
    status: 200,
    body: untouched ? text : encodeResponse(id, { result }),
    outcome,
  };
}

/**
 * Errors go on as they are, but for codes that speak of the hop between Gatehouse and the upstream and for codes that a
 * server of 2026-07-28 may not emit.
 * @see MCP 2026-07-28 basic, "Error Codes"
 */
function finishError(exchange: Exchange, answer: UpstreamAnswer): Answer {
  const { id } = exchange.request;
  if (answer.response.kind !== "error") return failed(failure("internal"), id);
  const { code, message, data } = answer.response.error;
  const outcome = { status: "error" as const, code, reason: "upstream_error" };
  if (code === -32020 || code === -32022) {
    return { ...failed(failure("upstream_invalid", undefined, { reason: `upstream_error_${code}` }), id), outcome };
  }
  const status = code === -32601 ? 404 : code === -32021 ? 400 : answer.status === 404 ? 200 : answer.status;
  if (answer.text !== undefined && code !== -32002 && code !== -32042) {
    return { kind: "answer", status, body: answer.text, outcome };
  }
  const translated = code === -32002 ? -32602 : code === -32042 ? -32603 : code;
  const body = encodeResponse(id, { error: { code: translated, message, ...(data === undefined ? {} : { data }) } });
  return { kind: "answer", status, body, outcome };
}
