/** Sessions under strict audit and under load: nothing unrecorded, nothing multiplied, nothing left behind. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "../gateway/legacy-upstream.ts";
import { requestEvents, responseEvents, sent, type Seen } from "../gateway/support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import { done, idOf, logged, pause, question, SessionWorld } from "./session-world.ts";

let world: SessionWorld;

beforeEach(async () => {
  world = await SessionWorld.create();
});

describe("strict tenants", () => {
  it("AU-02: nothing is asked of an upstream before the request is durable, not even what a short name means", async () => {
    await world.tenant.api("PATCH", "/settings", { audit_strict: true });
    const client = await world.begin();
    const before = world.harness.seen.length;
    world.refuses = (event) => event.type === "mcp.request";
    await client.request("tools/call", { name: `old__${"a".repeat(34)}_${"b".repeat(8)}` });
    expect(world.harness.seen.slice(before).map(({ message }) => message["method"])).toEqual([]);
  });

  it("AU-03: an answer whose record fails is not kept for a client that comes back", async () => {
    await world.tenant.api("PATCH", "/settings", { audit_strict: true });
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.raw();
    const last = idOf(await call.events.raw());
    world.refuses = (event) => event.type === "mcp.response";
    await call.events.cancel();
    call.upstream.send(done(7));
    await call.settle();
    const again = await client.get({ "last-event-id": last });
    const got: (JsonObject | undefined)[] = [await again.events.next()];
    while (got.at(-1) !== undefined) got.push(await again.events.next());
    await again.settle();
    expect(JSON.stringify(got)).not.toContain("secret");
  });

  it("AU-03: an answer is not kept before its record is durable", async () => {
    await world.tenant.api("PATCH", "/settings", { audit_strict: true });
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.raw();
    const last = idOf(await call.events.raw());
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    world.before = async (event) => {
      if (event.type !== "mcp.response" || event.target.method !== "tools/call") return;
      reached.resolve();
      await gate.promise;
    };
    void call.events.next();
    call.upstream.send(done(7));
    await reached.promise;
    await call.events.cancel();
    const again = await client.get({ "last-event-id": last });
    expect(JSON.stringify(await Promise.race([again.events.next(), pause(500)]))).not.toContain("secret");
    gate.resolve();
    await call.settle();
    await again.events.cancel();
    await again.settle();
  });
});

describe("audit", () => {
  it("S1: of a stream that its client closes names what the client was asked", async () => {
    world.serve("old", { capabilities: { tools: { listChanged: true } }, listen: world.opened });
    const client = await world.begin("/mcp/old");
    const stream = await client.get();
    await stream.events.raw();
    const reading = stream.events.next();
    (await world.channel()).send(question(5));
    expect(await reading).toMatchObject({ method: "roots/list" });
    await stream.events.cancel();
    await stream.settle();
    expect(responseEvents(world.harness).at(-1)).toMatchObject({ target: { method: "GET" }, asked: ["roots/list"] });
  });

  it("S5: nothing goes upstream on behalf of a client that is not recorded", async () => {
    const client = await world.begin("/mcp", { version: "2025-03-26" });
    for (const slug of ["old", "other"]) {
      const call = client.request("tools/call", { name: `${slug}__tool` });
      const upstream = await world.channel();
      const id = world.harness.seen.at(-1)?.message["id"] as number;
      upstream.send(done(id));
      await call;
    }
    const events = requestEvents(world.harness).length;
    const before = world.harness.seen.length;
    const notification = { jsonrpc: "2.0", method: "notifications/roots/list_changed" };
    await client.post(Array.from({ length: limits.batch_count }, () => notification));
    // Twenty changes at once are told as two, the first and the last, to two servers; each telling has its event.
    expect([world.harness.seen.length - before, requestEvents(world.harness).length - events]).toEqual([4, 2]);
  });
});

describe("batches", () => {
  it("RX-11: a client that leaves in the middle of one leaves no rejection and no open call behind", async () => {
    const client = await world.begin("/mcp", { version: "2025-03-26" });
    const body = [
      client.message("tools/call", { name: "old__tool" }, 1),
      client.message("tools/call", { name: "old__tool" }, 2),
      client.message("ping", undefined, 3),
      client.message("tools/call", { name: "old__tool" }, 4),
    ];
    const opening = world.harness.open(client.url, client.init("POST", body));
    const channels = [await world.channel(), await world.channel(), await world.channel()];
    for (const one of channels) one.send(logged(1));
    const { response, settle } = await opening;
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const ids = sent(world.harness, "tools/call").map(({ message }) => Number(message["id"]));
    for (const [at, one] of channels.entries()) one.send(done(ids[at] ?? 0));
    expect(await Promise.race([settle(), pause(5_000)])).not.toBe("late");
    expect(responseEvents(world.harness).filter(({ target }) => target.method === "tools/call")).toHaveLength(3);
  }, 15_000);
});

describe("batches again", () => {
  it("RX-11: what comes after a plain answer is let go as well when the client leaves", async () => {
    const client = await world.begin("/mcp", { version: "2025-03-26" });
    const body = [
      client.message("tools/call", { name: "old__tool" }, 1),
      client.message("ping", undefined, 2),
      client.message("tools/call", { name: "other__tool" }, 3),
    ];
    const opening = world.harness.open(client.url, client.init("POST", body));
    const channels = [await world.channel(), await world.channel()];
    for (const one of channels) one.send(logged(1));
    const { response, settle } = await opening;
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    for (const one of channels) {
      one.send(logged(2));
      one.send(done(1));
      one.send(done(3));
    }
    expect(await Promise.race([settle(), pause(4_000)])).not.toBe("late");
    expect(responseEvents(world.harness).filter(({ target }) => target.method === "tools/call")).toHaveLength(2);
  }, 15_000);
});

describe("load on a shard", () => {
  it("RX-15: answers and progress that nobody waits for do not reach the shard", async () => {
    const client = await world.begin("/mcp", { version: "2025-03-26" });
    world.used.clear();
    await client.post(Array.from({ length: 20 }, (_, n) => ({ jsonrpc: "2.0", id: n, result: {} })));
    expect(world.used.get("deliver") ?? 0).toBeLessThan(2);
  });

  it("RX-15: one batch does not multiply by servers without bound", async () => {
    const client = await world.begin("/mcp", { version: "2025-03-26" });
    for (const slug of ["old", "other"]) {
      const call = client.request("tools/call", { name: `${slug}__tool` });
      const upstream = await world.channel();
      upstream.send(done(world.harness.seen.at(-1)?.message["id"] as number));
      await call;
    }
    const before = world.harness.seen.length;
    const body = Array.from({ length: 20 }, () => client.message("logging/setLevel", { level: "debug" }));
    await client.post(body);
    expect(world.harness.seen.length - before).toBeLessThanOrEqual(4);
  });
});

describe("what sticks", () => {
  it("MC-38: a subscription that the server refuses on a stream is not remembered", async () => {
    const scripted = legacyUpstream(
      { sessions: ["s-1", "s-2"], capabilities: { resources: { subscribe: true } } },
      () => ({}),
    );
    let again = 0;
    world.harness.serve("old.upstream.test", (seen) => {
      const { id, method } = seen.message;
      if (method !== "resources/subscribe") return scripted(seen);
      again += 1;
      const refused = { jsonrpc: "2.0", id, error: { code: -32002, message: "no" } };
      const text = `data: ${JSON.stringify(logged(1))}\n\ndata: ${JSON.stringify(refused)}\n\n`;
      return new Response(text, { headers: { "content-type": "text/event-stream" } });
    });
    const client = await world.begin();
    const answered = await client.request("resources/subscribe", { uri: "gatehouse://old/mem://x" });
    expect(answered.message).toMatchObject({ error: { code: -32002 } });
    expect(again).toBe(1);
    // The server loses its session: what is remembered is set again.
    let lost = true;
    const serving = (seen: Seen) => {
      if (seen.message["method"] === "resources/subscribe") again += 1;
      if (seen.message["method"] === "tools/call" && lost) {
        lost = false;
        return new Response(null, { status: 404 });
      }
      return scripted(seen);
    };
    world.harness.serve("old.upstream.test", serving);
    await client.request("tools/call", { name: "old__t" });
    expect(again).toBe(1);
  });

  it("MC-35: an id whose call runs on without its client is not free", async () => {
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.raw();
    await call.events.raw();
    await call.events.cancel();
    const second = client.request("tools/call", { name: "old__tool" }, 7);
    const answered = await Promise.race([second, pause(500)]);
    const calls = sent(world.harness, "tools/call").length;
    call.upstream.send(done(7));
    await call.settle();
    await second;
    expect([calls, answered === "late"]).toEqual([1, false]);
  });

  it("F6: tasks/list has a deadline for all servers together", async () => {
    const clock = new VirtualClock(Date.now());
    world = await SessionWorld.create(clock);
    const capabilities = { tasks: { list: {} } };
    const slugs = ["s1", "s2", "s3", "s4", "s5"];
    const ids: string[] = [];
    for (const slug of slugs) ids.push(await world.tenant.addServer(slug));
    world.agent = await world.tenant.addClient(ids);
    for (const slug of slugs) {
      const scripted = legacyUpstream({ sessions: ["s-1"], capabilities }, () => ({}));
      world.harness.serve(`${slug}.upstream.test`, (seen) =>
        seen.message["method"] === "tasks/list" ? new Promise<Response>(() => undefined) : scripted(seen),
      );
    }
    const client = await world.begin();
    const asked = client.request("tasks/list");
    let over = false;
    void asked.then(() => (over = true));
    let elapsed_ms = 0;
    while (!over && elapsed_ms < 60_000) {
      await pause(40);
      if (over) break;
      clock.advance(1_000);
      elapsed_ms += 1_000;
    }
    await asked;
    expect(elapsed_ms).toBeLessThanOrEqual(limits.listTotal_ms + 2_000);
  }, 30_000);
});

describe("a late client", () => {
  it("F3: whose answer was too large to keep is told so, and does not come back in vain", async () => {
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.raw();
    const last = idOf(await call.events.raw());
    await call.events.cancel();
    call.upstream.send(done(7, "y".repeat(limits.keptEvents_bytes)));
    await call.settle();
    const again = await client.get({ "last-event-id": last });
    const answer = await again.events.next();
    await again.settle();
    expect(answer).toMatchObject({ id: 7 });
  }, 15_000);
});

describe("odd input", () => {
  it("never a 5xx", async () => {
    const client = await world.begin();
    const bad: string[] = [];
    const session = client.session ?? "";
    const heads: Record<string, string>[] = [
      { "mcp-session-id": `${session}, ${session}` },
      { "mcp-session-id": session.toUpperCase() },
      { "mcp-session-id": `${session}=` },
      { "mcp-session-id": "x".repeat(60_000) },
      { "mcp-session-id": "a.b.c.d" },
      { "last-event-id": "x".repeat(9_000) },
      { "last-event-id": "c1234567890123456.999999999" },
      { "last-event-id": "s1234567890123456.999999999" },
      { accept: "text/event-stream;q=0, */*" },
      { "mcp-protocol-version": "2025-06-18, 2025-06-18" },
    ];
    for (const headers of heads) {
      for (const method of ["GET", "DELETE", "POST"]) {
        if (method === "DELETE" && headers["mcp-session-id"] === undefined) continue;
        const body = method === "POST" ? client.message("ping") : undefined;
        const { response, settle } = await world.harness.open(client.url, client.init(method, body, headers));
        if (response.status >= 500) bad.push(`${method} ${JSON.stringify(headers).slice(0, 60)} ${response.status}`);
        await response.body?.cancel();
        await settle();
      }
    }
    const params: (JsonObject | undefined)[] = [
      undefined,
      {},
      { level: {} },
      { name: "__proto__" },
      { name: "old__" },
      { name: "__x" },
      { name: "old__\u{10FFFF}" },
      { uri: "gatehouse://" },
      { uri: "ui://gatehouse/" },
      { uri: "gatehouse:///x" },
      { taskId: "/" },
      { taskId: "///" },
      { taskId: "a/b/c" },
      { cursor: "" },
      { cursor: "a.b" },
      { ref: { type: "ref/resource", uri: "gatehouse://old/" }, argument: { name: "a", value: "" } },
      { task: { ttl: 1e15 }, name: "nowhere__x" },
      { protocolVersion: "x", capabilities: { sampling: { tools: null } } },
      { requestId: null },
      { progressToken: 1.5, progress: "x" },
      { _meta: { progressToken: {} } },
    ];
    const methods = [
      ..."initialize ping tools/list prompts/get resources/read resources/subscribe resources/unsubscribe".split(" "),
      ..."completion/complete logging/setLevel tasks/list tasks/get tasks/result tasks/cancel prompts/list".split(" "),
      ..."notifications/cancelled notifications/progress __proto__ constructor GET DELETE".split(" "),
    ];
    for (const method of methods) {
      for (const one of params) {
        for (const id of [undefined, 0, "", "\ud800", "a\nb", -1]) {
          const body = { jsonrpc: "2.0", method, ...(id === undefined ? {} : { id }), ...(one && { params: one }) };
          const { status } = await client.post(body);
          if (status >= 500) bad.push(`${JSON.stringify(body)} ${status}`);
        }
      }
    }
    expect(bad).toEqual([]);
  }, 120_000);
});
