/** A session of 2025-11-25 by hand, for tests that break connections: each event with its id, and nothing comes back by itself. */
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { RpcMessage } from "../support/modern-request.ts";
import type { Door } from "./sdk-clients.ts";

export interface Event {
  readonly id: string | undefined;
  /** Undefined for an event without data. */
  readonly message: RpcMessage | undefined;
}

export interface RawSession {
  post(message: object, signal?: AbortSignal): Promise<Response>;
  /** Comes back for the rest of a stream. */
  resume(lastEventId: string): Promise<Response>;
}

const timeout_ms = 20_000;

export async function openRawSession({ url, token }: Door, capabilities: object = {}): Promise<RawSession> {
  const common = { authorization: `Bearer ${token}`, accept: "application/json, text/event-stream" };
  const send = (headers: Readonly<Record<string, string>>, body?: object, signal?: AbortSignal): Promise<Response> =>
    fetch(url, {
      method: body === undefined ? "GET" : "POST",
      headers: { ...common, ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([AbortSignal.timeout(timeout_ms), ...(signal === undefined ? [] : [signal])]),
    });
  const params = {
    protocolVersion: "2025-11-25",
    capabilities,
    clientInfo: { name: "raw", version: "1.0.0" },
  };
  const opened = await send({}, { jsonrpc: "2.0", id: 0, method: "initialize", params });
  await opened.text();
  const session = {
    "mcp-session-id": opened.headers.get("mcp-session-id") ?? "",
    "mcp-protocol-version": "2025-11-25",
  };
  await send(session, { jsonrpc: "2.0", method: "notifications/initialized" });
  return {
    post: (message, signal) => send(session, message, signal),
    resume: (lastEventId) => send({ ...session, "last-event-id": lastEventId }),
  };
}

/** The events of a stream as they come. Throws when the connection breaks. */
export async function* eventsOf(response: Response): AsyncGenerator<Event, void, void> {
  const { body } = response;
  if (body === null) return;
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { id, data } of events) {
    yield { id, message: data === "" ? undefined : (JSON.parse(data) as RpcMessage) };
  }
}

/** Reads on until a message fits, and leaves the rest of the stream unread. */
export async function until(events: AsyncGenerator<Event>, fits: (message: RpcMessage) => boolean): Promise<Event> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) throw new Error("The stream ended before the message came");
    const { message } = next.value;
    if (message !== undefined && fits(message)) return next.value;
  }
}
