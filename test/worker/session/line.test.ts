import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  addSubscription,
  claimUpstream,
  endSession,
  newOwner,
  openLine,
  removeSubscription,
  sendToLine,
  setLogLevel,
  storeUpstream,
  type Line,
  type LineMessage,
} from "../../../src/session/index.ts";
import { limits } from "../../../src/limits.ts";
import type { Json } from "../../../src/ports.ts";
import { parseFaithful, stringifyFaithful } from "../../../src/protocol/index.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import { codeOf, invocation, objectOf, setClock, sibling, start, upstream, value, type Invocation } from "./support.ts";

let here: Invocation;
let owner: string;
let opened: Line[];

beforeEach(async () => {
  here = await invocation();
  owner = newOwner(systemPorts.random);
  opened = [];
});
afterEach(() => {
  for (const line of opened) line.close();
});

async function open(role: "call" | "stream", request_id?: string | number, of = owner): Promise<Line> {
  const line = value(await openLine(here.context, of, { role, ...(request_id === undefined ? {} : { request_id }) }));
  opened.push(line);
  return line;
}

const answerTo = (line: Line, text: string): LineMessage => ({
  kind: "answer",
  id: `${line.id}.1`,
  response: { result: { text } },
});
const send = async (message: LineMessage, to = owner): Promise<string> =>
  codeOf(await sendToLine(here.context, to, message));

/** Everything on the line up to a mark that is sent last. */
async function upToMark(line: Line): Promise<LineMessage[]> {
  const mark = { kind: "answer", id: `${line.id}.mark`, response: {} };
  await sendToLine(here.context, owner, mark as LineMessage);
  const got: LineMessage[] = [];
  for (;;) {
    const message = await line.next();
    if (message.kind === "answer" && message.id === mark.id) return got;
    got.push(message);
    if (message.kind === "ended") return got;
  }
}

/** Cuts all sockets, as a restart of the object does. */
const cut = (): Promise<void> => evictDurableObject(objectOf(here.context, owner), { webSockets: "close" });
const openRows = (): Promise<number> =>
  runInDurableObject(
    objectOf(here.context, owner),
    (_instance, { storage }) => storage.sql.exec("SELECT 1 FROM lines").toArray().length,
  );

describe("who hears what", () => {
  it("an answer goes to the line whose id it has, and to no other", async () => {
    const [one, two, stream] = [await open("call", 1), await open("call", 2), await open("stream")];
    expect(await send(answerTo(one, "for one"))).toBe("ok");
    expect(await one.next()).toEqual(answerTo(one, "for one"));
    expect([await upToMark(two), await upToMark(stream)]).toEqual([[], []]);
  });

  it("progress goes to the line whose id its token has", async () => {
    const [one, two] = [await open("call", 1), await open("call", 2)];
    const progress: LineMessage = { kind: "progress", token: `${one.id}.7`, params: { progress: 0.5 } };
    await send(progress);
    expect([await upToMark(one), await upToMark(two)]).toEqual([[progress], []]);
  });

  it("numbers and depth of the client's JSON come through as they were", async () => {
    const line = await open("call");
    const deep = `${"[".repeat(60)}12345678901234567890${"]".repeat(60)}`;
    const response = { result: parseFaithful(`{"n":12345678901234567890,"f":1.10,"d":${deep}}`) } as { result: Json };
    await send({ kind: "answer", id: `${line.id}.1`, response });
    const got = await line.next();
    expect(got.kind === "answer" && stringifyFaithful(got.response)).toBe(stringifyFaithful(response));
  });

  it("an answer of the largest size that a client may send comes through", async () => {
    const line = await open("call");
    const text = "x".repeat(limits.mcpBody_bytes - 1_024);
    await send(answerTo(line, text));
    expect(await line.next()).toEqual(answerTo(line, text));
  });

  it("MC-34: an answer under the id of another owner's line never arrives", async () => {
    const other = sibling(here.context, owner);
    const line = await open("call", 1);
    expect(await send(answerTo(line, "injected"), other)).toBe("ok");
    expect(await send({ kind: "progress", token: `${line.id}.1`, params: {} }, other)).toBe("ok");
    expect(await send({ kind: "cancelled", request_id: 1, params: {} }, other)).toBe("ok");
    expect(await upToMark(line)).toEqual([]);
  });

  it("MC-34: nothing is kept for lines that never were, or are another owner's", async () => {
    const other = sibling(here.context, owner);
    const theirs = await open("call", 1, other);
    await cut();
    for (const id of ["x.1", "x", "", ".1", `${theirs.id}.1`]) await send({ kind: "answer", id, response: {} });
    const kept = await runInDurableObject(objectOf(here.context, owner), (_instance, { storage }) =>
      storage.sql.exec("SELECT * FROM mailbox").toArray(),
    );
    expect(kept).toEqual([]);
  });

  it("a cancellation goes to every call of the owner and not to its stream", async () => {
    const [one, two, stream] = [await open("call", 1), await open("call", 2), await open("stream")];
    const cancelled: LineMessage = { kind: "cancelled", request_id: 1, params: { reason: "enough" } };
    await send(cancelled);
    expect([await upToMark(one), await upToMark(two), await upToMark(stream)]).toEqual([[cancelled], [cancelled], []]);
  });

  it("a cancellation that comes before its call's line waits for it, once, and for no other", async () => {
    const cancelled: LineMessage = { kind: "cancelled", request_id: 1, params: {} };
    await send(cancelled);
    expect(await upToMark(await open("call", "1"))).toEqual([]);
    expect(await upToMark(await open("stream", 1))).toEqual([]);
    expect(await upToMark(await open("call", 1))).toEqual([cancelled]);
    expect(await upToMark(await open("call", 1))).toEqual([]);
  });

  it("every change of the facts is told to the stream, and to no call", async () => {
    const [stream, call] = [await open("stream"), await open("call", 1)];
    const subscription = { server_id: "s1", uri: "file:///a" };
    const changes = [
      () => setLogLevel(here.context, owner, "debug"),
      () => addSubscription(here.context, owner, subscription),
      () => removeSubscription(here.context, owner, subscription),
      async () => {
        const claim = value(await claimUpstream(here.context, owner, { id: "s1", revision: 1 }));
        return storeUpstream(here.context, owner, claim.kind === "open" ? claim.lease : "", upstream());
      },
      () => sendToLine(here.context, owner, { kind: "changed" }),
    ];
    for (const change of changes) {
      expect(codeOf(await change())).toBe("ok");
      expect(await stream.next()).toEqual({ kind: "changed" });
    }
    expect(await upToMark(call)).toEqual([]);
  });
});

describe("how lines end", () => {
  it("F7: with the session, all of them", async () => {
    const lines = [await open("stream"), await open("call", 1)];
    value(await endSession(here.context, owner, start));
    for (const line of lines) {
      expect(await line.next()).toEqual({ kind: "ended", reason: "deleted" });
      expect(await line.next()).toEqual({ kind: "ended", reason: "deleted" });
    }
    expect(await openRows()).toBe(0);
  });

  it("F7: a line of a session that is over says so", async () => {
    value(await endSession(here.context, owner, start));
    expect(await (await open("call", 1)).next()).toEqual({ kind: "ended", reason: "deleted" });
    expect(await openRows()).toBe(0);
  });

  it("a newer stream takes the place of an older one, and calls stay", async () => {
    const [older, call] = [await open("stream"), await open("call", 1)];
    const newer = await open("stream");
    expect(await older.next()).toEqual({ kind: "ended", reason: "replaced" });
    await sendToLine(here.context, owner, { kind: "changed" });
    expect(await newer.next()).toEqual({ kind: "changed" });
    expect(await upToMark(call)).toEqual([]);
  });

  it("whoever closes a line reads its end, and nothing is kept for it", async () => {
    const line = await open("call", 1);
    const reading = line.next();
    line.close();
    expect(await reading).toEqual({ kind: "ended", reason: "lost" });
    await expect.poll(openRows).toBe(0);
    expect(await send(answerTo(line, "late"))).toBe("ok");
  });

  it("RX-15: an owner has so many lines and no more", async () => {
    for (let n = 0; n < limits.linesPerOwner_count; n += 1) await open("call", n);
    expect(codeOf(await openLine(here.context, owner, { role: "call" }))).toBe("too_many line_too_many");
  });
});

describe("FT-07 lines over faults", () => {
  it("FT-07: a line works on after the object was evicted", async () => {
    const line = await open("call", 1);
    await evictDurableObject(objectOf(here.context, owner));
    await send(answerTo(line, "after"));
    expect(await line.next()).toEqual(answerTo(line, "after"));
  });

  it("FT-07: a broken line comes back under its id, says so, and gets what came meanwhile", async () => {
    const line = await open("call", 1);
    const reading = line.next();
    const pausing = here.clock.asleep(limits.lineRetry_ms[0]);
    await cut();
    await pausing;
    await send(answerTo(line, "first"));
    await send(answerTo(line, "second"));
    here.clock.advance(limits.lineRetry_ms[0]);
    expect(await reading).toEqual({ kind: "changed" });
    expect(await upToMark(line)).toEqual([answerTo(line, "first"), answerTo(line, "second")]);
  });

  it("FT-07: a stream that broke does not take the place of a newer one", async () => {
    const older = await open("stream");
    const pausing = here.clock.asleep(limits.lineRetry_ms[0]);
    await cut();
    await pausing;
    const newer = await open("stream");
    here.clock.advance(limits.lineRetry_ms[0]);
    expect(await older.next()).toEqual({ kind: "changed" });
    expect(await older.next()).toEqual({ kind: "ended", reason: "replaced" });
    expect(await upToMark(newer)).toEqual([]);
  });

  it("FT-07: a line that cannot come back ends as lost, after three tries", async () => {
    const line = await open("call", 1);
    const reading = line.next();
    let pausing = here.clock.asleep(limits.lineRetry_ms[0]);
    await cut();
    const bindings = here.context.platform.bindings as { SESSION: unknown };
    bindings.SESSION = {
      getByName: () => {
        here.asked += 1;
        throw new Error("Network connection lost.");
      },
    };
    here.asked = 0;
    for (const [turn, pause_ms] of limits.lineRetry_ms.entries()) {
      await pausing;
      const next = limits.lineRetry_ms[turn + 1];
      if (next !== undefined) pausing = here.clock.anew(next);
      here.clock.advance(pause_ms);
    }
    expect(await reading).toEqual({ kind: "ended", reason: "lost" });
    expect(here.asked).toBe(limits.lineRetry_ms.length);
  });

  it("RX-15: so many messages wait for a broken line, and the next is refused", async () => {
    const line = await open("call", 1);
    const pausing = here.clock.asleep(limits.lineRetry_ms[0]);
    await cut();
    await pausing;
    for (let n = 0; n < limits.mailbox_count; n += 1) expect(await send(answerTo(line, `${n}`))).toBe("ok");
    expect(await send(answerTo(line, "more"))).toBe("too_many mailbox_full");
  });

  it("RX-15: so many bytes wait for a broken line, and the next is refused", async () => {
    const line = await open("call", 1);
    const pausing = here.clock.asleep(limits.lineRetry_ms[0]);
    await cut();
    await pausing;
    const half = "x".repeat(limits.mailbox_bytes / 2);
    expect([await send(answerTo(line, half)), await send(answerTo(line, half))]).toEqual([
      "ok",
      "too_many mailbox_full",
    ]);
  });

  it("RX-15: cancellations of requests that are not there are bounded as well, and make way after a minute", async () => {
    const inside = new VirtualClock(start);
    await setClock(objectOf(here.context, owner), inside);
    const cancel = (request_id: number): Promise<string> => send({ kind: "cancelled", request_id, params: {} });
    for (let n = 0; n < limits.mailbox_count; n += 1) expect(await cancel(n)).toBe("ok");
    expect(await cancel(-1)).toBe("too_many mailbox_full");
    inside.advance(limits.mailbox_ms);
    expect(await upToMark(await open("call", 0))).toEqual([]);
    expect(await cancel(-1)).toBe("ok");
  });
});
