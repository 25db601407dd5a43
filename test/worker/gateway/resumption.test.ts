/** MCP 2025-11-25 transports, "Resumability and Redelivery": what comes of a call whose client lost the connection. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { openChannel, type Channel, type EventReader } from "./channel.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import { createHarness, eventsOf, freshKeys, responseEvents, setUp, type Harness } from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let clock: VirtualClock;
let client: LegacyClient;
let opening: PromiseWithResolvers<Channel>;
/** What reached the objects of sessions, by method. */
let asked: string[];
/** How many writes of events will fail from now on. */
let failures_count: number;

/** The real objects, watched. */
const SESSION = {
  getByName(name: string) {
    const stub = env.SESSION.getByName(name) as unknown as Record<string, (...args: unknown[]) => unknown>;
    return new Proxy(stub, {
      get:
        (_target, property) =>
        (...args: unknown[]) => {
          const method = String(property);
          asked.push(method);
          if (method === "keepEvents" && (failures_count -= 1) >= 0) return Promise.reject(new Error("down"));
          return stub[method]?.(...args);
        },
    });
  },
};
const watched: Record<string, unknown> = { SESSION };
const count = (method: string): number => asked.filter((one) => one === method).length;

beforeEach(async () => {
  asked = [];
  failures_count = 0;
  opening = Promise.withResolvers();
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys(), ...watched } });
  const tenant = await setUp(harness);
  const agent = await tenant.addClient([await tenant.addServer("old")]);
  const upstream = legacyUpstream({ sessions: ["s-1"] }, (seen) => {
    if (seen.message["method"] !== "tools/call") return {};
    const made = openChannel(seen);
    opening.resolve(made);
    return made.response;
  });
  harness.serve("old.upstream.test", upstream);
  client = await LegacyClient.begin(harness, `${tenant.origin}/mcp/old`, { token: agent.token });
});

const logged = (data: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});
const done: JsonObject = { jsonrpc: "2.0", id: 7, result: { content: [{ type: "text", text: "done" }] } };
const idOf = (raw: string | undefined): string => /^id: (?<id>\S+)$/m.exec(raw ?? "")?.groups?.["id"] ?? "";

/** A call that has begun to answer. @returns the id of its first message as well */
async function call() {
  const starting = client.stream("tools/call", { name: "tool" }, 7);
  const upstream = await opening.promise;
  upstream.send(logged("first"));
  const { events, settle } = await starting;
  await events.raw();
  return { events, settle, upstream, first: idOf(await events.raw()) };
}

/** A call whose client lost the connection, which is known. */
async function left() {
  const made = await call();
  const kept = clock.anew(limits.replayPoll_ms);
  await made.events.cancel();
  await kept;
  return made;
}

/** A client that has come back after the event `id` and waits for more. */
async function comingBack(id: string) {
  const waiting = clock.anew(limits.replayPoll_ms);
  const { events, settle } = await client.get({ "last-event-id": id });
  const reading = rest(events);
  await waiting;
  return { reading, settle };
}

async function rest(events: EventReader): Promise<{ id: string; message: JsonObject }[]> {
  const all = [];
  for (let raw = await events.raw(); raw !== undefined; raw = await events.raw()) {
    for (const message of eventsOf(raw)) all.push({ id: idOf(raw), message });
  }
  return all;
}

/** Comes back after the event `id` and reads all that there is. */
async function missed(id: string): Promise<{ id: string; message: JsonObject }[]> {
  const { events, settle } = await client.get({ "last-event-id": id });
  const all = await rest(events);
  await settle();
  return all;
}

describe("a client that comes back", () => {
  it("MC-33: gets each event under the id that it had, and none of them twice", async () => {
    const { events, settle, upstream, first } = await call();
    await events.cancel();
    for (const data of ["1", "2"]) upstream.send(logged(data));
    upstream.send(done);
    await settle();
    const got = await missed(first);
    const [stream_id] = first.split(".");
    expect(got).toEqual([
      { id: `${stream_id}.2`, message: logged("1") },
      { id: `${stream_id}.3`, message: logged("2") },
      { id: `${stream_id}.4`, message: done },
    ]);
    expect(await missed(got[1]?.id ?? "")).toEqual(got.slice(2));
    expect(await missed(got[2]?.id ?? "")).toEqual([]);
  });

  it("MC-33: gets nothing past a gap, and the log says so", async () => {
    const { events, settle, upstream, first } = await call();
    const text = "x".repeat(limits.heldEvents_chars / 2);
    for (const n of [1, 2, 3]) {
      upstream.send(logged(`${n} ${text}`));
      await events.raw();
    }
    await events.cancel();
    upstream.send(done);
    await settle();
    expect(await missed(first)).toEqual([]);
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "replay_gap" });
  });

  it("RX-15: finds of what was sent before it left no more than is held in memory", async () => {
    const { events, settle, upstream } = await call();
    const text = "x".repeat(limits.heldEvents_chars / 4);
    const ids: string[] = [];
    for (const n of [1, 2, 3, 4, 5]) {
      upstream.send(logged(`${n} ${text}`));
      ids.push(idOf(await events.raw()));
    }
    await events.cancel();
    upstream.send(done);
    await settle();
    expect(await missed(ids[0] ?? "")).toEqual([]);
    expect(await missed(ids[2] ?? "")).toHaveLength(3);
  });

  it("MC-33: finds all of what was sent after it left, also past what is held in memory", async () => {
    const { events, settle, upstream, first } = await call();
    await events.cancel();
    const text = "x".repeat(limits.heldEvents_chars / 2);
    for (const n of [1, 2, 3, 4, 5]) upstream.send(logged(`${n} ${text}`));
    upstream.send(done);
    await settle();
    expect(await missed(first)).toHaveLength(6);
  });

  it("FT-07: finds what could not be stored at first", async () => {
    const { events, settle, upstream, first } = await call();
    failures_count = 1;
    await events.cancel();
    upstream.send(logged("1"));
    upstream.send(done);
    await settle();
    const got = await missed(first.replace(/1$/, "0"));
    expect(got.map(({ message }) => message)).toEqual([logged("first"), logged("1"), done]);
  });
});

describe("load on a session's object", () => {
  it("RX-15: a server that goes on talking to nobody costs few writes, not one for each message", async () => {
    const { events, settle, upstream } = await call();
    await events.cancel();
    for (let n = 0; n < 300; n += 1) upstream.send(logged(`${n}`));
    upstream.send(done);
    await settle();
    expect(count("keepEvents")).toBeLessThanOrEqual(3);
  });

  it("RX-15: and a silent one none, however long it takes", async () => {
    const { settle, upstream } = await left();
    for (let n = 0; n < 100; n += 1) clock.advance(limits.replayPoll_ms);
    upstream.send(done);
    await settle();
    expect(count("keepEvents")).toBeLessThanOrEqual(3);
  });

  it("RX-15: a client that asks for what never was costs few reads, and is sent away soon", async () => {
    const stream = await comingBack("caaaaaaaaaaaaaaaa.1");
    const next = clock.anew(2 * limits.replayPoll_ms);
    clock.advance(limits.replayPoll_ms);
    await next;
    clock.advance(2 * limits.replayPoll_ms);
    expect(await stream.reading).toEqual([]);
    await stream.settle();
    expect(count("replayEvents")).toBe(3);
  });

  it("RX-15: a client that waits for a call is looked after more and more seldom", async () => {
    const { settle, upstream, first } = await left();
    const stream = await comingBack(first);
    for (const pause_ms of [limits.replayPoll_ms, 2 * limits.replayPoll_ms]) {
      const next = clock.anew(2 * pause_ms);
      clock.advance(pause_ms);
      await next;
    }
    upstream.send(done);
    await settle();
    clock.advance(4 * limits.replayPoll_ms);
    expect(await stream.reading).toHaveLength(1);
    await stream.settle();
    expect(count("replayEvents")).toBe(4);
  });

  it("RX-15: a client that comes back twice has the first stream ended", async () => {
    const { settle, upstream, first } = await left();
    const older = await comingBack(first);
    const newer = await comingBack(first);
    const next = clock.anew(2 * limits.replayPoll_ms);
    clock.advance(limits.replayPoll_ms);
    expect(await older.reading).toEqual([]);
    await older.settle();
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "replay_replaced" });
    upstream.send(done);
    await settle();
    await next;
    clock.advance(2 * limits.replayPoll_ms);
    expect(await newer.reading).toHaveLength(1);
    await newer.settle();
  });
});
