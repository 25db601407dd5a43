/** The tasks extension: ids that only their owner can use, on either endpoint. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  meta,
  modernUpstream,
  objectAt,
  requestEvents,
  responseEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let ids: string[];

const extension = "io.modelcontextprotocol/tasks";
const declared = { extensions: { [extension]: {} } };
const state = {
  status: "working",
  createdAt: "2026-11-21T00:00:00Z",
  lastUpdatedAt: "2026-11-21T00:00:00Z",
  ttlMs: null,
};
const link = { type: "resource_link", uri: "file:///a", name: "a" };

let got: JsonObject;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  ids = [await tenant.addServer("up"), await tenant.addServer("other")];
  ({ token } = await tenant.addClient(ids));
  got = {};
  for (const slug of ["up", "other"]) {
    harness.serve(
      `${slug}.upstream.test`,
      modernUpstream(({ message }) => {
        switch (message["method"]) {
          case "tools/list":
            return { tools: [] };
          case "tools/call":
            return { resultType: "task", taskId: `${slug}-task`, ...state };
          case "tasks/get":
            return { taskId: `${slug}-task`, ...state, ...got };
          default:
            return {};
        }
      }),
    );
  }
});

function send(
  path: string,
  method: string,
  params: JsonObject,
  more: { token?: string; capabilities?: JsonObject } = {},
) {
  const _meta = meta(more.capabilities ?? declared);
  return ask(harness, tenant.origin + path, method, { ...params, _meta }, { token: more.token ?? token });
}

async function start(path: string, name: string): Promise<string> {
  const { message } = await send(path, "tools/call", { name });
  const { taskId } = objectAt(message, "result");
  if (typeof taskId !== "string") throw new Error(JSON.stringify(message));
  return taskId;
}

describe.each([
  ["/mcp/up", "run"],
  ["/mcp", "up__run"],
])("a task on %s", (path, name) => {
  it("F3: is told to the client under a handle that hides its id", async () => {
    const answered = await send(path, "tools/call", { name });
    expect(answered.message["result"]).toMatchObject({ resultType: "task", ...state });
    expect(answered.text).not.toContain("up-task");
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "task" });
  });

  it("F3: is asked for by its handle, and answers with its handle", async () => {
    const taskId = await start(path, name);
    const { message } = await send(path, "tasks/get", { taskId });
    expect(message["result"]).toEqual({ resultType: "complete", taskId, ...state });
    const [seen] = sent(harness, "tasks/get");
    expect(seen?.headers.get("mcp-name")).toBe("up-task");
    expect(seen?.message["params"]).toMatchObject({ taskId: "up-task" });
    expect(requestEvents(harness).at(-1)?.target).toMatchObject({ server: "up", name: "up-task" });
  });

  it("F3: is updated and cancelled by its handle, with the server's empty answer", async () => {
    const taskId = await start(path, name);
    const inputResponses = { a: { action: "accept" } };
    expect((await send(path, "tasks/update", { taskId, inputResponses })).message["result"]).toEqual({
      resultType: "complete",
    });
    expect((await send(path, "tasks/cancel", { taskId })).message["result"]).toEqual({ resultType: "complete" });
    expect(sent(harness, "tasks/update")[0]?.message["params"]).toMatchObject({ taskId: "up-task", inputResponses });
    expect(sent(harness, "tasks/cancel")[0]?.message["params"]).toMatchObject({ taskId: "up-task" });
  });

  it("MC-28: does not ask for input that the client did not declare", async () => {
    const taskId = await start(path, name);
    got = { status: "input_required", inputRequests: { a: { method: "roots/list" } } };
    expect((await send(path, "tasks/get", { taskId })).message).toMatchObject({ error: { code: -32603 } });
    const { message } = await send(path, "tasks/get", { taskId }, { capabilities: { ...declared, roots: {} } });
    expect(message["result"]).toMatchObject(got);
  });

  it("F2: its result has the URIs of the endpoint", async () => {
    const taskId = await start(path, name);
    got = { status: "completed", result: { content: [link] } };
    const uri = path === "/mcp" ? "gatehouse://up/file:///a" : "file:///a";
    const { message } = await send(path, "tasks/get", { taskId });
    expect(message["result"]).toMatchObject({ taskId, result: { content: [{ ...link, uri }] } });
  });
});

describe("a task that is not the caller's", () => {
  let taskId: string;
  let before: number;
  beforeEach(async () => {
    taskId = await start("/mcp/up", "run");
    before = harness.seen.length;
  });

  const unknown = ({ status, message }: Asked, id: string): void => {
    expect({ status, message }).toEqual({
      status: 200,
      message: { jsonrpc: "2.0", id: 1, error: { code: -32602, message: `Unknown task: ${id}` } },
    });
    expect(harness.seen).toHaveLength(before);
    expect(requestEvents(harness).at(-1)?.decision).toMatchObject({ effect: "deny" });
  };

  it.each(["tasks/get", "tasks/update", "tasks/cancel"])("F3: %s by another principal: as unknown", async (method) => {
    const other = await tenant.addClient(ids);
    const params = { taskId, ...(method === "tasks/update" ? { inputResponses: {} } : {}) };
    unknown(await send("/mcp/up", method, params, { token: other.token }), taskId);
    unknown(await send("/mcp", method, params, { token: other.token }), taskId);
  });

  it.each(["up-task", "nobody's", "test.AAAA"])("F3: the id %s, which is no handle: as unknown", async (id) => {
    unknown(await send("/mcp/up", "tasks/get", { taskId: id }), id);
    unknown(await send("/mcp", "tasks/get", { taskId: id }), id);
  });

  it("F3: on the endpoint of another server: as unknown", async () => {
    unknown(await send("/mcp/other", "tasks/get", { taskId }), taskId);
  });

  it("F3: of a server that the principal may no longer use: as unknown", async () => {
    await tenant.api("PATCH", `/servers/${ids[0]}`, { enabled: false });
    unknown(await send("/mcp", "tasks/get", { taskId }), taskId);
  });

  it("MC-26: a state of a call is no handle of a task", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list" ? { tools: [] } : { resultType: "input_required", requestState: "s" },
      ),
    );
    const { message } = await send("/mcp/up", "tools/call", { name: "run" });
    const id = String(objectAt(message, "result")["requestState"]);
    before = harness.seen.length;
    unknown(await send("/mcp/up", "tasks/get", { taskId: id }), id);
  });
});

describe("a client that did not declare the extension", () => {
  it("F3: gets an error in place of a task", async () => {
    const answered = await send("/mcp/up", "tools/call", { name: "run" }, { capabilities: {} });
    expect(answered).toMatchObject({ status: 200, message: { id: 1, error: { code: -32603 } } });
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "task_undeclared" });
  });

  it.each(["tasks/get", "tasks/cancel"])("F3: gets -32021 for %s, and no upstream sees it", async (method) => {
    const answered = await send("/mcp/up", method, { taskId: "x" }, { capabilities: {} });
    expect(answered).toMatchObject({
      status: 400,
      message: { error: { code: -32021, data: { requiredCapabilities: { extensions: { [extension]: {} } } } } },
    });
    expect(harness.seen).toEqual([]);
  });
});

describe("what may not become a task", () => {
  it.each([
    ["prompts/get", { name: "p" }],
    ["resources/read", { uri: "file:///a" }],
  ] as const)("F3: %s", async (method, params) => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(() => ({ resultType: "task", taskId: "t", ...state })),
    );
    expect((await send("/mcp/up", method, params)).message).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("task_not_allowed");
  });

  it("F3: a result without an id", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools: [] } : { resultType: "task" })),
    );
    expect((await send("/mcp/up", "tools/call", { name: "run" })).message).toMatchObject({ error: { code: -32603 } });
  });
});
