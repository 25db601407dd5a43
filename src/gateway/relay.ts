/** One request to one upstream and its answer back: the heart of the data path. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { encodeResponse } from "../protocol/index.ts";
import { requestUpstream, type UpstreamAnswer, type UpstreamMessage, type UpstreamReply } from "../upstream/index.ts";
import { forgetCatalog } from "./catalog/index.ts";
import { Conversation } from "./conversation.ts";
import { contextOf, type Exchange, type Relay } from "./exchange.ts";
import { openRequestState } from "./handles.ts";
import { answerUnlinked, prepareLink } from "./link/index.ts";
import { toClientNotification } from "./notify.ts";
import { checkTool } from "./tool-check.ts";
import { failed, outcomeOf, type Answer, type Messages, type Reply } from "./reply.ts";
import { finishResult } from "./result.ts";
import { toServerTasks } from "./tasks.ts";
import { translate } from "./translate.ts";

export async function relay(exchange: Exchange, asked: Relay): Promise<Reply> {
  const { id } = exchange.request;
  const prepared = await prepareLink(exchange, asked);
  if (prepared.kind === "reply") return prepared.reply;
  const { request } = prepared;
  const params = await toServerParams(exchange, request);
  if (!params.ok) return failed(params.error, id);
  const conversation = new Conversation(exchange, {
    role: "call",
    aggregate: request.aggregate,
    onEnd: () => exchange.abandon(),
  });
  if (exchange.session !== undefined) void conversation.listenLater();
  const opened = await open(exchange, request, params.value);
  if (opened.ok && opened.value.first.done !== true) {
    const { reply, first } = opened.value;
    return { kind: "stream", messages: converse(exchange, request, conversation, reply, first.value) };
  }
  conversation.end();
  return opened.ok && opened.value.first.done === true
    ? finish(exchange, request, opened.value.first.value)
    : notRelayed(exchange, request, opened.ok ? failure("internal") : opened.error);
}

/** The answer where the server gave none. */
async function notRelayed(exchange: Exchange, request: Relay, reason: Failure): Promise<Answer> {
  return reason.code === "link_needed"
    ? answerUnlinked(exchange, request, reason)
    : failed(reason, exchange.request.id);
}

/** What the client carries for the upstream becomes the upstream's own again: the state of a call, and ids of tasks. */
async function toServerParams(exchange: Exchange, request: Relay): Promise<Result<JsonObject, Failure>> {
  const params = { ...request.params };
  if (exchange.request.era === "legacy") {
    await toServerTasks(exchange, params, false);
    return ok(params);
  }
  const handle = params["requestState"];
  if (typeof handle !== "string") return ok(params);
  const state = await openRequestState(exchange, request.permitted.server.id, handle);
  return state.ok ? ok({ ...params, requestState: state.value }) : state;
}

interface Opened {
  readonly reply: UpstreamReply;
  readonly first: IteratorResult<UpstreamMessage, Result<UpstreamAnswer, Failure>>;
}

/**
 * Sends the request and waits for the first message. An upstream that refuses the mirrored headers did not run anything: its
 * tools are read again and the request is sent once more.
 */
async function open(exchange: Exchange, request: Relay, params: JsonObject): Promise<Result<Opened, Failure>> {
  const context = contextOf(exchange);
  const { server } = request.permitted;
  for (const attempt of ["first", "again"] as const) {
    const paramHeaders = await checkTool(exchange, server, params, request.name);
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
      forgetCatalog(context, server, "tools/list");
      continue;
    }
    return ok({ reply, first });
  }
  return err(failure("upstream_invalid", undefined, { reason: "upstream_header_mismatch" }));
}

const isHeaderMismatch = (answer: Result<UpstreamAnswer, Failure>): boolean =>
  answer.ok && answer.value.response.kind === "error" && answer.value.response.error.code === -32020;

/** Notifications and requests as they come, then the answer. */
async function* converse(
  exchange: Exchange,
  request: Relay,
  conversation: Conversation,
  reply: UpstreamReply,
  first: UpstreamMessage,
): Messages {
  const { permitted } = request;
  try {
    for (let message = first; ;) {
      const text =
        message.kind === "ask"
          ? await conversation.ask(message, permitted)
          : await toClientNotification(exchange, request, conversation, message);
      if (text !== undefined) yield text;
      const next = await reply.next();
      if (next.done === true) return await finish(exchange, request, next.value);
      message = next.value;
    }
  } finally {
    conversation.end();
    await reply.return(err(failure("upstream_invalid", undefined, { reason: "cancelled" })));
  }
}

async function finish(exchange: Exchange, request: Relay, answered: Result<UpstreamAnswer, Failure>): Promise<Answer> {
  const { id } = exchange.request;
  if (!answered.ok) {
    if (exchange.signal.aborted) return { ...failed(answered.error, id), outcome: { status: "cancelled" } };
    return notRelayed(exchange, request, answered.error);
  }
  const translated = translate(exchange.request, answered.value);
  if (!translated.ok) return { ...failed(translated.error, id), outcome: outcomeOf(translated.error) };
  const { response, text } = translated.value;
  if (response.kind === "error") return finishError(exchange, translated.value);
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

/** What a server of 2026-07-28 may not emit, by what it says instead. */
const modernCodes = new Map([
  [-32002, -32602],
  [-32042, -32603],
]);

/**
 * Errors go on as they are, but for codes that speak of the hop between Gatehouse and the upstream and for codes that a
 * server of 2026-07-28 may not emit.
 * @see MCP 2026-07-28 basic, "Error Codes"
 */
function finishError(exchange: Exchange, answer: UpstreamAnswer): Answer {
  const { id, era } = exchange.request;
  if (answer.response.kind !== "error") return failed(failure("internal"), id);
  const { error } = answer.response;
  const { code } = error;
  const outcome = { status: "error" as const, code, reason: "upstream_error" };
  if (code === -32020 || code === -32022) {
    return { ...failed(failure("upstream_invalid", undefined, { reason: `upstream_error_${code}` }), id), outcome };
  }
  const status = code === -32601 ? 404 : code === -32021 ? 400 : answer.status === 404 ? 200 : answer.status;
  const known = era === "modern" ? modernCodes.get(code) : undefined;
  if (answer.text !== undefined && known === undefined) return { kind: "answer", status, body: answer.text, outcome };
  const body = encodeResponse(id, { error: { ...error, code: known ?? code } });
  return { kind: "answer", status, body, outcome };
}
