/** What is recorded of a request and when, and what happens to a call that cannot be recorded. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { AuditEvent } from "../../../src/audit/index.ts";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { EventReader } from "./channel.ts";
import {
  ask,
  createHarness,
  freshKeys,
  meta,
  modernPost,
  modernUpstream,
  sent,
  setUp,
  sse,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let clock: VirtualClock;
let client: { id: string; token: string };
let serverId: string;

/** Events that became durable, with the place. */
let kept: { readonly event: AuditEvent; readonly where: "queue" | "outbox" }[];
/** Which events each place refuses, and what the Queue waits for before it takes one. */
let queueRefuses: (event: AuditEvent) => boolean;
let outboxRefuses: (event: AuditEvent) => boolean;
let gate: (event: AuditEvent) => Promise<void>;

const AUDIT = {
  async send(event: AuditEvent) {
    await gate(event);
    if (queueRefuses(event)) throw new Error("the Queue is full");
    await env.AUDIT.send(event);
    kept.push({ event, where: "queue" });
  },
};
const OUTBOX = {
  idFromName: (name: string) => env.OUTBOX.idFromName(name),
  get: (id: DurableObjectId) => ({
    async put(events: AuditEvent[]) {
      if (events.some(outboxRefuses)) throw new Error("the Outbox is unreachable");
      const taken = await env.OUTBOX.get(id).put(events);
      for (const event of events) kept.push({ event, where: "outbox" });
      return taken;
    },
  }),
};

beforeEach(async () => {
  kept = [];
  queueRefuses = () => false;
  outboxRefuses = () => false;
  gate = () => Promise.resolve();
  clock = new VirtualClock(Date.now());
  const bindings: Record<string, unknown> = { GATEHOUSE_KEYS: freshKeys(), AUDIT, OUTBOX };
  harness = createHarness({ ports: { clock }, bindings });
  tenant = await setUp(harness);
  serverId = await tenant.addServer("up");
  client = await tenant.addClient([serverId]);
  harness.serve(
    "up.upstream.test",
    modernUpstream(({ message }) => {
      clock.advance(7);
      return message["method"] === "tools/list"
        ? { tools: [] }
        : { content: [{ type: "text", text: "canary-answer" }] };
    }),
  );
  kept = [];
});

const strict = async (): Promise<void> => {
  await tenant.api("PATCH", "/settings", { audit_strict: true });
  kept = [];
};
const call = (args: JsonObject = { a: 1 }, more: JsonObject = {}): Promise<Asked> =>
  ask(
    harness,
    `${tenant.origin}/mcp/up`,
    "tools/call",
    { name: "run", arguments: args, ...more },
    { token: client.token },
  );
const ofType = <T extends AuditEvent["type"]>(type: T): Extract<AuditEvent, { type: T }>[] =>
  kept.map(({ event }) => event).filter((event): event is Extract<AuditEvent, { type: T }> => event.type === type);
const isRequest = (event: AuditEvent): boolean => event.type === "mcp.request";
const isResponse = (event: AuditEvent): boolean => event.type === "mcp.response";

describe("the events of a call", () => {
  it("S1: who, what, decision, sizes, and afterwards outcome and duration, tied by id", async () => {
    const answered = await call();
    const [request] = ofType("mcp.request");
    const [response] = ofType("mcp.response");
    const target = {
      method: "tools/call",
      endpoint: "/mcp/up",
      server: "up",
      server_id: serverId,
      name: "run",
      protocol_version: "2026-07-28",
    };
    const actor = { agent: client.id, client_name: "test-client" };
    expect(request).toMatchObject({
      actor,
      target,
      decision: { effect: "allow", policy: `allow-list:${client.id}`, reason: "on_allow_list" },
      request: { arguments: { a: { type: "number", size_chars: 1, hmac: expect.any(String) } } },
    });
    expect(request?.request.token_weight).toBe(Math.ceil((request?.request.size_bytes ?? 0) / 4));
    expect(request?.deadline).toBe((request?.time ?? 0) + limits.upstreamTotal_ms);
    expect(response).toMatchObject({
      request_id: request?.id,
      actor,
      target,
      outcome: { status: "ok" },
      response: { size_bytes: answered.text.length, token_weight: Math.ceil(answered.text.length / 4) },
    });
    expect(response?.duration_ms).toBe(14);
    expect(kept).toHaveLength(2);
  });

  it("S1: a stream has the size of all that was sent", async () => {
    const progress: JsonObject = {
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken: "t", progress: 1 },
    };
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list" ? { tools: [] } : sse(progress, { jsonrpc: "2.0", id: 1, result: {} }),
      ),
    );
    const answered = await call({}, { _meta: meta({}, { progressToken: "t" }) });
    expect(answered.messages).toHaveLength(2);
    expect(ofType("mcp.response")[0]?.response.size_bytes).toBe(answered.text.length);
  });

  it("S1: on the aggregate the name is the server's own", async () => {
    await ask(harness, `${tenant.origin}/mcp`, "tools/call", { name: "up__run" }, { token: client.token });
    expect(ofType("mcp.request")[0]?.target).toMatchObject({ endpoint: "/mcp", server: "up", name: "run" });
  });

  it("AU-20: hold no value of an argument and nothing of the answer", async () => {
    await call({ password: "canary-argument", nested: { "canary-argument": ["canary-argument"] } });
    const log = JSON.stringify(kept);
    expect(log).not.toContain("canary-argument");
    expect(log).not.toContain("canary-answer");
    expect(log).not.toContain(client.token);
  });

  it("S1: equal values have equal digests in one tenant, and others in another", async () => {
    await call({ a: "same" });
    await call({ b: "same" });
    const [one, two] = ofType("mcp.request").map(({ request }) => request.arguments);
    expect(one?.["a"]?.hmac).toBe(two?.["b"]?.hmac);
  });

  it("AU-14: fields that the caller makes up stay in the arguments' digests", async () => {
    const forged = { id: "x", type: "admin.change", tenant: "b", time: 0, actor: { agent: "root" }, event_id: "x" };
    await call(forged, { ...forged, _meta: meta({}, { actor: "root", tenant: "b" }) });
    const [request] = ofType("mcp.request");
    expect(request).toMatchObject({ type: "mcp.request", actor: { agent: client.id } });
    expect(request?.tenant).not.toBe("b");
    expect(Object.keys(request?.request.arguments ?? {}).sort()).toEqual(Object.keys(forged).sort());
    expect(JSON.stringify(kept)).not.toContain("root");
  });

  it("S1: an error of the server has its code, and its text is not kept", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(() => ({ error: { code: -32050, message: "canary-text" } })),
    );
    await call();
    expect(ofType("mcp.response")[0]?.outcome).toEqual({ status: "error", code: -32050, reason: "upstream_error" });
    expect(JSON.stringify(kept)).not.toContain("canary-text");
  });
});

describe("a Queue that refuses", () => {
  it("S5: the Outbox takes the events, and the call succeeds", async () => {
    queueRefuses = () => true;
    expect((await call()).message).toMatchObject({ result: { content: [{ text: "canary-answer" }] } });
    expect(kept.map(({ event, where }) => [event.type, where])).toEqual([
      ["mcp.request", "outbox"],
      ["mcp.response", "outbox"],
    ]);
  });

  it("S5: in strict tenants as well", async () => {
    await strict();
    queueRefuses = () => true;
    expect((await call()).status).toBe(200);
    expect(kept).toHaveLength(2);
  });
});

describe("an audit log that is not available", () => {
  const nothingWorks = (): void => {
    queueRefuses = () => true;
    outboxRefuses = () => true;
  };

  it("AU-01: in strict tenants the call is refused, and the upstream sees nothing", async () => {
    await strict();
    nothingWorks();
    const answered = await call();
    expect(answered).toMatchObject({ status: 503, message: { id: 1, error: { code: -32603 } } });
    expect(answered.text).toContain("could not be recorded, so it was refused");
    expect(harness.seen).toEqual([]);
  });

  it("AU-01: elsewhere the call that ran says so, with nothing of its answer", async () => {
    nothingWorks();
    const answered = await call();
    expect(answered).toMatchObject({ status: 200, message: { id: 1, error: { code: -32603 } } });
    expect(answered.text).toContain("do not repeat it");
    expect(answered.text).not.toContain("canary-answer");
    expect(sent(harness, "tools/call")).toHaveLength(1);
  });

  it("AU-01: a call that failed upstream may have run all the same, and says so", async () => {
    nothingWorks();
    harness.serve("up.upstream.test", () => new Response(null, { status: 500 }));
    expect(await call()).toMatchObject({
      status: 200,
      message: { error: { code: -32603, message: expect.stringContaining("do not repeat") } },
    });
  });

  it("AU-01: a list is refused, with nothing of it", async () => {
    nothingWorks();
    const answered = await ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token: client.token });
    expect(answered).toMatchObject({ status: 503, message: { error: { code: -32603 } } });
  });

  it.each(["/mcp", "/mcp/hidden"])("AU-01: on %s a denial that cannot be recorded is no denial", async (path) => {
    nothingWorks();
    const answered = await ask(harness, tenant.origin + path, "tools/call", { name: "x" }, { token: client.token });
    expect(answered).toMatchObject({ status: 503, message: { error: { code: -32603 } } });
    expect(harness.seen).toEqual([]);
  });

  it("AU-01: a stream is given up, and the call that ran says so", async () => {
    nothingWorks();
    harness.serve(
      "up.upstream.test",
      modernUpstream((seen) =>
        seen.message["method"] === "tools/list"
          ? { tools: [] }
          : sse({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "t", progress: 1 } }),
      ),
    );
    const answered = await call({}, { _meta: meta({}, { progressToken: "t" }) });
    expect(answered.text).toContain("do not repeat it");
    expect(answered.text).not.toContain("progress");
  });

  it("AU-03: an outcome that is lost leaves the answer, and the sweeper gives the request one", async () => {
    queueRefuses = isResponse;
    outboxRefuses = isResponse;
    expect((await call()).message).toMatchObject({ result: { content: [{ text: "canary-answer" }] } });
    expect(kept.map(({ event }) => event.type)).toEqual(["mcp.request"]);
  });

  it("AU-03: in strict tenants an outcome that is lost keeps the answer back: executed, not recorded", async () => {
    await strict();
    queueRefuses = isResponse;
    outboxRefuses = isResponse;
    const answered = await call();
    expect(answered.status).toBe(200);
    expect(answered.text).toContain("do not repeat it");
    expect(answered.text).not.toContain("canary-answer");
  });
});

describe("when it is recorded", () => {
  /** Holds the events that match until they are let through. */
  function hold(matches: (event: AuditEvent) => boolean): { readonly waiting: Promise<void>; release(): void } {
    const { promise: waiting, resolve: arrived } = Promise.withResolvers<void>();
    const { promise: open, resolve: release } = Promise.withResolvers<void>();
    gate = async (event) => {
      if (!matches(event)) return;
      arrived();
      await open;
    };
    return { waiting, release };
  }

  it("AU-02: in strict tenants the request event is durable before the upstream is called", async () => {
    await strict();
    const held = hold(isRequest);
    const answer = call();
    await held.waiting;
    for (let turn = 0; turn < 20; turn += 1) await scheduler.wait(0);
    expect(harness.seen).toEqual([]);
    held.release();
    expect((await answer).status).toBe(200);
  });

  it("S5: elsewhere it is handed over while the upstream works, and the answer waits for it", async () => {
    const held = hold(isRequest);
    let answered = false;
    const answer = call().then((asked) => {
      answered = true;
      return asked;
    });
    await held.waiting;
    while (sent(harness, "tools/call").length === 0) await scheduler.wait(0);
    for (let turn = 0; turn < 20; turn += 1) await scheduler.wait(0);
    expect(answered).toBe(false);
    held.release();
    expect((await answer).status).toBe(200);
  });

  it("S5: in strict tenants the response event is durable before the last byte", async () => {
    await strict();
    const held = hold(isResponse);
    let answered = false;
    const answer = call().then((asked) => {
      answered = true;
      return asked;
    });
    await held.waiting;
    for (let turn = 0; turn < 20; turn += 1) await scheduler.wait(0);
    expect(answered).toBe(false);
    held.release();
    expect((await answer).message).toMatchObject({ result: { content: [{ text: "canary-answer" }] } });
  });

  const progress: JsonObject = {
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: "t", progress: 1 },
  };
  const final: JsonObject = { jsonrpc: "2.0", id: 1, result: { content: [], resultType: "complete" } };

  async function openStream(): Promise<{ events: EventReader; settle(): Promise<void> }> {
    await strict();
    harness.serve(
      "up.upstream.test",
      modernUpstream((seen) => (seen.message["method"] === "tools/list" ? { tools: [] } : sse(progress, final))),
    );
    const params = { name: "run", _meta: meta({}, { progressToken: "t" }) };
    const opened = await harness.open(
      `${tenant.origin}/mcp/up`,
      modernPost("tools/call", params, { token: client.token }),
    );
    return { events: new EventReader(opened.response), settle: () => opened.settle() };
  }

  it("S5: in strict tenants a stream's notifications pass at once, and its answer waits", async () => {
    const held = hold(isResponse);
    const { events, settle } = await openStream();
    expect(await events.next()).toEqual(progress);
    let answered = false;
    const last = events.next().then((message) => {
      answered = true;
      return message;
    });
    await held.waiting;
    for (let turn = 0; turn < 20; turn += 1) await scheduler.wait(0);
    expect(answered).toBe(false);
    held.release();
    expect(await last).toEqual(final);
    expect(await events.next()).toBeUndefined();
    await settle();
  });

  it("AU-03: in strict tenants a stream's answer without its record says: executed, not recorded", async () => {
    queueRefuses = isResponse;
    outboxRefuses = isResponse;
    const { events, settle } = await openStream();
    await events.next();
    expect(await events.next()).toMatchObject({
      id: 1,
      error: { message: expect.stringContaining("do not repeat it") },
    });
    await settle();
  });
});
