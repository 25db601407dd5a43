/**
 * HTTP+SSE, the transport of 2024-11-05: answers come on a stream that the client opened before, and the server's session is
 * that stream. So each request has a connection of its own, with a handshake, and what a server keeps for its client
 * (subscriptions, its level of logs, what a tool remembers) does not outlive the request.
 * @see MCP 2024-11-05 transports, "HTTP with SSE"
 */
import type { Excuse, SafeResponse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { encodeNotification, readSse, type SseEvent } from "../protocol/index.ts";
import { answerPing, type Tell } from "./asks.ts";
import type { Target, UpstreamCall, UpstreamContext, UpstreamReply } from "./call.ts";
import { get, post, refusedStatus } from "./http.ts";
import { initializeRequest, readInitialized, type Negotiated } from "./legacy-handshake.ts";
import { converse, encodeHop, toHop } from "./legacy-hop.ts";
import { neverAborted } from "./legacy-session.ts";
import { readEvents, streamFailure, untilAnswer, type Answered, type Interim, type MessageStream } from "./messages.ts";

export async function* legacySseRequest(context: UpstreamContext, server: Target, call: UpstreamCall): UpstreamReply {
  const hop = toHop(context, call);
  const connected = await connect(context, server, call.total_ms, hop.excuse);
  if (!connected.ok) return connected;
  const { connection } = connected.value;
  try {
    const messages = connection.ask(hop.id, encodeHop(hop));
    const ways = { tell: connection.tell, tellEnd: connection.tellEnd };
    return yield* converse(context, server, hop, messages, ways);
  } finally {
    await connection.close();
  }
}

/**
 * What the server says of itself, over a connection that ends with the answer.
 * @returns `upstream_invalid` with reason `no_endpoint` when it does not speak this transport
 */
export async function probeSse(context: UpstreamContext, server: Target): Promise<Result<Negotiated, Failure>> {
  const connected = await connect(context, server, limits.eraProbe_ms);
  if (!connected.ok) return connected;
  await connected.value.connection.close();
  return ok(connected.value.negotiated);
}

class SseConnection {
  readonly #context: UpstreamContext;
  readonly #server: Target;
  readonly #response: SafeResponse;
  readonly #endpoint: URL;
  readonly #messages: MessageStream;

  constructor(
    context: UpstreamContext,
    server: Target,
    response: SafeResponse,
    endpoint: URL,
    events: AsyncGenerator<SseEvent, void>,
  ) {
    this.#context = context;
    this.#server = server;
    this.#response = response;
    this.#endpoint = endpoint;
    this.#messages = readEvents(events);
  }

  readonly tell: Tell = (body) => this.#post(body, this.#context.signal);

  /** After a cancellation as well. The server may have taken the end of the stream for one already. */
  readonly tellEnd: Tell = (body) => this.#post(body, neverAborted());

  /** Sends a request. Some servers accept it when it is done only, so nothing waits for that but its failure. */
  async *ask(id: string | number, body: string): AsyncGenerator<Interim, Result<Answered, Failure>, void> {
    let refused: Failure | undefined;
    const send = async (): Promise<void> => {
      const sent = await this.tell(body);
      if (sent.ok) return;
      refused = sent.error;
      await this.close();
    };
    this.#context.platform.waitUntil(send());
    const answered = yield* untilAnswer(this.#messages, id, 200);
    return answered.ok || refused === undefined ? answered : err(refused);
  }

  close(): Promise<void> {
    return this.#response.discard();
  }

  async #post(body: string, signal: AbortSignal): Promise<Result<void, Failure>> {
    const request = { headers: [], body, total_ms: limits.upstreamIdle_ms, url: this.#endpoint, signal };
    const response = await post(this.#context, this.#server, request);
    if (!response.ok) return response;
    if (response.value.status >= 300) return err(await refusedStatus(response.value));
    await response.value.discard();
    return ok(undefined);
  }
}

interface Connected {
  readonly connection: SseConnection;
  readonly negotiated: Negotiated;
}

async function connect(
  context: UpstreamContext,
  server: Target,
  total_ms: number,
  excuse?: Excuse,
): Promise<Result<Connected, Failure>> {
  const opened = await open(context, server, total_ms, excuse);
  if (!opened.ok) return opened;
  const negotiated = await initialize(context, opened.value);
  if (negotiated.ok) return ok({ connection: opened.value, negotiated: negotiated.value });
  await opened.value.close();
  return negotiated;
}

async function open(
  context: UpstreamContext,
  server: Target,
  total_ms: number,
  excuse: Excuse | undefined,
): Promise<Result<SseConnection, Failure>> {
  const request = { headers: [], total_ms, ...(excuse === undefined ? {} : { excuse }) };
  const response = await get(context, server, request);
  if (!response.ok) return response;
  const { status, contentType, body } = response.value;
  if (status !== 200 || contentType !== "text/event-stream" || body === null) {
    await response.value.discard();
    return err(invalid("no_endpoint"));
  }
  const events = readSse(body, { event_bytes: limits.sseEvent_bytes });
  const endpoint = await readEndpoint(server, events);
  if (endpoint.ok) return ok(new SseConnection(context, server, response.value, endpoint.value, events));
  await response.value.discard();
  return endpoint;
}

/** The first event says where to post. Elsewhere than at the server itself its credential would go to a stranger. */
async function readEndpoint(server: Target, events: AsyncGenerator<SseEvent, void>): Promise<Result<URL, Failure>> {
  try {
    const first = await events.next();
    if (first.done === true || first.value.event !== "endpoint") return err(invalid("no_endpoint"));
    const endpoint = URL.parse(first.value.data, server.url);
    const isOwn =
      endpoint?.origin === new URL(server.url).origin && endpoint.username === "" && endpoint.password === "";
    return isOwn ? ok(endpoint) : err(invalid("foreign_endpoint"));
  } catch (thrown) {
    return err(streamFailure(thrown));
  }
}

const invalid = (reason: string): Failure => failure("upstream_invalid", undefined, { reason });

async function initialize(context: UpstreamContext, connection: SseConnection): Promise<Result<Negotiated, Failure>> {
  const id = context.platform.ports.random.uuid();
  const messages = connection.ask(id, initializeRequest(context, id));
  let next = await messages.next();
  for (let pings_count = 0; next.done !== true; next = await messages.next()) {
    if (next.value.kind !== "request" || next.value.method !== "ping") continue;
    if (++pings_count > limits.upstreamRequests_count) return err(invalid("request_flood"));
    await answerPing(connection.tell, next.value);
  }
  if (!next.value.ok) return next.value;
  const negotiated = readInitialized(next.value.value.response);
  if (!negotiated.ok) return negotiated;
  const told = await connection.tell(encodeNotification("notifications/initialized"));
  return told.ok ? negotiated : told;
}
