import { beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../../src/admin/routes.ts";
import { isMutating } from "../../../src/admin/route.ts";
import type { AuditEvent } from "../../../src/audit/index.ts";
import { meta, modernPost, modernUpstream, result, sse, setupSecret, type Upstream } from "../gateway/support.ts";
import { createWorld, echoUpstream, virtualHarness, ask, type World } from "./support.ts";

const origin = "https://a.gw.test";
let world: World;
let token: string;

beforeAll(async () => {
  world = await createWorld();
  const upstreams: Record<string, Upstream> = {
    ok: echoUpstream(),
    "tool-error": modernUpstream(() => ({ content: [], isError: true })),
    "rpc-error": modernUpstream(({ message }) =>
      result(message["id"] ?? null, { error: { code: -32603, message: "no" } }),
    ),
    asks: modernUpstream(() => ({ resultType: "input_required", requestState: "s" })),
    unauthorized: modernUpstream(() => new Response("", { status: 401 })),
    broken: modernUpstream(() => new Response("<html>", { status: 500 })),
    stream: modernUpstream(({ message }) =>
      message["method"] === "tools/list"
        ? { tools: [] }
        : sse(
            { jsonrpc: "2.0", method: "notifications/message", params: {} },
            { jsonrpc: "2.0", id: message["id"] ?? null, result: { resultType: "complete", content: [] } },
          ),
    ),
  };
  for (const [slug, upstream] of Object.entries(upstreams)) {
    await world.tenant.addServer(slug);
    world.harness.serve(`${slug}.upstream.test`, upstream);
  }
  await world.tenant.addServer("down");
  await world.tenant.addServer("hidden");
  ({ token } = await world.tenant.addClient([...Object.keys(upstreams), "down"]));
});

/** What a request left in the log, short. */
const short = (event: AuditEvent): string => {
  switch (event.type) {
    case "mcp.request":
      return `request ${event.decision.effect} ${event.decision.reason}`;
    case "mcp.response":
      return `response ${event.outcome.status}`;
    case "admin.change":
      return `change ${event.action} ${event.outcome}`;
    case "auth.activity":
      return `auth ${event.action} ${event.outcome}`;
    case "auth.failed":
      return `failed ${event.reason} ${event.count}`;
  }
};

async function eventsOf(url: string, init: RequestInit): Promise<string[]> {
  const before = world.harness.events.length;
  await ask(world.harness, url, init);
  return world.harness.events.slice(before).map(short);
}

const allow = "request allow on_allow_list";
const call = (): RequestInit => modernPost("tools/call", { name: "echo", arguments: { a: 1 } }, { token });
const raw = (body: string, headers: Record<string, string> = {}): RequestInit => {
  const init = call();
  return { ...init, body, headers: { ...(init.headers as Record<string, string>), ...headers } };
};
const method = (name: string, params: Parameters<typeof modernPost>[1] = {}): RequestInit =>
  modernPost(name, params, { token });

/** Every outcome of a request on an MCP endpoint, and all that it leaves in the log. */
const mcp: readonly (readonly [string, path: string, () => RequestInit, events: readonly string[]])[] = [
  ["a call that works", "/mcp/ok", call, [allow, "response ok"]],
  ["a call whose answer is a stream", "/mcp/stream", call, [allow, "response ok"]],
  ["a tool that fails", "/mcp/tool-error", call, [allow, "response tool_error"]],
  ["an upstream's JSON-RPC error", "/mcp/rpc-error", call, [allow, "response error"]],
  ["an upstream that asks for input", "/mcp/asks", call, [allow, "response input_required"]],
  ["an upstream that refuses the credential", "/mcp/unauthorized", call, [allow, "response error"]],
  ["an upstream that is broken", "/mcp/broken", call, [allow, "response error"]],
  ["an upstream that is down", "/mcp/down", call, [allow, "response error"]],
  ["a list", "/mcp", () => method("tools/list"), ["request allow decided_for_each_server", "response ok"]],
  ["a list of one server", "/mcp/ok", () => method("tools/list"), [allow, "response ok"]],
  ["discovery", "/mcp", () => method("server/discover"), ["request allow decided_for_each_server", "response ok"]],
  ["discovery of one server", "/mcp/ok", () => method("server/discover"), [allow, "response ok"]],
  ["a server that is not on the list", "/mcp/hidden", call, ["request deny not_on_allow_list"]],
  ["a server that does not exist", "/mcp/nothing", call, ["request deny unknown_server"]],
  [
    "a name without a server",
    "/mcp",
    () => method("tools/call", { name: "echo", arguments: {} }),
    ["request deny unknown_name"],
  ],
  [
    "a name of a hidden server",
    "/mcp",
    () => method("tools/call", { name: "hidden__echo", arguments: {} }),
    ["request deny not_on_allow_list"],
  ],
  ["an unknown prompt", "/mcp", () => method("prompts/get", { name: "x" }), ["request deny unknown_name"]],
  ["an unknown resource", "/mcp", () => method("resources/read", { uri: "file:///x" }), ["request deny unknown_name"]],
  [
    "a task of nobody",
    "/mcp",
    () => method("tasks/get", { taskId: "x", _meta: meta({ extensions: { "io.modelcontextprotocol/tasks": {} } }) }),
    ["request deny unknown_name"],
  ],
  [
    "a task of nobody, of one server",
    "/mcp/ok",
    () => method("tasks/get", { taskId: "x", _meta: meta({ extensions: { "io.modelcontextprotocol/tasks": {} } }) }),
    ["request deny unknown_name"],
  ],
  ["an unknown method", "/mcp", () => method("tools/destroy"), ["request deny unknown_method"]],
  ["an unknown method of one server", "/mcp/ok", () => method("tools/destroy"), ["request deny unknown_method"]],
  [
    "a GET",
    "/mcp/ok",
    () => ({ method: "GET", headers: { authorization: `Bearer ${token}` } }),
    ["request deny http_method"],
  ],
  ["a wrong content type", "/mcp/ok", () => raw("{}", { "content-type": "text/plain" }), ["request deny content_type"]],
  ["a wrong Accept", "/mcp/ok", () => raw("{}", { accept: "text/html" }), ["request deny accept"]],
  ["a loop", "/mcp/ok", () => raw("{}", { via: "1.1 gatehouse" }), ["request deny loop"]],
  ["a body that is no JSON", "/mcp/ok", () => raw("{"), ["request deny *"]],
  ["a batch", "/mcp/ok", () => raw("[]"), ["request deny *"]],
  [
    "a body that is too large",
    "/mcp/ok",
    () => raw(`{"a":"${"a".repeat(5 * 1024 * 1024)}"}`),
    ["request deny body_size"],
  ],
  [
    "headers that differ from the body",
    "/mcp/ok",
    () => raw(String(call().body), { "mcp-name": "other" }),
    ["request deny *"],
  ],
  [
    "an unknown version",
    "/mcp/ok",
    () => raw(String(call().body), { "mcp-protocol-version": "2099-01-01" }),
    ["request deny *"],
  ],
  [
    "a client of an earlier revision",
    "/mcp/ok",
    () =>
      raw('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}', {
        "mcp-protocol-version": "2025-11-25",
      }),
    ["request deny *"],
  ],
  ["no credential", "/mcp/ok", () => modernPost("tools/call", { name: "echo" }), ["failed no_credential 1"]],
  [
    "an unknown token",
    "/mcp/ok",
    () => modernPost("tools/call", { name: "echo" }, { token: "x" }),
    ["failed unknown_token 1"],
  ],
  ["a page of another origin", "/mcp/ok", () => raw("{}", { origin: "https://evil.test" }), ["failed origin 1"]],
];

describe("the log of an MCP endpoint", () => {
  it.each(mcp)("AU-19: %s on %s", async (_name, path, init, expected) => {
    const events = await eventsOf(origin + path, init());
    const shown = events.map((event, at) =>
      expected[at]?.endsWith("*") === true ? event.replace(/[^ ]*$/, "*") : event,
    );
    expect(shown).toEqual(expected);
  });
});

describe("the log of the admin API", () => {
  const id = "01935000-0000-7000-8000-000000000000";
  const filled = (path: string): string => `/api/v1${path.replace(":tokenId", id).replace(":id", id)}`;
  const json = { "content-type": "application/json" };
  const send = (verb: string, path: string, headers: Record<string, string>): Promise<string[]> =>
    eventsOf(origin + path, {
      method: verb,
      headers: { ...json, ...headers },
      ...(isMutating(verb) ? { body: "[]" } : {}),
    });

  it.each(routes.filter((one) => isMutating(one.method)).map((one) => [one.action, one] as const))(
    "AU-19: a refused %s of an administrator",
    async (action, { method: verb, path }) => {
      const headers = { authorization: `Bearer ${world.tenant.administrator}` };
      expect(await send(verb, filled(path), headers)).toEqual([`change ${action} refused`]);
    },
  );

  it.each(routes.filter((one) => !isMutating(one.method)).map((one) => [one.action, one] as const))(
    "AU-19: %s of an administrator",
    async (action, { method: verb, path, audited }) => {
      const headers = { authorization: `Bearer ${world.tenant.administrator}` };
      expect(await send(verb, filled(path), headers)).toEqual(audited === true ? [`change ${action} ok`] : []);
    },
  );

  it.each(routes.filter((one) => one.access === "administrator").map((one) => [one.action, one] as const))(
    "AU-19: %s of somebody unknown",
    async (_action, { method: verb, path }) => {
      expect(await send(verb, filled(path), {})).toEqual(["failed no_credential 1"]);
      expect(await send(verb, filled(path), { authorization: `Bearer ${token}` })).toEqual([
        "failed wrong_token_kind 1",
      ]);
    },
  );

  it("AU-19: a path that does not exist", async () => {
    const headers = { authorization: `Bearer ${world.tenant.administrator}` };
    expect(await send("POST", "/api/v1/nothing", headers)).toEqual(["change unknown refused"]);
    expect(await send("POST", "/api/v1/nothing", {})).toEqual(["failed no_credential 1"]);
  });

  it("AU-19: the life of a server, a client and its tokens is one event for each change", async () => {
    const { tenant, harness } = await createWorld();
    const server = await tenant.addServer("one");
    const client = await tenant.addClient(["one"]);
    await tenant.api("PATCH", `/servers/${server}`, { name: "two" });
    await tenant.api("PATCH", `/clients/${client.id}`, { name: "two" });
    const rotated = await tenant.api("POST", `/clients/${client.id}/tokens/${client.token_id}/rotate`, {});
    const { id: successor } = await rotated.json<{ id: string }>();
    await tenant.api("DELETE", `/clients/${client.id}/tokens/${successor}`);
    const second = await (await tenant.api("POST", "/tokens", { name: "second" })).json<{ id: string }>();
    await tenant.api("DELETE", `/tokens/${second.id}`);
    await tenant.api("PATCH", "/settings", { audit_strict: true });
    await tenant.api("DELETE", `/clients/${client.id}`);
    await tenant.api("DELETE", `/servers/${server}`);
    const actions = [
      ...["setup.complete", "server.create", "client.create", "client_token.create", "server.update", "client.update"],
      ...[
        "client_token.rotate",
        "client_token.revoke",
        "administrator_token.create",
        "administrator_token.revoke",
        "settings.update",
      ],
      ...["client.delete", "server.delete"],
    ];
    const seen = harness.events.map((event) =>
      event.type === "admin.change" ? `${event.action} ${event.outcome}` : event.type,
    );
    expect(seen.length).toBe(actions.length);
    expect(new Set(seen)).toEqual(new Set(actions.map((action) => `${action} ok`)));
  });

  it.each([
    ["a wrong secret", { secret: "x".repeat(40) }],
    ["an unreadable body", []],
  ])("AU-19: set-up with %s", async (_name, body) => {
    const { harness } = virtualHarness();
    await ask(harness, `${origin}/api/v1/setup`, { method: "POST", headers: json, body: JSON.stringify(body) });
    expect(harness.events.map(({ type }) => type)).toEqual(["auth.failed"]);
  });

  it("AU-19: a set-up that works is one change and no failure", async () => {
    const { harness } = virtualHarness();
    const init = { method: "POST", headers: json, body: JSON.stringify({ secret: setupSecret }) };
    await ask(harness, `${origin}/api/v1/setup`, init);
    expect(harness.events.map(short)).toEqual([expect.stringMatching(/^change setup\S* ok$/)]);
  });
});

/** Where nothing is recorded, by decision: they hold nothing of a tenant and change nothing. */
const silent = [
  "/healthz",
  "/.well-known/oauth-protected-resource",
  "/.well-known/oauth-protected-resource/mcp/up",
  "/api/v1/openapi.json",
  "/nothing",
];

describe("paths without a record", () => {
  it.each(silent)("AU-19: %s is one of the few", async (path) => {
    expect(await eventsOf(origin + path, { method: "GET" })).toEqual([]);
  });
});
