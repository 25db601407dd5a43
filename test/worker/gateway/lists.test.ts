/** The lists of several servers as one: what a bad server does to it, and what no server may put into it. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  modernUpstream,
  objectAt,
  responseEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
  type Upstream,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let clock: VirtualClock;

const tool = (name: string): JsonObject => ({ name, inputSchema: { type: "object" } });
const toolsOf = (...tools: Json[]): Upstream => modernUpstream(() => ({ tools, ttlMs: 60_000, cacheScope: "public" }));

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock } });
  tenant = await setUp(harness);
});

/** Registers these servers, in this order of calls, and a client that may use them all. */
async function serve(servers: Readonly<Record<string, Upstream | undefined>>): Promise<void> {
  const ids: string[] = [];
  for (const [slug, upstream] of Object.entries(servers)) {
    ids.push(await tenant.addServer(slug));
    if (upstream !== undefined) harness.serve(`${slug}.upstream.test`, upstream);
  }
  ({ token } = await tenant.addClient(ids));
}

const list = (path = "/mcp", params: JsonObject = {}): Promise<Asked> =>
  ask(harness, tenant.origin + path, "tools/list", params, { token });

const namesIn = ({ message }: Asked): Json[] =>
  (objectAt(message, "result")["tools"] as JsonObject[]).map(({ name }) => name ?? null);
const outcomesIn = ({ message }: Asked): JsonObject =>
  objectAt(objectAt(objectAt(message, "result"), "_meta"), "gatehouse/upstreams");

describe("one bad server", () => {
  const bad: readonly (readonly [string, Upstream | undefined, string])[] = [
    ["refuses the connection", undefined, "network_error"],
    ["answers 500", () => new Response("no", { status: 500 }), "upstream_http_500"],
    ["answers 401", () => new Response("no", { status: 401 }), "upstream_http_401"],
    ["answers 403", () => new Response("no", { status: 403 }), "upstream_http_403"],
    ["answers 429", () => new Response("no", { status: 429 }), "upstream_http_429"],
    ["answers HTML", () => new Response("<html>", { headers: { "content-type": "text/html" } }), "upstream_http_200"],
    ["answers with a redirect", () => Response.redirect("https://elsewhere.test/mcp", 302), "redirect"],
    [
      "answers no JSON",
      () => new Response("{", { headers: { "content-type": "application/json" } }),
      "answer_mismatch",
    ],
    [
      "answers its list with an error",
      modernUpstream(() => ({ error: { code: -32603, message: "secret text" } })),
      "upstream_error_-32603",
    ],
  ];

  it.each(bad)("F6: that %s leaves the others in the list and is named", async (_case, upstream, outcome) => {
    await serve({ bad: upstream, good: toolsOf(tool("run")), other: toolsOf(tool("run")) });
    const answered = await list();
    expect(answered.status).toBe(200);
    expect(namesIn(answered)).toEqual(["good__run", "other__run"]);
    expect(outcomesIn(answered)).toEqual({ bad: outcome, good: "ok", other: "ok" });
    expect(answered.text).not.toContain("secret text");
    expect(objectAt(answered.message, "result")["ttlMs"]).toBe(0);
  });

  it("F6: its outcome is recorded", async () => {
    await serve({ bad: undefined, good: toolsOf(tool("run")) });
    await list();
    expect(responseEvents(harness).at(-1)).toMatchObject({
      outcome: { status: "ok" },
      upstreams: { bad: "network_error", good: "ok" },
    });
  });

  it.each([
    ["the probe", (): Promise<Response> => new Promise(() => undefined)],
    [
      "the list",
      modernUpstream(
        ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ),
    ],
  ] as const)("RX-13: one that hangs in %s holds the list no longer than its deadline", async (_case, upstream) => {
    await serve({ dead: upstream, good: toolsOf(tool("run")) });
    const answer = list();
    await clock.asleep(limits.listPerUpstream_ms);
    await eventually(() => sent(harness, "tools/list").some(({ url }) => url.includes("good")));
    await eventually(() => harness.seen.filter(({ url }) => url.includes("dead")).length > 0);
    clock.advance(limits.listPerUpstream_ms);
    const answered = await answer;
    expect(namesIn(answered)).toEqual(["good__run"]);
    expect(outcomesIn(answered)).toMatchObject({ good: "ok" });
    expect(outcomesIn(answered)["dead"]).not.toBe("ok");
  });

  it("F6: all servers down is an empty list, not an error", async () => {
    await serve({ one: undefined, two: undefined });
    const answered = await list();
    expect(answered.status).toBe(200);
    expect(namesIn(answered)).toEqual([]);
  });

  it("F6: a server without the capability is not asked", async () => {
    await serve({
      old: legacyUpstream({ capabilities: { prompts: {} } }, () => ({ tools: [tool("x")] })),
      new: toolsOf(),
    });
    const answered = await list();
    expect(outcomesIn(answered)).toEqual({ new: "ok", old: "not_offered" });
    expect(sent(harness, "tools/list").map(({ url }) => new URL(url).hostname)).toEqual(["new.upstream.test"]);
  });

  it("F6: more servers than connections at once are all asked", async () => {
    const slugs = Array.from({ length: 12 }, (_, at) => `s${String(at).padStart(2, "0")}`);
    await serve(Object.fromEntries(slugs.map((slug) => [slug, toolsOf(tool("run"))])));
    expect(namesIn(await list())).toEqual(slugs.map((slug) => `${slug}__run`));
  });
});

describe("what a list may hold", () => {
  it("RX-20: never a public answer", async () => {
    await serve({ up: toolsOf(tool("run")) });
    expect(objectAt((await list("/mcp")).message, "result")).toMatchObject({ cacheScope: "private", ttlMs: 60_000 });
    expect(objectAt((await list("/mcp/up")).message, "result")).toMatchObject({ cacheScope: "private", ttlMs: 60_000 });
  });

  it("RX-20: is kept no longer than the bound", async () => {
    await serve({ up: modernUpstream(() => ({ tools: [], ttlMs: 9e12, cacheScope: "private" })) });
    expect(objectAt((await list()).message, "result")["ttlMs"]).toBe(limits.listTtl_ms_max);
  });

  it.each(["/mcp", "/mcp/up"])("RX-14: on %s a tool over its size is left out, alone", async (path) => {
    await serve({ up: toolsOf(tool("a"), { ...tool("b"), description: "x".repeat(limits.tool_bytes) }, tool("c")) });
    const names = namesIn(await list(path));
    expect(names.map((name) => String(name).replace("up__", ""))).toEqual(["a", "c"]);
  });

  it.each(["/mcp", "/mcp/up"])(
    "RX-14: on %s a schema with a costly pattern is passed on and never run",
    async (path) => {
      const inputSchema = { type: "object", properties: { a: { pattern: "^(a+)+$", enum: ["a".repeat(1000) + "!"] } } };
      await serve({ up: toolsOf({ name: "a", inputSchema }) });
      expect((await list(path)).message["result"]).toMatchObject({ tools: [{ inputSchema }] });
    },
  );

  it.each(["/mcp", "/mcp/up"])("SS-14: on %s a network reference in a schema is not followed", async (path) => {
    const inputSchema = { $ref: "https://evil.test/schema.json", type: "object" };
    await serve({ up: toolsOf({ name: "a", inputSchema, icons: [{ src: "http://169.254.169.254/" }] }) });
    await list(path);
    expect(harness.seen.map(({ url }) => new URL(url).hostname)).not.toContain("evil.test");
  });

  it("SS-15: an icon of a tool is not fetched", async () => {
    await serve({ up: toolsOf({ ...tool("a"), icons: [{ src: "https://evil.test/i.png" }] }) });
    expect((await list()).message["result"]).toMatchObject({
      tools: [{ icons: [{ src: "https://evil.test/i.png" }] }],
    });
    expect(harness.seen.map(({ url }) => new URL(url).hostname)).not.toContain("evil.test");
  });

  it("RX-14: no more items than the bound, and the cut is named", async () => {
    const many = Array.from({ length: limits.listItems_count + 10 }, (_, at) => tool(`t${at}`));
    await serve({ up: toolsOf(...many) });
    const pages: Asked[] = [];
    for (let cursor: Json | undefined; pages.length === 0 || cursor !== undefined;) {
      const answered = await list("/mcp", cursor === undefined ? {} : { cursor });
      pages.push(answered);
      cursor = objectAt(answered.message, "result")["nextCursor"];
    }
    expect(pages.map((page) => namesIn(page).length)).toEqual([2_000, 2_000, 1_000]);
    expect(pages.flatMap(namesIn)).toEqual(many.slice(0, limits.listItems_count).map(({ name }) => `up__${name}`));
    expect(outcomesIn(pages[0] ?? (await list()))).toEqual({ up: "truncated" });
    expect(sent(harness, "tools/list")).toHaveLength(1);
  });
});

describe("pages", () => {
  const pages = (next: (page: number) => string | undefined): Upstream => {
    let page = 0;
    return modernUpstream(() => {
      page += 1;
      const nextCursor = next(page);
      return { tools: [tool(`t${page}`)], ttlMs: 1000, ...(nextCursor === undefined ? {} : { nextCursor }) };
    });
  };

  it("F6: all pages of a server are in the list, an empty cursor included", async () => {
    await serve({ up: pages((page) => ["", "two", undefined][page - 1]) });
    const answered = await list();
    expect(namesIn(answered)).toEqual(["up__t1", "up__t2", "up__t3"]);
    expect(sent(harness, "tools/list").map(({ message }) => objectAt(message, "params")["cursor"])).toEqual([
      undefined,
      "",
      "two",
    ]);
  });

  it("MC-39: endless cursors end at the bound, and the cut is named", async () => {
    await serve({ up: pages((page) => `cursor-${page}`) });
    const answered = await list();
    expect(sent(harness, "tools/list")).toHaveLength(limits.listPages_count);
    expect(outcomesIn(answered)).toEqual({ up: "truncated" });
  });

  it("MC-39: a cursor that leads to itself is followed once", async () => {
    await serve({ up: pages(() => "same") });
    await list();
    expect(sent(harness, "tools/list")).toHaveLength(2);
  });

  it("MC-39: a cursor that the aggregate did not give out is refused, and no upstream sees it", async () => {
    await serve({ up: toolsOf() });
    const answered = await list("/mcp", { cursor: "someone's" });
    expect(answered).toMatchObject({ status: 400, message: { error: { code: -32602 } } });
    expect(harness.seen).toEqual([]);
    expect(responseEvents(harness).at(-1)?.outcome).toMatchObject({ status: "error", reason: "foreign_cursor" });
  });

  it("MC-39: a cursor of a server passes on its own endpoint", async () => {
    await serve({ up: toolsOf() });
    await list("/mcp/up", { cursor: "" });
    expect(sent(harness, "tools/list")[0]?.message["params"]).toMatchObject({ cursor: "" });
  });
});

/** Waits for real work behind the gateway: turns of the event loop, not time. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await scheduler.wait(0);
}
