/** `Mcp-Param-*`: what the client mirrors must be what it sends, and what the upstream gets is made from the body. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  modernUpstream,
  objectAt,
  responseEvents,
  result,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let tools: Json[];

const mirrored = (type: string, header: string): JsonObject => ({ type, "x-mcp-header": header });
const query = {
  name: "query",
  inputSchema: {
    type: "object",
    properties: {
      region: mirrored("string", "Region"),
      limit: mirrored("integer", "Limit"),
      dry: mirrored("boolean", "Dry"),
      nested: { type: "object", properties: { deep: mirrored("string", "Deep") } },
    },
  },
};

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  ({ token } = await tenant.addClient([await tenant.addServer("up")]));
  tools = [query, { name: "plain", inputSchema: { type: "object" } }];
  harness.serve(
    "up.upstream.test",
    modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools } : { content: [] })),
  );
});

function call(args: JsonObject, headers: Record<string, string>, path = "/mcp/up", name = "query"): Promise<Asked> {
  const params = { name, arguments: args };
  return ask(harness, tenant.origin + path, "tools/call", params, { token, headers });
}

const paramHeaders = (): Record<string, string> =>
  Object.fromEntries(
    [...(sent(harness, "tools/call").at(-1)?.headers ?? [])].filter(([name]) => name.startsWith("mcp-param-")),
  );

const good = { region: "eu-1", limit: 42, dry: false, nested: { deep: "x" } };
const goodHeaders = {
  "mcp-param-region": "eu-1",
  "mcp-param-limit": "42",
  "mcp-param-dry": "false",
  "mcp-param-deep": "x",
};

describe("headers that agree with the arguments", () => {
  it.each([
    ["/mcp/up", "query"],
    ["/mcp", "up__query"],
  ])("MC-18: on %s are passed on, made anew from the body", async (path, name) => {
    expect((await call(good, goodHeaders, path, name)).message).toMatchObject({ result: { content: [] } });
    expect(paramHeaders()).toEqual(goodHeaders);
  });

  it("MC-18: may write an integer with a fraction of zeros, and become canonical", async () => {
    expect((await call({ limit: 42 }, { "mcp-param-limit": "42.0" })).status).toBe(200);
    expect(paramHeaders()).toEqual({ "mcp-param-limit": "42" });
  });

  it("MC-18: may be encoded, and are encoded where they must be", async () => {
    const header = `=?base64?${new TextEncoder().encode("größe").toBase64()}?=`;
    expect((await call({ region: "größe" }, { "mcp-param-region": header })).status).toBe(200);
    expect(paramHeaders()).toEqual({ "mcp-param-region": header });
  });

  it("MC-18: are absent where the argument is", async () => {
    expect((await call({}, {})).status).toBe(200);
    expect(paramHeaders()).toEqual({});
  });

  it("MC-18: that no tool declares are forwarded as they are", async () => {
    await call({}, { "mcp-param-other": "=?base64?", "mcp-param-x": "1" }, "/mcp/up", "plain");
    expect(paramHeaders()).toEqual({ "mcp-param-other": "=?base64?", "mcp-param-x": "1" });
  });

  it("MC-18: the tools of a server are read once", async () => {
    await call(good, goodHeaders);
    await call(good, goodHeaders);
    expect(sent(harness, "tools/list")).toHaveLength(1);
  });

  it("F4: a legacy server gets none", async () => {
    harness.serve(
      "up.upstream.test",
      legacyUpstream({}, () => ({ content: [] })),
    );
    await call({}, { "mcp-param-x": "1" });
    expect(paramHeaders()).toEqual({});
  });
});

describe("headers that do not agree", () => {
  it.each([
    ["another value", good, { ...goodHeaders, "mcp-param-region": "us-1" }],
    ["another case of a boolean", good, { ...goodHeaders, "mcp-param-dry": "False" }],
    ["another number", good, { ...goodHeaders, "mcp-param-limit": "43" }],
    ["a missing header", { region: "eu-1" }, {}],
    ["a header without an argument", {}, { "mcp-param-region": "eu-1" }],
    ["a broken encoding", { region: "a" }, { "mcp-param-region": "=?base64?YQ?=" }],
    ["a value of the wrong type", { region: { a: 1 } }, { "mcp-param-region": "eu-1" }],
  ] as const)("MC-18: %s: -32020, and the upstream sees no call", async (_case, args, headers) => {
    const answered = await call(args as JsonObject, headers as Record<string, string>);
    expect(answered).toMatchObject({ status: 400, message: { id: 1, error: { code: -32020 } } });
    expect(sent(harness, "tools/call")).toEqual([]);
    expect(responseEvents(harness).at(-1)?.outcome).toMatchObject({ status: "error", reason: "param_header" });
  });

  it("MC-18: on the aggregate: the same", async () => {
    const answered = await call({ region: "eu-1" }, {}, "/mcp", "up__query");
    expect(answered).toMatchObject({ status: 400, message: { error: { code: -32020 } } });
    expect(sent(harness, "tools/call")).toEqual([]);
  });

  it("MC-18: more undeclared ones than the bound: refused, and the upstream sees no call", async () => {
    const headers = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`mcp-param-x${at}`, "1"]));
    expect((await call({}, headers, "/mcp/up", "plain")).status).toBe(400);
    expect(sent(harness, "tools/call")).toEqual([]);
  });
});

describe("an upstream that refuses the headers", () => {
  const mismatch = { error: { code: -32020, message: "Header mismatch" } };

  it("F4: its tools are read again, and the call, which did not run, is sent once more", async () => {
    let changed = false;
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message, headers }) => {
        if (message["method"] === "tools/list")
          return { tools: changed ? [query] : [{ ...query, inputSchema: { type: "object" } }] };
        changed = true;
        return headers.has("mcp-param-region") ? { content: [] } : result(message["id"] ?? null, mismatch, 400);
      }),
    );
    await call({ region: "eu-1" }, {}); // The client's own list is stale as well: it is told so.
    expect(sent(harness, "tools/call")).toHaveLength(1);
    expect((await call({ region: "eu-1" }, { "mcp-param-region": "eu-1" })).message).toMatchObject({
      result: { content: [] },
    });
    expect(sent(harness, "tools/list")).toHaveLength(2);
  });

  it("F4: a second time: an error of the hop, not of the client", async () => {
    harness.serve(
      "up.upstream.test",
      modernUpstream(({ message }) =>
        message["method"] === "tools/list" ? { tools: [] } : result(message["id"] ?? null, mismatch, 400),
      ),
    );
    const answered = await call({}, {});
    expect(answered).toMatchObject({ status: 200, message: { error: { code: -32603 } } });
    expect(sent(harness, "tools/call")).toHaveLength(2);
  });
});

describe("a tool whose annotation is not valid", () => {
  const bad: readonly (readonly [string, JsonObject])[] = [
    ["a line break", mirrored("string", "a\r\nX-Evil: 1")],
    ["no name", mirrored("string", "")],
    ["a type that no header carries", mirrored("number", "N")],
    ["a place below an array", { type: "array", items: mirrored("string", "A") }],
  ];

  it.each(bad)("MC-21: %s: it alone is left out of lists", async (_case, property) => {
    tools = [{ name: "bad", inputSchema: { properties: { a: property } } }, query];
    for (const path of ["/mcp", "/mcp/up"]) {
      const { message } = await ask(harness, tenant.origin + path, "tools/list", {}, { token });
      const names = (objectAt(message, "result")["tools"] as JsonObject[]).map(({ name }) => name);
      expect(names).toEqual([path === "/mcp" ? "up__query" : "query"]);
    }
  });

  it.each([
    ["/mcp/up", "bad"],
    ["/mcp", "up__bad"],
  ])("P5: on %s it cannot be called either", async (path, name) => {
    tools = [{ name: "bad", inputSchema: { properties: { a: mirrored("number", "N") } } }, query];
    const answered = await call({ a: 1 }, { "mcp-param-n": "1" }, path, name);
    expect(answered).toMatchObject({
      status: 200,
      message: { error: { code: -32602, message: `Unknown tool: ${name}` } },
    });
    expect(sent(harness, "tools/call")).toEqual([]);
  });
});
