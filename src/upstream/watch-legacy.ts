/**
 * Changes of a server of the 2025 revisions: the GET stream of a session. It is opened again when it ends, where it broke off
 * if the server can do that.
 * @see MCP 2025-11-25 streamable HTTP, "Listening for Messages from the Server"
 */
import type { SafeResponse } from "../egress/index.ts";
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { isObject, type SseCursor } from "../protocol/index.ts";
import type { UpstreamSession } from "../session/index.ts";
import { answerPing, canBeAsked, refuseRequest, toAsk, type ServerRequest, type Tell } from "./asks.ts";
import type { Target, UpstreamAsk, UpstreamContext, UpstreamMessage } from "./call.ts";
import { get, refusedStatus } from "./http.ts";
import { hasBatches } from "./legacy-handshake.ts";
import {
  canSubscribe,
  closeUpstreamSession,
  forgetSession,
  legacySession,
  sessionHeaders,
  subscribe,
  tell,
} from "./legacy-session.ts";
import { readStream } from "./messages.ts";
import { lastEventHeader, newCursor, retryPause_ms } from "./resume.ts";
import type { Watch, WatchFilter } from "./watch.ts";

export async function watchLegacy(
  context: UpstreamContext,
  server: Target,
  filter: WatchFilter,
  abort: () => void,
): Promise<Result<Watch, Failure>> {
  const stream = new SessionStream(context, server, filter);
  const opened = await stream.open();
  if (!opened.ok) {
    await stream.release();
    return opened;
  }
  const close = async (): Promise<void> => {
    abort();
    await messages.return();
    await stream.release();
  };
  const messages = stream.messages(opened.value);
  return ok({ acknowledged: stream.acknowledged, messages, close });
}

const noStream: Failure = failure("upstream_refused", undefined, { reason: "no_stream" });

class SessionStream {
  /** What the server agreed to, once the stream is open. */
  acknowledged: JsonObject = {};
  readonly #context: UpstreamContext;
  readonly #server: Target;
  readonly #filter: WatchFilter;
  #session: UpstreamSession | undefined;
  #cursor: SseCursor = newCursor();
  #subrequests_count = 0;

  constructor(context: UpstreamContext, server: Target, filter: WatchFilter) {
    this.#context = context;
    this.#server = server;
    this.#filter = filter;
  }

  /** Opens the stream; in a new session when the server lost the one that is known. */
  async open(): Promise<Result<SafeResponse, Failure>> {
    for (const attempt of ["first", "renewed"] as const) {
      const fresh = this.#session === undefined;
      const session = await this.#currentSession();
      if (!session.ok) return session;
      const response = await get(this.#context, this.#server, {
        headers: [...sessionHeaders(session.value), ...lastEventHeader(this.#cursor)],
        total_ms: limits.listen_ms,
        mayBeSilent: true,
      });
      if (!response.ok) return response;
      const { status, contentType } = response.value;
      if (status === 404 && session.value.id !== undefined && attempt === "first") {
        await response.value.discard();
        await this.#forget(session.value);
        continue;
      }
      if (status === 405 || (status === 200 && contentType !== "text/event-stream")) {
        await response.value.discard();
        return err(noStream);
      }
      if (status !== 200) return err(await refusedStatus(response.value));
      // After the stream is there, so that no change falls between the two.
      if (fresh) this.acknowledged = await this.#agree(session.value);
      return response;
    }
    return err(failure("upstream_refused", undefined, { reason: "session_lost" }));
  }

  /** What comes over the stream, and over those that follow it. */
  async *messages(opened: SafeResponse): AsyncGenerator<UpstreamMessage, void, void> {
    let response: SafeResponse | undefined = opened;
    let backoff_ms: number = limits.streamRetry_ms;
    try {
      for (;;) {
        if (response !== undefined && (yield* this.#read(response))) backoff_ms = limits.streamRetry_ms;
        if (!(await this.#pause(backoff_ms))) return;
        backoff_ms = Math.min(limits.streamRetry_ms_max, 2 * backoff_ms);
        const again = await this.open();
        if (!again.ok && !mayPass(again.error)) return;
        response = again.ok ? again.value : undefined;
      }
    } finally {
      await this.release();
    }
  }

  /** A session of the watch's own ends with it. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined || this.#context.owner !== undefined) return;
    await closeUpstreamSession(this.#context, this.#server, session);
  }

  /** @returns whether anything came */
  async *#read(response: SafeResponse): AsyncGenerator<UpstreamMessage, boolean, void> {
    const batches = this.#session !== undefined && hasBatches(this.#session.version);
    const messages = readStream(response, { batches, cursor: this.#cursor });
    let came = false;
    try {
      for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
        came = true;
        const message = next.value;
        if (message.kind === "notification") {
          const { kind, method, params = {}, text } = message;
          yield { kind, method, params, text };
        } else if (message.kind === "request") {
          const ask = await this.#take(message);
          if (ask !== undefined) yield ask;
        }
      }
      return came;
    } finally {
      await messages.return(ok(undefined));
    }
  }

  /** @returns the request, when it is for the client to answer */
  async #take(request: ServerRequest): Promise<UpstreamAsk | undefined> {
    const session = this.#session;
    // A flood is left unanswered, and the next pause ends the watch.
    if (session === undefined || ++this.#subrequests_count > limits.watchSubrequests_count) return undefined;
    const tellServer: Tell = (body) =>
      tell(this.#context, this.#server, session, body, { total_ms: limits.eraProbe_ms });
    if (request.method === "ping") await answerPing(tellServer, request);
    else if (canBeAsked(this.#context)) return toAsk(this.#context, this.#server, tellServer, request, nothing);
    else await refuseRequest(tellServer, request);
    return undefined;
  }

  /** @returns whether the stream is to be opened again */
  async #pause(backoff_ms: number): Promise<boolean> {
    const { signal, platform } = this.#context;
    if (++this.#subrequests_count > limits.watchSubrequests_count) return false;
    await platform.ports.clock.sleep(Math.max(backoff_ms, retryPause_ms(this.#cursor)), signal);
    return !signal.aborted;
  }

  async #currentSession(): Promise<Result<UpstreamSession, Failure>> {
    if (this.#session !== undefined) return ok(this.#session);
    const session = await legacySession(this.#context, this.#server, limits.eraProbe_ms);
    if (session.ok) this.#session = session.value;
    return session;
  }

  async #forget(session: UpstreamSession): Promise<void> {
    this.#session = undefined;
    // Event ids are those of a session.
    this.#cursor = newCursor();
    await forgetSession(this.#context, this.#server, session);
  }

  /** What the server declares it tells of; and each resource that it takes a subscription for. */
  async #agree(session: UpstreamSession): Promise<JsonObject> {
    const { resourceSubscriptions = [] } = this.#filter;
    const uris = canSubscribe(session) ? await this.#subscribed(session, resourceSubscriptions) : [];
    return {
      ...this.#flag("toolsListChanged", session.capabilities["tools"]),
      ...this.#flag("promptsListChanged", session.capabilities["prompts"]),
      ...this.#flag("resourcesListChanged", session.capabilities["resources"]),
      ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
    };
  }

  #flag(name: "toolsListChanged" | "promptsListChanged" | "resourcesListChanged", capability: unknown): JsonObject {
    const tells = isObject(capability) && capability["listChanged"] === true;
    return this.#filter[name] === true && tells ? { [name]: true } : {};
  }

  /** In a session that clients share, nobody subscribes; a client of 2025 did so itself, in its own. */
  async #subscribed(session: UpstreamSession, uris: readonly string[]): Promise<string[]> {
    const { owner } = this.#context;
    if (owner !== undefined) return canBeAsked(this.#context) ? [...uris] : [];
    const agreed = await Promise.all(
      uris.map(async (uri) => ((await subscribe(this.#context, this.#server, session, uri)) ? [uri] : [])),
    );
    return agreed.flat();
  }
}

/** The stream has no deadline that an answer of the client could miss. */
const nothing = (): void => undefined;

/** What may be over at the next try. A credential that is refused, or a stream that is no longer offered, is not. */
const mayPass = ({ code, reason }: Failure): boolean =>
  code === "upstream_unreachable" || code === "upstream_timeout" || /^upstream_http_(?:5|429|408)/.test(reason ?? "");
