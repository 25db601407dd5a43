/** Attacks on sessions of the 2025 revisions: by other clients, by the servers behind, and by what goes wrong between. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { LegacyClient } from "../gateway/legacy-client.ts";
import { legacyUpstream } from "../gateway/legacy-upstream.ts";
import { objectAt, responseEvents, sent, setUp } from "../gateway/support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";
import { done, idOf, logged, pause, question, SessionWorld } from "./session-world.ts";

let world: SessionWorld;

beforeEach(async () => {
  world = await SessionWorld.create();
});

describe("cancellation", () => {
  it("MC-36: of one request leaves the others of the session", async () => {
    const client = await world.begin();
    const call = await world.calling(client, question(1), "mine");
    await call.events.next();
    await client.notify("notifications/cancelled", { requestId: "another" });
    await pause(200);
    call.upstream.send(done("mine"));
    expect(await call.events.next()).toEqual(done("mine"));
    await call.settle();
    expect(sent(world.harness, "notifications/cancelled")).toEqual([]);
  });
});

describe("tasks of 2025-11-25", () => {
  it.each([
    ["/mcp/old", "/mcp/old"],
    ["/mcp", "/mcp"],
  ])("MC-26: %s: a list does not give one principal the tasks of another", async (path) => {
    const capabilities = { tools: {}, tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } };
    const tasks = [{ taskId: "of-alice", status: "completed", ttl: null, createdAt: "2026-01-01T00:00:00Z" }];
    // A server that tells requestors apart by their credential, which all principals share.
    world.serve("old", { capabilities }, ({ message }) =>
      message["method"] === "tasks/list" ? { tasks } : { content: [{ type: "text", text: "secret" }] },
    );
    const bob = await world.tenant.addClient(["old"]);
    const client = await world.begin(path, { token: bob.token });
    const listed = await client.request("tasks/list");
    const given = (objectAt(listed.message, "result")["tasks"] as JsonObject[] | undefined) ?? [];
    const answers = [];
    for (const task of given) answers.push(await client.request("tasks/result", { taskId: task["taskId"] ?? "" }));
    expect(answers.map(({ text }) => text).join()).not.toContain("secret");
  });
});

describe("task notifications", () => {
  it("MC-26: a status that the server tells everybody gives nobody a task of another", async () => {
    const capabilities = { tools: { listChanged: true }, tasks: { requests: { tools: { call: {} } } } };
    world.serve("old", { capabilities, listen: world.opened }, () => ({ content: [{ type: "text", text: "secret" }] }));
    const bob = await world.tenant.addClient(["old"]);
    const client = await world.begin("/mcp/old", { token: bob.token });
    const stream = await client.get();
    await stream.events.raw();
    const reading = stream.events.next();
    const params = { taskId: "of-alice", status: "completed" };
    (await world.channel()).send({ jsonrpc: "2.0", method: "notifications/tasks/status", params });
    const told = await Promise.race([reading, pause(1_000)]);
    const id = told === "late" || told === undefined ? "none" : objectAt(told, "params")["taskId"];
    const answered = await client.request("tasks/result", { taskId: id ?? "none" });
    await stream.events.cancel();
    await stream.settle();
    expect(answered.text).not.toContain("secret");
  });
});

describe("revocation", () => {
  it("P11: what was kept of a server's answer is not given once the server may not be used", async () => {
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.raw();
    const last = idOf(await call.events.raw());
    await call.events.cancel();
    call.upstream.send(done(7));
    await call.settle();
    expect((await world.tenant.api("PATCH", `/clients/${world.agent.id}`, { servers: ["other"] })).status).toBe(200);
    const again = await client.get({ "last-event-id": last });
    const text = await again.response.status;
    const got: (JsonObject | undefined)[] = [text === 200 ? await again.events.next() : undefined];
    while (got.at(-1) !== undefined) got.push(await again.events.next());
    await again.settle();
    expect(JSON.stringify(got)).not.toContain("secret");
  });

  it("P11: of a token ends a resumed stream within two seconds", async () => {
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.raw();
    const last = idOf(await call.events.raw());
    await call.events.cancel();
    const again = await client.get({ "last-event-id": last });
    await again.events.raw();
    const reading = again.events.next();
    await world.tenant.api("DELETE", `/clients/${world.agent.id}/tokens/${world.agent.token_id}`);
    await call.upstream.closed;
    expect(await reading).toBeUndefined();
    await Promise.all([call.settle(), again.settle()]);
  }, 15_000);

  it("P11: of a token ends a running call of a 2025 client within two seconds", async () => {
    const client = await world.begin();
    const call = await world.calling(client, logged(1));
    await call.events.next();
    const reading = call.events.next();
    await world.tenant.api("DELETE", `/clients/${world.agent.id}/tokens/${world.agent.token_id}`);
    await call.upstream.closed;
    expect(await reading).toBeUndefined();
    await call.settle();
    expect(responseEvents(world.harness).at(-1)?.outcome).toEqual({
      status: "interrupted",
      reason: "no_longer_allowed",
    });
  }, 15_000);

  it("P11: a server that is down and then disabled is not tried again by an open stream", async () => {
    const clock = new VirtualClock(Date.now());
    world = await SessionWorld.create(clock);
    const capabilities = { tools: { listChanged: true } };
    world.serve("old", { capabilities, listen: () => new Response(null, { status: 503 }) });
    world.serve("other", { capabilities, listen: world.opened });
    const client = await world.begin();
    const asleep = clock.anew(limits.watchRetry_ms);
    const stream = await client.get();
    await stream.events.raw();
    const reading = stream.events.next();
    await asleep;
    await world.channel();
    const gets = (): number =>
      world.harness.seen.filter(({ method, url }) => method === "GET" && url.includes("//old")).length;
    const before = gets();
    const listed = (await (await world.tenant.api("GET", "/servers")).json()) as {
      items?: { id: string; slug: string }[];
    };
    const old = listed.items?.find(({ slug }) => slug === "old");
    expect((await world.tenant.api("PATCH", `/servers/${old?.id ?? "old"}`, { enabled: false })).status).toBe(200);
    clock.advance(limits.watchRetry_ms);
    await pause(300);
    expect(gets()).toBe(before);
    void reading;
    await stream.events.cancel();
    await stream.settle();
  }, 15_000);
});

describe("the line", () => {
  it("F7: DELETE ends a stream at once, however slow its server takes answers", async () => {
    world.serve("old", { capabilities: { tools: { listChanged: true } }, listen: world.opened });
    const inner = legacyUpstream(
      { sessions: ["s-1", "s-2"], capabilities: { tools: { listChanged: true } }, listen: world.opened },
      () => ({}),
    );
    world.harness.serve("old.upstream.test", (seen) =>
      seen.message["result"] !== undefined ? new Promise<Response>(() => undefined) : inner(seen),
    );
    const client = await world.begin("/mcp/old");
    const stream = await client.get();
    await stream.events.raw();
    let reading = stream.events.next();
    const upstream = await world.channel();
    for (const id of [1, 2, 3]) upstream.send(question(id));
    for (let n = 0; n < 3; n += 1) {
      const asked = await reading;
      reading = stream.events.next();
      await client.post({ jsonrpc: "2.0", id: asked?.["id"] ?? null, result: { roots: [] } });
    }
    expect(await client.delete()).toBe(204);
    expect(await Promise.race([reading, pause(3_000)])).toBeUndefined();
    await stream.events.cancel();
    await stream.settle();
  }, 30_000);
});

describe("questions that nobody answers", () => {
  it("RX-15: so many wait at once and no more", async () => {
    world.serve("old", { capabilities: { tools: { listChanged: true } }, listen: world.opened });
    const client = await world.begin("/mcp/old");
    const stream = await client.get();
    await stream.events.raw();
    const reading = stream.events.next();
    const upstream = await world.channel();
    upstream.send(question(0));
    await reading;
    let asked = 1;
    for (let n = 1; n <= 300; n += 1) {
      upstream.send({ ...question(n), params: { big: "x".repeat(50_000) } });
      const next = await Promise.race([stream.events.next(), pause(500)]);
      if (next === "late") break;
      asked += 1;
    }
    await stream.events.cancel();
    await stream.settle();
    expect(asked).toBeLessThanOrEqual(100);
  }, 30_000);
});

describe("a line that is lost", () => {
  it("FT-07: does not cancel the call that it served", async () => {
    world.serve("old", { capabilities: { tools: { listChanged: true } }, listen: world.opened });
    const client = await world.begin();
    const call = await world.calling(client, question(1), 7);
    await call.events.next();
    world.hasLines = false;
    for (const name of world.objects) {
      await runInDurableObject(env.SESSION.getByName(name), (_object, context) => {
        for (const socket of context.getWebSockets()) socket.close(1011, "gone");
      });
    }
    await pause(4_000);
    expect(sent(world.harness, "notifications/cancelled")).toEqual([]);
    call.upstream.send(done(7));
    expect(await call.events.next()).toEqual(done(7));
    await call.settle();
  }, 15_000);

  it("F7: or cannot be opened is no stream, since it would not hear of its end", async () => {
    world.serve("old", { capabilities: { tools: { listChanged: true } }, listen: world.opened });
    const client = await world.begin("/mcp/old");
    world.hasLines = false;
    expect((await client.get()).response.status).toBe(503);
  });
});

describe("binding", () => {
  it("MC-31: an id of another principal, endpoint or tenant opens nothing, and ends nothing", async () => {
    const bob = await world.tenant.addClient(["old", "other"]);
    const client = await world.begin();
    const tenantB = await setUp(world.harness, "https://b.gw.test");
    const b = await tenantB.addClient([]);
    const seen: number[] = [];
    for (const [url, token] of [
      [client.url, bob.token],
      [`${client.url}/old`, world.agent.token],
      ["https://b.gw.test/mcp", b.token],
    ] as const) {
      const thief = new LegacyClient(world.harness, url, { token });
      thief.session = client.session;
      seen.push((await thief.request("ping")).status, await thief.delete());
      const got = await thief.get({ "last-event-id": "caaaaaaaaaaaaaaaa.1" });
      seen.push(got.response.status, (await thief.post({ jsonrpc: "2.0", id: "x.1", result: {} })).status);
      await got.events.cancel();
      await got.settle();
    }
    expect(new Set(seen)).toEqual(new Set([404]));
    expect((await client.request("ping")).status).toBe(200);
    expect(await client.delete()).toBe(204);
    expect((await client.request("ping")).status).toBe(404);
  });
});
