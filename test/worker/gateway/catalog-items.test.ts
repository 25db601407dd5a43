/** What may stand in a list: clients of the official SDKs reject the whole list for one item of the wrong shape. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { exposedName } from "../../../src/gateway/catalog/names.ts";
import { keepListable } from "../../../src/gateway/catalog/index.ts";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  modernUpstream,
  objectAt,
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
let clock: VirtualClock;
let token: string;

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock } });
  tenant = await setUp(harness);
});

async function serve(servers: Readonly<Record<string, Upstream>>): Promise<string[]> {
  const ids: string[] = [];
  for (const [slug, upstream] of Object.entries(servers)) {
    ids.push(await tenant.addServer(slug));
    harness.serve(`${slug}.upstream.test`, upstream);
  }
  ({ token } = await tenant.addClient(ids));
  return ids;
}

const list = (path: string, method = "tools/list"): Promise<Asked> =>
  ask(harness, tenant.origin + path, method, {}, { token });
const itemsIn = ({ message }: Asked, member = "tools"): JsonObject[] =>
  objectAt(message, "result")[member] as JsonObject[];

const good = { name: "good", inputSchema: { type: "object" } };
const bad: readonly (readonly [string, Json])[] = [
  ["that is no object", "tool"],
  ["without a name", { inputSchema: { type: "object" } }],
  ["with an empty name", { ...good, name: "" }],
  ["with a name of half a character", { ...good, name: "a\ud800" }],
  ["with a name over its size", { ...good, name: "x".repeat(limits.name_chars + 1) }],
  ["without a schema", { name: "bad" }],
  ["with a schema that is no object", { name: "bad", inputSchema: true }],
  ["with a schema of no type", { name: "bad", inputSchema: {} }],
  ["with a schema of another type", { name: "bad", inputSchema: { type: "string" } }],
  ["with properties that are no object", { name: "bad", inputSchema: { type: "object", properties: [] } }],
  ["with required that is no array", { name: "bad", inputSchema: { type: "object", required: "a" } }],
  ["with required of no names", { name: "bad", inputSchema: { type: "object", required: [1] } }],
  ["with an invalid header", { name: "bad", inputSchema: { type: "object", "x-mcp-header": "A" } }],
  ["with an output schema that is no object", { ...good, name: "bad", outputSchema: true }],
  ["with a title that is no text", { ...good, name: "bad", title: 1 }],
  ["with a description of null", { ...good, name: "bad", description: null }],
  ["with annotations that are no object", { ...good, name: "bad", annotations: [] }],
  ["with metadata that is no object", { ...good, name: "bad", _meta: "x" }],
  ["with execution that is no object", { ...good, name: "bad", execution: true }],
  ["with icons that are no array", { ...good, name: "bad", icons: {} }],
  ["with an icon without a source", { ...good, name: "bad", icons: [{}] }],
];

describe("a tool", () => {
  it.each(bad.flatMap(([what, tool]) => ["/mcp", "/mcp/up"].map((path) => [path, what, tool] as const)))(
    "F6: on %s, %s is left out, alone",
    async (path, _what, tool) => {
      // Lone surrogates are valid JSON escapes and not valid names.
      await serve({ up: modernUpstream(() => ({ tools: [tool, good], ttlMs: 0 })) });
      const answered = await list(path);
      expect(itemsIn(answered).map(({ name }) => name)).toEqual([path === "/mcp" ? "up__good" : "good"]);
    },
  );

  it("F5: keeps every member that clients may read", async () => {
    const tool = {
      ...good,
      title: "T",
      annotations: { readOnlyHint: true },
      icons: [{ src: "data:," }],
      execution: { taskSupport: "optional" },
      outputSchema: { type: "array" },
      _meta: { x: 1 },
      "x-unknown": { a: [1] },
    };
    await serve({ up: modernUpstream(() => ({ tools: [tool] })) });
    expect(itemsIn(await list("/mcp"))).toEqual([{ ...tool, name: "up__good" }]);
  });

  it("F5: keeps every digit of its numbers", async () => {
    const text = '{"name":"n","inputSchema":{"type":"object","maxProperties":12345678901234567890}}';
    await serve({
      up: modernUpstream(
        ({ message }) =>
          new Response(
            `{"jsonrpc":"2.0","id":${JSON.stringify(message["id"])},"result":{"resultType":"complete","tools":[${text}]}}`,
            { headers: { "content-type": "application/json" } },
          ),
      ),
    });
    expect((await list("/mcp")).text).toContain('"maxProperties":12345678901234567890');
  });

  it("F5: with a user interface names the resource by the URI of the aggregate, under the scheme that hosts insist on", async () => {
    const tool = {
      ...good,
      _meta: { ui: { resourceUri: "ui://widget/a", csp: {} }, "ui/resourceUri": "ui://widget/a" },
    };
    await serve({ up: modernUpstream(() => ({ tools: [tool] })) });
    const resourceUri = "ui://gatehouse/up/widget/a";
    expect(itemsIn(await list("/mcp"))[0]?.["_meta"]).toEqual({
      ui: { resourceUri, csp: {} },
      "ui/resourceUri": resourceUri,
    });
    await ask(harness, `${tenant.origin}/mcp`, "resources/read", { uri: resourceUri }, { token });
    expect(sent(harness, "resources/read")[0]?.message["params"]).toMatchObject({ uri: "ui://widget/a" });
  });

  it("TL-08: that its server lists twice is left out both times", async () => {
    await serve({
      up: modernUpstream(() => ({ tools: [good, { ...good, title: "another" }, { ...good, name: "one" }] })),
    });
    expect(itemsIn(await list("/mcp")).map(({ name }) => name)).toEqual(["up__one"]);
  });

  it("P5: that is left out for its shape cannot be called", async () => {
    await serve({
      up: modernUpstream(({ message }) =>
        message["method"] === "tools/list" ? { tools: [{ name: "bad" }, good] } : { content: [] },
      ),
    });
    const answered = await ask(harness, `${tenant.origin}/mcp`, "tools/call", { name: "up__bad" }, { token });
    expect(answered.message).toMatchObject({ error: { code: -32602, message: "Unknown tool: up__bad" } });
    expect(sent(harness, "tools/call")).toEqual([]);
  });
});

describe("items of other lists", () => {
  const cases: readonly (readonly [string, string, JsonObject, JsonObject])[] = [
    ["prompts/list", "prompts", { name: "p", arguments: {} }, { name: "q", arguments: [{ name: "a" }] }],
    ["resources/list", "resources", { uri: "a:b" }, { uri: "a:c", name: "c" }],
    ["resources/list", "resources", { uri: "a:b", name: "b", mimeType: 1 }, { uri: "a:c", name: "c" }],
    ["resources/templates/list", "resourceTemplates", { uriTemplate: "a:{b}" }, { uriTemplate: "a:{c}", name: "c" }],
  ];

  it.each(cases)("F6: in %s, one of the wrong shape is left out, alone", async (method, member, wrong, right) => {
    await serve({ up: modernUpstream(() => ({ [member]: [wrong, right] })) });
    expect(itemsIn(await list("/mcp/up", method), member)).toEqual([right]);
    expect(itemsIn(await list("/mcp", method), member)).toHaveLength(1);
  });
});

/** The tools of the aggregate, for a client that begins a session with these capabilities. */
async function legacyList(capabilities: JsonObject): Promise<JsonObject> {
  const post = (body: JsonObject, session?: string): Promise<Response> =>
    harness.fetch(`${tenant.origin}/mcp`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
        ...(session === undefined ? {} : { "mcp-session-id": session, "mcp-protocol-version": "2025-06-18" }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }),
    });
  const clientInfo = { name: "old", version: "1" };
  const params = { protocolVersion: "2025-06-18", capabilities, clientInfo };
  const begun = await post({ method: "initialize", params });
  const listed = await post({ method: "tools/list" }, begun.headers.get("mcp-session-id") ?? "");
  return listed.json();
}

describe("a client of the 2025 revisions", () => {
  it("F4: gets a tool without the output schema that it would reject the whole list for", () => {
    const result: JsonObject = {
      tools: [
        { ...good, outputSchema: { type: "array" } },
        { ...good, name: "b", outputSchema: { type: "object" } },
      ],
    };
    expect(keepListable("tools/list", result, "legacy")).toBe(true);
    expect(result["tools"]).toEqual([good, { ...good, name: "b", outputSchema: { type: "object" } }]);
  });

  it("F4: gets a list of the aggregate in the form of its revision", async () => {
    const tools = [
      { ...good, outputSchema: { type: "array" } },
      { ...good, name: "b", outputSchema: { type: "object" } },
    ];
    await serve({ up: modernUpstream(() => ({ tools, ttlMs: 60_000 })) });
    expect(await legacyList({})).toEqual({
      jsonrpc: "2.0",
      id: 1,
      result: {
        tools: [
          { ...good, name: "up__good" },
          { ...good, name: "up__b", outputSchema: { type: "object" } },
        ],
        _meta: { "gatehouse/upstreams": { up: "ok" } },
      },
    });
  });

  it("F4: gets the list for what it can do, where the server lists by that", async () => {
    const declared: JsonObject[] = [];
    const sessions = ["0", "1", "2", "3", "4", "5"];
    const old = legacyUpstream({ sessions, capabilities: { tools: {} } }, ({ headers }) => {
      const canSample = declared[Number(headers.get("mcp-session-id"))]?.["sampling"] !== undefined;
      return { tools: canSample ? [good, { ...good, name: "samples" }] : [good] };
    });
    await serve({
      up: (seen) => {
        if (seen.message["method"] === "initialize") {
          declared.push(objectAt(objectAt(seen.message, "params"), "capabilities"));
        }
        return old(seen);
      },
    });
    const namesFor = async (capabilities: JsonObject): Promise<Json[]> =>
      (objectAt(await legacyList(capabilities), "result")["tools"] as JsonObject[]).map(({ name }) => name ?? null);
    expect(await namesFor({})).toEqual(["up__good"]);
    expect(await namesFor({ sampling: {} })).toEqual(["up__good", "up__samples"]);
    expect(await namesFor({})).toEqual(["up__good"]);
    expect(sent(harness, "tools/list")).toHaveLength(2);
  });
});

describe("the lists of several servers", () => {
  const slugs = ["a", "b", "c", "d", "e"];
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z_]{1,60}$/), { maxLength: 6 });
  const worlds = fc.array(names, { minLength: slugs.length, maxLength: slugs.length });

  it("F6: are the union of each, in one order, whichever server answers first", async () => {
    let world: string[][] = [];
    let order: number[] = [];
    let waiting: (() => void)[] = [];
    /** Answers when all have been asked, in the order of the seed. */
    const upstreamOf = (at: number): Upstream =>
      modernUpstream(async () => {
        const held = Promise.withResolvers<void>();
        waiting.push(held.resolve);
        if (waiting.length === slugs.length) {
          for (const next of order) waiting.splice(next % waiting.length, 1)[0]?.();
        }
        await held.promise;
        return { tools: (world[at] ?? []).map((name) => ({ ...good, name })) };
      });
    await serve(Object.fromEntries(slugs.map((slug, at) => [slug, upstreamOf(at)])));
    const orders = fc.array(fc.nat(9), { minLength: slugs.length, maxLength: slugs.length });
    await fc.assert(
      fc.asyncProperty(worlds, orders, async (ofThisRun, orderOfThisRun) => {
        [world, order, waiting] = [ofThisRun, orderOfThisRun, []];
        clock.advance(limits.catalogLife_ms + 1);
        const aggregate = itemsIn(await list("/mcp")).map(({ name }) => name);
        const expected = slugs.flatMap((slug, at) => (world[at] ?? []).map((name) => exposedName(slug, "tool", name)));
        expect(aggregate).toEqual(await Promise.all(expected));
      }),
      { seed: 20261121, numRuns: 25 },
    );
  });
});

describe("the status of a server", () => {
  const statusOf = async (id: string | undefined): Promise<JsonObject> =>
    (await tenant.api("GET", `/servers/${id}/status`)).json();

  it("F6: has what became of the last list, and how many items were left out", async () => {
    const started_at = clock.now();
    const [id] = await serve({ up: modernUpstream(() => ({ tools: [good, { name: "bad" }, { name: "" }] })) });
    await list("/mcp");
    expect(await statusOf(id)).toEqual({
      outcome: "ok",
      at: started_at,
      ok_at: started_at,
      counts: { tools: 1 },
      dropped: { tools: 2 },
    });
  });

  it("F6: is unknown before anybody asked, and asks nobody", async () => {
    const [id] = await serve({ up: modernUpstream(() => ({ tools: [] })) });
    expect(await statusOf(id)).toEqual({ outcome: "unknown" });
    expect(harness.seen).toEqual([]);
  });

  it("F6: says why a server was left out, and when it last answered", async () => {
    const [id] = await serve({ up: modernUpstream(() => ({ tools: [good], prompts: [] })) });
    const ok_at = clock.now();
    await list("/mcp");
    harness.serve("up.upstream.test", () => new Response(null, { status: 503 }));
    clock.advance(limits.catalogStale_ms);
    await list("/mcp");
    expect(await statusOf(id)).toMatchObject({
      outcome: "upstream_http_503",
      at: ok_at + limits.catalogStale_ms,
      ok_at,
    });
  });

  it("F6: counts each list of a server", async () => {
    const [id] = await serve({
      up: modernUpstream(() => ({ tools: [good], prompts: [{ name: "p" }, { name: "q" }] })),
    });
    await list("/mcp");
    clock.advance(limits.statusWrite_ms_min);
    await list("/mcp", "prompts/list");
    expect(await statusOf(id)).toMatchObject({ counts: { tools: 1, prompts: 2 } });
  });
});
