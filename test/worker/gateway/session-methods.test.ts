/** What only sessions have besides their stream: the log level, roots, and tasks of 2025-11-25. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  createHarness,
  eventually,
  freshKeys,
  modernUpstream,
  objectAt,
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
let ids: string[];
let token: string;

const related = "io.modelcontextprotocol/related-task";
const offered = { list: {}, cancel: {}, requests: { tools: { call: {} } } };
const capabilities = { tools: {}, logging: {}, tasks: offered };
const status = { status: "working", createdAt: "2026-01-01T00:00:00Z", ttl: 60_000 };

/** Gives tasks `{slug}-1`, `{slug}-2` on two pages, and answers what it is asked about them. */
function taskServer(slug: string): void {
  const task = (taskId: unknown): JsonObject => ({ taskId: String(taskId), ...status });
  const upstream = legacyUpstream({ sessions: ["s-1", "s-2", "s-3", "s-4"], capabilities }, ({ message }) => {
    const params = (message["params"] ?? {}) as JsonObject;
    switch (message["method"]) {
      case "tools/call":
        return params["task"] === undefined ? { content: [] } : { task: task(objectAt(params, "arguments")["id"]) };
      case "tasks/list":
        return params["cursor"] === undefined
          ? { tasks: [task(`${slug}-1`)], nextCursor: "more" }
          : { tasks: [task(`${slug}-2`)] };
      case "tasks/get":
      case "tasks/cancel":
        return task(params["taskId"]);
      case "tasks/result":
        return { content: [], taskId: "the tool's own", _meta: { [related]: { taskId: String(params["taskId"]) } } };
      default:
        return { tools: [] };
    }
  });
  harness.serve(`${slug}.upstream.test`, upstream);
}

beforeEach(async () => {
  harness = createHarness({ bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  ids = [await tenant.addServer("one"), await tenant.addServer("two")];
  ({ token } = await tenant.addClient(ids));
  for (const slug of ["one", "two"]) taskServer(slug);
});

/** The first session finds out what its servers speak, and has sessions with them by that; later ones have none at first. */
const findOut = (): Promise<LegacyClient> => begin();

const begin = (path = "/mcp", more: JsonObject = {}, as = token): Promise<LegacyClient> =>
  LegacyClient.begin(harness, tenant.origin + path, { token: as, capabilities: more });

const resultOf = ({ message }: { message: JsonObject }): JsonObject => objectAt(message, "result");
const errorCode = ({ message }: { message: JsonObject }): unknown => objectAt(message, "error")["code"];

describe("logging/setLevel", () => {
  const levels = (): unknown[] =>
    sent(harness, "logging/setLevel").map(({ message }) => objectAt(message, "params")["level"]);

  it("F3: reaches the servers that the session has reached, and those that it reaches later", async () => {
    await findOut();
    const client = await begin();
    await client.request("tools/call", { name: "one__run" });
    expect(resultOf(await client.request("logging/setLevel", { level: "warning" }))).toEqual({});
    expect(levels()).toEqual(["warning"]);
    await client.request("tools/call", { name: "two__run" });
    expect(levels()).toEqual(["warning", "warning"]);
  });

  it("F4: goes with each request to a server of 2026-07-28", async () => {
    ({ token } = await tenant.addClient([await tenant.addServer("new")]));
    harness.serve(
      "new.upstream.test",
      modernUpstream(() => ({ content: [], tools: [] })),
    );
    const client = await begin("/mcp/new");
    await client.request("logging/setLevel", { level: "debug" });
    await client.request("tools/call", { name: "run" });
    const { _meta: meta } = objectAt(sent(harness, "tools/call")[0]?.message, "params");
    expect(meta).toMatchObject({ "io.modelcontextprotocol/logLevel": "debug" });
  });

  it("MC-41: with a level that does not exist is refused, and no server sees it", async () => {
    const client = await begin();
    expect(errorCode(await client.request("logging/setLevel", { level: "loud" }))).toBe(-32602);
    expect(levels()).toEqual([]);
  });

  it("TN-05: is that of its own session", async () => {
    const client = await begin();
    await client.request("logging/setLevel", { level: "debug" });
    const before = levels();
    const other = await begin();
    await other.request("tools/call", { name: "one__run" });
    expect(levels()).toEqual(before);
  });
});

describe("roots", () => {
  it("F3: that changed are told to the servers of the session", async () => {
    await findOut();
    const client = await begin("/mcp", { roots: { listChanged: true } });
    await client.request("tools/call", { name: "one__run" });
    expect(await client.notify("notifications/roots/list_changed")).toBe(202);
    const told = await eventually(() => sent(harness, "notifications/roots/list_changed")[0]);
    expect(told.url).toContain("one.upstream.test");
    expect(sent(harness, "notifications/roots/list_changed")).toHaveLength(1);
  });
});

describe("roots that change again at once", () => {
  it("F3: are told twice: the first change and the last", async () => {
    await findOut();
    const client = await begin("/mcp", { roots: { listChanged: true } });
    await client.request("tools/call", { name: "one__run" });
    await Promise.all([1, 2, 3, 4].map(() => client.notify("notifications/roots/list_changed")));
    expect(sent(harness, "notifications/roots/list_changed")).toHaveLength(2);
  });
});

describe("a task", () => {
  const start = async (client: LegacyClient, id = "one-1"): Promise<string> => {
    const params = { name: `${id.slice(0, 3)}__run`, arguments: { id }, task: { ttl: 60_000 } };
    const started = await client.request("tools/call", params);
    return String(objectAt(resultOf(started), "task")["taskId"]);
  };
  const asked = (method: string): unknown[] =>
    sent(harness, method).map(({ message }: Seen) => objectAt(message, "params")["taskId"]);

  it("F3: is asked after, awaited and cancelled under one id, which the server knows as its own", async () => {
    const client = await begin();
    const taskId = await start(client);
    expect(responseEvents(harness).at(-1)?.outcome.status).toBe("task");
    expect(resultOf(await client.request("tasks/get", { taskId }))).toEqual({ taskId, ...status });
    expect(resultOf(await client.request("tasks/cancel", { taskId }))).toMatchObject({ taskId });
    const result = resultOf(await client.request("tasks/result", { taskId }));
    expect(result).toEqual({ content: [], taskId: "the tool's own", _meta: { [related]: { taskId } } });
    expect(["tasks/get", "tasks/cancel", "tasks/result"].flatMap(asked)).toEqual(["one-1", "one-1", "one-1"]);
  });

  it("F1: is listed with those of all servers, page after page, each once and none of somebody else", async () => {
    const client = await begin();
    for (const id of ["one-1", "one-2", "two-2"]) await start(client, id);
    await start(await begin(), "two-1");
    const found: unknown[] = [];
    let cursor: unknown;
    do {
      const params = cursor === undefined ? {} : { cursor: String(cursor) };
      const page = resultOf(await client.request("tasks/list", params));
      found.push(...(page["tasks"] as JsonObject[]).map(({ taskId }) => String(taskId).split("/").at(-1)));
      cursor = page["nextCursor"];
    } while (cursor !== undefined);
    expect(found).toEqual(["one-1", "one-2", "two-2"]);
  });

  it("F3: is declared to clients of 2025-11-25", async () => {
    const client = await begin();
    expect(objectAt(client.initialized?.message, "result")["capabilities"]).toMatchObject({ tasks: offered });
  });

  it("MC-26: of somebody else is unknown, on both endpoints", async () => {
    const taskId = await start(await begin());
    const thief = (await tenant.addClient(ids)).token;
    for (const path of ["/mcp", "/mcp/one"]) {
      const client = await begin(path, {}, thief);
      for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
        expect(errorCode(await client.request(method, { taskId }))).toBe(-32602);
      }
    }
    expect(asked("tasks/get")).toEqual([]);
    expect(requestEvents(harness).at(-1)?.decision).toMatchObject({ effect: "deny", reason: "unknown_name" });
  });

  it("MC-26: of another server is unknown on an endpoint", async () => {
    const taskId = await start(await begin());
    expect(errorCode(await (await begin("/mcp/two")).request("tasks/get", { taskId }))).toBe(-32602);
  });

  it("MC-39: list of somebody else does not go on under his cursor", async () => {
    const client = await begin();
    const page = resultOf(await client.request("tasks/list"));
    const thief = await begin("/mcp", {}, (await tenant.addClient(ids)).token);
    expect(errorCode(await thief.request("tasks/list", { cursor: String(page["nextCursor"]) }))).toBe(-32602);
  });

  it("F4: is not part of an earlier revision", async () => {
    const client = await LegacyClient.begin(harness, `${tenant.origin}/mcp`, { token, version: "2025-06-18" });
    expect(errorCode(await client.request("tasks/list"))).toBe(-32601);
  });
});
