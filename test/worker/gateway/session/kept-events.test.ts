import { evictDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import {
  endSession,
  keepEvents,
  newOwner,
  replayEvents,
  type KeptEvent,
} from "../../../../src/gateway/session/index.ts";
import { limits } from "../../../../src/limits.ts";
import { systemPorts } from "../../../../src/system-ports.ts";
import { VirtualClock } from "../virtual-clock.ts";
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
const replay = async (after: number, stream = "st", of = owner): Promise<unknown> =>
  value(await replayEvents(here.context, of, stream, after));

describe("kept events", () => {
  it("MCP 2025-11-25 Resumability: what came after the last event that the client has, in order", async () => {
    await keep(events(1, 3));
    await keep(events(4, 5));
    expect(await replay(2)).toEqual({ events: events(3, 5), over: false });
    await keep([], true);
    expect(await replay(5)).toEqual({ events: [], over: true });
  });

  it("FT-07: events survive an eviction, and an event that is kept twice comes once", async () => {
    await keep(events(1, 2));
    await evictDurableObject(objectOf(here.context, owner));
    await keep(events(2, 3), true);
    expect(await replay(0)).toEqual({ events: events(1, 3), over: true });
  });

  it("MC-33: another owner's stream is not found, nor another stream", async () => {
    await keep(events(1, 3));
    expect(await replay(0, "st", sibling(here.context, owner))).toBeUndefined();
    expect(await replay(0, "other")).toBeUndefined();
  });

  it("MC-34: an event of another owner's stream of the same name never comes", async () => {
    const other = sibling(here.context, owner);
    await keep(events(1, 1, "mine"));
    await keep(events(2, 2, "theirs"), false, "st", other);
    expect(await replay(0)).toEqual({ events: events(1, 1, "mine"), over: false });
  });

  it("F7: nothing is left of an ended session's events, and none are taken", async () => {
    await keep(events(1, 3));
    value(await endSession(here.context, owner, start));
    expect(await replay(0)).toBeUndefined();
    expect(await keep(events(4, 4))).toBe("not_found session_ended");
    expect(await replay(0)).toBeUndefined();
  });

  it("RX-15: of one stream so many events are kept, and a replay with a gap is refused", async () => {
    await keep(events(1, limits.keptEvents_count));
    await keep(events(limits.keptEvents_count + 1, limits.keptEvents_count + 2));
    expect(await replay(1)).toBeUndefined();
    expect(await replay(2)).toEqual({ events: events(3, limits.keptEvents_count + 2), over: false });
  });

  it("RX-15: of one owner so many bytes are kept, the oldest go first", async () => {
    const half = "x".repeat(limits.keptEvents_bytes / 2);
    await keep([{ seq: 1, text: half }], false, "a");
    await keep([{ seq: 1, text: half }], false, "b");
    expect(await replay(0, "a")).toEqual({ events: [{ seq: 1, text: half }], over: false });
    await keep(events(2, 2), false, "b");
    expect(await replay(0, "a")).toBeUndefined();
    expect(await replay(1, "a")).toEqual({ events: [], over: false });
    expect(await replay(0, "b")).toMatchObject({ events: [{ seq: 1 }, { seq: 2 }] });
  });

  it("RX-15: an event that could never be kept is a gap", async () => {
    expect(await keep([{ seq: 1, text: "x".repeat(limits.keptEvents_bytes + 1) }, ...events(2, 2)])).toBe("ok");
    expect(await replay(0)).toBeUndefined();
    expect(await replay(1)).toEqual({ events: events(2, 2), over: false });
  });

  it("RX-15: of one owner so many streams are kept, the oldest go first", async () => {
    const inside = new VirtualClock(start);
    await setClock(objectOf(here.context, owner), inside);
    for (let n = 0; n <= limits.keptStreams_count; n += 1) {
      await keep(events(1, 1), false, `st${n}`);
      inside.advance(1);
    }
    expect(await replay(0, "st0")).toBeUndefined();
    expect(await replay(0, "st1")).toBeDefined();
  });

  it("events are kept for so long and no longer", async () => {
    const inside = new VirtualClock(start);
    await setClock(objectOf(here.context, owner), inside);
    await keep(events(1, 1));
    inside.advance(limits.keptEvents_ms - 1);
    expect(await replay(0)).toBeDefined();
    inside.advance(1);
    expect(await replay(0)).toBeUndefined();
  });
});
