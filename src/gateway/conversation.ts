/**
 * What passes between a client of the 2025 revisions and the server behind its call or stream besides the answer: the client
 * cancels, the server asks and the client answers. Each of these arrives in an invocation of its own and reaches this one over
 * the session's line, which is opened only when there is something to hear: a plain call never needs it.
 */
import { failure, toRpcError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { JsonObject } from "../ports.ts";
import { encodeNotification, encodeRequest, isObject, META, missingCapabilities } from "../protocol/index.ts";
import { openLine, type Line, type LineMessage } from "../session/index.ts";
import type { UpstreamAsk } from "../upstream/index.ts";
import type { Exchange, Permitted } from "./exchange.ts";
import { acceptsStream } from "./guards.ts";
import { prefixSampling } from "./rewrite.ts";
import type { ServerName } from "./standing.ts";
import { toClientTasks, toServerTasks } from "./tasks.ts";

/** Not the whole question: many may wait, and each may be large. */
interface Pending {
  readonly ask: Pick<UpstreamAsk, "id" | "answer" | "progress">;
  readonly server: ServerName;
  /** The server's own progress token. */
  readonly token: string | number | undefined;
}

export interface ConversationOptions {
  readonly role: "call" | "stream";
  /** Whether names on this endpoint carry the server's prefix. */
  readonly aggregate: boolean;
  /** The facts of the session changed, or something may have been missed. */
  readonly onChanged?: () => void;
  /** The session is over, or the client cancelled. */
  readonly onEnd: () => void;
}

export class Conversation {
  readonly #exchange: Exchange;
  readonly #options: ConversationOptions;
  readonly #pending = new Map<string, Pending>();
  #line: Line | undefined;
  #asks_count = 0;
  #isOver = false;

  constructor(exchange: Exchange, options: ConversationOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Opens the line once a call has run for so long that its client may want to cancel it. */
  async listenLater(): Promise<void> {
    // Not cleared: most calls end before, and to let the timer run out is cheaper than to take it back.
    await this.#exchange.platform.ports.clock.sleep(limits.lineDelay_ms);
    if (!this.#isOver) await this.open();
  }

  /** @returns undefined when the session's object cannot be reached */
  async open(): Promise<Line | undefined> {
    const { session, request } = this.#exchange;
    if (this.#line !== undefined || session === undefined) return this.#line;
    const { role } = this.#options;
    const options = role === "call" ? { role, request_id: request.id } : { role };
    const opened = await openLine(this.#exchange, session.client.owner, options);
    if (!opened.ok) {
      this.#exchange.platform.log("warn", "The line of a session could not be opened", { reason: opened.error.reason });
      return undefined;
    }
    // Two that opened at once: one line is enough.
    const { signal } = this.#exchange;
    if (this.#line !== undefined || this.#isOver || signal.aborted) {
      opened.value.close();
      return this.#line;
    }
    // Whoever gives the request up may do so before anything was read of it.
    signal.addEventListener("abort", () => this.end(), { once: true });
    void this.#listen(opened.value);
    return this.#line;
  }

  /**
   * Hands a server's request on.
   * @returns the request as the client gets it; undefined when the server was answered in the client's place
   */
  async ask(ask: UpstreamAsk, permitted: Permitted): Promise<string | undefined> {
    const refused = this.#refusal(ask);
    const line = refused === undefined ? await this.open() : undefined;
    if (line === undefined) {
      const error = refused ?? { code: -32603, message: "The client cannot be reached" };
      await ask.answer({ error });
      return undefined;
    }
    const { asked } = this.#exchange;
    if (asked.length < limits.auditAsked_count) asked.push(ask.method);
    this.#asks_count += 1;
    const id = `${line.id}.${this.#asks_count}`;
    const meta = isObject(ask.params["_meta"]) ? ask.params["_meta"] : undefined;
    const token = meta?.[META.progressToken];
    const params: JsonObject = { ...ask.params };
    if (meta !== undefined && token !== undefined) params["_meta"] = { ...meta, [META.progressToken]: id };
    if (this.#options.aggregate) prefixSampling(params, permitted.server.slug);
    await toClientTasks(this.#exchange, permitted.server.id, params, false);
    const isToken = typeof token === "string" || typeof token === "number";
    const { id: own_id, answer, progress } = ask;
    const { server } = permitted;
    this.#pending.set(id, { ask: { id: own_id, answer, progress }, server, token: isToken ? token : undefined });
    return encodeRequest(id, ask.method, params);
  }

  /** A server takes one of its requests back. @returns the notification for the client, if it knows of that request */
  withdraw(server_id: string, params: JsonObject): string | undefined {
    for (const [id, { ask, server }] of this.#pending) {
      if (server.id !== server_id || ask.id !== params["requestId"]) continue;
      this.#pending.delete(id);
      return encodeNotification("notifications/cancelled", { ...params, requestId: id });
    }
    return undefined;
  }

  end(): void {
    this.#isOver = true;
    this.#line?.close();
  }

  #refusal({ method, params }: UpstreamAsk): { code: number; message: string } | undefined {
    const { request, headers } = this.#exchange;
    const missing = missingCapabilities({ ask: { method, params } }, request.meta.clientCapabilities);
    if (missing.length > 0) return { code: -32601, message: `The client did not declare ${missing.join(", ")}` };
    if (!acceptsStream(headers)) return { code: -32601, message: "The client does not accept an event stream" };
    if (this.#pending.size >= limits.pendingAsks_count) {
      return { code: -32603, message: "Too many requests wait for the client's answer" };
    }
    return undefined;
  }

  async #listen(line: Line): Promise<void> {
    this.#line = line;
    for (;;) {
      const message = await line.next();
      this.#take(message);
      if (message.kind === "ended") return;
    }
  }

  /** Waits for nothing: a server that is slow to take an answer must not hold up the end. */
  #take(message: LineMessage): void {
    switch (message.kind) {
      case "answer":
        void this.#answer(message.id, message.response);
        return;
      case "progress":
        void this.#progress(message.token, message.params);
        return;
      case "changed":
        this.#options.onChanged?.();
        return;
      case "cancelled":
        // It goes to all calls of the session, since nobody else knows which of them it means.
        if (message.request_id === this.#exchange.request.id) this.#options.onEnd();
        return;
      case "ended":
        return this.#ended(message.reason);
    }
  }

  /** A call needs no line to go on; a stream without one would outlive its session. */
  #ended(reason: Extract<LineMessage, { kind: "ended" }>["reason"]): void {
    this.#line = undefined;
    if (reason === "lost" && this.#options.role === "call") return;
    this.#options.onEnd();
  }

  async #answer(id: string, response: JsonObject): Promise<void> {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const { result, error } = response;
    if (isObject(result)) {
      await toServerTasks(this.#exchange, result, false);
      await pending.ask.answer({ result });
    } else {
      await pending.ask.answer({ error: isObject(error) ? error : internalError });
    }
  }

  async #progress(token: string, params: JsonObject): Promise<void> {
    const pending = this.#pending.get(token);
    if (pending?.token !== undefined) await pending.ask.progress({ ...params, progressToken: pending.token });
  }
}

const internalError: JsonObject = toRpcError(failure("internal"))["error"] as JsonObject;
