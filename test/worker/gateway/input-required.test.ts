/** What a server may ask of the client in the middle of a request, and where it may not ask at all. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  meta,
  modernUpstream,
  responseEvents,
  setUp,
  sse,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  ({ token } = await tenant.addClient([await tenant.addServer("up")]));
});

function serve(answer: JsonObject): void {
  harness.serve(
    "up.upstream.test",
    modernUpstream(({ message }) =>
      message["method"] === "tools/list" && "content" in answer ? { tools: [] } : answer,
    ),
  );
}

const send = (capabilities: JsonObject, method = "tools/call", params: JsonObject = { name: "run" }): Promise<Asked> =>
  ask(harness, `${tenant.origin}/mcp/up`, method, { ...params, _meta: meta(capabilities) }, { token });

const request = (method: string, params: JsonObject = {}): JsonObject => ({ method, params });
const asks = (one: JsonObject): JsonObject => ({
  content: [],
  resultType: "input_required",
  inputRequests: { one },
  requestState: "s",
});

describe("a request for input", () => {
  it.each([
    ["a form", { elicitation: {} }, request("elicitation/create", { message: "?", requestedSchema: {} })],
    ["a form, declared by its mode", { elicitation: { form: {} } }, request("elicitation/create", { mode: "form" })],
    ["a URL", { elicitation: { url: {} } }, request("elicitation/create", { mode: "url", url: "https://a.test/" })],
    ["sampling", { sampling: {} }, request("sampling/createMessage", { messages: [] })],
    ["sampling with tools", { sampling: { tools: {} } }, request("sampling/createMessage", { tools: [] })],
    ["roots", { roots: {} }, request("roots/list")],
  ] as const)("F3: for %s that the client declared is passed on", async (_case, capabilities, one) => {
    serve(asks(one));
    const { message } = await send(capabilities);
    expect(message["result"]).toMatchObject({ resultType: "input_required", inputRequests: { one } });
  });

  it.each([
    ["a form", {}, request("elicitation/create")],
    ["a form, where only URLs were declared", { elicitation: { url: {} } }, request("elicitation/create")],
    ["a URL, where only forms were declared", { elicitation: {} }, request("elicitation/create", { mode: "url" })],
    ["an unknown mode", { elicitation: { form: {}, url: {} } }, request("elicitation/create", { mode: "x" })],
    ["sampling", { elicitation: {} }, request("sampling/createMessage")],
    ["sampling with tools", { sampling: {} }, request("sampling/createMessage", { tools: [] })],
    ["roots", { sampling: {} }, request("roots/list")],
    ["something unknown", { elicitation: {}, sampling: {}, roots: {} }, request("files/delete")],
  ] as const)("MC-28: for %s is not passed on", async (_case, capabilities, one) => {
    serve(asks({ ...one, params: { marker: "canary-input", ...(one["params"] as JsonObject) } }));
    const answered = await send(capabilities);
    expect(answered).toMatchObject({ status: 200, message: { id: 1, error: { code: -32603 } } });
    expect(answered.text).not.toContain("canary-input");
    expect(answered.message["result"]).toBeUndefined();
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "error", reason: "undeclared_input" });
  });

  it("MC-28: one undeclared request keeps back the declared ones beside it", async () => {
    serve({
      ...asks(request("roots/list")),
      inputRequests: { a: request("roots/list"), b: request("sampling/createMessage") },
    });
    expect((await send({ roots: {} })).message).toMatchObject({ error: { code: -32603 } });
  });

  it("F3: without a state is passed on, and without requests as well", async () => {
    serve({ content: [], resultType: "input_required", inputRequests: { one: request("roots/list") } });
    expect((await send({ roots: {} })).message["result"]).toMatchObject({
      inputRequests: { one: { method: "roots/list" } },
    });
    serve({ content: [], resultType: "input_required", requestState: "s" });
    expect((await send({})).message["result"]).toMatchObject({ requestState: expect.stringMatching(/^test\./) });
  });

  it("F3: with neither is not valid", async () => {
    serve({ content: [], resultType: "input_required" });
    expect((await send({})).message).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("input_required_empty");
  });

  it("F3: comes after notifications as well", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list"
          ? { tools: [] }
          : sse(
              { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "t", progress: 1 } },
              { jsonrpc: "2.0", id: message["id"] ?? null, result: asks(request("roots/list")) },
            ),
      ),
    );
    const params = { name: "run", _meta: meta({ roots: {} }, { progressToken: "t" }) };
    const { messages } = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", params, { token });
    expect(messages).toHaveLength(2);
    expect(messages[1]?.["result"]).toMatchObject({ requestState: expect.stringMatching(/^test\./) });
  });
});

describe("what may not ask", () => {
  it.each([
    ["tools/list", {}],
    ["prompts/list", {}],
    ["resources/list", {}],
    ["resources/templates/list", {}],
    ["completion/complete", { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "" } }],
  ] as const)("F3: %s: the request for input is not passed on", async (method, params) => {
    serve({ resultType: "input_required", inputRequests: { one: request("roots/list") } });
    const { message } = await send({ roots: {} }, method, params as unknown as JsonObject);
    expect(message).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("input_required_not_allowed");
  });

  it("F6: a list of the aggregate leaves such a server out and names it", async () => {
    serve({ resultType: "input_required", inputRequests: { one: request("roots/list") } });
    const { message } = await ask(harness, `${tenant.origin}/mcp`, "tools/list", {}, { token });
    expect(message["result"]).toMatchObject({ tools: [], _meta: { "gatehouse/upstreams": { up: "list_result" } } });
  });

  it("F3: a result of a type that nobody knows is not valid", async () => {
    serve({ content: [], resultType: "surprise" });
    expect((await send({})).message).toMatchObject({ error: { code: -32603 } });
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("result_type");
  });

  it("F3: a result without a type is complete", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        Response.json({ jsonrpc: "2.0", id: message["id"], result: { content: [], tools: [] } }),
      ),
    );
    expect((await send({})).message).toEqual({ jsonrpc: "2.0", id: 1, result: { content: [], tools: [] } });
  });
});
