import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registerServer } from "../../../scripts/lib/admin-api.ts";
import { bin } from "../../../scripts/lib/root.ts";
import type { Lines } from "../security/world.ts";
import { startGatehouse, type Gatehouse } from "../support/gatehouse.ts";
import { messagesOf, modernRequest } from "../support/modern-request.ts";
import { rawRequest, type RawAnswer } from "../support/raw-request.ts";
import { legacyServer, modernServer } from "../support/spy-servers.ts";
import { startSpyUpstream, type SpyUpstream } from "../support/spy-upstream.ts";
import { installedClients, type InstalledClient } from "./installed-clients.ts";

/** Longer than any client allows beside the prefix that it adds itself. */
const longName = `a_tool_with_a_very_long_name_${"x".repeat(90)}`;
const tools = [{ name: "echo" }, { name: longName }];
/** More than any server or gateway in the field puts on one page. */
const many = Array.from({ length: 500 }, (_, n) => ({ name: `tool_${n}` }));

interface World {
  readonly persist: string;
  readonly modern: SpyUpstream;
  readonly legacy: SpyUpstream;
  gatehouse: Gatehouse;
  readonly token: string;
}

let world: World;

const start = (persist: string, spies: readonly SpyUpstream[], earlier?: Gatehouse): Promise<Gatehouse> =>
  startGatehouse({
    persist,
    vars: {
      GATEHOUSE_EGRESS_ORIGINS: spies.map(({ url }) => url.origin).join(" "),
      ...(earlier === undefined ? {} : { GATEHOUSE_KEYS: earlier.keys }),
    },
    ...(earlier === undefined ? {} : { adminToken: earlier.adminToken }),
  });

beforeAll(async () => {
  const persist = await mkdtemp(join(tmpdir(), "gatehouse-quirks-"));
  const [modern, legacy] = await Promise.all([
    startSpyUpstream(modernServer({ tools })),
    startSpyUpstream(legacyServer({ tools: many, capabilities: { tools: { listChanged: true } } })),
  ]);
  const gatehouse = await start(persist, [modern, legacy]);
  await registerServer(gatehouse.api, { slug: "new", url: modern.url.href });
  await registerServer(gatehouse.api, { slug: "old", url: legacy.url.href });
  const { token } = await gatehouse.issueClientToken(["new", "old"]);
  world = { ...{ persist, modern, legacy, gatehouse, token } };
});
afterAll(async () => {
  await world.gatehouse.dispose();
  await Promise.all([world.modern.close(), world.legacy.close()]);
  await rm(world.persist, { recursive: true });
});

function send(method: string, lines: Lines, body?: unknown, target = "/mcp"): Promise<RawAnswer> {
  const { url } = world.gatehouse;
  return rawRequest(url, {
    ...{ method, target },
    headers: [["Host", `localhost:${url.port}`], ["Authorization", `Bearer ${world.token}`], ...lines],
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

/** What most clients send with each POST. */
const json: Lines = [
  ["content-type", "application/json"],
  ["accept", "application/json, text/event-stream"],
];
const opening = (version: string): Readonly<Record<string, unknown>> => ({
  protocolVersion: version,
  capabilities: {},
  clientInfo: { name: "quirk", version: "1.0.0" },
});
const request = (method: string, params?: unknown, id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params });
const post = (message: unknown, lines: Lines = json): Promise<RawAnswer> => send("POST", lines, message);

const lastOf = (answer: RawAnswer) => messagesOf(answer.header("content-type") ?? null, answer.body).at(-1);
const namesIn = (answer: RawAnswer): string[] =>
  ((lastOf(answer)?.result?.["tools"] ?? []) as { name: string }[]).map(({ name }) => name);
const called = { content: [{ type: "text", text: "echo" }] };
const echo = request("tools/call", { name: "new__echo", arguments: {} }, 3);

/** A session as of `version`: the lines that name it. */
async function open(version = "2025-11-25", lines = json): Promise<Lines> {
  const answer = await post(request("initialize", opening(version), 0), lines);
  expect(answer.status).toBe(200);
  return [["mcp-session-id", answer.header("mcp-session-id") ?? ""]];
}

/** Status and type of the stream that a session gets, which is then left. */
async function listen(lines: Lines): Promise<readonly [number, string | null]> {
  const leaving = new AbortController();
  const response = await fetch(new URL("/mcp", world.gatehouse.url), {
    headers: [["authorization", `Bearer ${world.token}`], ...lines].map(([name = "", value = ""]) => [name, value]),
    signal: leaving.signal,
  });
  leaving.abort();
  return [response.status, response.headers.get("content-type")];
}

describe.each(installedClients)("$name", (client: InstalledClient) => {
  it(`F4: ${client.name} opens a session, listens, lists, calls and leaves`, async () => {
    const [id, params] = client.opening;
    const begun = await post(request("initialize", params, id), client.post);
    expect([begun.status, lastOf(begun)?.id, lastOf(begun)?.result?.["protocolVersion"]]).toEqual([
      200,
      id,
      client.version,
    ]);
    const session: Lines = [
      ["mcp-session-id", begun.header("mcp-session-id") ?? ""],
      ...(client.namesVersion ? [["mcp-protocol-version", client.version] as const] : []),
    ];
    const lines = [...client.post, ...session];

    const told = await post({ method: "notifications/initialized", jsonrpc: "2.0" }, lines);
    expect([told.status, told.body]).toEqual([202, ""]);
    expect(await listen([...client.stream, ...session])).toEqual([200, "text/event-stream"]);
    expect(namesIn(await post(request("tools/list", client.listParams), lines))).toContain("new__echo");
    expect(lastOf(await post(echo, lines))).toMatchObject({ id: 3, result: called });
    expect((await send("DELETE", session)).status).toBe(204);
  });
});

describe("the program mcp-remote", () => {
  it("F4: takes a client on standard input to Gatehouse, with the token as a header", async () => {
    const { url } = world.gatehouse;
    const client = new Client({ name: "claude-ai", version: "0.1.0" });
    const transport = new StdioClientTransport({
      command: bin("node"),
      args: [bin("mcp-remote"), new URL("/mcp", url).href, "--header", `Authorization:Bearer ${world.token}`],
      env: { HOME: world.persist, MCP_REMOTE_CONFIG_DIR: join(world.persist, "mcp-remote") },
      stderr: "ignore",
    });
    await client.connect(transport);
    const { tools: listed } = await client.listTools();
    expect(listed).toHaveLength(tools.length + many.length);
    expect(await client.callTool({ name: "new__echo", arguments: {} })).toMatchObject(called);
    await client.close();
  });
});

describe("how a client says what it accepts", () => {
  it.each([
    ["nothing, as curl scripts with an emptied header do", undefined, "application/json"],
    ["anything, as OpenAI's connector and scripts do", "*/*", "application/json"],
    ["JSON only, as older Gemini CLIs do", "application/json", "application/json"],
    [
      "JSON and a type that does not exist, as Antigravity does",
      "application/json, application/mcp+json",
      "application/json",
    ],
    ["event streams only, as the Java SDK did", "text/event-stream", "text/event-stream"],
    ["both with weights", "application/json;q=0.9, text/event-stream;q=0.8", "application/json"],
    ["both in capitals", "APPLICATION/JSON, Text/Event-Stream", "application/json"],
    ["both as groups", "application/*, text/*", "application/json"],
  ])("F4: a client that accepts %s gets that", async (_name, accept, type) => {
    const lines: Lines = [
      ["content-type", "application/json"],
      ...(accept === undefined ? [] : [["accept", accept] as const]),
    ];
    const session = await open("2025-06-18", lines);
    const listed = await post(request("tools/list"), [...lines, ...session]);
    expect([listed.status, listed.header("content-type"), namesIn(listed).includes("new__echo")]).toEqual([
      200,
      type,
      true,
    ]);
    const told = await post({ jsonrpc: "2.0", method: "notifications/initialized" }, [...lines, ...session]);
    expect(told.status).toBe(202);
  });
  it.each(["text/html", "application/json;q=0, text/html"])(
    "MC-24: a client that accepts %s gets 406",
    async (accept) => {
      const answer = await post(request("initialize", opening("2025-11-25")), [
        ["content-type", "application/json"],
        ["accept", accept],
      ]);
      expect(answer.status).toBe(406);
    },
  );
  it.each(["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"])(
    "F4: content type %j is JSON",
    async (type) => {
      const lines: Lines = [
        ["content-type", type],
        ["accept", "application/json, text/event-stream"],
      ];
      expect(lastOf(await post(echo, [...lines, ...(await open("2025-11-25", lines))]))?.result).toEqual(called);
    },
  );
  it.each<[string, (name: string) => string]>([
    ["upper", (name) => name.toUpperCase()],
    ["lower", (name) => name.toLowerCase()],
    ["its own", (name) => name.replaceAll(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())],
  ])("RFC 9110 section 5.1: header names in %s case are the same", async (_name, change) => {
    const lines = [...json, ...(await open()), ["mcp-protocol-version", "2025-11-25"] as const];
    const answer = await post(
      echo,
      lines.map(([name, value]) => [change(name), value] as const),
    );
    expect(lastOf(answer)?.result).toEqual(called);
  });
});

describe("versions", () => {
  it.each(["2024-11-05", "2026-07-28", "2027-01-01", "1.0"])(
    "F4: a client that opens with %s, as Claude Code after server/discover and old libraries do, is offered 2025-11-25",
    async (version) => {
      const answer = await post(request("initialize", opening(version)));
      expect([answer.status, lastOf(answer)?.result?.["protocolVersion"]]).toEqual([200, "2025-11-25"]);
    },
  );
  it("F4: VS Code, which takes a 4xx for the old transport, gets the error of a malformed initialize with 200", async () => {
    const answer = await post(request("initialize", { protocolVersion: "2025-11-25" }, 7));
    expect([answer.status, lastOf(answer)]).toMatchObject([200, { id: 7, error: { code: -32_602 } }]);
    expect(answer.header("mcp-session-id")).toBeUndefined();
  });
  it("F4: Claude Code opens a session after a successful server/discover, on the same connection", async () => {
    const { headers, body } = modernRequest({ method: "server/discover" });
    const discovered = await send("POST", Object.entries(headers), body);
    expect(lastOf(discovered)?.result?.["supportedVersions"]).toContain("2026-07-28");
    expect(lastOf(await post(echo, [...json, ...(await open())]))?.result).toEqual(called);
  });
  it.each(["2025-03-26", "2025-06-18", "2025-11-25"])(
    "F4: VS Code and old mcp-remote never name the version: it is the session's, %s",
    async (version) => {
      expect(lastOf(await post(echo, [...json, ...(await open(version))]))?.result).toEqual(called);
    },
  );
  it("F4: Claude Code names its own version in a session of an older one", async () => {
    const lines: Lines = [...json, ...(await open("2025-06-18")), ["MCP-Protocol-Version", "2025-11-25"]];
    expect(lastOf(await post(echo, lines))?.result).toEqual(called);
  });
  it("transports, Protocol Version Header: a version without this transport gets 400", async () => {
    const answer = await post(echo, [...json, ...(await open()), ["mcp-protocol-version", "2024-11-05"]]);
    expect([answer.status, lastOf(answer)?.error?.message]).toEqual([400, expect.stringContaining("2025-11-25")]);
  });
  it.each(["", "c2Vzc2lvbg", "0e8a3c1e-6a5c-4d8e-9a5b-2f1d3c4b5a69"])(
    "F4: 2026-07-28 ignores a session id: %j",
    async (id) => {
      const { headers, body } = modernRequest({ method: "tools/call", params: { name: "new__echo", arguments: {} } });
      const answer = await send("POST", [...Object.entries(headers), ["mcp-session-id", id]], body);
      expect([answer.status, lastOf(answer)?.result]).toMatchObject([200, called]);
      expect(answer.header("mcp-session-id")).toBeUndefined();
    },
  );
});

describe("sessions", () => {
  it("F7: Claude Code, which never opens a second session, works on after Gatehouse was restarted", async () => {
    const session = await open();
    expect(lastOf(await post(echo, [...json, ...session]))?.result).toEqual(called);
    const earlier = world.gatehouse;
    await earlier.dispose();
    world.gatehouse = await start(world.persist, [world.modern, world.legacy], earlier);
    expect(lastOf(await post(echo, [...json, ...session]))?.result).toEqual(called);
  });
  it("F7: opencode and others send a stale id with initialize: they get a new session", async () => {
    const stale: Lines = [["Mcp-Session-Id", "0e8a3c1e-6a5c-4d8e-9a5b-2f1d3c4b5a69"]];
    const fresh = await open("2025-11-25", [...json, ...stale]);
    expect(lastOf(await post(echo, [...json, ...fresh]))?.result).toEqual(called);
  });
  it("F7: a stale id gets 404, the sign for clients to open a new session, also with GET and DELETE", async () => {
    const stale: Lines = [["Mcp-Session-Id", "0e8a3c1e-6a5c-4d8e-9a5b-2f1d3c4b5a69"]];
    const answers = await Promise.all([
      post(echo, [...json, ...stale]),
      send("GET", [["accept", "text/event-stream"], ...stale]),
      send("DELETE", stale),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(lastOf(answers[0])?.error?.code).toBe(-32_001);
  });
  it.each<[string, Lines]>([
    ["no session id", []],
    ["an empty one", [["Mcp-Session-Id", ""]]],
  ])("F7: a request with %s gets 400 and the way out", async (_name, lines) => {
    const answer = await post(echo, [...json, ...lines]);
    expect([answer.status, lastOf(answer)?.error?.message]).toEqual([400, expect.stringContaining("initialize")]);
  });
  it("F7: an empty session id with initialize is none", async () => {
    const session = await open("2025-11-25", [...json, ["Mcp-Session-Id", ""]]);
    expect(lastOf(await post(echo, [...json, ...session]))?.result).toEqual(called);
  });
  it("F7: a client that deletes its session twice gets 204, then 404", async () => {
    const session = await open();
    const statuses = [];
    for (let turn = 0; turn < 2; turn++) statuses.push((await send("DELETE", session)).status);
    expect([...statuses, (await post(echo, [...json, ...session])).status]).toEqual([204, 404, 404]);
  });
  it.each<[string, Lines]>([
    ["as mcp-remote does to see whether it must sign in", [["Accept", "application/json, text/event-stream"]]],
    ["as clients of the old transport do", [["Accept", "text/event-stream"]]],
    [
      "with an empty session id",
      [
        ["Accept", "text/event-stream"],
        ["Mcp-Session-Id", ""],
      ],
    ],
    [
      "of 2026-07-28",
      [
        ["Accept", "text/event-stream"],
        ["MCP-Protocol-Version", "2026-07-28"],
      ],
    ],
  ])("F7: GET before any session, %s, gets 405", async (_name, lines) => {
    const answer = await send("GET", lines);
    expect([answer.status, answer.header("allow")]).toEqual([405, "POST"]);
  });
  it("F4: Claude Desktop lists before its notifications/initialized is there", async () => {
    const session = await open();
    const [told, listed] = await Promise.all([
      post({ jsonrpc: "2.0", method: "notifications/initialized" }, [...json, ...session]),
      post(request("tools/list"), [...json, ...session]),
    ]);
    expect([told.status, namesIn(listed).includes("new__echo")]).toEqual([202, true]);
  });
  it("F4: an old mistral.rs never sends notifications/initialized", async () => {
    expect(lastOf(await post(echo, [...json, ...(await open())]))?.result).toEqual(called);
  });
});

describe("messages", () => {
  it.each<[string, string]>([
    ["no params", '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'],
    ["empty params", '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}'],
    ["empty _meta", '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{}}}'],
    ["members in another order", '{"method":"tools/list","params":{},"jsonrpc":"2.0","id":1}'],
    ["line breaks around it", '\r\n {"jsonrpc":"2.0","id":1,"method":"tools/list"}\n'],
  ])("F4: a list with %s is a list", async (_name, body) => {
    expect(namesIn(await post(body, [...json, ...(await open())]))).toContain("new__echo");
  });
  it("MC-08: params that are null, as an old mcp.el sends, are an error with the id", async () => {
    const body = '{"jsonrpc":"2.0","id":9,"method":"tools/list","params":null}';
    expect(lastOf(await post(body, [...json, ...(await open())]))).toMatchObject({ id: 9, error: { code: -32_602 } });
  });
  it("F4: ids that clients use come back as they were: 0, negative, text, UUID", async () => {
    const session = await open();
    const ids = [0, -1, "", "a", "0e8a3c1e-6a5c-4d8e-9a5b-2f1d3c4b5a69"];
    const answers = await Promise.all(ids.map((id) => post(request("ping", undefined, id), [...json, ...session])));
    expect(answers.map((answer) => lastOf(answer)?.id)).toEqual(ids);
  });
  it("F4: the address with a slash at its end is no endpoint, and no redirect that would cost the credential", async () => {
    const answer = await send("POST", json, request("initialize", opening("2025-11-25")), "/mcp/");
    expect([answer.status, answer.header("location")]).toEqual([404, undefined]);
  });
});

describe("lists", () => {
  it("F4: Claude Code, Codex and Copilot read one page only: it has everything", async () => {
    const listed = await post(request("tools/list"), [...json, ...(await open())]);
    expect(namesIn(listed)).toHaveLength(tools.length + many.length);
    expect(lastOf(listed)?.result).not.toHaveProperty("nextCursor");
  });
  it("F4: no name is over the 64 of Claude and the 60 of Cursor with the prefix that these add, and each can be called", async () => {
    const lines = [...json, ...(await open())];
    const names = namesIn(await post(request("tools/list"), lines));
    expect(names.filter((name) => `mcp__gatehouse__${name}`.length > 64 || name.length > 48)).toEqual([]);
    const [short = ""] = names.filter((name) => name.startsWith("new__a_tool"));
    const answer = await post(request("tools/call", { name: short, arguments: {} }), lines);
    expect(lastOf(answer)?.result).toEqual({ content: [{ type: "text", text: longName }] });
  });
});
