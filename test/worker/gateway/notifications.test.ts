/** What a client may post besides requests, and clients of earlier revisions. */
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import {
  createHarness,
  meta,
  modernPost,
  modernUpstream,
  read,
  requestEvents,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

beforeAll(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  ({ token } = await tenant.addClient([await tenant.addServer("up")]));
  harness.serve(
    "up.upstream.test",
    modernUpstream(() => ({})),
  );
});

async function post(body: string, headers: Record<string, string | undefined> = {}): Promise<Asked> {
  const { headers: right, ...init } = modernPost("tools/list", {}, { token });
  const all = { ...(right as Record<string, string>), ...headers };
  const set = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return read(await harness.fetch(`${tenant.origin}/mcp/up`, { ...init, headers: Object.fromEntries(set), body }));
}

const message = (method: string, more: JsonObject = {}, params: JsonObject = { _meta: meta() }): string =>
  JSON.stringify({ jsonrpc: "2.0", method, params, ...more });

describe("a notification", () => {
  it.each([
    "notifications/x",
    "notifications/cancelled",
    "notifications/progress",
    "tools/call",
    "notifications/roots/list_changed",
  ])("MC-05: %s is accepted with 202, and no upstream sees it", async (method) => {
    const answered = await post(message(method), { "mcp-method": method });
    expect({ status: answered.status, text: answered.text }).toEqual({ status: 202, text: "" });
    expect(harness.seen).toEqual([]);
  });
});

describe("a response", () => {
  it.each([{ result: {} }, { error: { code: 1, message: "" } }])(
    "MC-27: %j that nobody asked for is refused",
    async (answer) => {
      const answered = await post(JSON.stringify({ jsonrpc: "2.0", id: 1, ...answer }));
      expect(answered).toMatchObject({ status: 400, message: { error: { code: -32600 } } });
      expect(harness.seen).toEqual([]);
    },
  );
});

describe("a client of an earlier revision", () => {
  it("F4: without a session is told to initialize, and recorded", async () => {
    const answered = await post(message("tools/list", { id: 7 }, {}), {
      "mcp-protocol-version": "2025-06-18",
      "mcp-method": undefined,
    });
    expect(answered).toMatchObject({ status: 400, message: { id: 7, error: { code: -32600 } } });
    expect(answered.text).toContain("initialize");
    expect(requestEvents(harness).at(-1)).toMatchObject({
      target: { method: "tools/list" },
      decision: { effect: "deny", policy: "protocol:validation", reason: "session_missing" },
    });
    expect(harness.seen).toEqual([]);
  });

  it.each(["GET", "DELETE", "PUT", "PATCH"])("F7: %s is 405, and recorded", async (method) => {
    const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
    const response = await harness.fetch(`${tenant.origin}/mcp/up`, { method, headers });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
    expect(requestEvents(harness).at(-1)?.decision.reason).toBe("http_method");
  });
});

describe("a request whose form is wrong", () => {
  it.each([
    ["MC-22", "no _meta", message("tools/list", { id: 1 }, {}), {}, 400, -32602],
    [
      "MC-22",
      "no version in _meta",
      message("tools/list", { id: 1 }, { _meta: { ...meta(), "io.modelcontextprotocol/protocolVersion": null } }),
      {},
      400,
      -32602,
    ],
    [
      "MC-22",
      "no capabilities in _meta",
      message("tools/list", { id: 1 }, { _meta: { ...meta(), "io.modelcontextprotocol/clientCapabilities": [] } }),
      {},
      400,
      -32602,
    ],
    [
      "MC-24",
      "Accept without event streams",
      message("tools/list", { id: 1 }),
      { accept: "application/json" },
      406,
      -32600,
    ],
    ["MC-24", "Accept without JSON", message("tools/list", { id: 1 }), { accept: "text/event-stream" }, 406, -32600],
    [
      "MC-10",
      "an announced length over the bound",
      message("tools/list", { id: 1 }),
      { "content-length": "9999999" },
      413,
      -32600,
    ],
    [
      "MC-10",
      "a body over the bound",
      message("tools/list", { id: 1 }, { _meta: meta(), x: "x".repeat(5_000_000) }),
      {},
      413,
      -32600,
    ],
  ] as const)(
    "%s: %s: refused and recorded, and no upstream sees it",
    async (_id, _case, body, headers, status, code) => {
      const before = requestEvents(harness).length;
      const answered = await post(body, headers);
      expect(answered).toMatchObject({ status, message: { error: { code } } });
      expect(requestEvents(harness)).toHaveLength(before + 1);
      expect(requestEvents(harness).at(-1)?.decision).toMatchObject({ effect: "deny", policy: "protocol:validation" });
      expect(harness.seen).toEqual([]);
    },
  );

  it("RX-09: a body that never ends is given up", async () => {
    const clock = new VirtualClock(Date.now());
    const slow = createHarness({ ports: { clock } });
    const other = await setUp(slow);
    const client = await other.addClient([]);
    const { headers } = modernPost("tools/list", {}, { token: client.token });
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
    });
    const reading = clock.anew(limits.bodyRead_ms);
    const answer = slow.fetch(`${other.origin}/mcp`, {
      method: "POST",
      headers: headers ?? {},
      body,
      duplex: "half",
    } as RequestInit);
    await reading;
    clock.advance(limits.bodyRead_ms);
    expect((await answer).status).toBe(408);
  });
});
