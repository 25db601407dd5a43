/** Streams of changes: one long request to a server of 2026-07-28, the GET stream of a session with one of 2025. */
import { beforeEach, describe, expect, it } from "vitest";
import type { UpstreamContext } from "../../../src/upstream/call.ts";
import { watchUpstream, type UpstreamMessage, type Watch, type WatchFilter } from "../../../src/upstream/index.ts";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel } from "../gateway/channel.ts";
import { legacyUpstream, type LegacyOptions } from "../gateway/legacy-upstream.ts";
import { meta, modernUpstream, result, type Seen } from "../gateway/support.ts";
import { createHop, events, replyTo, sentBy, type Hop } from "./upstream-support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

let hop: Hop;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  hop = await createHop({ clock });
});

const changed = (list: string): Json => ({ jsonrpc: "2.0", method: `notifications/${list}/list_changed` });
const updated = (uri: string): Json => ({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } });
const asking: Json = { jsonrpc: "2.0", id: "q", method: "sampling/createMessage", params: {} };
const all: WatchFilter = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourcesListChanged: true,
  resourceSubscriptions: ["a:1", "a:2"],
};
const modern = { era: "modern", owner: undefined } as const;

const start = (filter: WatchFilter, more: Partial<UpstreamContext> = {}, params: JsonObject = {}) =>
  watchUpstream(hop.context(more), hop.server, filter, params);

async function watch(filter: WatchFilter, more: Partial<UpstreamContext> = {}): Promise<Watch> {
  const watched = await start(filter, more, { _meta: meta() });
  if (!watched.ok) throw new Error(JSON.stringify(watched.error));
  return watched.value;
}

async function next({ messages }: Watch): Promise<UpstreamMessage | undefined> {
  const { done, value } = await messages.next();
  return done === true ? undefined : value;
}

describe("a server of 2026-07-28", () => {
  const serve = (...first: Json[]): Promise<{ seen: Seen; channel: Channel }> =>
    new Promise((resolve) => {
      hop.serve(
        modernUpstream((seen) => {
          const channel = openChannel(seen);
          for (const message of first) channel.send(message);
          resolve({ seen, channel });
          return channel.response;
        }),
      );
    });
  const acknowledgement = (notifications: JsonObject): Json => ({
    jsonrpc: "2.0",
    method: "notifications/subscriptions/acknowledged",
    params: { notifications },
  });

  it("F4: is listened to with the filter; what it acknowledged and then tells comes through", async () => {
    const opened = serve(acknowledgement({ toolsListChanged: true }), changed("tools"));
    const watched = await watch({ toolsListChanged: true, taskIds: ["t"] }, modern);
    const { seen } = await opened;
    expect(seen.message).toMatchObject({
      id: 7,
      method: "subscriptions/listen",
      params: { _meta: meta(), notifications: { toolsListChanged: true, taskIds: ["t"] } },
    });
    expect(watched.acknowledged).toEqual({ toolsListChanged: true });
    expect(await next(watched)).toMatchObject({ kind: "notification", method: "notifications/tools/list_changed" });
    await watched.close();
  });

  it("F4: is let go at once when the watch is closed", async () => {
    const opened = serve(acknowledgement({}));
    const watched = await watch({ toolsListChanged: true }, modern);
    const pending = next(watched);
    const { channel } = await opened;
    await watched.close();
    await channel.closed;
    expect(await pending).toBeUndefined();
  });

  it("F4: ends the watch when it ends its part", async () => {
    const opened = serve(acknowledgement({}));
    const watched = await watch({ toolsListChanged: true }, modern);
    const { channel } = await opened;
    channel.send({ jsonrpc: "2.0", id: 7, result: { resultType: "complete" } });
    expect(await next(watched)).toBeUndefined();
  });

  it("F4: is no watch when its first message is another one", async () => {
    const opened = serve(changed("tools"));
    expect(await start(all, modern)).toMatchObject({ ok: false, error: { reason: "not_acknowledged" } });
    await (
      await opened
    ).channel.closed;
  });

  it("F4: is no watch when it answers at once", async () => {
    hop.serve(
      modernUpstream(({ message }) => result(message["id"] ?? null, { error: { code: -32601, message: "x" } })),
    );
    expect(await start(all, modern)).toMatchObject({
      ok: false,
      error: { code: "upstream_refused", reason: "upstream_error_-32601" },
    });
  });

  it("F4: for a session of 2025 is asked under an id and an envelope of Gatehouse's own", async () => {
    const listening = modernUpstream((seen) => {
      const channel = openChannel(seen);
      channel.send(acknowledgement({}));
      return channel.response;
    });
    hop.serve((seen) =>
      seen.message["method"] === "initialize" ? new Response(null, { status: 404 }) : listening(seen),
    );
    const watched = await watch({ toolsListChanged: true });
    const [seen] = sentBy(hop, "subscriptions/listen");
    expect(seen?.message["id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen?.message["params"]).toMatchObject({
      _meta: { "io.modelcontextprotocol/clientCapabilities": {} },
      notifications: { toolsListChanged: true },
    });
    await watched.close();
  });
});

describe("a server of 2025", () => {
  const capabilities = {
    tools: { listChanged: true },
    prompts: {},
    resources: { listChanged: true, subscribe: true },
  };
  const channels: Channel[] = [];
  const serve = (options: LegacyOptions = {}): void => {
    channels.length = 0;
    const listen = (seen: Seen): Response => {
      const channel = openChannel(seen);
      channels.push(channel);
      return channel.response;
    };
    hop.serve(
      legacyUpstream({ sessions: ["one", "two", "three"], capabilities, listen, ...options }, () => ({ content: [] })),
    );
  };
  const sessionsOf = (name: string): (string | null)[] =>
    sentBy(hop, name).map(({ headers }) => headers.get("mcp-session-id"));

  it("F4: is acknowledged for what it declares", async () => {
    serve();
    const watched = await watch(all);
    expect(watched.acknowledged).toEqual({
      toolsListChanged: true,
      resourcesListChanged: true,
      resourceSubscriptions: ["a:1", "a:2"],
    });
    expect(sentBy(hop, "GET")[0]?.headers.get("mcp-session-id")).toBe("one");
    await watched.close();
  });

  it("F4: that declares nothing is acknowledged for nothing", async () => {
    serve({ capabilities: { tools: {} } });
    const watched = await watch(all);
    expect(watched.acknowledged).toEqual({});
    await watched.close();
  });

  it("F4: for a client of 2025 nothing is subscribed: it did so itself, in this session", async () => {
    serve();
    const watched = await watch(all);
    await watched.close();
    await hop.settle();
    expect(sentBy(hop, "resources/subscribe")).toEqual([]);
    expect(sentBy(hop, "DELETE")).toEqual([]);
  });

  it("F4: for a client of 2026-07-28 its resources are subscribed in a session that ends with the watch", async () => {
    serve();
    const watched = await watch(all, modern);
    expect(sentBy(hop, "resources/subscribe").map(({ message }) => message["params"])).toEqual([
      { uri: "a:1" },
      { uri: "a:2" },
    ]);
    expect(new Set(sessionsOf("resources/subscribe"))).toEqual(new Set(["two"]));
    await watched.close();
    await hop.settle();
    // The first one was the probe's.
    expect(sessionsOf("DELETE")).toEqual(["one", "two"]);
  });

  it("F4: only the subscriptions that it takes are acknowledged", async () => {
    const scripted = legacyUpstream({ sessions: ["one", "two"], capabilities, listen: () => events() }, () => ({}));
    hop.serve((seen) => {
      const { id, params } = seen.message;
      const refuses = (params as { uri?: string } | undefined)?.uri === "a:1";
      return refuses ? result(id ?? null, { error: { code: -32002, message: "no" } }) : scripted(seen);
    });
    const watched = await watch(all, modern);
    expect(watched.acknowledged).toMatchObject({ resourceSubscriptions: ["a:2"] });
    await watched.close();
  });

  it("F4: notifications come through as they are", async () => {
    serve();
    const watched = await watch(all);
    channels[0]?.send(updated("a:1"));
    channels[0]?.send(changed("tools"));
    expect(await next(watched)).toMatchObject({ method: "notifications/resources/updated", params: { uri: "a:1" } });
    expect(await next(watched)).toMatchObject({ method: "notifications/tools/list_changed" });
    await watched.close();
  });

  it("F4: what it asks is handed on to a client of 2025", async () => {
    serve();
    const watched = await watch(all);
    channels[0]?.send(asking);
    const asked = await next(watched);
    if (asked?.kind !== "ask") throw new Error("expected a request");
    await asked.answer({ result: { role: "x" } });
    expect(replyTo(hop, "q")).toMatchObject([{ message: { result: { role: "x" } } }]);
    await watched.close();
  });

  it("F4: what it asks is refused for a client of 2026-07-28, and the watch goes on", async () => {
    serve();
    const watched = await watch(all, modern);
    channels[0]?.send(asking);
    channels[0]?.send(changed("tools"));
    expect(await next(watched)).toMatchObject({ method: "notifications/tools/list_changed" });
    expect(replyTo(hop, "q")).toMatchObject([{ message: { error: { code: -32601 } } }]);
    await watched.close();
  });

  it("F4: a ping is answered here", async () => {
    serve();
    const watched = await watch(all);
    channels[0]?.send({ jsonrpc: "2.0", id: "p", method: "ping" });
    channels[0]?.send(changed("tools"));
    await next(watched);
    expect(replyTo(hop, "p")).toMatchObject([{ message: { result: {} } }]);
    await watched.close();
  });

  it.each([
    ["405", () => new Response(null, { status: 405 })],
    ["JSON", () => Response.json({})],
  ])("F4: that answers GET with %s has no stream", async (_case, listen) => {
    serve({ listen });
    const watched = await start(all, modern);
    expect(watched).toMatchObject({ ok: false, error: { code: "upstream_refused", reason: "no_stream" } });
    await hop.settle();
    expect(sessionsOf("DELETE")).toEqual(["one", "two"]);
  });

  it("F4: a session that it lost is renewed", async () => {
    let opened = 0;
    serve({ listen: (seen) => (++opened === 1 ? new Response(null, { status: 404 }) : openChannel(seen).response) });
    const watched = await watch(all);
    expect(sessionsOf("GET")).toEqual(["one", "two"]);
    await watched.close();
  });

  it("F4: closing lets the stream go at once", async () => {
    serve();
    const watched = await watch(all);
    const pending = next(watched);
    await watched.close();
    await channels[0]?.closed;
    expect(await pending).toBeUndefined();
  });
});

describe("a stream that ends", () => {
  const serve = (...answers: ((seen: Seen) => Response)[]): void => {
    let opened = 0;
    const listen = (seen: Seen): Response => {
      const make = answers[Math.min(opened++, answers.length - 1)];
      if (make === undefined) throw new Error("no answer");
      return make(seen);
    };
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
    hop.serve(legacyUpstream({ sessions: ["one", "two", "three"], capabilities, listen }, () => ({})));
  };
  const gets = (): (string | null)[] => sentBy(hop, "GET").map(({ headers }) => headers.get("last-event-id"));
  const open = (seen: Seen): Response => {
    const channel = openChannel(seen);
    channel.send(changed("tools"));
    return channel.response;
  };

  async function pass(pause_ms: number): Promise<void> {
    await clock.asleep(pause_ms);
    clock.advance(pause_ms);
  }

  it("SEP-1699: is opened again where it ended", async () => {
    serve(() => events("id: e1\ndata: \n\n"), open);
    const watched = await watch(all);
    const told = next(watched);
    await pass(limits.streamRetry_ms);
    expect(await told).toMatchObject({ method: "notifications/tools/list_changed" });
    expect(gets()).toEqual([null, "e1"]);
    await watched.close();
  });

  it("SEP-1699: is opened again after longer and longer pauses, up to their bound", async () => {
    serve(() => events());
    const watched = await watch(all);
    const told = next(watched);
    for (const pause_ms of [1_000, 2_000, 4_000, 8_000, 16_000, limits.streamRetry_ms_max, limits.streamRetry_ms_max]) {
      await pass(pause_ms);
    }
    await clock.asleep(limits.streamRetry_ms_max);
    expect(gets()).toHaveLength(8);
    await watched.close();
    expect(await told).toBeUndefined();
  });

  it("SEP-1699: after a stream that had something to say the pauses begin anew", async () => {
    serve(
      () => events(),
      () => events(),
      open,
      () => events(),
    );
    const watched = await watch(all);
    const told = next(watched);
    await pass(1_000);
    await pass(2_000);
    await told;
    await watched.close();
    expect(gets()).toHaveLength(3);
  });

  it("SEP-1699: is not opened again sooner than the server asks for", async () => {
    serve(() => events("retry: 7000\n\n"), open);
    const watched = await watch(all);
    const told = next(watched);
    await pass(7_000);
    expect(await told).toBeDefined();
    await watched.close();
  });

  it.each([
    ["an outage", () => new Response(null, { status: 503 })],
    [
      "a lost connection",
      () => {
        throw new TypeError("connection refused");
      },
    ],
  ])("F4: survives %s", async (_case, fail) => {
    serve(() => events(), fail, open);
    const watched = await watch(all);
    const told = next(watched);
    await pass(1_000);
    await pass(2_000);
    expect(await told).toBeDefined();
    await watched.close();
  });

  it.each([
    ["405", () => new Response(null, { status: 405 })],
    ["401", () => new Response(null, { status: 401 })],
    ["400", () => new Response(null, { status: 400 })],
  ])("F4: is over when it may not be opened again: %s", async (_case, refuse) => {
    serve(() => events(), refuse);
    const watched = await watch(all, modern);
    const told = next(watched);
    await pass(1_000);
    expect(await told).toBeUndefined();
    expect(sentBy(hop, "DELETE")).toHaveLength(2);
  });

  it("F4: of a session that is lost is opened in a new one, with its subscriptions, from its beginning", async () => {
    serve(
      () => events("id: e1\ndata: \n\n"),
      () => new Response(null, { status: 404 }),
      open,
    );
    const watched = await watch(all, modern);
    const told = next(watched);
    await pass(1_000);
    expect(await told).toBeDefined();
    expect(gets()).toEqual([null, "e1", null]);
    const subscribed = sentBy(hop, "resources/subscribe").map(({ headers }) => headers.get("mcp-session-id"));
    expect(subscribed).toEqual(["two", "two", "three", "three"]);
    await watched.close();
  });

  it("RX-07: a server cannot cause more subrequests than the bound", async () => {
    const pings = Array.from({ length: limits.watchSubrequests_count + 10 }, (_, at) => ({
      jsonrpc: "2.0",
      id: `p${at}`,
      method: "ping",
    }));
    serve(() => events(...pings.map((ping) => `data: ${JSON.stringify(ping)}\n\n`)));
    const watched = await watch(all);
    expect(await next(watched)).toBeUndefined();
    const replies = hop.seen.filter(({ message }) => String(message["id"]).startsWith("p"));
    expect(replies).toHaveLength(limits.watchSubrequests_count);
    expect(gets()).toHaveLength(1);
  });
});

it("F4: a server of 2024-11-05 has no stream", async () => {
  hop.serve((seen) => {
    if (seen.method !== "GET") {
      const { id, method } = seen.message;
      if (!seen.url.includes("/messages")) return new Response(null, { status: 405 });
      if (method === "initialize")
        channel?.send({ jsonrpc: "2.0", id: id ?? null, result: { protocolVersion: "2024-11-05", capabilities: {} } });
      return new Response(null, { status: 202 });
    }
    channel = openChannel(seen);
    channel.write("event: endpoint\ndata: /messages\n\n");
    return channel.response;
  });
  let channel: Channel | undefined;
  expect(await start(all)).toMatchObject({ ok: false, error: { reason: "no_stream" } });
});
