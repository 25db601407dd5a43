/** A server that people use with accounts of their own, before and after somebody has one: what each kind of client is told. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { Clock, JsonObject } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { connectFields } from "../portal/connect-support.ts";
import {
  createHarness,
  eventsOf,
  meta,
  modernPost,
  modernUpstream,
  objectAt,
  responseEvents,
  sent,
} from "./support.ts";
import type { Harness } from "./support.ts";

const origin = "http://localhost:8911";
const key = "key-of-the-developer";
const opensUrls = { elicitation: { url: {} } };
let harness: Harness;
let slept_ms: number[] = [];
let whileAsleep: () => Promise<void> = () => Promise.resolve();
let tenant: string;
/** What the server refuses; nothing by default. */
let refused = new Set<string>();

beforeEach(async () => {
  refused = new Set();
  tenant = `link-${crypto.randomUUID().slice(0, 8)}`;
  slept_ms = [];
  whileAsleep = () => Promise.resolve();
  // It stands still but for what is slept, so that a busy machine changes no sum.
  const begun_at = systemPorts.clock.now();
  let ahead_ms = 0;
  const clock: Clock = {
    now: () => begun_at + ahead_ms,
    async sleep(duration_ms, signal) {
      // Only what waits for the person; deadlines stay deadlines.
      if (duration_ms !== limits.linkPoll_ms) return systemPorts.clock.sleep(duration_ms, signal);
      slept_ms.push(duration_ms);
      ahead_ms += duration_ms;
      const run = whileAsleep;
      whileAsleep = () => Promise.resolve();
      await run();
    },
  };
  harness = createHarness({
    ports: { clock },
    bindings: { GATEHOUSE_MODE: "development", GATEHOUSE_TENANTS: `${tenant}=localhost` },
  });
  const server = modernUpstream(({ message }): JsonObject => {
    if (message["method"] === "tools/list") return { tools: [{ name: "read", inputSchema: { type: "object" } }] };
    return { content: [{ type: "text", text: "mail" }] };
  });
  harness.serve("mail.upstream.test", (seen) => {
    const given = seen.headers.get("x-key");
    if (given === null || refused.has(given)) return new Response(null, { status: 401 });
    return server(seen);
  });
  const made = await harness.fetch(`${origin}/api/v1/servers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ slug: "mail", name: "Mail", url: "https://mail.upstream.test/mcp" },
      authentication: { type: "api_key_header", header: "X-Key", holder: "user" },
    }),
  });
  expect(made.status).toBe(201);
}, 30_000);

/** The answer as it is, and its last message. */
interface Asked {
  readonly headers: Headers;
  readonly text: string;
  readonly body: JsonObject;
}

async function at(path: string, init: RequestInit): Promise<Asked> {
  const response = await harness.fetch(origin + path, init);
  const text = await response.text();
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  const last = isStream ? eventsOf(text).at(-1) : (JSON.parse(text) as JsonObject);
  return { headers: response.headers, text, body: last ?? {} };
}

const modern = (path: string, method: string, params: JsonObject = {}, capabilities: JsonObject = {}): Promise<Asked> =>
  at(path, modernPost(method, { _meta: meta(capabilities), ...params }));

/** A client of the 2025 revisions with a session. */
async function legacy(version: string, capabilities: JsonObject) {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const send = (body: JsonObject, more: Record<string, string> = {}) =>
    at("/mcp/mail", {
      method: "POST",
      headers: { ...headers, ...more },
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
    });
  const params = { protocolVersion: version, capabilities, clientInfo: { name: "old", version: "1" } };
  const begun = await send({ id: 0, method: "initialize", params });
  const session = { "mcp-session-id": begun.headers.get("mcp-session-id") ?? "", "mcp-protocol-version": version };
  return {
    begun,
    call: (name: string) => send({ id: 1, method: "tools/call", params: { name, arguments: {} } }, session),
    list: () => send({ id: 2, method: "tools/list", params: {} }, session),
  };
}

/** Opens a link and gives the key. @returns the status of the page */
async function connect(link: string): Promise<number> {
  const path = link.slice(origin.length);
  const page = await harness.fetch(origin + path);
  const fields = connectFields(await page.text()).map(([name, value]) => [name, name === "key" ? key : value]);
  if (!fields.some(([name]) => name === "key")) fields.push(["key", key]);
  const done = await harness.fetch(`${origin}/connect/mail`, {
    method: "POST",
    body: new URLSearchParams(fields).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded", origin, "sec-fetch-site": "same-origin" },
  });
  return done.status;
}

const linkIn = (text: string): string =>
  /http:\/\/localhost:8911\/connect\/mail\?link=[\w.%-]+/.exec(text)?.[0] ?? "no link";
const resultOf = (asked: Asked): JsonObject => objectAt(asked.body, "result");
const toolsIn = (asked: Asked): unknown[] => (resultOf(asked)["tools"] as JsonObject[]).map(({ name }) => name);

describe("before an account is connected", () => {
  it("U9: a client of 2026-07-28 that opens URLs is asked to, and its retry is answered", async () => {
    const params = { name: "read", arguments: { folder: "in" } };
    const asked = resultOf(await modern("/mcp/mail", "tools/call", params, opensUrls));
    expect(asked["resultType"]).toBe("input_required");
    const request = objectAt(objectAt(asked, "inputRequests"), "connect_account");
    expect(request["method"]).toBe("elicitation/create");
    const { mode, url, message } = objectAt(request, "params");
    expect([mode, message]).toEqual(["url", "To use Mail, give your own key."]);
    expect(await connect(String(url))).toBe(200);
    const retry = {
      ...params,
      requestState: asked["requestState"] ?? null,
      inputResponses: { connect_account: { action: "accept" } },
    };
    const answered = resultOf(await modern("/mcp/mail", "tools/call", retry, opensUrls));
    expect(answered["content"]).toEqual([{ type: "text", text: "mail" }]);
    const call = sent(harness, "tools/call").at(-1);
    expect([call?.headers.get("x-key"), call?.text.includes("inputResponses")]).toEqual([key, false]);
  });

  it("U9: whoever says no gets an error of the tool, and the server hears nothing", async () => {
    const params = { name: "read", arguments: {} };
    const asked = resultOf(await modern("/mcp/mail", "tools/call", params, opensUrls));
    const before = sent(harness, "tools/call").length;
    const retry = {
      ...params,
      requestState: asked["requestState"] ?? null,
      inputResponses: { connect_account: { action: "decline" } },
    };
    const answered = resultOf(await modern("/mcp/mail", "tools/call", retry, opensUrls));
    expect([answered["isError"], sent(harness, "tools/call").length - before]).toEqual([true, 0]);
  });

  it("U9: a client that opened the page and comes back at once waits for the person, and is then given the link", async () => {
    const params = { name: "read", arguments: {} };
    const asked = resultOf(await modern("/mcp/mail", "tools/call", params, opensUrls));
    const retry = {
      ...params,
      requestState: asked["requestState"] ?? null,
      inputResponses: { connect_account: { action: "accept" } },
    };
    slept_ms = [];
    const answered = resultOf(await modern("/mcp/mail", "tools/call", retry, opensUrls));
    expect([answered["resultType"], answered["isError"]]).toEqual(["complete", true]);
    expect(linkIn(JSON.stringify(answered))).toMatch(/^http/);
    expect(slept_ms.reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(45_000);
  });

  it("U9: and is answered as soon as the person is done", async () => {
    const params = { name: "read", arguments: {} };
    const asked = resultOf(await modern("/mcp/mail", "tools/call", params, opensUrls));
    const { url } = objectAt(objectAt(objectAt(asked, "inputRequests"), "connect_account"), "params");
    whileAsleep = async () => void (await connect(String(url)));
    const retry = {
      ...params,
      requestState: asked["requestState"] ?? null,
      inputResponses: { connect_account: { action: "accept" } },
    };
    const answered = resultOf(await modern("/mcp/mail", "tools/call", retry, opensUrls));
    expect(answered["content"]).toEqual([{ type: "text", text: "mail" }]);
  });

  it("MC-26: the state of one call is none for another", async () => {
    const asked = resultOf(await modern("/mcp/mail", "tools/call", { name: "read", arguments: { a: 1 } }, opensUrls));
    const retry = { name: "read", arguments: { a: 2 }, requestState: asked["requestState"] ?? null };
    const answered = await modern("/mcp/mail", "tools/call", retry, opensUrls);
    expect(objectAt(answered.body, "error")["code"]).toBe(-32602);
  });

  it("U9: a client of 2026-07-28 that opens no URLs gets the link in the result of the tool", async () => {
    const answered = resultOf(await modern("/mcp/mail", "tools/call", { name: "read", arguments: {} }));
    expect(answered["isError"]).toBe(true);
    expect(linkIn(JSON.stringify(answered))).toMatch(/^http/);
  });

  it("U9: a client of 2025-11-25 that opens URLs gets -32042", async () => {
    const client = await legacy("2025-11-25", opensUrls);
    const error = objectAt((await client.call("read")).body, "error");
    expect(error["code"]).toBe(-32042);
    const [elicitation] = objectAt(error, "data")["elicitations"] as JsonObject[];
    expect([elicitation?.["mode"], typeof elicitation?.["elicitationId"]]).toEqual(["url", "string"]);
    expect(await connect(String(elicitation?.["url"]))).toBe(200);
    expect((await client.call("read")).text).toContain("mail");
  });

  it("U9: older clients get the link in the result of the tool", async () => {
    const client = await legacy("2025-06-18", {});
    const answered = resultOf(await client.call("read"));
    expect([answered["isError"], linkIn(JSON.stringify(answered)).startsWith("http")]).toEqual([true, true]);
    expect(answered).not.toHaveProperty("resultType");
  });

  it("U9: sessions begin, and the list has the one tool that leads to the account", async () => {
    const client = await legacy("2025-06-18", {});
    expect(objectAt(resultOf(client.begun), "capabilities")).toHaveProperty("tools");
    expect(toolsIn(await client.list())).toEqual(["connect_account"]);
    expect(toolsIn(await modern("/mcp/mail", "tools/list"))).toEqual(["connect_account"]);
    const listed = await modern("/mcp", "tools/list");
    expect(toolsIn(listed)).toEqual(["mail__connect_account"]);
    expect(objectAt(resultOf(listed), "_meta")["gatehouse/upstreams"]).toEqual({ mail: "link_needed" });
    expect(resultOf(listed)["ttlMs"]).toBe(0);
  });

  it("U9: server/discover names tools, for the one that is there", async () => {
    for (const path of ["/mcp", "/mcp/mail"]) {
      expect(objectAt(resultOf(await modern(path, "server/discover")), "capabilities")).toHaveProperty("tools");
    }
  });

  it("U9: other lists are empty and ask for nothing", async () => {
    expect(resultOf(await modern("/mcp/mail", "prompts/list"))["prompts"]).toEqual([]);
  });

  it("S1: the outcome says what was missing", async () => {
    await modern("/mcp/mail", "tools/call", { name: "read", arguments: {} });
    expect(responseEvents(harness).at(-1)?.outcome).toEqual({ status: "tool_error", reason: "link_needed:not_linked" });
  });
});

describe("the tool that leads to the account", () => {
  const tool = { name: "mail__connect_account", arguments: {} };

  it("U9: asks on the aggregate, and says that it is connected when it is", async () => {
    const text = JSON.stringify(resultOf(await modern("/mcp", "tools/call", tool)));
    expect(await connect(linkIn(text))).toBe(200);
    const done = resultOf(await modern("/mcp", "tools/call", tool));
    expect([done["isError"], JSON.stringify(done["content"])]).toEqual([
      undefined,
      expect.stringContaining("connected"),
    ]);
    expect(toolsIn(await modern("/mcp", "tools/list"))).toEqual(["mail__read"]);
  });

  it("U9: tells clients of 2025 on the same stream that there are other tools now", async () => {
    const client = await legacy("2025-06-18", {});
    await connect(linkIn((await client.call("read")).text));
    const answered = await client.call("connect_account");
    expect(answered.text).toContain("notifications/tools/list_changed");
  });

  it("U9, UP-18: asks again when the server refuses the key that is connected", async () => {
    await connect(linkIn((await modern("/mcp", "tools/call", tool)).text));
    refused = new Set([key]);
    const answered = resultOf(await modern("/mcp/mail", "tools/call", { name: "read", arguments: {} }));
    expect([answered["isError"], linkIn(JSON.stringify(answered)).startsWith("http")]).toEqual([true, true]);
  });
});

describe("the record of a call", () => {
  it("S2, U10: names the connection whose credential was used", async () => {
    await connect(linkIn((await modern("/mcp/mail", "tools/call", { name: "read", arguments: {} })).text));
    await modern("/mcp/mail", "tools/call", { name: "read", arguments: {} });
    const row = await env.DB.prepare("select id from connections where tenant_id = ?")
      .bind(tenant)
      .first<{ id: string }>();
    expect(responseEvents(harness).at(-1)?.connections).toEqual([row?.id]);
  });
});
