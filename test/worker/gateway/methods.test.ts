/** Every method of the modern era on both endpoints, in front of servers of each era. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream, type LegacyOptions } from "./legacy-upstream.ts";
import {
  ask,
  calls,
  createHarness,
  meta,
  modernUpstream,
  objectAt,
  sent,
  setUp,
  sse,
  type Harness,
  type Seen,
  type Tenant,
  type Upstream,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

const host = "up.upstream.test";

/** What the scripted server has, by its own names. */
const results: Readonly<Record<string, JsonObject>> = {
  "tools/list": { tools: [{ name: "echo", inputSchema: { type: "object" } }] },
  "tools/call": { content: [{ type: "text", text: "said" }] },
  "prompts/list": { prompts: [{ name: "greet" }] },
  "prompts/get": { messages: [{ role: "user", content: { type: "text", text: "hello" } }] },
  "resources/list": { resources: [{ uri: "file:///a", name: "a" }] },
  "resources/templates/list": { resourceTemplates: [{ uriTemplate: "file:///{path}", name: "files" }] },
  "resources/read": { contents: [{ uri: "file:///a", text: "A" }] },
  "completion/complete": { completion: { values: ["one", "two"] } },
};

const answer = ({ message }: Seen): JsonObject => results[String(message["method"])] ?? {};

const eras: readonly (readonly [string, Upstream])[] = [
  ["2026-07-28", modernUpstream(answer)],
  ...(
    [
      { version: "2025-03-26" },
      { version: "2025-06-18" },
      { version: "2025-11-25", sessions: ["session-1"], stream: true },
    ] satisfies LegacyOptions[]
  ).map(
    (options) =>
      [
        options.version,
        legacyUpstream(
          { capabilities: { tools: {}, prompts: {}, resources: {}, completions: {} }, ...options },
          answer,
        ),
      ] as const,
  ),
];

const ref = { type: "ref/prompt", name: "greet" };
const template = { type: "ref/resource", uri: "file:///{path}" };
const argument = { name: "path", value: "o" };

/** Method; params on `/mcp/up`, which are those that the server must see; params on `/mcp`; the answer there. */
const requests: readonly (readonly [string, JsonObject, JsonObject, JsonObject])[] = [
  ["tools/list", {}, {}, { tools: [{ name: "up__echo", inputSchema: { type: "object" } }] }],
  [
    "tools/call",
    { name: "echo", arguments: { text: "hi" } },
    { name: "up__echo", arguments: { text: "hi" } },
    results["tools/call"] ?? {},
  ],
  ["prompts/list", {}, {}, { prompts: [{ name: "up__greet" }] }],
  [
    "prompts/get",
    { name: "greet", arguments: { who: "you" } },
    { name: "up__greet", arguments: { who: "you" } },
    results["prompts/get"] ?? {},
  ],
  ["resources/list", {}, {}, { resources: [{ uri: "gatehouse://up/file:///a", name: "a" }] }],
  [
    "resources/templates/list",
    {},
    {},
    { resourceTemplates: [{ uriTemplate: "gatehouse://up/file:///{path}", name: "files" }] },
  ],
  [
    "resources/read",
    { uri: "file:///a" },
    { uri: "gatehouse://up/file:///a" },
    { contents: [{ uri: "gatehouse://up/file:///a", text: "A" }] },
  ],
  [
    "completion/complete",
    { ref, argument, context: { arguments: { other: "x" } } },
    { ref: { ...ref, name: "up__greet" }, argument, context: { arguments: { other: "x" } } },
    results["completion/complete"] ?? {},
  ],
  [
    "completion/complete",
    { ref: template, argument },
    { ref: { ...template, uri: "gatehouse://up/file:///{path}" }, argument },
    results["completion/complete"] ?? {},
  ],
];

async function start(): Promise<void> {
  harness = createHarness();
  tenant = await setUp(harness);
  ({ token } = await tenant.addClient([await tenant.addServer("up")]));
}

describe.each(eras)("F3: with a server of %s", (_version, upstream) => {
  beforeAll(async () => {
    await start();
    harness.serve(host, upstream);
  });

  it.each(requests)("%s is relayed on the transparent endpoint", async (method, params) => {
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, method, params, { token });
    expect(answered.status).toBe(200);
    expect(answered.message["result"]).toMatchObject({ resultType: "complete", ...results[method] });
    const { _meta: _, ...seen } = objectAt(sent(harness, method).at(-1)?.message, "params");
    expect(seen).toEqual(params);
  });

  it.each(requests)("%s is relayed on the aggregate endpoint", async (method, single, aggregate, expected) => {
    const answered = await ask(harness, `${tenant.origin}/mcp`, method, aggregate, { token });
    expect(answered.status).toBe(200);
    expect(answered.message["result"]).toMatchObject({ resultType: "complete", ...expected });
    const { _meta: _, ...seen } = objectAt(sent(harness, method).at(-1)?.message, "params");
    expect(seen).toEqual(single);
  });

  it("a method that does not exist is 404 with -32601, and the upstream sees nothing", async () => {
    const before = harness.seen.length;
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "logging/setLevel", { level: "info" }, { token });
    expect(answered.status).toBe(404);
    expect(answered.message).toMatchObject({ id: 1, error: { code: -32601 } });
    expect(harness.seen).toHaveLength(before);
  });
});

describe("F3: what the caller says about the request", () => {
  beforeEach(start);

  const progress = (progressToken: unknown): JsonObject => ({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken: progressToken as string, progress: 1, total: 2 },
  });
  const log = (level: string): JsonObject => ({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level, data: `at ${level}` },
  });
  const tokenOf = ({ message }: Seen): unknown => objectAt(objectAt(message, "params"), "_meta")["progressToken"];
  const final = ({ message }: Seen): JsonObject => ({
    jsonrpc: "2.0",
    id: message["id"] ?? null,
    result: { content: [], resultType: "complete" },
  });
  const echo = (more: JsonObject): JsonObject => ({ name: "echo", _meta: meta({}, more) });

  it("progress of a modern server arrives under the caller's token", async () => {
    harness.serve(
      host,
      modernUpstream((seen) =>
        seen.message["method"] === "tools/list" ? { tools: [] } : sse(progress(tokenOf(seen)), final(seen)),
      ),
    );
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo({ progressToken: "mine" }), {
      token,
    });
    expect(answered.messages).toEqual([
      progress("mine"),
      { jsonrpc: "2.0", id: 1, result: { content: [], resultType: "complete" } },
    ]);
  });

  it("MC-37: progress of a legacy server is mapped from a token of its own to the caller's", async () => {
    harness.serve(
      host,
      legacyUpstream({ stream: true }, (seen) => [progress(tokenOf(seen)), final(seen)]),
    );
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo({ progressToken: 7 }), { token });
    expect(answered.messages[0]).toEqual(progress(7));
    const [call] = sent(harness, "tools/call");
    expect(call && tokenOf(call)).not.toBe(7);
  });

  it("progress under a foreign token is dropped", async () => {
    harness.serve(
      host,
      legacyUpstream({ stream: true }, (seen) => [progress("someone-else"), final(seen)]),
    );
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo({ progressToken: 7 }), { token });
    expect(answered.text).not.toContain("someone-else");
    expect(answered.message).toMatchObject({ result: { content: [] } });
  });

  it("log messages of a modern server pass when a level was asked for", async () => {
    harness.serve(
      host,
      modernUpstream((seen) =>
        seen.message["method"] === "tools/list" ? { tools: [] } : sse(log("info"), final(seen)),
      ),
    );
    const level = { "io.modelcontextprotocol/logLevel": "info" };
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo(level), { token });
    expect(answered.messages[0]).toEqual(log("info"));
  });

  it("log messages are dropped when no level was asked for", async () => {
    harness.serve(
      host,
      modernUpstream((seen) =>
        seen.message["method"] === "tools/list" ? { tools: [] } : sse(log("info"), final(seen)),
      ),
    );
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo({}), { token });
    expect(answered.text).not.toContain("notifications/message");
    expect(answered.message).toMatchObject({ result: { content: [] } });
  });

  it("the level is set once in a legacy session, and lower messages are dropped", async () => {
    harness.serve(
      host,
      legacyUpstream({ stream: true, sessions: ["s"] }, (seen) => [log("debug"), log("warning"), final(seen)]),
    );
    const level = { "io.modelcontextprotocol/logLevel": "warning" };
    await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo(level), { token });
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", echo(level), { token });
    expect(answered.messages.slice(0, -1)).toEqual([log("warning")]);
    expect(sent(harness, "logging/setLevel").map(({ message }) => message["params"])).toEqual([{ level: "warning" }]);
    expect(objectAt(sent(harness, "tools/call")[0]?.message, "params")).toEqual({ name: "echo" });
  });

  it("MC-41: what was removed in 2026-07-28 is -32601, and the upstream sees nothing", async () => {
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "ping", {}, { token });
    expect(answered).toMatchObject({ status: 404, message: { error: { code: -32601 } } });
    expect(calls(harness)).toEqual([]);
  });
});
