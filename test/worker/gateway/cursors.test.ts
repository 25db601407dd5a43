/** Pages of the aggregate: together they are the list, and no cursor works for anybody or anything else. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../../../src/gateway/catalog/build.ts";
import { openCursor, sealCursor } from "../../../src/gateway/catalog/cursor.ts";
import { cutPage, type Bounds, type Part, type Position } from "../../../src/gateway/catalog/pages.ts";
import { limits } from "../../../src/limits.ts";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { createVault } from "../../../src/vault/index.ts";
import {
  ask,
  createHarness,
  freshKeys,
  modernUpstream,
  objectAt,
  responseEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

const runs = { seed: 20261121, numRuns: 300 };

const entryOf = (original: string): Entry => ({ original, exposed: original, text: JSON.stringify(original) });
const size = (entry: Entry): number => entry.text.length;

const slugs = fc.stringMatching(/^[a-z]{1,4}$/);
const names = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8 }),
  fc.constant("x".repeat(limits.cursorKey_chars)).chain((long) => fc.nat(9).map((n) => `${long}${n}`)),
);
const lists = fc.dictionary(slugs, fc.uniqueArray(names, { maxLength: 12 }), { maxKeys: 6 }).map((all): Part[] =>
  Object.keys(all)
    .toSorted()
    .map((slug) => ({ slug, entries: (all[slug] ?? []).map(entryOf) })),
);
const someBounds = fc.record({ items_count: fc.integer({ min: 1, max: 9 }), chars: fc.integer({ min: 1, max: 200 }) });

/** What a client gets that follows every cursor. */
function walk(pageOf: (turn: number) => readonly Part[], bounds: Bounds): { pages: string[][]; seen: string[] } {
  const pages: string[][] = [];
  let after: Position | undefined;
  do {
    const page = cutPage(pageOf(pages.length), after, bounds, size);
    pages.push(page.entries.map(({ original }) => original));
    after = page.next;
  } while (after !== undefined);
  return { pages, seen: pages.flat() };
}

const all = (parts: readonly Part[]): string[] =>
  parts.flatMap(({ entries }) => entries.map(({ original }) => original));

describe("pages", () => {
  it("F6: with any bounds are exactly the union of the servers' lists, in its order", () => {
    fc.assert(
      fc.property(lists, someBounds, (parts, bounds) => {
        const { pages, seen } = walk(() => parts, bounds);
        expect(seen).toEqual(all(parts));
        for (const page of pages) expect(page.length).toBeLessThanOrEqual(bounds.items_count);
        for (const page of pages.slice(0, -1)) expect(page.length).toBeGreaterThan(0);
      }),
      runs,
    );
  });

  it("F6: go on where they were when whole servers come or go meanwhile", () => {
    fc.assert(
      fc.property(lists, lists, someBounds, (first, second, bounds) => {
        const page = cutPage(first, undefined, bounds, size);
        fc.pre(page.next !== undefined);
        const last = page.next?.slug ?? "";
        const rest = walk(() => second.filter(({ slug }) => slug !== last), { items_count: 1_000, chars: 1e9 });
        const later = cutPage(
          second.filter(({ slug }) => slug !== last),
          page.next,
          { items_count: 1_000, chars: 1e9 },
          size,
        );
        const expected = all(second.filter(({ slug }) => slug > last));
        expect(later.entries.map(({ original }) => original)).toEqual(expected);
        expect(rest.seen.slice(rest.seen.length - expected.length)).toEqual(expected);
      }),
      runs,
    );
  });

  it.each([
    ["the last item that was seen", ["a", "c", "d"], ["c", "d"]],
    ["an item that was seen before", ["b", "c", "d"], ["c", "d"]],
    ["an item that was not seen yet", ["a", "b", "d"], ["d"]],
    ["nothing, and one came to the front", ["new", "a", "b", "c", "d"], ["c", "d"]],
  ])("F6: go on where they were when %s went from a list", (_case, now, expected) => {
    const partOf = (own: readonly string[]): Part[] => [{ slug: "up", entries: own.map(entryOf) }];
    const { next } = cutPage(partOf(["a", "b", "c", "d"]), undefined, { items_count: 2, chars: 1e9 }, size);
    const { entries } = cutPage(partOf(now), next, { items_count: 9, chars: 1e9 }, size);
    expect(entries.map(({ original }) => original)).toEqual(expected);
  });

  it("RX-14: have an item that is larger than a page on a page of its own", () => {
    const parts = [{ slug: "up", entries: ["x".repeat(50), "y".repeat(50)].map(entryOf) }];
    expect(walk(() => parts, { items_count: 9, chars: 10 }).pages.map((page) => page.length)).toEqual([1, 1]);
  });
});

describe("the seal of a cursor", () => {
  const exchangeOf = (
    vault: unknown,
    principal: string,
    path: string,
    methodName: string,
  ): Parameters<typeof sealCursor>[0] =>
    ({
      vault,
      platform: { ports: systemPorts },
      tenant: { id: "a" },
      principal: { id: principal },
      endpoint: { path },
      request: { methodName },
    }) as unknown as Parameters<typeof sealCursor>[0];

  it("MC-39: opens for its own principal, endpoint and method, and for nothing else", async () => {
    const vault = await createVault(freshKeys(), systemPorts);
    const value = vault.ok ? vault.value : undefined;
    const bindings = fc.tuple(
      fc.constantFrom("client:1", "client:2"),
      fc.constantFrom("/mcp", "/mcp/up"),
      fc.constantFrom("tools/list", "prompts/list"),
    );
    const positions = fc.record({ slug: slugs, key: names, index: fc.nat(5_000) });
    await fc.assert(
      fc.asyncProperty(bindings, bindings, positions, async (own, other, position) => {
        const cursor = await sealCursor(exchangeOf(value, ...own), position);
        const opened = await openCursor(exchangeOf(value, ...other), cursor);
        const isOwn = JSON.stringify(own) === JSON.stringify(other);
        if (isOwn) expect(opened).toEqual({ ok: true, value: position });
        else expect(opened).toMatchObject({ ok: false, error: { code: "invalid_params", reason: "foreign_cursor" } });
      }),
      { ...runs, numRuns: 60 },
    );
  });

  it("MC-39: is short enough for a client to send back, whatever it holds", async () => {
    const vault = await createVault(freshKeys(), systemPorts);
    const exchange = exchangeOf(vault.ok ? vault.value : undefined, "client:1", "/mcp", "resources/list");
    const key = "語".repeat(limits.cursorKey_chars);
    const cursor = await sealCursor(exchange, { slug: "s".repeat(32), key, index: 5_000 });
    expect(cursor.length).toBeLessThanOrEqual(limits.cursor_chars);
  });
});

describe("a list of several pages", () => {
  let harness: Harness;
  let tenant: Tenant;
  let clock: VirtualClock;
  let token: string;
  let ids: string[];

  const each_count = 1_500;
  const namesOf = (slug: string): string[] => Array.from({ length: each_count }, (_, at) => `${slug}__t${at}`);

  beforeEach(async () => {
    clock = new VirtualClock(Date.now());
    harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
    tenant = await setUp(harness);
    ids = [];
    for (const slug of ["a", "b"]) {
      ids.push(await tenant.addServer(slug));
      const tools = Array.from({ length: each_count }, (_, at) => ({
        name: `t${at}`,
        inputSchema: { type: "object" },
      }));
      harness.serve(
        `${slug}.upstream.test`,
        modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools } : { prompts: [] })),
      );
    }
    ({ token } = await tenant.addClient(ids));
  });

  const list = (params: JsonObject = {}, as = token, method = "tools/list"): Promise<Asked> =>
    ask(harness, `${tenant.origin}/mcp`, method, params, { token: as });
  const namesIn = ({ message }: Asked): Json[] =>
    (objectAt(message, "result")["tools"] as JsonObject[]).map(({ name }) => name ?? null);
  const cursorOf = ({ message }: Asked): string => String(objectAt(message, "result")["nextCursor"]);

  it("F6: has all items once, and asks each server once", async () => {
    const first = await list();
    const second = await list({ cursor: cursorOf(first) });
    expect([...namesIn(first), ...namesIn(second)]).toEqual([...namesOf("a"), ...namesOf("b")]);
    expect(objectAt(second.message, "result")["nextCursor"]).toBeUndefined();
    expect(sent(harness, "tools/list")).toHaveLength(2);
  });

  it("F6: names what the servers did on the first page", async () => {
    const first = await list();
    expect(first.message["result"]).toMatchObject({ _meta: { "gatehouse/upstreams": { a: "ok", b: "ok" } } });
    expect(objectAt((await list({ cursor: cursorOf(first) })).message, "result")["_meta"]).toBeUndefined();
  });

  it("P5: shows nothing more of a server that the client lost between two pages", async () => {
    const first = await list();
    const client = (await (await tenant.api("GET", "/clients")).json()) as { items: { id: string }[] };
    await tenant.api("PATCH", `/clients/${client.items[0]?.id}`, { servers: [ids[0]] });
    clock.advance(limits.snapshotFresh_ms);
    expect(namesIn(await list({ cursor: cursorOf(first) }))).toEqual([]);
  });

  const refusals: readonly (readonly [string, (cursor: string) => Promise<Asked>])[] = [
    ["that is empty", () => list({ cursor: "" })],
    [
      "with another letter",
      (cursor) => list({ cursor: cursor.slice(0, -2) + (cursor.at(-2) === "A" ? "B" : "A") + cursor.slice(-1) }),
    ],
    ["of another method", (cursor) => list({ cursor }, token, "prompts/list")],
    ["of another principal", async (cursor) => list({ cursor }, (await tenant.addClient(ids)).token)],
    [
      "that is too old",
      (cursor) => {
        clock.advance(limits.listCursor_ms);
        return list({ cursor });
      },
    ],
  ];

  it.each(refusals)("MC-39: a cursor %s is refused, and nobody is asked", async (_case, send) => {
    const cursor = cursorOf(await list());
    const before = harness.seen.length;
    const answered = await send(cursor);
    expect(answered).toMatchObject({
      status: 400,
      message: { error: { code: -32602, message: "The cursor is not valid" } },
    });
    expect(harness.seen).toHaveLength(before);
    expect(responseEvents(harness).at(-1)?.outcome).toMatchObject({ status: "error", reason: "foreign_cursor" });
  });
});
