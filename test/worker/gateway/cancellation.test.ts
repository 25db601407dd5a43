/** A client that leaves: its own upstream request ends, nobody else's, and the log says so. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { EventReader, openChannel, type Channel } from "./channel.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  createHarness,
  meta,
  modernPost,
  modernUpstream,
  requestEvents,
  responseEvents,
  sent,
  setUp,
  type Harness,
  type Seen,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  ({ token } = await tenant.addClient([await tenant.addServer("up")]));
});

const never = (): Promise<Response> => new Promise(() => undefined);
const params = (progressToken = "t"): JsonObject => ({ name: "run", _meta: meta({}, { progressToken }) });
const progress = (progressToken: string): JsonObject => ({
  jsonrpc: "2.0",
  method: "notifications/progress",
  params: { progressToken, progress: 1 },
});

const serveModern = (answer: (seen: Seen) => Response | Promise<Response>): void =>
  harness.serve(
    "up.upstream.test",
    modernUpstream((seen) => (seen.message["method"] === "tools/list" ? { tools: [] } : answer(seen))),
  );

function post(closing: AbortController, id: string | number = 1, progressToken?: string) {
  const init = modernPost("tools/call", params(progressToken), { token, id, signal: closing.signal });
  return harness.open(`${tenant.origin}/mcp/up`, init);
}

/** Turns of the event loop until real work has come so far. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await scheduler.wait(0);
}

const isCalled = (count = 1) => until(() => sent(harness, "tools/call").length === count);
const outcomes = () => responseEvents(harness).map(({ outcome }) => outcome.status);

describe("a client that closes the connection", () => {
  it("MC-36: before anything came: the upstream request is aborted, and the outcome is cancelled", async () => {
    serveModern(never);
    const closing = new AbortController();
    const opening = post(closing);
    await isCalled();
    closing.abort();
    await (await opening).settle();
    expect(sent(harness, "tools/call")[0]?.signal.aborted).toBe(true);
    expect(outcomes()).toEqual(["cancelled"]);
    expect(requestEvents(harness)).toHaveLength(1);
  });

  it("MC-36: in the middle of a stream: the same", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serveModern((seen) => {
      const channel = openChannel(seen);
      channel.send(progress("t"));
      resolve(channel);
      return channel.response;
    });
    const closing = new AbortController();
    const { response, settle } = await post(closing);
    expect(await new EventReader(response).next()).toEqual(progress("t"));
    closing.abort();
    await (
      await opened
    ).closed;
    await settle();
    expect(outcomes()).toEqual(["cancelled"]);
  });

  it("MC-36: that only stops reading: the same", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serveModern((seen) => {
      const channel = openChannel(seen);
      channel.send(progress("t"));
      resolve(channel);
      return channel.response;
    });
    const { response, settle } = await post(new AbortController());
    const events = new EventReader(response);
    await events.next();
    await events.cancel();
    await (
      await opened
    ).closed;
    await settle();
    expect(outcomes()).toEqual(["cancelled"]);
  });

  it("MC-36: that stops reading while it waits for the next message: the same", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serveModern((seen) => {
      const channel = openChannel(seen);
      channel.send(progress("t"));
      resolve(channel);
      return channel.response;
    });
    const { response, settle } = await post(new AbortController());
    const events = new EventReader(response);
    await events.next();
    const next = events.next();
    await (
      await opened
    ).read;
    await events.cancel();
    expect(await next).toBeUndefined();
    await (
      await opened
    ).closed;
    await settle();
    expect(outcomes()).toEqual(["cancelled"]);
  });

  it("MC-36: before it reads a started stream: the same", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    serveModern((seen) => {
      const channel = openChannel(seen);
      channel.send(progress("t"));
      resolve(channel);
      return channel.response;
    });
    const closing = new AbortController();
    const { settle } = await post(closing);
    closing.abort();
    await (
      await opened
    ).closed;
    await settle();
    expect(outcomes()).toEqual(["cancelled"]);
  });

  it("MC-36: ends its own call, not that of another client with the same id", async () => {
    const channels: Channel[] = [];
    serveModern((seen) => {
      const channel = openChannel(seen);
      channels.push(channel);
      channel.send(progress("t"));
      return channel.response;
    });
    const leaving = new AbortController();
    const first = await post(leaving);
    const second = await post(new AbortController());
    const events = new EventReader(second.response);
    await events.next();
    leaving.abort();
    await channels[0]?.closed;
    channels[1]?.send({ jsonrpc: "2.0", id: 1, result: { content: [], resultType: "complete" } });
    expect(await events.next()).toMatchObject({ id: 1, result: { content: [] } });
    await Promise.all([first.settle(), second.settle()]);
    expect(sent(harness, "tools/call").map(({ signal }) => signal.aborted)[0]).toBe(true);
    expect(outcomes().sort()).toEqual(["cancelled", "ok"]);
  });
});

describe("a client that closes the connection, in front of a legacy server", () => {
  const cancelled = () =>
    sent(harness, "notifications/cancelled").map(({ message, headers }) => [
      message["params"],
      headers.get("mcp-session-id"),
    ]);
  const expected = () => [[{ requestId: sent(harness, "tools/call")[0]?.message["id"] }, "s"]];

  it("MC-36: before anything came: the server is told, in the session of the call", async () => {
    harness.serve("up.upstream.test", legacyUpstream({ sessions: ["s"] }, never));
    const closing = new AbortController();
    const opening = post(closing);
    await isCalled();
    closing.abort();
    await (await opening).settle();
    expect(cancelled()).toEqual(expected());
    expect(outcomes()).toEqual(["cancelled"]);
  });

  it("MC-36: in the middle of a stream: the same", async () => {
    const { promise: opened, resolve } = Promise.withResolvers<Channel>();
    harness.serve(
      "up.upstream.test",
      legacyUpstream({ sessions: ["s"] }, (seen) => {
        const channel = openChannel(seen);
        channel.send(progress(String(seen.message["id"])));
        resolve(channel);
        return channel.response;
      }),
    );
    const closing = new AbortController();
    const { response, settle } = await post(closing);
    expect(await new EventReader(response).next()).toEqual(progress("t"));
    closing.abort();
    await (
      await opened
    ).closed;
    await settle();
    expect(cancelled()).toEqual(expected());
  });

  it("MC-36: after the answer nobody is told anything", async () => {
    harness.serve(
      "up.upstream.test",
      legacyUpstream({ sessions: ["s"] }, () => ({ content: [] })),
    );
    const closing = new AbortController();
    const { response, settle } = await post(closing);
    await response.text();
    closing.abort();
    await settle();
    expect(cancelled()).toEqual([]);
    expect(outcomes()).toEqual(["ok"]);
  });
});

describe("a client that reads slowly", () => {
  it("RX-10: the upstream is read no faster than the client reads", async () => {
    let pulled = 0;
    const event = new TextEncoder().encode(`data: ${JSON.stringify(progress("t"))}\n\n`);
    serveModern(
      () =>
        new Response(
          new ReadableStream<Uint8Array>(
            {
              pull(controller) {
                pulled += 1;
                controller.enqueue(event);
              },
            },
            { highWaterMark: 0 },
          ),
          { headers: { "content-type": "text/event-stream" } },
        ),
    );
    const closing = new AbortController();
    const { response, settle } = await post(closing);
    const events = new EventReader(response);
    for (let read = 0; read < 5; read += 1) await events.next();
    for (let turn = 0; turn < 50; turn += 1) await scheduler.wait(0);
    expect(pulled).toBeLessThanOrEqual(8);
    closing.abort();
    await settle();
  });
});
