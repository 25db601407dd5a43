/** Sessions of the 2025 revisions: how they begin, what they are bound to, and how they end. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  calls,
  createHarness,
  freshKeys,
  modernUpstream,
  objectAt,
  requestEvents,
  responseEvents,
  sent,
  setUp,
  type Harness,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let clock: VirtualClock;
let token: string;
let ids: string[];

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  ids = [await tenant.addServer("old"), await tenant.addServer("new")];
  ({ token } = await tenant.addClient(ids));
  const tool = { name: "echo", inputSchema: { type: "object" } };
  harness.serve(
    "old.upstream.test",
    legacyUpstream({ sessions: ["s-1", "s-2", "s-3"], capabilities: { tools: {} } }, ({ message }) =>
      message["method"] === "tools/list" ? { tools: [tool] } : { content: [{ type: "text", text: "old" }] },
    ),
  );
  harness.serve(
    "new.upstream.test",
    modernUpstream(({ message }) =>
      message["method"] === "tools/list"
        ? { tools: [tool], ttlMs: 0, cacheScope: "private" }
        : { content: [{ type: "text", text: "new" }] },
    ),
  );
});

const at = (path = "/mcp", options: { version?: string; capabilities?: object } = {}): Promise<LegacyClient> =>
  LegacyClient.begin(harness, tenant.origin + path, { token, ...(options as { version?: string }) });

describe("initialize", () => {
  it.each(["2025-03-26", "2025-06-18", "2025-11-25"])("F4: a client of %s gets its revision", async (version) => {
    const client = await at("/mcp", { version });
    const result = objectAt(client.initialized?.message, "result");
    expect(result["protocolVersion"]).toBe(version);
    expect(result["capabilities"]).toMatchObject({ tools: {} });
    expect(client.session).toMatch(/^[\x21-\x7e]+$/);
  });

  it.each(["2024-11-05", "2026-07-28", "2099-01-01"])("F4: a client of %s is offered the newest", async (version) => {
    const client = await at("/mcp", { version });
    expect(objectAt(client.initialized?.message, "result")["protocolVersion"]).toBe("2025-11-25");
  });

  it("F4: has no members of 2026-07-28 in its answers", async () => {
    const client = await at();
    const listed = await client.request("tools/list");
    const result = objectAt(listed.message, "result");
    expect(Object.keys(result).sort()).toEqual(["_meta", "tools"]);
    const called = await client.request("tools/call", { name: "new__echo" });
    expect(called.message["result"]).toEqual({ content: [{ type: "text", text: "new" }] });
  });

  it("S1: is recorded like any other request", async () => {
    await at();
    expect(requestEvents(harness)[0]?.target).toMatchObject({ method: "initialize", protocol_version: "2025-11-25" });
    expect(responseEvents(harness)[0]?.outcome).toEqual({ status: "ok" });
  });
});

describe("a session", () => {
  it("F4: reaches servers of both eras", async () => {
    const client = await at();
    const listed = await client.request("tools/list");
    expect(listed.text).toContain("old__echo");
    expect(listed.text).toContain("new__echo");
    expect((await client.request("tools/call", { name: "old__echo" })).text).toContain('"text":"old"');
    expect((await client.request("tools/call", { name: "new__echo" })).text).toContain('"text":"new"');
  });

  it("F2: keeps the request id and the bytes of the answer on the way through", async () => {
    const client = await at("/mcp/old");
    const text = '{ "jsonrpc":"2.0", "id":"my id", "result": {"content":[], "x": 1.50} }';
    harness.serve(
      "old.upstream.test",
      legacyUpstream(
        { sessions: ["s-9"] },
        () => new Response(text, { headers: { "content-type": "application/json" } }),
      ),
    );
    const called = await client.request("tools/call", { name: "echo" }, "my id");
    expect(called.text).toBe(text);
    expect(sent(harness, "tools/call")[0]?.message["id"]).toBe("my id");
  });

  it("MC-41: answers ping by itself", async () => {
    const client = await at();
    const before = harness.seen.length;
    expect((await client.request("ping")).message["result"]).toEqual({});
    expect(harness.seen.length).toBe(before);
  });

  it("MC-31: of another client does not exist", async () => {
    const client = await at();
    const other = await tenant.addClient(ids);
    const thief = new LegacyClient(harness, client.url, { token: other.token });
    thief.session = client.session;
    const refused = await thief.request("tools/list");
    expect(refused.status).toBe(404);
    expect(refused.message["error"]).toEqual({ code: -32001, message: "Session not found" });
  });

  it("MC-31: of the other endpoint does not exist", async () => {
    const client = await at("/mcp/old");
    const other = new LegacyClient(harness, `${tenant.origin}/mcp`, { token });
    other.session = client.session;
    expect((await other.request("tools/list")).status).toBe(404);
  });

  it("MC-32: is refused under a made-up id, and nothing is called", async () => {
    const client = new LegacyClient(harness, `${tenant.origin}/mcp`, { token });
    client.session = "1868a90c-guessed";
    expect((await client.request("tools/call", { name: "old__echo" })).status).toBe(404);
    expect(calls(harness)).toEqual([]);
    expect(requestEvents(harness)[0]?.decision).toMatchObject({ effect: "deny", reason: "session_unknown" });
  });

  it("F4: is needed for anything but initialize", async () => {
    const client = new LegacyClient(harness, `${tenant.origin}/mcp`, { token });
    const refused = await client.request("tools/list");
    expect(refused.status).toBe(400);
    expect(refused.text).toContain("initialize");
  });

  it("F4: refuses an unknown method with an answer, not with a broken connection", async () => {
    const client = await at();
    const refused = await client.request("tools/unknown");
    expect([refused.status, objectAt(refused.message, "error")["code"]]).toEqual([200, -32601]);
  });

  it("F4: refuses a protocol version that no session has", async () => {
    const client = await at();
    const message = client.message("tools/list");
    const response = await harness.fetch(
      client.url,
      client.init("POST", message, { "mcp-protocol-version": "1999-01-01" }),
    );
    expect(response.status).not.toBe(200);
  });

  it("RX-15: costs no storage until there is something to remember", async () => {
    const objects: string[] = [];
    const counted = new Proxy(env.SESSION, {
      get(namespace, property) {
        const value: unknown = Reflect.get(namespace, property);
        if (property === "getByName") objects.push("asked");
        return typeof value === "function" ? (value.bind(namespace) as unknown) : value;
      },
    });
    harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys(), SESSION: counted } });
    tenant = await setUp(harness);
    ({ token } = await tenant.addClient([await tenant.addServer("new")]));
    harness.serve(
      "new.upstream.test",
      modernUpstream(() => ({ tools: [], content: [], ttlMs: 0, cacheScope: "private" })),
    );
    const client = await at("/mcp/new");
    await client.request("tools/call", { name: "echo" });
    const before = objects.length;
    await client.request("tools/call", { name: "echo" });
    expect(objects.length).toBe(before);
  });
});

describe("its end", () => {
  it("F7: is 204, and 404 for everything that comes after", async () => {
    const client = await at();
    expect(await client.delete()).toBe(204);
    expect((await client.request("tools/list")).status).toBe(404);
    expect((await client.get()).response.status).toBe(404);
    expect(await client.delete()).toBe(404);
  });

  it("MC-30: holds a month later, when nobody remembers the session", async () => {
    const client = await at();
    await client.delete();
    clock.advance(limits.session_ms);
    expect((await client.request("tools/list")).status).toBe(404);
  });

  it("MC-30: is not for another client to bring about", async () => {
    const client = await at();
    const thief = new LegacyClient(harness, client.url, { token: (await tenant.addClient(ids)).token });
    thief.session = client.session;
    expect(await thief.delete()).toBe(404);
    expect((await client.request("tools/list")).status).toBe(200);
  });

  it("F7: ends its sessions with servers", async () => {
    const client = await at();
    await client.request("tools/call", { name: "old__echo" });
    await client.delete();
    const deletes = harness.seen.filter(({ method }) => method === "DELETE");
    const opened = sent(harness, "tools/call").map(({ headers }) => headers.get("mcp-session-id"));
    expect(deletes.map(({ headers }) => headers.get("mcp-session-id"))).toEqual(expect.arrayContaining(opened));
  });

  it.each(["GET", "DELETE"])("F7: %s without a session is 405", async (method) => {
    const client = new LegacyClient(harness, `${tenant.origin}/mcp`, { token });
    const refused = await harness.fetch(client.url, client.init(method));
    expect([refused.status, refused.headers.get("allow")]).toEqual([405, "POST"]);
  });

  it("F7: GET with a session whose servers say nothing of themselves is 405", async () => {
    harness.serve(
      "quiet.upstream.test",
      legacyUpstream({ capabilities: { tools: {} } }, () => ({ tools: [] })),
    );
    const id = await tenant.addServer("quiet");
    ({ token } = await tenant.addClient([id]));
    const client = await at("/mcp/quiet");
    const { response } = await client.get();
    expect(response.status).toBe(405);
  });

  it("F7: is recorded", async () => {
    const client = await at();
    await client.delete();
    expect(requestEvents(harness).at(-1)?.target.method).toBe("DELETE");
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "ok" });
  });
});

describe("a batch", () => {
  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };

  it("F4: of 2025-03-26 gets its answers as one array", async () => {
    const client = await at("/mcp", { version: "2025-03-26" });
    const response = await client.post([
      list,
      { jsonrpc: "2.0", method: "notifications/roots/list_changed" },
      { jsonrpc: "2.0", id: 2, method: "ping" },
    ]);
    const answers = (await response.json()) as { id: number }[];
    expect([response.status, answers.map(({ id }) => id)]).toEqual([200, [1, 2]]);
  });

  it("F4: of notifications alone is 202", async () => {
    const client = await at("/mcp", { version: "2025-03-26" });
    expect((await client.post([{ jsonrpc: "2.0", method: "notifications/initialized" }])).status).toBe(202);
  });

  it("F4: fails a message alone that is not valid", async () => {
    const client = await at("/mcp", { version: "2025-03-26" });
    const response = await client.post([
      { jsonrpc: "2.0", id: 1, method: 7 },
      { ...list, id: 2, method: "ping" },
    ]);
    const answers = (await response.json()) as { error?: { code: number } }[];
    expect(answers.map(({ error }) => error?.code)).toEqual([-32600, undefined]);
  });

  it("F4: is part of no later revision", async () => {
    const client = await at("/mcp", { version: "2025-06-18" });
    expect((await client.post([list])).status).toBe(400);
  });
});
