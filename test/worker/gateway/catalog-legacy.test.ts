/** Lists of servers of the 2025 revisions: whose session is asked for them, and what they keep from being called. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream, type LegacyAnswer } from "./legacy-upstream.ts";
import {
  createHarness,
  objectAt,
  responseEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Seen,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let clock: VirtualClock;
let server: string;
let token: string;

const sessions = Array.from({ length: 20 }, (_, at) => `s${at}`);
const tool = (name: string): JsonObject => ({ name, inputSchema: { type: "object" } });

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock } });
  tenant = await setUp(harness);
  server = await tenant.addServer("old");
  ({ token } = await tenant.addClient([server]));
});

function serve(answer: (seen: Seen) => LegacyAnswer | Promise<LegacyAnswer>): void {
  const capabilities = { tools: { listChanged: true } };
  harness.serve("old.upstream.test", legacyUpstream({ sessions, capabilities }, answer));
}
const begin = (as = token, path = "/mcp"): Promise<LegacyClient> =>
  LegacyClient.begin(harness, tenant.origin + path, { token: as });
const namesIn = ({ message }: Asked): Json[] =>
  (objectAt(message, "result")["tools"] as JsonObject[]).map(({ name }) => name ?? null);
const sessionsOf = (method: string): (string | null)[] =>
  sent(harness, method).map(({ headers }) => headers.get("mcp-session-id"));
const ended = (): (string | null)[] =>
  harness.seen.filter(({ method }) => method === "DELETE").map(({ headers }) => headers.get("mcp-session-id"));

describe("the list for everybody", () => {
  it("RX-19: has nothing of what a tool changed in one principal's session without a word", async () => {
    const enabled = new Set<string | null>();
    serve(({ message, headers }) => {
      const session = headers.get("mcp-session-id");
      if (message["method"] === "tools/call") {
        enabled.add(session);
        return { content: [] };
      }
      return { tools: [tool("enable"), ...(enabled.has(session) ? [tool("admin-of-alice")] : [])] };
    });
    const alice = await begin();
    await alice.request("tools/call", { name: "old__enable" });
    clock.advance(limits.catalogLife_ms);
    await alice.request("tools/list");
    const bob = await begin((await tenant.addClient([server])).token);
    expect(namesIn(await bob.request("tools/list"))).toEqual(["old__enable"]);
    expect(sent(harness, "tools/list")).toHaveLength(2);
  });

  it("RX-19: is asked for in a session of nobody's, which ends when all pages are there", async () => {
    serve(({ message }) =>
      message["method"] !== "tools/list"
        ? { content: [] }
        : objectAt(message, "params")["cursor"] === undefined
          ? { tools: [tool("one")], nextCursor: "2" }
          : { tools: [tool("two")] },
    );
    const client = await begin();
    expect(namesIn(await client.request("tools/list"))).toEqual(["old__one", "old__two"]);
    await client.request("tools/call", { name: "old__one" });
    expect(sessionsOf("tools/list")).toEqual(["s1", "s1"]);
    expect(ended()).toEqual(["s1"]);
    expect(sessionsOf("tools/call")).toEqual(["s0"]);
  });

  it("RX-19: is never the one of a session that has its own", async () => {
    const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
    serve(({ message, headers }) =>
      message["method"] === "tools/list"
        ? { tools: [tool(headers.get("mcp-session-id") === "s0" ? "mine" : "common")] }
        : [changed, { jsonrpc: "2.0", id: message["id"] ?? null, result: { content: [] } }],
    );
    const alice = await begin();
    await alice.request("tools/call", { name: "old__common" });
    clock.advance(1);
    expect(namesIn(await alice.request("tools/list"))).toEqual(["old__mine"]);
    const bob = await begin((await tenant.addClient([server])).token);
    expect(namesIn(await bob.request("tools/list"))).toEqual(["old__common"]);
  });
});

describe("a tool that is kept out of lists", () => {
  const hidden = { name: "bad", inputSchema: { type: "string" } };
  const listing = ({ message }: Seen): LegacyAnswer =>
    message["method"] === "tools/list" ? { tools: [hidden, tool("good")] } : { content: [] };

  it.each([
    ["/mcp", "old__bad", "is listed without it"],
    ["/mcp", "old__bad", "is not listed before"],
    ["/mcp/old", "bad", "is listed without it"],
    ["/mcp/old", "bad", "is not listed before"],
  ])("P5: cannot be called: %s, %s, %s", async (path, name, how) => {
    serve(listing);
    const client = await begin(token, path);
    if (how === "is listed without it") expect((await client.request("tools/list")).text).not.toContain("bad");
    const { message } = await client.request("tools/call", { name });
    expect(message).toMatchObject({ error: { code: -32602, message: `Unknown tool: ${name}` } });
    expect(sent(harness, "tools/call")).toEqual([]);
    expect(responseEvents(harness).filter(({ outcome }) => outcome.status === "ok")).not.toHaveLength(0);
  });

  it.each([
    ["/mcp", "old__good"],
    ["/mcp/old", "good"],
  ])("P5: does not keep others of its server from being called: %s, %s", async (path, name) => {
    serve(listing);
    const client = await begin(token, path);
    expect((await client.request("tools/call", { name })).message).toMatchObject({ result: { content: [] } });
  });

  it("P5: costs a call nothing once the list is known", async () => {
    serve(listing);
    const client = await begin();
    await client.request("tools/call", { name: "old__good" });
    const before = harness.seen.length;
    await client.request("tools/call", { name: "old__good" });
    expect(harness.seen.slice(before).map(({ message }) => message["method"])).toEqual(["tools/call"]);
  });

  it("P5: is looked for behind a call whose list is old", async () => {
    let tools: JsonObject[] = [tool("good")];
    serve(({ message }) => (message["method"] === "tools/list" ? { tools } : { content: [] }));
    const client = await begin();
    await client.request("tools/call", { name: "old__good" });
    tools = [{ ...hidden, name: "good" }];
    clock.advance(limits.catalogFresh_ms);
    expect((await client.request("tools/call", { name: "old__good" })).message).toHaveProperty("result");
    expect((await client.request("tools/call", { name: "old__good" })).message).toHaveProperty("error");
  });

  it("FT-07: of a server whose list cannot be had does not keep a call from going on", async () => {
    serve(({ message }) =>
      message["method"] === "tools/list" ? { error: { code: -32603, message: "no" } } : { content: [] },
    );
    const client = await begin();
    expect((await client.request("tools/call", { name: "old__good" })).message).toHaveProperty("result");
    await client.request("tools/call", { name: "old__good" });
    expect(sent(harness, "tools/list")).toHaveLength(1);
  });
});

describe("a stored list that cannot be read", () => {
  const put = (items_text: string): Promise<void> => {
    const known = { server_era: "legacy", offered: true, ttl_ms: 0, fetched_at: clock.now(), truncated: false };
    const key = `catalog:${harness.events[0]?.tenant}:${server}:1:legacy::tools/list`;
    return env.CACHE.put(key, JSON.stringify({ ...known, items_text }));
  };
  const named = `old__${"a".repeat(34)}_${"b".repeat(8)}`;

  beforeEach(() => serve(({ message }) => (message["method"] === "tools/list" ? { tools: [tool("t")] } : {})));

  it.each(["[{", "{}", ""])("FT-07: is asked for anew: %j", async (items_text) => {
    const client = await begin();
    await put(items_text);
    expect(namesIn(await client.request("tools/list"))).toEqual(["old__t"]);
  });

  it("FT-07: does not make a call by its short name fail in another way than an unknown name does", async () => {
    const client = await begin();
    await put("[{");
    const { status, message } = await client.request("tools/call", { name: named });
    expect(status).toBe(200);
    expect(message).toMatchObject({ error: { code: -32602 } });
  });
});

describe("a server that does not answer", () => {
  const waited = async (client: LegacyClient, method: string): Promise<number> => {
    const from = clock.now();
    let over = false;
    const answered = (method === "initialize" ? client.initialize() : client.request(method)).then(() => (over = true));
    while (!over) {
      clock.advance(100);
      await scheduler.wait(0);
    }
    await answered;
    return clock.now() - from;
  };

  it("F6: is waited for once, not at each initialize and list", async () => {
    harness.serve("old.upstream.test", () => new Promise<Response>(() => undefined));
    const client = new LegacyClient(harness, `${tenant.origin}/mcp`, { token });
    expect(await waited(client, "initialize")).toBeGreaterThanOrEqual(limits.listPerUpstream_ms);
    expect(await waited(client, "tools/list")).toBeLessThan(2_000);
    const other = new LegacyClient(harness, `${tenant.origin}/mcp`, { token });
    expect(await waited(other, "initialize")).toBeLessThan(2_000);
  });

  it("F6: is asked again after a while", async () => {
    harness.serve("old.upstream.test", () => {
      throw new TypeError("connection refused");
    });
    await begin();
    clock.advance(limits.listRefreshPause_ms);
    serve(({ message }) => (message["method"] === "tools/list" ? { tools: [tool("t")] } : {}));
    const client = await begin();
    expect(objectAt(client.initialized?.message, "result")["capabilities"]).toHaveProperty("tools");
  });
});
