/** One decision for lists and for calls: what is not permitted does not exist, byte for byte. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  meta,
  modernPost,
  modernUpstream,
  objectAt,
  read,
  requestEvents,
  responseEvents,
  setUp,
  type Harness,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let client: { id: string; token: string };
let token: string;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  for (const slug of ["mine", "theirs"]) {
    await tenant.addServer(slug);
    harness.serve(
      `${slug}.upstream.test`,
      modernUpstream(({ message }) =>
        message["method"] === "tools/list"
          ? { tools: [{ name: "run", inputSchema: { type: "object" } }] }
          : { content: [] },
      ),
    );
  }
  client = await tenant.addClient([await idOf("mine")]);
  ({ token } = client);
});

async function idOf(slug: string): Promise<string> {
  const { items } = (await (await tenant.api("GET", "/servers")).json()) as { items: { id: string; slug: string }[] };
  return items.find((item) => item.slug === slug)?.id ?? "";
}

async function listed(): Promise<Json[]> {
  const { message } = await ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token });
  return (objectAt(message, "result")["tools"] as JsonObject[]).map(({ name }) => name ?? null);
}

const callTool = (path: string, name: string) => ask(harness, tenant.origin + path, "tools/call", { name }, { token });

describe("what a client may see", () => {
  it("P4: is the servers on its allow-list", async () => {
    expect(await listed()).toEqual(["mine__run"]);
    expect(harness.seen.map(({ url }) => new URL(url).hostname)).not.toContain("theirs.upstream.test");
  });

  it("P5: is what a call is granted", async () => {
    expect((await callTool("/mcp", "mine__run")).message).toMatchObject({ result: { content: [] } });
  });

  it("P5: follows the allow-list within one call", async () => {
    await tenant.api("PATCH", `/clients/${client.id}`, { servers: [await idOf("theirs")] });
    expect(await listed()).toEqual(["theirs__run"]);
    expect((await callTool("/mcp", "mine__run")).message).toMatchObject({ error: { code: -32602 } });
  });

  it("PL-08: a server that is switched off between list and call is unknown", async () => {
    expect(await listed()).toEqual(["mine__run"]);
    await tenant.api("PATCH", `/servers/${await idOf("mine")}`, { enabled: false });
    const before = harness.seen.length;
    expect((await callTool("/mcp", "mine__run")).message).toMatchObject({ error: { code: -32602 } });
    expect(harness.seen).toHaveLength(before);
    expect(requestEvents(harness).at(-1)?.decision).toEqual({
      effect: "deny",
      policy: "default:deny",
      reason: "server_disabled",
    });
  });
});

describe("what a client may not see", () => {
  it("TL-10: a hidden tool answers byte for byte like one that never was", async () => {
    const hidden = await callTool("/mcp", "theirs__run");
    const unknown = await callTool("/mcp", "nobody__run");
    expect(hidden.status).toBe(unknown.status);
    expect(hidden.text).toBe(unknown.text.replace("nobody", "theirs"));
    expect([...hidden.headers]).toEqual([...unknown.headers].map(([name, value]) => [name, value]));
  });

  it("TL-10: the upstream sees nothing and one event has the reason", async () => {
    await callTool("/mcp", "theirs__run");
    expect(harness.seen).toEqual([]);
    expect(responseEvents(harness)).toEqual([]);
    expect(requestEvents(harness)).toMatchObject([
      {
        actor: { agent: client.id },
        target: { method: "tools/call", endpoint: "/mcp", name: "theirs__run" },
        decision: { effect: "deny", policy: "default:deny", reason: "not_on_allow_list" },
      },
    ]);
  });

  it.each(["server/discover", "tools/list", "tools/call", "subscriptions/listen"])(
    "P5: %s on the endpoint of a hidden server answers like that of an unknown one",
    async (method) => {
      const params = method === "tools/call" ? { name: "run" } : { notifications: {} };
      const hidden = await ask(harness, `${tenant.origin}/mcp/theirs`, method, params, { token });
      const unknown = await ask(harness, `${tenant.origin}/mcp/nobody`, method, params, { token });
      expect(hidden.status).toBe(404);
      expect(hidden.text).toBe(unknown.text);
      expect(harness.seen).toEqual([]);
      expect(requestEvents(harness).map(({ decision }) => decision.reason)).toEqual([
        "not_on_allow_list",
        "unknown_server",
      ]);
    },
  );

  it.each([
    ["prompts/get", { name: "theirs__run" }, "Unknown prompt: theirs__run"],
    ["resources/read", { uri: "gatehouse://theirs/file:///a" }, "Unknown resource: gatehouse://theirs/file:///a"],
    [
      "completion/complete",
      { ref: { type: "ref/prompt", name: "theirs__run" }, argument: { name: "a", value: "" } },
      "Unknown reference",
    ],
    [
      "completion/complete",
      { ref: { type: "ref/resource", uri: "gatehouse://theirs/a" }, argument: { name: "a", value: "" } },
      "Unknown reference",
    ],
  ] as const)("P5: %s of a hidden server is unknown", async (method, params, message) => {
    const answered = await ask(harness, `${tenant.origin}/mcp`, method, params as unknown as JsonObject, { token });
    expect(answered).toMatchObject({ status: 200, message: { id: 1, error: { code: -32602, message } } });
    expect(harness.seen).toEqual([]);
    expect(requestEvents(harness)).toHaveLength(1);
  });

  it("VT-16: the organisation's credential is not used for somebody who may not use its server", async () => {
    await tenant.addServer("keyed", { authentication: { type: "bearer" }, credential: { type: "bearer", token: "k" } });
    await callTool("/mcp/keyed", "run");
    await callTool("/mcp", "keyed__run");
    expect(harness.seen).toEqual([]);
  });
});

describe("what is decided on", () => {
  it("MC-19: the body, not a header that says otherwise", async () => {
    const { headers, ...init } = modernPost("tools/call", { name: "theirs__run" }, { token });
    const answered = await read(
      await harness.fetch(`${tenant.origin}/mcp`, { ...init, headers: { ...headers, "mcp-name": "mine__run" } }),
    );
    expect(answered).toMatchObject({ status: 400, message: { error: { code: -32020 } } });
    expect(harness.seen).toEqual([]);
    expect(requestEvents(harness).at(-1)?.decision).toMatchObject({ effect: "deny", reason: "name_header" });
  });

  it("MC-19: no header at all, when the version header belongs to an earlier revision", async () => {
    const { headers, ...init } = modernPost("tools/call", { name: "theirs__run" }, { token });
    const old = { ...headers, "mcp-protocol-version": "2025-06-18", "mcp-name": "mine__run" };
    const answered = await read(await harness.fetch(`${tenant.origin}/mcp`, { ...init, headers: old }));
    expect(answered).toMatchObject({ status: 400, message: { error: { code: -32020 } } });
    expect(harness.seen).toEqual([]);
  });

  it("MC-23: a client's own name is recorded, cut, and changes nothing", async () => {
    const name = `gatehouse-admin ${"x".repeat(100_000)}`;
    const clientInfo = { name, version: "1" };
    const params = { name: "theirs__run", _meta: meta({}, { "io.modelcontextprotocol/clientInfo": clientInfo }) };
    const answered = await ask(harness, `${tenant.origin}/mcp`, "tools/call", params, { token });
    expect(answered.message).toMatchObject({ error: { code: -32602 } });
    const [event] = requestEvents(harness);
    expect(event?.actor.agent).toBe(client.id);
    expect(event?.actor.client_name?.startsWith("gatehouse-admin xxx")).toBe(true);
    expect(event?.actor.client_name?.length).toBeLessThanOrEqual(256);
  });
});
