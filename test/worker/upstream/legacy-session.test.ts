/** Sessions with servers of 2025: one for an owner, in every isolate; renewed with what was set in it; ended when it has no use. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { addSubscription, readFacts, setLogLevel, type Session } from "../../../src/session/index.ts";
import type { UpstreamContext } from "../../../src/upstream/index.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream, type LegacyAnswer, type LegacyOptions } from "../gateway/legacy-upstream.ts";
import type { Seen } from "../gateway/support.ts";
import { callOf, createHop, newOwner, request, sentBy, textOf, type Hop } from "./upstream-support.ts";

// The module with a memory of its own, as another isolate has it. At the beginning, since objects restart when modules change.
vi.resetModules();
const otherIsolate = await import("../../../src/upstream/index.ts");

let hop: Hop;
let owner: string;

beforeEach(async () => {
  hop = await createHop();
  owner = newOwner();
});

const capabilities = { tools: {}, logging: {}, resources: { subscribe: true } };
const sessions = ["one", "two", "three", "four"];
const serve = (options: LegacyOptions = {}, answer: (seen: Seen) => LegacyAnswer = () => ({ content: [] })): void =>
  hop.serve(legacyUpstream({ sessions, capabilities, ...options }, answer));
const sessionsOf = (name: string): (string | null)[] =>
  sentBy(hop, name).map(({ headers }) => headers.get("mcp-session-id"));
const gone = (first: string, status: number) => (seen: Seen) =>
  seen.headers.get("mcp-session-id") === first ? new Response(null, { status }) : { content: [] };

describe("F4: one session for an owner and a server", () => {
  it("F4: however many of its requests come at once", async () => {
    serve();
    const at = Array.from({ length: 8 }, (_, id) => request(hop, hop.context({ owner, id })));
    for (const { answer } of await Promise.all(at)) expect(answer.ok).toBe(true);
    expect(sessionsOf("initialize")).toEqual([null]);
    expect(new Set(sessionsOf("tools/call"))).toEqual(new Set(["one"]));
  });

  it("F4: in every isolate", async () => {
    serve();
    await request(hop, hop.context({ owner }));
    const reply = otherIsolate.requestUpstream(hop.context({ owner }), hop.server, callOf());
    expect(await reply.next()).toMatchObject({ done: true, value: { ok: true } });
    await hop.settle();
    expect(sessionsOf("tools/call")).toEqual(["one", "one"]);
  });

  it("RX-19: and never another owner's", async () => {
    serve();
    await request(hop, hop.context({ owner }));
    await request(hop, hop.context({ owner: newOwner() }));
    await request(hop, hop.context({ owner: "principal:agent" }));
    expect(sessionsOf("tools/call")).toEqual(["one", "two", "three"]);
  });

  it("F4: a handshake that fails leaves the way free for the next", async () => {
    hop.serve(() => new Response(null, { status: 503 }));
    await request(hop, hop.context({ owner }));
    serve();
    expect((await request(hop, hop.context({ owner }))).answer.ok).toBe(true);
  });

  it("F4: a session of an older configuration is not used", async () => {
    serve();
    await request(hop, hop.context({ owner }));
    const changed = { ...hop, server: { ...hop.server, revision: 2 } };
    await request(changed, hop.context({ owner }));
    expect(sessionsOf("tools/call")).toEqual(["one", "two"]);
  });
});

describe("F4: a session without an owner", () => {
  it("F4: ends with its use, and so does the one of the probe", async () => {
    serve();
    await request(hop, hop.context({ owner: undefined }));
    expect(sessionsOf("tools/call")).toEqual(["two"]);
    expect(sessionsOf("DELETE")).toEqual(["one", "two"]);
    expect(sentBy(hop, "DELETE")[0]?.headers.get("mcp-protocol-version")).toBe("2025-11-25");
  });

  it("F4: a server that keeps none has nothing to end", async () => {
    serve({ sessions: [] });
    await request(hop, hop.context({ owner: undefined }));
    expect(sentBy(hop, "DELETE")).toEqual([]);
  });

  it.each([
    [200, 0],
    [404, 0],
    [405, 0],
    [500, 1],
  ])("F4: a DELETE that is answered with %i is logged %i times, and is no failure", async (status, times) => {
    const scripted = legacyUpstream({ sessions }, () => ({ content: [] }));
    hop.serve((seen) => (seen.method === "DELETE" ? new Response(null, { status }) : scripted(seen)));
    expect((await request(hop, hop.context({ owner: undefined }))).answer.ok).toBe(true);
    const logged = hop.logged.filter((message) => message === "An upstream session was not closed");
    expect(logged).toHaveLength(2 * times);
  });
});

describe("F4: a session that the server lost", () => {
  it("F4: is forgotten in every isolate, and replaced once", async () => {
    serve();
    await request(hop, hop.context({ owner }));
    serve({ sessions: ["two"] }, gone("one", 404));
    expect((await request(hop, hop.context({ owner }))).answer.ok).toBe(true);
    expect(sessionsOf("tools/call")).toEqual(["one", "one", "two"]);
    const facts = await readFacts(hop.context({ owner }), owner);
    expect(facts.ok && facts.value.upstreams.map(({ id }) => id)).toEqual(["two"]);
  });

  it("F4: after 404 there is nothing to end", async () => {
    serve({}, gone("one", 404));
    await request(hop, hop.context({ owner }));
    expect(sentBy(hop, "DELETE")).toEqual([]);
  });

  it("F4: after 400, which may have meant something else, the replaced one is ended", async () => {
    serve({}, gone("one", 400));
    expect((await request(hop, hop.context({ owner }))).answer.ok).toBe(true);
    expect(sessionsOf("DELETE")).toEqual(["one"]);
  });

  it("F4: gets what the owner had set: its level of logs and what it watches on this server", async () => {
    serve();
    const context = hop.context({ owner });
    await request(hop, context);
    await setLogLevel(context, owner, "warning");
    await addSubscription(context, owner, { server_id: hop.server.id, uri: "file:///a" });
    await addSubscription(context, owner, { server_id: "another", uri: "file:///b" });
    serve({ sessions: ["two"] }, gone("one", 404));
    await request(hop, context);
    expect(paramsOf("logging/setLevel")).toEqual([{ level: "warning" }]);
    expect(paramsOf("resources/subscribe")).toEqual([{ uri: "file:///a" }]);
    expect([...sessionsOf("logging/setLevel"), ...sessionsOf("resources/subscribe")]).toEqual(["two", "two"]);
  });

  it("F4: asks no server for what it does not offer", async () => {
    serve({ capabilities: { tools: {}, resources: {} } });
    const context = hop.context({ owner });
    await setLogLevel(context, owner, "warning");
    await addSubscription(context, owner, { server_id: hop.server.id, uri: "file:///a" });
    await request(hop, context);
    expect([...sentBy(hop, "logging/setLevel"), ...sentBy(hop, "resources/subscribe")]).toEqual([]);
  });

  it("F4: a server that refuses what was set is used without it", async () => {
    const scripted = legacyUpstream({ sessions, capabilities }, () => ({ content: [] }));
    hop.serve((seen) =>
      seen.message["method"] === "logging/setLevel" ? new Response(null, { status: 500 }) : scripted(seen),
    );
    const context = hop.context({ owner });
    await setLogLevel(context, owner, "warning");
    expect((await request(hop, context)).answer.ok).toBe(true);
    expect(hop.logged).toContain("A setting did not reach the upstream");
  });

  const paramsOf = (method: string): unknown[] =>
    sentBy(hop, method).map(({ message }) => (message as { params: JsonObject }).params);
});

describe("a session that cannot be stored", () => {
  /** The owner's object, but for this answer to the first `storeUpstream`. */
  const storing = (first: (object: DurableObjectStub<Session>, lease: string) => Promise<unknown>): UpstreamContext => {
    const context = hop.context({ owner });
    let asked = 0;
    const object = (name: string) =>
      new Proxy(env.SESSION.getByName(name), {
        get(stub, property) {
          if (property !== "storeUpstream" || asked++ > 0) return Reflect.get(stub, property, stub) as unknown;
          return (_owner: string, lease: string) => first(stub, lease);
        },
      });
    const SESSION = new Proxy(env.SESSION, {
      get: (namespace, property) => (property === "getByName" ? object : Reflect.get(namespace, property)),
    });
    return { ...context, platform: { ...context.platform, bindings: { ...env, SESSION } } };
  };

  it("F4: is ended, and the call is refused", async () => {
    serve();
    const context = storing(() => Promise.reject(new Error("the object is gone")));
    expect(textOf(await request(hop, context))).toMatch(/^unavailable/);
    expect(sessionsOf("DELETE")).toEqual(["one"]);
    expect(sentBy(hop, "tools/call")).toEqual([]);
  });

  it("F4: because the handshake took too long is ended, and the call uses the owner's", async () => {
    serve();
    const context = storing(async (object, lease) => {
      await object.releaseUpstream(owner, hop.server.id, lease);
      return { kind: "refused", reason: "lease_lost" };
    });
    expect((await request(hop, context)).answer.ok).toBe(true);
    expect(sessionsOf("DELETE")).toEqual(["one"]);
    expect(sessionsOf("tools/call")).toEqual(["two"]);
  });
});

it("RX-14: of what a server declares its session keeps what is used", async () => {
  serve({ capabilities: { tools: {}, tasks: { list: {} }, unheard: { padding: "x" } } });
  await request(hop, hop.context({ owner }));
  const facts = await readFacts(hop.context({ owner }), owner);
  expect(facts.ok && facts.value.upstreams[0]?.capabilities).toEqual({ tools: {}, tasks: { list: {} } });
});

describe("a session that is not valid", () => {
  it.each(["with space", "ä", "x".repeat(1025)])("F4: id %j is refused", async (id) => {
    hop.serve((seen) => {
      const { id: requestId, method } = seen.message;
      if (method !== "initialize") return new Response(null, { status: 404 });
      const result = { protocolVersion: "2025-11-25", capabilities: {} };
      return Response.json({ jsonrpc: "2.0", id: requestId, result }, { headers: { "mcp-session-id": id } });
    });
    expect(textOf(await request(hop, hop.context({ owner })))).toBe("upstream_invalid session_id");
    expect(sentBy(hop, "tools/call")).toEqual([]);
  });
});
