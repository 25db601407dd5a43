/**
 * Messages of several upstreams on one stream to the client. A slow reader slows the upstreams down, changes of a list are told
 * once, and beside the stream somebody asks whether its principal may still have it.
 */
import { limits } from "../limits.ts";
import type { JsonObject } from "../ports.ts";
import { encodeNotification } from "../protocol/index.ts";
import type { Snapshot } from "../tenant/index.ts";
import type { UpstreamMessage, Watch } from "../upstream/index.ts";
import type { Exchange, Permitted } from "./exchange.ts";
import { permittedServers } from "./permit.ts";
import type { Ending, Messages } from "./reply.ts";
import { standing } from "./standing.ts";

export interface Source {
  readonly permitted: Permitted;
  readonly watch: Watch;
  /** Hands what is for the client to `put` or `listChanged`. */
  take(message: UpstreamMessage): Promise<void>;
}

export interface FeedOptions {
  /** Whether the stream is over when one of its upstreams ends its part. */
  readonly endsWithSource: boolean;
  /** The servers that this principal may use are others than before, or configured otherwise. */
  onServersChanged(snapshot: Snapshot): void;
}

export class Feed {
  readonly #exchange: Exchange;
  readonly #options: FeedOptions;
  readonly #over = new AbortController();
  readonly #sources = new Set<Source>();
  readonly #waiting: string[] = [];
  /** When each list was last said to have changed, and what is to be said of it when its time has come. */
  readonly #changes = new Map<string, { again: boolean; params: JsonObject | undefined }>();
  #arrived = Promise.withResolvers<void>();
  #taken = Promise.withResolvers<void>();
  #ending: Ending | undefined;

  constructor(exchange: Exchange, options: FeedOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Resolves when the message has its place; when the stream is over it is dropped. */
  async put(text: string): Promise<void> {
    while (this.#waiting.length >= limits.feed_count && !this.#over.signal.aborted) await this.#taken.promise;
    if (this.#over.signal.aborted) return;
    this.#waiting.push(text);
    this.#arrived.resolve();
  }

  /** The first change goes out at once, those within `limits.listChanged_ms` after it as one. */
  async listChanged(method: string, params: JsonObject | undefined): Promise<void> {
    const recent = this.#changes.get(method);
    this.#changes.set(method, { again: recent !== undefined, params });
    if (recent !== undefined) return;
    void this.#settleChange(method);
    await this.put(encodeNotification(method, params));
  }

  async #settleChange(method: string): Promise<void> {
    await this.#exchange.platform.ports.clock.sleep(limits.listChanged_ms, this.#over.signal);
    const change = this.#changes.get(method);
    this.#changes.delete(method);
    if (change?.again === true && !this.#over.signal.aborted) await this.listChanged(method, change.params);
  }

  add(source: Source): void {
    if (this.#over.signal.aborted) {
      void source.watch.close();
      return;
    }
    this.#sources.add(source);
    void this.#pump(source);
  }

  remove(source: Source): void {
    if (this.#sources.delete(source)) void source.watch.close();
  }

  /** Ends the stream after what is waiting. */
  end(ending: Ending): void {
    this.#ending ??= ending;
    this.#arrived.resolve();
  }

  /**
   * The stream itself: what was put, in order, and "" as sign of life.
   * @param last the response that ends it gracefully
   */
  async *messages(last: string | undefined): Messages {
    const { clock } = this.#exchange.platform.ports;
    const until = clock.now() + limits.listen_ms;
    const graceful: Ending = { outcome: { status: "ok" }, body: last };
    void this.#watchStanding();
    // Whoever reads may wait for a message that will not come.
    this.#exchange.signal.addEventListener("abort", () => this.#arrived.resolve(), { once: true });
    let silent_since = clock.now();
    try {
      let tick = this.#tick();
      while (clock.now() < until) {
        if (this.#exchange.signal.aborted) return { outcome: { status: "cancelled" } };
        // Before anything else goes out: messages may lie in wait from before a revocation.
        if (this.#ending?.outcome.status === "interrupted") return this.#ending;
        const text = this.#waiting.shift();
        if (text !== undefined) {
          this.#taken.resolve();
          this.#taken = Promise.withResolvers<void>();
          silent_since = clock.now();
          yield text;
          continue;
        }
        if (this.#ending !== undefined) return { ...graceful, ...this.#ending };
        this.#arrived = Promise.withResolvers<void>();
        const ticked = await Promise.race([this.#arrived.promise.then(() => false), tick.then(() => true)]);
        if (!ticked) continue;
        tick = this.#tick();
        if (clock.now() - silent_since < limits.listenKeepAlive_ms) continue;
        silent_since = clock.now();
        yield "";
      }
      return graceful;
    } finally {
      this.#over.abort();
      this.#taken.resolve();
      await Promise.all([...this.#sources].map(({ watch }) => watch.close()));
    }
  }

  #tick(): Promise<void> {
    return this.#exchange.platform.ports.clock.sleep(limits.listenTick_ms, this.#over.signal);
  }

  async #pump(source: Source): Promise<void> {
    try {
      for await (const message of source.watch.messages) {
        if (this.#over.signal.aborted || !this.#sources.has(source)) break;
        await source.take(message);
      }
    } catch (cause) {
      this.#exchange.platform.log("error", "A stream of an upstream failed unexpectedly", {
        server: source.permitted.server.slug,
        cause,
      });
    }
    const wasWanted = this.#sources.delete(source);
    await source.watch.close();
    // An upstream that ended its part took what it had acknowledged away: the client is told by the end.
    if (wasWanted && this.#options.endsWithSource) this.end({ outcome: { status: "ok" } });
  }

  /**
   * Asks beside the stream whether it may go on, so that neither a flood of messages nor a client that does not read puts the
   * question off. When it may not, the upstreams are let go at once, and the client's connection with them.
   */
  async #watchStanding(): Promise<void> {
    const { clock } = this.#exchange.platform.ports;
    let servers = fingerprint(this.#exchange);
    for (;;) {
      await clock.sleep(limits.streamRecheck_ms, this.#over.signal);
      if (this.#over.signal.aborted) return;
      const sources = [...this.#sources].map(({ permitted }) => permitted.server);
      const snapshot = await standing(this.#exchange, sources);
      if (snapshot === undefined) {
        this.end({ outcome: { status: "interrupted", reason: "no_longer_allowed" } });
        for (const { watch } of this.#sources) void watch.close();
        return;
      }
      const now = fingerprint({ ...this.#exchange, snapshot });
      if (now !== servers) this.#options.onServersChanged(snapshot);
      servers = now;
    }
  }
}

/** The servers of the endpoint that the principal may use, each with the revision of its configuration. */
function fingerprint(exchange: Exchange): string {
  const { slug } = exchange.endpoint;
  const servers = permittedServers(exchange).filter(({ server }) => slug === undefined || server.slug === slug);
  return servers.map(({ server }) => `${server.id}:${server.revision}`).join(" ");
}
