/**
 * The stream of a session (`GET`): what its servers say without being asked, and what they ask the client outside of a call. It is
 * offered only where some server needs it. A client that lost the connection first gets what it missed.
 * @see MCP 2025-11-25 transports, "Listening for Messages from the Server" and "Resumability and Redelivery"
 */
import { failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { encodeNotification, isObject } from "../../protocol/index.ts";
import { rereadFacts, type Facts } from "../../session/index.ts";
import { eraOf, watchUpstream, type UpstreamMessage, type Verdict, type WatchFilter } from "../../upstream/index.ts";
import { noteListChanged, prefixUri } from "../catalog/index.ts";
import { Conversation } from "../conversation.ts";
import { withDeadline } from "../deadline.ts";
import { contextOf, type Exchange, type Permitted } from "../exchange.ts";
import { Feed, type Source } from "../feed.ts";
import { isListChanged, toLegacy } from "../notify.ts";
import { permittedServers } from "../permit.ts";
import { refusedWithoutId, type Messages, type Reply } from "../reply.ts";
import { parseEventId } from "../sender.ts";
import { standing } from "../standing.ts";
import { replay } from "./replay.ts";

interface Talkative {
  readonly permitted: Permitted;
  readonly verdict: Verdict;
}

const lists = ["tools", "prompts", "resources"] as const;

export async function openStream(exchange: Exchange, permitted?: Permitted): Promise<Reply> {
  const lastSeen = parseEventId(exchange.headers.get("last-event-id") ?? "");
  if (lastSeen?.kind === "call") return { kind: "stream", messages: replay(exchange, lastSeen) };
  const candidates = permitted === undefined ? permittedServers(exchange) : [permitted];
  const talkative = await talkativeOf(exchange, candidates);
  if (talkative.length === 0) {
    return refusedWithoutId(
      failure("method_not_allowed", "No server behind this session sends anything of its own accord", {
        reason: "no_stream",
        headers: { allow: "POST, DELETE" },
      }),
    );
  }
  const stream = new SessionStream(exchange, permitted === undefined);
  if (!(await stream.open())) {
    return refusedWithoutId(failure("unavailable", undefined, { reason: "session_unavailable" }));
  }
  return { kind: "stream", messages: stream.messages(talkative, lastSeen), watchesStanding: true };
}

async function talkativeOf(exchange: Exchange, candidates: readonly Permitted[]): Promise<Talkative[]> {
  const found = await withDeadline(exchange, limits.listPerUpstream_ms, (bounded) =>
    Promise.all(
      candidates.map(async (permitted) => {
        const verdict = await eraOf(contextOf(bounded), permitted.server);
        return verdict.ok && mayTalk(exchange, verdict.value) ? { permitted, verdict: verdict.value } : undefined;
      }),
    ),
  );
  return found.filter((one) => one !== undefined);
}

/** Whether a server may have something to say outside of a call, as far as it declares. */
function mayTalk(exchange: Exchange, verdict: Verdict): boolean {
  const { era, capabilities } = verdict;
  if (verdict.era === "legacy" && verdict.transport === "sse") return false;
  const { resources, logging } = capabilities;
  if (lists.some((list) => changes(capabilities, list))) return true;
  if (isObject(resources) && resources["subscribe"] === true) return true;
  // A server of 2025 may log whenever it likes, and ask what the client declared.
  const asks = Object.keys(exchange.request.meta.clientCapabilities).length > 0;
  return era === "legacy" && (isObject(logging) || asks);
}

function changes(capabilities: Verdict["capabilities"], list: (typeof lists)[number]): boolean {
  const capability = capabilities[list];
  return isObject(capability) && capability["listChanged"] === true;
}

class SessionStream {
  readonly #exchange: Exchange;
  readonly #aggregate: boolean;
  readonly #feed: Feed;
  readonly #conversation: Conversation;
  /** Sources of servers of 2026-07-28, with the subscriptions that they listen for. */
  readonly #listening = new Map<string, { readonly source: Source; readonly uris: string }>();
  readonly #over = new AbortController();

  constructor(exchange: Exchange, aggregate: boolean) {
    this.#exchange = exchange;
    this.#aggregate = aggregate;
    this.#feed = new Feed(exchange, {
      endsWithSource: false,
      onServersChanged: () => this.#listsChanged(lists),
    });
    this.#conversation = new Conversation(exchange, {
      role: "stream",
      aggregate,
      onChanged: () => void this.#resubscribe(),
      onEnd: () => this.#feed.end({ outcome: { status: "interrupted", reason: "session_over" } }),
    });
  }

  /** @returns false when the session's object cannot be reached: then nobody would hear of the end of the session */
  async open(): Promise<boolean> {
    return (await this.#conversation.open()) !== undefined;
  }

  async *messages(talkative: readonly Talkative[], lastSeen: ReturnType<typeof parseEventId>): Messages {
    try {
      if (lastSeen !== undefined) {
        yield* replay(this.#exchange, lastSeen);
        // While nobody listened anything may have changed.
        this.#listsChanged(
          lists.filter((list) => talkative.some(({ verdict }) => changes(verdict.capabilities, list))),
        );
      }
      for (const one of talkative) void this.#attach(one);
      return yield* this.#feed.messages(undefined);
    } finally {
      this.#over.abort();
      this.#conversation.end();
    }
  }

  #listsChanged(changed: readonly string[]): void {
    for (const list of changed) void this.#feed.listChanged(`notifications/${list}/list_changed`, undefined);
  }

  /** Listens to a server for as long as the stream is open; one that is down is tried again. */
  async #attach({ permitted, verdict }: Talkative): Promise<void> {
    const { clock } = this.#exchange.platform.ports;
    const { slug, id } = permitted.server;
    while (!this.#over.signal.aborted) {
      // Hours may have passed: what the server is called with, and whether, is what holds now.
      const snapshot = await standing(this.#exchange, [permitted.server]);
      const current = snapshot?.servers.get(slug);
      if (current?.id !== id) return;
      const facts = await this.#facts();
      const uris = subscribedOf(facts, permitted);
      const watched = await this.#watch({ ...permitted, server: current }, uris);
      if (watched.ok) {
        const { value: watch } = watched;
        const source = { permitted, watch, take: (message: UpstreamMessage) => this.#take(permitted, message) };
        if (verdict.era === "modern") this.#listening.set(permitted.server.id, { source, uris: uris.join("\n") });
        this.#feed.add(source);
        // The client may have subscribed to more since.
        return this.#resubscribe();
      }
      if (watched.error.reason === "no_stream") return;
      await clock.sleep(limits.watchRetry_ms, this.#over.signal);
    }
  }

  #watch(permitted: Permitted, uris: readonly string[]) {
    const filter: WatchFilter = {
      toolsListChanged: true,
      promptsListChanged: true,
      resourcesListChanged: true,
      ...(uris.length === 0 ? {} : { resourceSubscriptions: [...uris] }),
    };
    return watchUpstream(contextOf(this.#exchange), permitted.server, filter, {});
  }

  async #facts(): Promise<Facts | undefined> {
    const { session } = this.#exchange;
    const facts = session === undefined ? undefined : await rereadFacts(this.#exchange, session.client.owner);
    return facts?.ok === true ? facts.value : session?.facts;
  }

  /** The client subscribed or unsubscribed: what a server of 2026-07-28 is listened to for is said at the beginning only. */
  async #resubscribe(): Promise<void> {
    const facts = await this.#facts();
    for (const [id, { source, uris }] of this.#listening) {
      const { permitted } = source;
      if (subscribedOf(facts, permitted).join("\n") === uris) continue;
      this.#listening.delete(id);
      const verdict = await eraOf(contextOf(this.#exchange), permitted.server);
      // The old one is left when the new one is there, so that no change falls between the two.
      if (verdict.ok) void this.#replace(source, { permitted, verdict: verdict.value }, uris);
      else this.#listening.set(id, { source, uris });
    }
  }

  /** What changed between the client's subscription and this is not known, so it is told to look. */
  async #replace(source: Source, next: Talkative, known: string): Promise<void> {
    await this.#attach(next);
    this.#feed.remove(source);
    const before = new Set(known.split("\n"));
    const { permitted } = next;
    for (const uri of subscribedOf(await this.#facts(), permitted).filter((one) => !before.has(one))) {
      const params = { uri: this.#aggregate ? prefixUri(permitted.server.slug, uri) : uri };
      await this.#feed.put(encodeNotification("notifications/resources/updated", params));
    }
  }

  async #take(permitted: Permitted, message: UpstreamMessage): Promise<void> {
    const place = { permitted, aggregate: this.#aggregate };
    if (message.kind === "ask") {
      const asked = await this.#conversation.ask(message, permitted);
      if (asked !== undefined) await this.#feed.put(asked);
    } else if (isListChanged(message.method)) {
      await noteListChanged(contextOf(this.#exchange), permitted.server, message.method);
      await this.#feed.listChanged(message.method, undefined);
    } else {
      const text = await toLegacy(this.#exchange, place, this.#conversation, message);
      if (text !== undefined) await this.#feed.put(text);
    }
  }
}

function subscribedOf(facts: Facts | undefined, { server }: Permitted): string[] {
  return (facts?.subscriptions ?? []).filter(({ server_id }) => server_id === server.id).map(({ uri }) => uri);
}
