/** HTTP+SSE of 2024-11-05: found last, spoken over one connection for each request, and never elsewhere than at the server. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { textOfCredential } from "../../../src/registry/index.ts";
import { serverCredentialBinding } from "../../../src/vault/index.ts";
import { openChannel, type Channel } from "../gateway/channel.ts";
import { legacyUpstream } from "../gateway/legacy-upstream.ts";
import type { Seen, Upstream } from "../gateway/support.ts";
import { createHop, callOf, replyTo, request, sentBy, textOf, type Hop } from "./upstream-support.ts";

let hop: Hop;

beforeEach(async () => {
  hop = await createHop();
});

interface SseOptions {
  readonly endpoint?: string;
  readonly version?: string;
  /** Messages for a request, its answer among them. */
  readonly answer?: (message: JsonObject) => readonly Json[];
  /** The answer to a POST of this method. */
  readonly post?: (method: Json | undefined) => Response | undefined;
}

/** A server of 2024-11-05: each GET is a session; what is posted is answered on the newest stream. */
function sseServer(options: SseOptions = {}): { upstream: Upstream; channels: Channel[] } {
  const { endpoint = "/messages?session=s1", version = "2024-11-05" } = options;
  const channels: Channel[] = [];
  const answer = options.answer ?? (({ id }) => [{ jsonrpc: "2.0", id: id ?? null, result: { content: [] } }]);
  const upstream = (seen: Seen): Response => {
    if (seen.method === "GET") {
      const channel = openChannel(seen);
      channels.push(channel);
      channel.write(`event: endpoint\ndata: ${endpoint}\n\n`);
      return channel.response;
    }
    if (!seen.url.includes("/messages")) return new Response("Method Not Allowed", { status: 405 });
    const { id, method } = seen.message;
    const given = options.post?.(method);
    if (given !== undefined) return given;
    const channel = channels.at(-1);
    if (method === "initialize") {
      const result = { protocolVersion: version, capabilities: { tools: {} }, serverInfo: { name: "o", version: "1" } };
      channel?.send({ jsonrpc: "2.0", id: id ?? null, result });
    } else if (id !== undefined && method !== undefined) {
      for (const message of answer(seen.message)) channel?.send(message);
    }
    return new Response("Accepted", { status: 202 });
  };
  return { upstream, channels };
}
const serve = (options?: SseOptions): Channel[] => {
  const { upstream, channels } = sseServer(options);
  hop.serve(upstream);
  return channels;
};
const modern = { era: "modern", owner: "principal:agent" } as const;

describe("a server of 2024-11-05", () => {
  it.each([
    ["2025", {}],
    ["2026-07-28", modern],
  ])("F4: is found last by a client of %s, and once", async (_client, more) => {
    serve();
    expect((await request(hop, hop.context(more))).answer).toMatchObject({ ok: true, value: { era: "legacy" } });
    expect((await request(hop, hop.context(more))).answer.ok).toBe(true);
    expect(sentBy(hop, "server/discover")).toHaveLength(1);
    const refused = sentBy(hop, "initialize").filter(({ url }) => url === hop.server.url);
    expect(refused).toHaveLength(1);
  });

  it("F4: gets the handshake, then the request, all at its endpoint, and each stream is let go", async () => {
    const channels = serve();
    await request(hop, hop.context());
    hop.seen.length = 0;
    await request(hop, hop.context());
    expect(hop.seen.map(({ method, url, message }) => [method, url, message["method"]])).toEqual([
      ["GET", "https://up.upstream.test/mcp", undefined],
      ["POST", "https://up.upstream.test/messages?session=s1", "initialize"],
      ["POST", "https://up.upstream.test/messages?session=s1", "notifications/initialized"],
      ["POST", "https://up.upstream.test/messages?session=s1", "tools/call"],
    ]);
    await Promise.all(channels.map(({ closed }) => closed));
  });

  it("MC-37: a client of 2025 keeps its id, and the bytes of the answer go through", async () => {
    serve();
    expect((await request(hop, hop.context())).answer).toMatchObject({
      value: { text: '{"jsonrpc":"2.0","id":7,"result":{"content":[]}}' },
    });
  });

  it("F4: what it asks is handed on, and the answer is posted", async () => {
    serve({
      answer: ({ id }) => [
        { jsonrpc: "2.0", id: "q", method: "sampling/createMessage" },
        { jsonrpc: "2.0", id: id ?? null, result: {} },
      ],
    });
    const read = await request(hop, hop.context(), callOf(), (ask) => ask.answer({ result: { role: "x" } }));
    expect(read.messages).toMatchObject([{ kind: "ask", id: "q" }]);
    expect(replyTo(hop, "q")).toMatchObject([
      { url: "https://up.upstream.test/messages?session=s1", message: { result: { role: "x" } } },
    ]);
  });

  it("F4: what it asks a client of 2026-07-28 is refused", async () => {
    serve({ answer: () => [{ jsonrpc: "2.0", id: "q", method: "sampling/createMessage" }] });
    expect(textOf(await request(hop, hop.context(modern)))).toBe("bridge_needed bridge_needed");
    expect(replyTo(hop, "q")).toMatchObject([{ message: { error: { code: -32601 } } }]);
  });

  it.each([400, 404, 500])("RX-07: a POST that is refused with %i is a failure of the call", async (status) => {
    serve({ post: (method) => (method === "tools/call" ? new Response(null, { status }) : undefined) });
    expect(textOf(await request(hop, hop.context()))).toBe(`upstream_refused upstream_http_${status}`);
  });

  it.each([401, 403])("UP-18: %i to a POST concerns the credential of the gateway", async (status) => {
    serve({ post: (method) => (method === "tools/call" ? new Response(null, { status }) : undefined) });
    expect(textOf(await request(hop, hop.context()))).toBe(`upstream_credential upstream_http_${status}`);
  });

  it("RX-07: a stream that ends before the answer is a failure, and the call is not sent again", async () => {
    const channels = serve({
      answer: () => {
        channels.at(-1)?.end();
        return [];
      },
    });
    expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid stream_ended");
    expect(sentBy(hop, "tools/call")).toHaveLength(1);
  });

  it("F4: in a version that nobody offered is refused", async () => {
    serve({ version: "2099-01-01" });
    expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid protocol_version");
  });

  it("RX-07: a flood of pings in the handshake ends it", async () => {
    const { upstream, channels } = sseServer();
    hop.serve((seen) => {
      const response = upstream(seen);
      if (seen.message["method"] === "initialize" && seen.url.includes("/messages")) return response;
      if (seen.method === "GET") {
        for (let at = 0; at <= limits.upstreamRequests_count; at++)
          channels.at(-1)?.send({ jsonrpc: "2.0", id: `p${at}`, method: "ping" });
      }
      return response;
    });
    expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid request_flood");
  });

  it("F4: a cancelled request closes its stream", async () => {
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    const channels = serve({
      answer: () => {
        resolve();
        return [];
      },
    });
    const cancelling = new AbortController();
    const read = request(hop, hop.context({ signal: cancelling.signal }));
    await reached;
    cancelling.abort();
    expect(textOf(await read)).toMatch(/^cancelled/);
    await channels.at(-1)?.closed;
    expect(sentBy(hop, "notifications/cancelled")).toMatchObject([{ message: { params: { requestId: 7 } } }]);
  });
});

it("F4: a server that left this transport is found out: the call is not sent, the next one is", async () => {
  serve();
  await request(hop, hop.context());
  hop.seen.length = 0;
  hop.serve(legacyUpstream({ sessions: ["one"] }, () => ({ content: [] })));
  expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid no_endpoint");
  expect(sentBy(hop, "tools/call")).toEqual([]);
  expect((await request(hop, hop.context())).answer.ok).toBe(true);
  expect(sentBy(hop, "tools/call")[0]?.headers.get("mcp-session-id")).toBe("one");
});

describe("the endpoint", () => {
  it.each([
    "https://elsewhere.test/messages",
    "http://up.upstream.test/messages",
    "https://up.upstream.test:8443/messages",
    "https://user:secret@up.upstream.test/messages",
    "//elsewhere.test/messages",
    "http://",
  ])("SS-22: at %s is refused, and nothing is sent there", async (endpoint) => {
    serve({ endpoint });
    expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid foreign_endpoint");
    const posted = hop.seen.filter(({ method }) => method === "POST").map(({ url }) => url);
    expect(new Set(posted)).toEqual(new Set([hop.server.url]));
  });

  it("2024-11-05 transports: at the server's own origin may be absolute", async () => {
    serve({ endpoint: "https://up.upstream.test/messages?session=s2" });
    expect((await request(hop, hop.context())).answer.ok).toBe(true);
  });

  it("SS-22: gets the server's credential, as every request to the server does", async () => {
    serve();
    const context = hop.context();
    const binding = serverCredentialBinding(context.tenant.id, hop.server.id, hop.server.revision);
    const authentication = { type: "bearer", holder: "organisation" } as const;
    const text = textOfCredential({ ...hop.server, authentication }, { type: "bearer", token: "upstream-token" });
    const server = { ...hop.server, authentication, credential: await context.vault.seal(binding, text) };
    expect((await request({ ...hop, server }, context)).answer.ok).toBe(true);
    const credentials = hop.seen.map(({ headers }) => headers.get("authorization"));
    expect(new Set(credentials)).toEqual(new Set(["Bearer upstream-token"]));
  });

  it.each([
    ["another event first", "event: message\ndata: {}\n\n"],
    ["no event name", "data: /messages\n\n"],
    ["the end", ""],
  ])("F4: %s is no HTTP+SSE: the failure of the handshake stands", async (_case, text) => {
    hop.serve((seen) =>
      seen.method === "GET"
        ? new Response(text, { headers: { "content-type": "text/event-stream" } })
        : new Response(null, { status: 405 }),
    );
    expect(textOf(await request(hop, hop.context()))).toBe("upstream_invalid upstream_http_405");
  });
});
