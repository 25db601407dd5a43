/** A session of 2025-11-25 by hand, for tests that break connections: each event with its id, and nothing comes back by itself. */
import { request, type IncomingMessage } from "node:http";
import { createParser } from "eventsource-parser";
import type { RpcMessage } from "../support/modern-request.ts";
import type { Door } from "./sdk-clients.ts";

export interface Event {
  readonly id: string | undefined;
  /** Undefined for an event without data. */
  readonly message: RpcMessage | undefined;
}

export interface RawReply {
  readonly status: number;
  readonly sessionId: string | undefined;
  /** As they come. Throws when the connection breaks. */
  readonly events: AsyncGenerator<Event, void, void>;
  /** Ends the connection as the system does for a process that is killed with something unread. */
  kill(): void;
}

export interface RawSession {
  post(message: object): Promise<RawReply>;
  /** Comes back for the rest of a stream. */
  resume(lastEventId: string): Promise<RawReply>;
}

const timeout_ms = 20_000;

async function* eventsOf(answer: IncomingMessage): AsyncGenerator<Event, void, void> {
  const waiting: Event[] = [];
  const parser = createParser({
    onEvent: ({ id, data }) => {
      waiting.push({ id, message: data === "" ? undefined : (JSON.parse(data) as RpcMessage) });
    },
  });
  answer.setEncoding("utf8");
  for await (const text of answer) {
    parser.feed(String(text));
    yield* waiting.splice(0);
  }
}

export async function openRawSession({ url, token }: Door, capabilities: object = {}): Promise<RawSession> {
  const common = { authorization: `Bearer ${token}`, accept: "application/json, text/event-stream" };
  const send = (headers: Readonly<Record<string, string>>, body?: object): Promise<RawReply> =>
    new Promise((resolve, reject) => {
      const type = body === undefined ? {} : { "content-type": "application/json" };
      const options = { method: body === undefined ? "GET" : "POST", agent: false, timeout: timeout_ms };
      const sent = request(url, { ...options, headers: { ...common, ...headers, ...type } }, (answer) => {
        // Who reads the events hears of it.
        answer.on("error", () => undefined);
        const id = answer.headers["mcp-session-id"];
        resolve({
          status: answer.statusCode ?? 0,
          sessionId: typeof id === "string" ? id : undefined,
          events: eventsOf(answer),
          kill: () => void answer.socket.resetAndDestroy(),
        });
      });
      sent.once("error", reject);
      sent.once("timeout", () => sent.destroy(new Error(`Silent for ${timeout_ms} ms`)));
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const version = "2025-11-25";
  const params = { protocolVersion: version, capabilities, clientInfo: { name: "raw", version: "1.0.0" } };
  const { sessionId = "" } = await send({}, { jsonrpc: "2.0", id: 0, method: "initialize", params });
  const session = { "mcp-session-id": sessionId, "mcp-protocol-version": version };
  await send(session, { jsonrpc: "2.0", method: "notifications/initialized" });
  return {
    post: (message) => send(session, message),
    resume: (lastEventId) => send({ ...session, "last-event-id": lastEventId }),
  };
}

/** Reads on until a message fits, and leaves the rest of the stream unread. */
export async function until({ events }: RawReply, fits: (message: RpcMessage) => boolean): Promise<Event> {
  for (;;) {
    const next = await events.next();
    if (next.done === true) throw new Error("The stream ended before the message came");
    const { message } = next.value;
    if (message !== undefined && fits(message)) return next.value;
  }
}
