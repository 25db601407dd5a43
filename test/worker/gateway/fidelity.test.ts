/** What the gateway must not change on the way, in both directions, and what it must not take along. */
import { beforeEach, describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/ports.ts";
import {
  ask,
  createHarness,
  meta,
  modernPost,
  modernUpstream,
  objectAt,
  read,
  sent,
  setUp,
  type Harness,
  type Seen,
  type Tenant,
} from "./support.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;

const host = "up.upstream.test";
const json = { "content-type": "application/json" };
const events = { "content-type": "text/event-stream" };

/** Answers `tools/call` with this response, and lists no tools. */
function callsAnswer(respond: (seen: Seen) => Response | JsonObject): void {
  harness.serve(
    host,
    modernUpstream((seen) => (seen.message["method"] === "tools/list" ? { tools: [] } : respond(seen))),
  );
}

beforeEach(async () => {
  harness = createHarness();
  tenant = await setUp(harness);
  await tenant.addServer("up");
  ({ token } = await tenant.addClient(["up"]));
});

/** A right `tools/call` whose body is exactly this text. */
function postText(path: string, body: string, name = "echo"): Promise<Response> {
  const { headers } = modernPost("tools/call", { name }, { token });
  return harness.fetch(tenant.origin + path, { method: "POST", headers: headers ?? {}, body });
}

describe("a request on its way to the upstream", () => {
  beforeEach(() => callsAnswer(() => ({ content: [] })));

  it("F2: is canonical and value-identical, with the unknown members of params", async () => {
    const body = `{ "params":{"x-vendor":{"deep":[1.0,null,"\\u00e9"]},"name":"echo","arguments":{"b":1e2,"a":"\\ud83d\\ude00","":0},"_meta":${JSON.stringify(
      meta({}, { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "com.example/x": [1] }),
    )}},"method":"tools/call", "id":"a-1","jsonrpc":"2.0"}`;
    const { text } = await read(await postText("/mcp/up", body));
    expect(JSON.parse(text)).toMatchObject({ id: "a-1", result: { content: [] } });
    const params = objectAt(JSON.parse(body) as JsonObject, "params");
    expect(sent(harness, "tools/call")[0]?.text).toBe(
      JSON.stringify({ jsonrpc: "2.0", id: "a-1", method: "tools/call", params }),
    );
  });

  it("MC-13: loses unknown members of the envelope", async () => {
    const params = JSON.stringify({ name: "echo", _meta: meta() });
    await postText("/mcp/up", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params},"extra":{"a":1}}`);
    expect(sent(harness, "tools/call")[0]?.text).toBe(
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`,
    );
  });

  it.each(['"Method":"tools/list"', '"PARAMS":{"name":"rm"}', '"paramſ":{"name":"rm"}'])(
    "MC-13: is refused with the lookalike member %s, and the upstream sees nothing",
    async (member) => {
      const params = JSON.stringify({ name: "echo", _meta: meta() });
      const answered = await read(
        await postText("/mcp/up", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params},${member}}`),
      );
      expect(answered).toMatchObject({ status: 400, message: { error: { code: -32600 } } });
      expect(harness.seen).toEqual([]);
    },
  );

  it("F2: takes no header of the caller's along", async () => {
    const { headers, ...init } = modernPost("tools/call", { name: "echo" }, { token });
    const foreign = {
      cookie: "session=1",
      "x-forwarded-for": "198.51.100.7",
      "cf-connecting-ip": "198.51.100.7",
      "mcp-session-id": "client-session",
      "last-event-id": "9",
      "x-api-key": "client-key",
      "user-agent": "client",
    };
    await harness.fetch(`${tenant.origin}/mcp/up`, { ...init, headers: { ...headers, ...foreign } });
    const [call] = sent(harness, "tools/call");
    expect([...(call?.headers ?? [])].map(([name]) => name).sort()).toEqual([
      "accept",
      "content-type",
      "mcp-method",
      "mcp-name",
      "mcp-protocol-version",
      "user-agent",
      "via",
    ]);
    expect(JSON.stringify([...(call?.headers ?? [])])).not.toMatch(/client|198\.51|Bearer/);
  });

  it("MC-33: has nothing to do with Last-Event-ID", async () => {
    const answered = await ask(
      harness,
      `${tenant.origin}/mcp/up`,
      "tools/call",
      { name: "echo" },
      {
        token,
        headers: { "last-event-id": "1", "mcp-session-id": "someone's" },
      },
    );
    expect(answered.status).toBe(200);
    expect(answered.headers.has("mcp-session-id")).toBe(false);
    expect(sent(harness, "tools/call")[0]?.headers.has("last-event-id")).toBe(false);
  });

  it("F5: carries the server's own name in body and header on the aggregate endpoint", async () => {
    await ask(harness, `${tenant.origin}/mcp`, "tools/call", { name: "up__echo" }, { token });
    const [call] = sent(harness, "tools/call");
    expect(call?.headers.get("mcp-name")).toBe("echo");
    expect(call?.message["params"]).toMatchObject({ name: "echo" });
  });

  it("F5: encodes a name that no header can carry", async () => {
    const name = "größe";
    const header = `=?base64?${new TextEncoder().encode(`up__${name}`).toBase64()}?=`;
    await ask(
      harness,
      `${tenant.origin}/mcp`,
      "tools/call",
      { name: `up__${name}` },
      {
        token,
        headers: { "mcp-name": header },
      },
    );
    const [call] = sent(harness, "tools/call");
    expect(call?.headers.get("mcp-name")).toBe(`=?base64?${new TextEncoder().encode(name).toBase64()}?=`);
    expect(call?.message["params"]).toMatchObject({ name });
  });
});

describe("an answer on its way to the client", () => {
  const odd = '{"content":[{"type":"text","text":"h\\u00e9"}],"x-unknown":{"n":1.0},"big":12345678901234567890}';
  const answer = `{"result" : ${odd.replace("{", '{"resultType":"complete",')},"id":1,"jsonrpc":"2.0"}`;

  it("F9: keeps its bytes on the aggregate endpoint where no name is in it", async () => {
    callsAnswer(() => new Response(answer, { headers: json }));
    const answered = await ask(harness, `${tenant.origin}/mcp`, "tools/call", { name: "up__echo" }, { token });
    expect(answered.text).toBe(answer);
  });

  it("F9: keeps every other value where a URI gets its prefix", async () => {
    const link = '{"type":"resource_link","uri":"file:///a","name":"a","x":1.50,"size":12345678901234567890}';
    callsAnswer(() => new Response(answer.replace('{"type":"text"', `${link},{"type":"text"`), { headers: json }));
    const answered = await ask(harness, `${tenant.origin}/mcp`, "tools/call", { name: "up__echo" }, { token });
    expect(answered.text).toContain('"uri":"gatehouse://up/file:///a"');
    expect(answered.text).toContain('"size":12345678901234567890');
    expect(answered.text).toContain('"big":12345678901234567890');
    expect(answered.message["result"]).toMatchObject({
      "x-unknown": { n: 1 },
      content: [{ name: "a" }, { text: "hé" }],
    });
  });

  it("F2: keeps the bytes of each message of a stream", async () => {
    const progress =
      '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1.0}}';
    callsAnswer(() => new Response(`: hi\n\nid: 7\ndata: ${progress}\n\ndata: ${answer}\n\n`, { headers: events }));
    const params = { name: "echo", _meta: meta({}, { progressToken: "t" }) };
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", params, { token });
    expect(answered.headers.get("content-type")).toBe("text/event-stream");
    expect(answered.headers.get("x-accel-buffering")).toBe("no");
    expect(answered.text).toBe(`data: ${progress}\n\ndata: ${answer}\n\n`);
  });

  it("F2: is one event even where the upstream broke its JSON into lines", async () => {
    callsAnswer(
      () => new Response(`data: {"jsonrpc":"2.0","id":1,\ndata: "result":{"content":[]}}\n\n`, { headers: events }),
    );
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "echo" }, { token });
    expect(answered.message).toEqual({ jsonrpc: "2.0", id: 1, result: { content: [] } });
  });

  it("F2: a tool result that is an error stays one, and is recorded as one", async () => {
    callsAnswer(() => ({ content: [{ type: "text", text: "no" }], isError: true }));
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "echo" }, { token });
    expect(answered.message["result"]).toMatchObject({ isError: true });
    expect(harness.events.at(-1)).toMatchObject({ type: "mcp.response", outcome: { status: "tool_error" } });
  });

  it("F2: an error of the server keeps its bytes", async () => {
    const error = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no \\u0061","data":{"n":1.0}}}';
    callsAnswer(() => new Response(error, { headers: json }));
    const answered = await ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "echo" }, { token });
    expect(answered.text).toBe(error);
    expect(answered.status).toBe(200);
  });

  const tool = {
    name: "echo",
    title: "Echo",
    icons: [{ src: "https://icons.example/e.png" }],
    annotations: { readOnlyHint: true, "x-hint": 1 },
    inputSchema: { type: "object", "x-vendor": { a: [1] } },
    outputSchema: { type: "object" },
    execution: { taskSupport: "optional" },
    "x-unknown": "kept",
    _meta: { "com.example/k": { v: 1 } },
  };

  it.each([
    ["/mcp/up", "echo"],
    ["/mcp", "up__echo"],
  ])("F2: a tool on %s keeps every member", async (path, name) => {
    harness.serve(
      host,
      modernUpstream(() => ({ tools: [tool], ttlMs: 1000, cacheScope: "private" })),
    );
    const answered = await ask(harness, tenant.origin + path, "tools/list", {}, { token });
    expect(answered.message["result"]).toMatchObject({ tools: [{ ...tool, name }] });
    expect(JSON.stringify(objectAt(answered.message, "result")["tools"])).toBe(JSON.stringify([{ ...tool, name }]));
  });

  it("F9: a tool's user interface has the URI by which the aggregate endpoint reads it", async () => {
    const _meta = { ui: { resourceUri: "ui://app", x: 1 }, "ui/resourceUri": "ui://app", other: "ui://app" };
    harness.serve(
      host,
      modernUpstream(() => ({ tools: [{ ...tool, _meta }] })),
    );
    const listed = async (path: string): Promise<unknown> => {
      const { message } = await ask(harness, tenant.origin + path, "tools/list", {}, { token });
      return objectAt((objectAt(message, "result")["tools"] as JsonObject[])[0], "_meta");
    };
    const prefixed = "ui://gatehouse/up/app";
    expect(await listed("/mcp/up")).toEqual(_meta);
    expect(await listed("/mcp")).toEqual({
      ui: { resourceUri: prefixed, x: 1 },
      "ui/resourceUri": prefixed,
      other: "ui://app",
    });
  });
});
