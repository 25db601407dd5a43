/** The fixtures themselves, against the clients of the SDKs: other tests rely on what is shown here. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
  TaskStatusNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { startFixture, type Eras, type Fixture } from "./support/fixture-server.ts";
import { startSseServer } from "./support/sse-server.ts";

let fixture: Fixture | undefined;
afterEach(async () => {
  await fixture?.close();
  fixture = undefined;
});

/** A fixture and a client of the SDK that knows the 2025 revisions only. */
async function connected(eras: Eras = "legacy"): Promise<{ client: Client; fixture: Fixture }> {
  fixture = await startFixture({ eras });
  const client = new Client(
    { name: "test", version: "1.0.0" },
    { capabilities: { roots: {}, elicitation: { form: {}, url: {} } } },
  );
  await client.connect(new StreamableHTTPClientTransport(fixture.url));
  onTestFinished(() => client.close());
  return { client, fixture };
}

const call = async (client: Client, name: string, input: Record<string, unknown> = {}): Promise<unknown> =>
  (await client.callTool({ name, arguments: input })).content;
const text = (value: string): unknown => [{ type: "text", text: value }];

describe("the fixture in the 2025 revisions", () => {
  it("2025-11-25 session management: each session has a state of its own", async () => {
    const one = await connected();
    const two = new Client({ name: "test", version: "1.0.0" });
    await two.connect(new StreamableHTTPClientTransport(one.fixture.url));
    await call(one.client, "test_count_calls");
    expect(await call(one.client, "test_count_calls")).toEqual(text("2"));
    expect(await call(two, "test_count_calls")).toEqual(text("1"));
    expect(one.fixture.sessions()).toBe(2);
    await two.close();
  });

  it.each([
    { ms: 0, how: "from the store" },
    { ms: 500, how: "over the stream that the client opened again" },
  ])("2025-11-25 resumability: the answer of a call whose stream was closed comes $how", async ({ ms }) => {
    const { client } = await connected();
    expect(await call(client, "test_reconnection", { ms })).toEqual(text("Answered after the stream was closed."));
  });

  it.each(["legacy", "both"] as const)("2025-11-25 tools/list_changed: is told on a GET stream (%s)", async (eras) => {
    const { client } = await connected(eras);
    let told = 0;
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told++);
    await call(client, "test_trigger_tool_change");
    await expect.poll(() => told).toBe(1);
  });

  it("2025-11-25 resources/subscribe: only the subscriber of a resource hears of its change", async () => {
    const { client, fixture: server } = await connected();
    const heard: string[] = [];
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.push(params.uri));
    await client.subscribeResource({ uri: "test://watched-resource" });
    server.notify.resourceUpdated("test://static-text");
    server.notify.resourceUpdated("test://watched-resource");
    await expect.poll(() => heard).toEqual(["test://watched-resource"]);
  });

  it("2025-11-25 URL elicitation: says afterwards which page was visited", async () => {
    const { client } = await connected();
    const asked: unknown[] = [];
    const completed: unknown[] = [];
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params.mode === "url" ? params.elicitationId : undefined);
      return { action: "accept" };
    });
    client.setNotificationHandler(
      ElicitationCompleteNotificationSchema,
      ({ params }) => void completed.push(params.elicitationId),
    );
    expect(await call(client, "test_elicitation_url")).toEqual(text("action=accept"));
    await expect.poll(() => completed).toEqual(asked);
    expect(asked).toEqual([expect.any(String)]);
  });

  it("2025-11-25 roots/list: is asked in the middle of a call", async () => {
    const { client } = await connected();
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///home" }] }));
    expect(await call(client, "test_list_roots")).toEqual(text("roots: file:///home"));
  });
});

describe("tasks of 2025-11-25", () => {
  it("2025-11-25 tasks: a call as a task ends with its result, and each change of status is told", async () => {
    const { client } = await connected();
    const told: string[] = [];
    client.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => void told.push(params.status));
    await client.listTools();
    const seen: string[] = [];
    const stream = client.experimental.tasks.callToolStream(
      { name: "test_task", arguments: { ms: 100 } },
      CallToolResultSchema,
      { task: { ttl: 60_000 } },
    );
    for await (const message of stream) {
      seen.push(message.type);
      if (message.type === "result") expect(message.result.content).toEqual(text("worked for 100 ms"));
    }
    expect(seen[0]).toBe("taskCreated");
    expect(seen.at(-1)).toBe("result");
    await expect.poll(() => told).toEqual(["completed"]);
  });

  it("2025-11-25 tasks/cancel: ends a task that works; a second time is refused with -32602", async () => {
    const { client } = await connected();
    await client.listTools();
    const params = { name: "test_task", arguments: { ms: 30_000 }, task: {} };
    const { task } = await client.request({ method: "tools/call", params }, CreateTaskResultSchema);
    expect(await client.experimental.tasks.cancelTask(task.taskId)).toMatchObject({ status: "cancelled" });
    await expect(client.experimental.tasks.cancelTask(task.taskId)).rejects.toMatchObject({ code: -32_602 });
    expect((await client.experimental.tasks.listTasks()).tasks).toMatchObject([{ status: "cancelled" }]);
  });
});

describe("the eras of the fixture", () => {
  it.each([
    { eras: "modern", version: "2026-07-28" },
    { eras: "both", version: "2026-07-28" },
    { eras: "legacy", version: "2025-11-25" },
  ] as const)("2026-07-28 negotiation: $eras speaks $version to a client of both eras", async ({ eras, version }) => {
    fixture = await startFixture({ eras });
    const client = new ModernClient({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new ModernTransport(fixture.url));
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    await client.close();
  });

  it("2026-07-28 versioning: modern only refuses `initialize`", async () => {
    await expect(connected("modern")).rejects.toThrow("2026-07-28");
  });
});

it("2024-11-05 HTTP with SSE: the old server serves a tool and a resource", async () => {
  const server = await startSseServer();
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(new SSEClientTransport(server.url));
  expect(server.streams()).toBe(1);
  expect(await call(client, "echo", { message: "hi" })).toEqual(text("Echo: hi"));
  expect((await client.readResource({ uri: "note://one" })).contents).toMatchObject([{ text: "A note." }]);
  expect((await fetch(server.url, { method: "POST" })).status).toBe(404);
  await client.close();
  await server.close();
});
