/** Stored lists: when a server is asked, when not, and what stands in for it while it is slow or down. */
import { beforeEach, describe, expect, it } from "vitest";
import { env } from "cloudflare:workers";
import { buildCatalog } from "../../../src/gateway/catalog/build.ts";
import { kinds } from "../../../src/gateway/catalog/kinds.ts";
import { CatalogMemory } from "../../../src/gateway/catalog/memory.ts";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  modernPost,
  modernUpstream,
  objectAt,
  read,
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
let server: string;
let clock: VirtualClock;
let tools: Json[];

const tool = (name: string): JsonObject => ({ name, inputSchema: { type: "object" } });
const listing = (ttlMs = 0): Upstream => modernUpstream(() => ({ tools, ttlMs, cacheScope: "public" }));
const broken: Upstream = () => new Response(null, { status: 503 });
const hanging: Upstream = () => new Promise(() => undefined);

async function start(bindings: Record<string, unknown> = {}): Promise<void> {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings });
  tenant = await setUp(harness);
  tools = [tool("one")];
  serve(listing());
  server = await tenant.addServer("up");
  ({ token } = await tenant.addClient([server]));
}

beforeEach(() => start());

const serve = (upstream: Upstream): void => harness.serve("up.upstream.test", upstream);
const list = (as = token): Promise<Asked> => ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token: as });
const asked = (): number => sent(harness, "tools/list").length;
const resultIn = ({ message }: Asked): JsonObject => objectAt(message, "result");
const namesIn = (answered: Asked): Json[] =>
  (resultIn(answered)["tools"] as JsonObject[]).map(({ name }) => name ?? null);
const outcomeIn = (answered: Asked): Json | undefined =>
  objectAt(objectAt(resultIn(answered), "_meta"), "gatehouse/upstreams")["up"];

/** A list whose answer is not waited for, nor what runs behind it. */
async function listNow(): Promise<Asked> {
  const { response } = await harness.open(`${tenant.origin}/mcp`, modernPost("tools/list", {}, { token }));
  return read(response);
}

async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await scheduler.wait(0);
}

describe("a fresh list", () => {
  it("F6: is served without asking anybody", async () => {
    await list();
    const before = harness.seen.length;
    expect(namesIn(await list())).toEqual(["up__one"]);
    expect(harness.seen).toHaveLength(before);
  });

  it("F6: is the same for everybody who uses the same credential", async () => {
    await list();
    const other = await tenant.addClient([server]);
    expect(namesIn(await list(other.token))).toEqual(["up__one"]);
    expect(asked()).toBe(1);
  });

  it("F6: tells how long it will be given again", async () => {
    expect(resultIn(await list())["ttlMs"]).toBe(limits.catalogFresh_ms);
    clock.advance(20_000);
    expect(resultIn(await list())["ttlMs"]).toBe(limits.catalogFresh_ms - 20_000);
  });

  it("F6: is one for as long as its server promises, within the bound", async () => {
    serve(listing(9e12));
    await list();
    clock.advance(limits.listTtl_ms_max - 1);
    await list();
    expect(asked()).toBe(1);
    clock.advance(1);
    await list();
    expect(asked()).toBe(2);
  });

  it("F6: of another revision of the server is another list", async () => {
    await list();
    tools = [tool("two")];
    await tenant.api("PATCH", `/servers/${server}`, { url: "https://up.upstream.test/other" });
    expect(namesIn(await list())).toEqual(["up__two"]);
  });

  it("F6: from before the clock jumped back is asked for again", async () => {
    await list();
    clock.advance(-3_600_000);
    await list();
    expect(asked()).toBe(2);
  });
});

describe("a stale list", () => {
  const staleButYoung = limits.catalogFresh_ms + 1;

  it("F6: is served while it is asked for behind the answer", async () => {
    await list();
    tools = [tool("two")];
    clock.advance(staleButYoung);
    const answered = await list();
    expect(namesIn(answered)).toEqual(["up__one"]);
    expect(resultIn(answered)["ttlMs"]).toBe(0);
    expect(namesIn(await list())).toEqual(["up__two"]);
    expect(asked()).toBe(2);
  });

  it("F6: does not wait for a server that hangs, which is asked once", async () => {
    await list();
    serve(hanging);
    clock.advance(staleButYoung);
    const before = harness.seen.length;
    expect(namesIn(await listNow())).toEqual(["up__one"]);
    expect(namesIn(await listNow())).toEqual(["up__one"]);
    await eventually(() => harness.seen.length > before);
    expect(harness.seen).toHaveLength(before + 1);
    clock.advance(limits.listTotal_ms);
  });

  it("F6: says why its server could not be asked", async () => {
    await list();
    serve(broken);
    clock.advance(staleButYoung);
    expect(outcomeIn(await list())).toBe("ok");
    const answered = await list();
    expect(namesIn(answered)).toEqual(["up__one"]);
    expect(outcomeIn(answered)).toBe("stored:upstream_http_503");
  });

  it("F6: leaves a server that failed in peace for a while", async () => {
    await list();
    serve(broken);
    clock.advance(staleButYoung);
    for (let turn = 0; turn < 5; turn++) await list();
    expect(asked()).toBe(2);
    clock.advance(limits.listRefreshPause_ms);
    await list();
    expect(asked()).toBe(3);
  });

  it("F6: is whole again when its server is", async () => {
    await list();
    serve(broken);
    clock.advance(staleButYoung);
    await list();
    serve(listing());
    clock.advance(limits.listRefreshPause_ms);
    await list();
    clock.advance(staleButYoung);
    expect(outcomeIn(await list())).toBe("ok");
  });
});

describe("an old list", () => {
  const old = limits.catalogStale_ms + 1;

  it("F6: is asked for before it is served", async () => {
    await list();
    tools = [tool("two")];
    clock.advance(old);
    expect(namesIn(await list())).toEqual(["up__two"]);
  });

  it("F6: stands in for a server that is slow, which has a second", async () => {
    await list();
    serve(hanging);
    clock.advance(old);
    const answer = listNow();
    await clock.asleep(limits.listRefreshWait_ms);
    await eventually(() => harness.seen.length > 0);
    clock.advance(limits.listRefreshWait_ms);
    const answered = await answer;
    expect(namesIn(answered)).toEqual(["up__one"]);
    expect(outcomeIn(answered)).toBe("stored:slow");
    clock.advance(limits.listTotal_ms);
  });

  it("F6: does not stand in for a server that fails, which is left out and named", async () => {
    await list();
    serve(broken);
    clock.advance(old);
    const answered = await list();
    expect(namesIn(answered)).toEqual([]);
    expect(outcomeIn(answered)).toBe("upstream_http_503");
  });

  it("F6: stands in for nothing after a day", async () => {
    await list();
    serve(hanging);
    clock.advance(limits.catalogLife_ms + 1);
    let answered: Asked | undefined;
    const answer = listNow().then((value) => void (answered = value));
    while (answered === undefined) {
      clock.advance(limits.listRefreshWait_ms);
      await scheduler.wait(0);
    }
    await answer;
    expect(namesIn(answered)).toEqual([]);
    expect(outcomeIn(answered)).not.toMatch(/^stored:/);
  });
});

describe("an isolate that starts cold", () => {
  /** Another isolate is one that has other memory: here a harness of the same tenant, and a key that no memory holds. */
  const put = (fetched_at: number): Promise<void> => {
    const stored = {
      server_era: "modern",
      offered: true,
      items_text: JSON.stringify([tool("kept"), { ...tool("big"), _meta: { n: 1 } }]).replace(
        '"n":1',
        '"n":12345678901234567890',
      ),
      ttl_ms: 0,
      fetched_at,
      truncated: false,
    };
    return env.CACHE.put(`catalog:${tenantId()}:${server}:1:modern::tools/list`, JSON.stringify(stored));
  };
  const tenantId = (): string => harness.events[0]?.tenant ?? "";

  it("F6: serves what the store has, with every digit, and asks nobody", async () => {
    await put(clock.now());
    const answered = await list();
    expect(namesIn(answered)).toEqual(["up__kept", "up__big"]);
    expect(answered.text).toContain("12345678901234567890");
    expect(harness.seen).toEqual([]);
  });

  it("F6: takes a fresher list of another isolate before it asks", async () => {
    await list();
    clock.advance(limits.catalogFresh_ms + 1);
    await put(clock.now());
    await list();
    expect(namesIn(await list())).toEqual(["up__kept", "up__big"]);
    expect(asked()).toBe(1);
  });

  it.each([
    ["is no list", '{"items_text":7}'],
    ["is no JSON", "{"],
  ])("FT-07: what it finds in the store that %s is not used", async (_case, text) => {
    await env.CACHE.put(`catalog:${tenantId()}:${server}:1:modern::tools/list`, text);
    expect(namesIn(await list())).toEqual(["up__one"]);
  });

  it("FT-07: asks the server when the store is down", async () => {
    const down = (): Promise<never> => Promise.reject(new Error("KV is down"));
    await start({ CACHE: { get: down, put: down, delete: down } });
    expect(namesIn(await list())).toEqual(["up__one"]);
    expect(namesIn(await list())).toEqual(["up__one"]);
    expect(asked()).toBe(1);
  });
});

describe("a server that says that its list changed", () => {
  const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
  const sessions = Array.from({ length: 10 }, (_, at) => `s${at}`);
  const old: Upstream = legacyUpstream({ sessions, capabilities: { tools: {} } }, ({ message }) =>
    message["method"] === "tools/list"
      ? { tools }
      : [changed, { jsonrpc: "2.0", id: message["id"] ?? null, result: { content: [] } }],
  );
  const call = (as = token): Promise<Asked> =>
    ask(harness, `${tenant.origin}/mcp`, "tools/call", { name: "up__one" }, { token: as });

  it("F6: is asked again at the next list of anybody, which waits for it", async () => {
    serve(old);
    await list();
    clock.advance(1);
    const other = await tenant.addClient([server]);
    await call();
    tools = [tool("two")];
    expect(namesIn(await list(other.token))).toEqual(["up__two"]);
  });

  it("F6: and fails then, is served as it was stored", async () => {
    serve(old);
    await list();
    clock.advance(1);
    const other = await tenant.addClient([server]);
    await call();
    serve(broken);
    const answered = await list(other.token);
    expect(namesIn(answered)).toEqual(["up__one"]);
    expect(outcomeIn(answered)).toMatch(/^stored:/);
  });

  it("F6: in one session is asked for that session alone, and what it answers is nobody else's", async () => {
    serve(old);
    await list();
    clock.advance(1);
    const other = await tenant.addClient([server]);
    await list(other.token);
    await call();
    clock.advance(1);
    await list(other.token);
    tools = [tool("mine")];
    expect(namesIn(await list())).toEqual(["up__mine"]);
    expect(namesIn(await list(other.token))).toEqual(["up__one"]);
    expect(namesIn(await list())).toEqual(["up__mine"]);
  });

  it("TL-18: two hundred times in one call is asked once more, at the next list", async () => {
    const flood = Array.from({ length: 200 }, () => changed);
    serve(
      legacyUpstream({ sessions, capabilities: { tools: {} } }, ({ message }) =>
        message["method"] === "tools/list"
          ? { tools }
          : [...flood, { jsonrpc: "2.0", id: message["id"] ?? null, result: { content: [] } }],
      ),
    );
    await list();
    clock.advance(1);
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect(namesIn(await list())).toEqual(["up__one"]);
    expect(asked()).toBe(2);
  });
});

describe("the memory of an isolate", () => {
  const catalog = (name: string, chars: number) =>
    buildCatalog(kinds["tools/list"], "up", [{ ...tool(name), description: "x".repeat(chars) }], {
      outcome: "ok",
      complete: true,
      server_era: "modern",
      ttl_ms: 1,
      fetched_at: 1,
    });

  it("RX-14: is bounded by characters, and the oldest list goes first", async () => {
    const memory = new CatalogMemory();
    const count = Math.ceil(limits.catalogs_chars / 100_000) + 1;
    const big = await catalog("big", 100_000);
    for (let at = 0; at < count; at++) memory.set(`k${at}`, big);
    expect(memory.get("k0")).toBeUndefined();
    expect(memory.get(`k${count - 1}`)).toBe(big);
    expect(
      Array.from({ length: count }, (_, at) => memory.get(`k${at}`)).filter(Boolean).length * big.size_chars,
    ).toBeLessThanOrEqual(limits.catalogs_chars);
  });

  it("RX-14: is bounded by number", async () => {
    const memory = new CatalogMemory();
    const small = await catalog("small", 1);
    for (let at = 0; at <= limits.catalogs_count; at++) memory.set(`k${at}`, small);
    expect(memory.get("k0")).toBeUndefined();
    expect(memory.get("k1")).toBe(small);
  });

  it("RX-15: counts the names of what is not listed", async () => {
    const items = Array.from({ length: 2_000 }, (_, at) => ({ name: `${at}`.padEnd(4_000, "x") }));
    const facts = { outcome: "ok", complete: true, server_era: "legacy", ttl_ms: 0, fetched_at: 0 } as const;
    const { size_chars, refused, mirrored } = await buildCatalog(kinds["tools/list"], "up", items, facts);
    expect([refused.size, mirrored.size]).toEqual([2_000, 2_000]);
    expect(size_chars).toBeGreaterThanOrEqual(2 * 2_000 * 4_000);
  });

  it("RX-14: counts a list that comes anew once", async () => {
    const memory = new CatalogMemory();
    const big = await catalog("big", 100_000);
    for (let turn = 0; turn < 1_000; turn++) memory.set("same", big);
    memory.set("other", big);
    expect(memory.get("same")).toBe(big);
  });
});
