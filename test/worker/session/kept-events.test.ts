import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import { endSession, keepEvents, newOwner, replayEvents, type KeptEvent } from "../../../src/session/index.ts";
import { EventRows } from "../../../src/session/event-rows.ts";
import { limits } from "../../../src/limits.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import { codeOf, invocation, objectOf, setClock, sibling, start, value, type Invocation } from "./support.ts";

let here: Invocation;
let owner: string;

beforeEach(async () => {
  here = await invocation();
  owner = newOwner(systemPorts.random);
});

const events = (from: number, to: number, text = "e"): KeptEvent[] =>
  Array.from({ length: to - from + 1 }, (_, at) => ({ seq: from + at, text: `${text}${from + at}` }));
const keep = async (list: readonly KeptEvent[], over = false, stream = "st", of = owner): Promise<string> =>
  codeOf(await keepEvents(here.context, of, stream, list, over));
const replay = async (after_seq: number, stream_id = "st", of = owner, resumer = "r"): Promise<unknown> =>
  value(await replayEvents(here.context, of, { stream_id, after_seq, resumer }));
const found = (list: readonly KeptEvent[], over = false): unknown => ({ kind: "events", events: list, over });
const unknown = { kind: "unknown" };
const gap = { kind: "gap" };

/** Rows that a write of one event reads. */
function rowsReadBy({ sql }: DurableObjectStorage, of: string, seq: number): number {
  const cursors: { readonly rowsRead: number }[] = [];
  const watched = new Proxy(sql, {
    get: (target, property) => {
      if (property !== "exec") return Reflect.get(target, property, target) as unknown;
      return (query: string, ...values: SqlStorageValue[]) => {
        const cursor = target.exec(query, ...values);
        cursors.push(cursor);
        return cursor;
      };
    },
  });
  new EventRows(watched).keep(of, "watched", events(seq, seq), false, start);
  return cursors.reduce((sum, { rowsRead }) => sum + rowsRead, 0);
}

describe("kept events", () => {
  it("MCP 2025-11-25 Resumability: what came after the last event that the client has, in order", async () => {
    await keep(events(1, 3));
    await keep(events(4, 5));
    expect(await replay(2)).toEqual(found(events(3, 5)));
    await keep([], true);
    expect(await replay(5)).toEqual(found([], true));
  });

  it("FT-07: events survive an eviction, and an event that is kept twice comes once", async () => {
    await keep(events(1, 2));
    await evictDurableObject(objectOf(here.context, owner));
    await keep(events(2, 3), true);
    expect(await replay(0)).toEqual(found(events(1, 3), true));
  });

  it("MC-33: another owner's stream is not found, nor another stream", async () => {
    await keep(events(1, 3));
    expect(await replay(0, "st", sibling(here.context, owner))).toEqual(unknown);
    expect(await replay(0, "other")).toEqual(unknown);
  });

  it("MC-34: an event of another owner's stream of the same name never comes", async () => {
    const other = sibling(here.context, owner);
    await keep(events(1, 1, "mine"));
    await keep(events(2, 2, "theirs"), false, "st", other);
    expect(await replay(0)).toEqual(found(events(1, 1, "mine")));
  });

  it("F7: nothing is left of an ended session's events, and none are taken", async () => {
    await keep(events(1, 3));
    value(await endSession(here.context, owner, start));
    expect(await replay(0)).toEqual(unknown);
    expect(await keep(events(4, 4))).toBe("not_found session_ended");
    expect(await replay(0)).toEqual(unknown);
  });

  it("RX-15: of one stream so many events are kept, and a replay with a gap is refused", async () => {
    await keep(events(1, limits.keptEvents_count));
    await keep(events(limits.keptEvents_count + 1, limits.keptEvents_count + 2));
    expect(await replay(1)).toEqual(gap);
    expect(await replay(2)).toEqual(found(events(3, limits.keptEvents_count + 2)));
  });

  it("RX-15: of one owner so many bytes are kept, the oldest go first", async () => {
    const half = "x".repeat(limits.keptEvents_bytes / 2);
    await keep([{ seq: 1, text: half }], false, "a");
    await keep([{ seq: 1, text: half }], false, "b");
    expect(await replay(0, "a")).toEqual(found([{ seq: 1, text: half }]));
    await keep(events(2, 2), false, "b");
    expect(await replay(0, "a")).toEqual(gap);
    expect(await replay(1, "a")).toEqual(found([]));
    expect(await replay(0, "b")).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }] });
  });

  it("RX-15: an event that could never be kept is a gap", async () => {
    expect(await keep([{ seq: 1, text: "x".repeat(limits.keptEvents_bytes + 1) }, ...events(2, 2)])).toBe("ok");
    expect(await replay(0)).toEqual(gap);
    expect(await replay(1)).toEqual(found(events(2, 2)));
  });

  it("MC-33: a number that was left out is a gap, and so is what was before the first", async () => {
    await keep(events(3, 4));
    expect(await replay(1)).toEqual(gap);
    expect(await replay(2)).toEqual(found(events(3, 4)));
    await keep(events(6, 7), true);
    expect(await replay(4)).toEqual(gap);
    expect(await replay(5)).toEqual(found(events(6, 7), true));
  });

  it("RX-15: a newer resumer of a stream ends the older, which takes nothing from it", async () => {
    await keep(events(1, 2));
    expect(await replay(0, "st", owner, "r1")).toEqual(found(events(1, 2)));
    expect(await replay(2, "st", owner, "r2")).toEqual(found([]));
    expect(await replay(2, "st", owner, "r1")).toEqual({ kind: "replaced" });
    expect(await replay(1, "st", owner, "r2")).toEqual(found(events(2, 2)));
  });

  it("RX-15: a write reads no more rows however much its owner has kept", async () => {
    const read = (seq: number): Promise<number> =>
      runInDurableObject(objectOf(here.context, owner), (_instance, { storage }) => rowsReadBy(storage, owner, seq));
    const few = await read(1);
    for (let stream = 0; stream < 4; stream += 1) await keep(events(1, limits.keptEvents_count), false, `st${stream}`);
    expect(await read(2)).toBeLessThan(few + 20);
  });

  it("RX-15: of one owner so many streams are kept, the oldest go first", async () => {
    const inside = new VirtualClock(start);
    await setClock(objectOf(here.context, owner), inside);
    for (let n = 0; n <= limits.keptStreams_count; n += 1) {
      await keep(events(1, 1), false, `st${n}`);
      inside.advance(1);
    }
    expect(await replay(0, "st0")).toEqual(unknown);
    expect(await replay(0, "st1")).toEqual(found(events(1, 1)));
  });

  it("events are kept for so long and no longer", async () => {
    const inside = new VirtualClock(start);
    await setClock(objectOf(here.context, owner), inside);
    await keep(events(1, 1));
    inside.advance(limits.keptEvents_ms - 1);
    expect(await replay(0)).toEqual(found(events(1, 1)));
    inside.advance(1);
    expect(await replay(0)).toEqual(unknown);
  });
});
