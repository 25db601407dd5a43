import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  sent,
  createHarness,
  meta,
  modernPost,
  modernUpstream,
  responseEvents,
  setUp,
  type Harness,
  type Seen,
  type Tenant,
} from "../gateway/support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  await tenant.addServer("up");
  ({ token } = await tenant.addClient(["up"]));
});

const json = (text: string, status = 200): Response =>
  new Response(text, { status, headers: { "content-type": "application/json" } });

/** A server whose tools answer with this text. */
function answers(text: string, status = 200): void {
  harness.serve(
    "up.upstream.test",
    modernUpstream((seen: Seen) => (seen.message["method"] === "tools/call" ? json(text, status) : { tools: [] })),
  );
}

const call = (capabilities: JsonObject = {}, headers: Record<string, string> = {}) =>
  harness.fetch(
    `${tenant.origin}/mcp/up`,
    modernPost("tools/call", { name: "echo", _meta: meta(capabilities) }, { token, headers }),
  );

describe("an answer that two readers could take for two", () => {
  it.each([
    [
      "a result type that stands twice",
      '{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","resultType":"complete"}}',
    ],
    [
      "a cache scope that stands twice",
      '{"jsonrpc":"2.0","id":1,"result":{"cacheScope":"public","cacheScope":"private"}}',
    ],
    [
      "a result type in another case",
      '{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","ResultType":"task"}}',
    ],
    ["a result in another case", '{"jsonrpc":"2.0","id":1,"result":{},"Result":{"content":[]}}'],
    [
      "an escaped name",
      '{"jsonrpc":"2.0","id":1,"result":{"result\\u0054ype":"input_required","resultType":"complete"}}',
    ],
    ["no result type but null", '{"jsonrpc":"2.0","id":1,"result":{"resultType":null,"content":[]}}'],
    ["a state that is no text", '{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":7}}'],
  ])("MC-13: is refused: %s", async (_what, text) => {
    answers(text);
    expect(await (await call()).json()).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome.status).toBe("error");
  });

  it("F2: a result comes with status 200, whatever the upstream gave", async () => {
    answers('{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}', 404);
    expect((await call()).status).toBe(200);
  });

  it("AU-02: an error code that no event could hold is no answer, so its outcome is recorded", async () => {
    answers('{"jsonrpc":"2.0","id":1,"error":{"code":1e20,"message":"x"}}');
    expect(await (await call()).json()).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome).toMatchObject({ status: "error" });
  });

  it("MC-28: a new task that asks for what the client did not declare is not passed on", async () => {
    const task = { resultType: "task", taskId: "t", status: "input_required" };
    const inputRequests = { a: { method: "elicitation/create", params: { mode: "url", url: "https://x.test" } } };
    answers(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { ...task, inputRequests } }));
    const response = await call({ extensions: { "io.modelcontextprotocol/tasks": {} } });
    expect(await response.text()).not.toContain("https://x.test");
  });
});

describe("tools that cannot be read", () => {
  const region = { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } };

  it("MC-18: a header that cannot be compared with the body is not passed on", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list" ? new Response(null, { status: 503 }) : { content: [] },
      ),
    );
    const response = await call({}, { "mcp-param-region": "eu" });
    expect(await response.json()).toMatchObject({ error: { code: -32603 } });
    expect(sent(harness, "tools/call")).toEqual([]);
  });

  it("MC-18: nor is one for a tool past the bound of the list", async () => {
    let page = 0;
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list"
          ? { tools: [{ name: `t${page}`, inputSchema: region }], nextCursor: String(++page) }
          : { content: [] },
      ),
    );
    const response = await call({}, { "mcp-param-region": "eu" });
    expect(await response.json()).toMatchObject({ error: { code: -32603 } });
    expect(sent(harness, "tools/call")).toEqual([]);
  });
});

describe("an upstream that says too much", () => {
  it("RX-14: pages are read until their sum is too large", async () => {
    const description = "x".repeat(100_000);
    let asked = 0;
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) => {
        if (message["method"] !== "tools/list") return {};
        asked++;
        const tools = Array.from({ length: 40 }, (_, at) => ({
          name: `t${asked}-${at}`,
          description,
          inputSchema: {},
        }));
        return { tools, nextCursor: String(asked) };
      }),
    );
    const listed = await ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token });
    expect(listed.message).toMatchObject({ result: { _meta: { "gatehouse/upstreams": { up: "truncated" } } } });
    expect(asked).toBeLessThanOrEqual(Math.ceil(limits.listAll_chars / (40 * description.length)) + 1);
  });

  it("RX-14: what it declares of itself is cut to what is used", async () => {
    harness.serve("up.upstream.test", ({ message }) =>
      Response.json({
        jsonrpc: "2.0",
        id: message["id"] ?? null,
        result: {
          resultType: "complete",
          supportedVersions: ["2026-07-28"],
          capabilities: { tools: { padding: "x".repeat(100_000) }, prompts: {}, unheard: {} },
          instructions: "y".repeat(100_000),
        },
      }),
    );
    const { message } = await ask(harness, `${tenant.origin}/mcp/up`, "server/discover", {}, { token });
    const { capabilities, instructions } = (message as { result: { capabilities: JsonObject; instructions: string } })
      .result;
    expect(capabilities).toEqual({ tools: {}, prompts: {} });
    expect(instructions).toHaveLength(limits.declaration_chars);
  });
});
