import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import * as fc from "fast-check";
import { decide, reach, type Question } from "../../../src/policy/index.ts";
import { modernPost } from "../gateway/support.ts";
import { ask, createWorld, dumpDatabase, echoUpstream, expectRefused, type World } from "./support.ts";

const origin = "https://a.gw.test";
let world: World;
let client: { id: string; token: string };

beforeEach(async () => {
  world = await createWorld();
  world.harness.serve("up.upstream.test", echoUpstream());
  await world.tenant.addServer("up", {
    authentication: { type: "bearer" },
    credential: { type: "bearer", token: "organisation-token" },
  });
  client = await world.tenant.addClient([]);
});

const post = (method: string, params: Parameters<typeof modernPost>[1]): RequestInit =>
  modernPost(method, params, { token: client.token });
const call = post.bind(undefined, "tools/call");

describe("a client for which no rule speaks", () => {
  it.each(["tools/list", "prompts/list", "resources/list", "resources/templates/list"])(
    "PL-01: %s is empty",
    async (method) => {
      const { status, text } = await ask(world.harness, `${origin}/mcp`, post(method, {}));
      const { result } = JSON.parse(text) as { result: Record<string, unknown> };
      const lists = Object.values(result).filter(Array.isArray);
      expect([status, lists, text.includes('"up'), world.harness.seen.length]).toEqual([200, [[]], false, 0]);
    },
  );

  const requests: readonly (readonly [string, string, Parameters<typeof modernPost>[1]])[] = [
    ["tools/call", "Unknown tool", { name: "up__echo", arguments: {} }],
    ["prompts/get", "Unknown prompt", { name: "up__echo" }],
    ["resources/read", "Unknown resource", { uri: "gatehouse://up/file:///etc/passwd" }],
  ];

  it.each(requests)(
    "VT-16: %s on the aggregate endpoint is the call of an unknown name",
    async (method, unknown, params) => {
      const denied = await expectRefused(world.harness, `${origin}/mcp`, post(method, params), {
        status: 200,
        challenge: "none",
        event: ["mcp.request", "not_on_allow_list"],
      });
      const name = String(params?.["name"] ?? params?.["uri"]);
      expect(JSON.parse(denied.text)).toMatchObject({ error: { code: -32602, message: `${unknown}: ${name}` } });
      // P1: byte for byte what a server gets that does not exist.
      const nowhere = JSON.parse(JSON.stringify(params).replace("up", "no")) as typeof params;
      const absent = await ask(world.harness, `${origin}/mcp`, post(method, nowhere));
      expect(absent.text.replace(/no(__|\/file)/, "up$1")).toBe(denied.text);
    },
  );

  it("P1: the endpoint of a server that is not on the list is that of a server that does not exist", async () => {
    const denied = await expectRefused(world.harness, `${origin}/mcp/up`, call({ name: "echo", arguments: {} }), {
      status: 404,
      challenge: "none",
      event: ["mcp.request", "not_on_allow_list"],
    });
    const absent = await expectRefused(world.harness, `${origin}/mcp/nothing`, call({ name: "echo", arguments: {} }), {
      status: 404,
      challenge: "none",
      event: ["mcp.request", "unknown_server"],
    });
    expect([absent.text, [...absent.headers]]).toEqual([denied.text, [...denied.headers]]);
  });
});

describe("the decision", () => {
  const groups = ["g1", "g2", "g3"];
  const access = fc.record({ everyone: fc.boolean(), groups: fc.subarray(groups) });
  const any = fc.constant({ type: "any" as const });
  const server = fc.option(
    fc.record({
      ...{ id: fc.constantFrom("s1", "s2"), slug: fc.constant("s"), enabled: fc.boolean(), access },
      agent_authentication: any,
    }),
    { nil: undefined },
  );
  const ids = fc.subarray(["s1", "s2", "s3"]).map((list) => new Set(list));
  const client = fc.option(fc.record({ id: fc.constant("c"), enabled: fc.boolean(), servers: ids }), {
    nil: undefined,
  });
  const user = fc.option(fc.record({ groups: fc.subarray(groups).map((list) => new Set(list)), chosen: ids }), {
    nil: undefined,
  });
  const question: fc.Arbitrary<Question> = fc.record({
    mode: fc.constant("enterprise" as const),
    client,
    user,
    server,
  });
  const machine: fc.Arbitrary<Question> = question.map((asked) => ({ ...asked, user: undefined }));

  it("P1: a machine is allowed only what is switched on and on its list, whatever else", () => {
    fc.assert(
      fc.property(machine, (asked) => {
        const allowed =
          asked.server?.enabled === true && asked.client?.enabled === true && asked.client.servers.has(asked.server.id);
        expect(decide(asked).effect).toBe(allowed ? "allow" : "deny");
      }),
      { numRuns: 2_000, seed: 20261121 },
    );
  });

  it("P2: a person is allowed what admits them, what they chose and what the client's own list does not forbid", () => {
    fc.assert(
      fc.property(question, (asked) => {
        fc.pre(asked.user !== undefined);
        const admits =
          asked.server?.access.everyone === true ||
          (asked.server?.access.groups ?? []).some((group) => asked.user?.groups.has(group) === true);
        const limited =
          asked.client !== undefined && !(asked.client.enabled && asked.client.servers.has(asked.server?.id ?? ""));
        const chosen = asked.user?.chosen.has(asked.server?.id ?? "") === true;
        const allowed = asked.server?.enabled === true && admits && chosen && !limited;
        expect(decide(asked).effect).toBe(allowed ? "allow" : "deny");
      }),
      { numRuns: 5_000, seed: 20261121 },
    );
  });

  it("P2: what may be chosen is what would be allowed once it is chosen", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const { user: person, server: target } = asked;
        const everything = person === undefined ? undefined : { ...person, chosen: new Set([target?.id ?? ""]) };
        expect(reach(asked).effect).toBe(decide({ ...asked, user: everything }).effect);
      }),
      { numRuns: 2_000, seed: 20261121 },
    );
  });

  it("P1: a denial names the default, an allowance the rule behind it", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const { effect, policy } = decide(asked);
        if (effect === "deny") expect(policy).toBe("default:deny");
        else if (asked.user === undefined) expect(policy).toBe(`allow-list:${asked.client?.id}`);
        else expect(policy).toBe(asked.server?.access.everyone ? "server-access:everyone" : "server-access:group");
      }),
      { numRuns: 1_000, seed: 20261121 },
    );
  });
});

const corruptions: readonly (readonly [string, string])[] = [
  ["an allow-list that is no JSON", "UPDATE clients SET servers = '[\"' WHERE id = ?1"],
  ["an allow-list that is an object", "UPDATE clients SET servers = '{\"all\":true}' WHERE id = ?1"],
  ["an allow-list that is a text", "UPDATE clients SET servers = '\"*\"' WHERE id = ?1"],
  ["an allow-list of something else than ids", "UPDATE clients SET servers = '[1,true]' WHERE id = ?1"],
  ["an allow-list that is empty text", "UPDATE clients SET servers = '' WHERE id = ?1"],
  [
    "authentication of a later version",
    'UPDATE servers SET authentication = \'{"type":"telepathy"}\' WHERE ?1 = ?1 AND tenant_id = ?2',
  ],
  [
    "authentication with an unknown member",
    'UPDATE servers SET authentication = \'{"type":"none","x":1}\' WHERE ?1 = ?1 AND tenant_id = ?2',
  ],
  ["authentication that is cut", "UPDATE servers SET authentication = '{\"type\":' WHERE ?1 = ?1 AND tenant_id = ?2"],
  ["settings that are cut", "UPDATE tenants SET settings = '{' WHERE ?1 = ?1 AND id = ?2"],
  ["settings of a later version", "UPDATE tenants SET settings = '{\"open\":true}' WHERE ?1 = ?1 AND id = ?2"],
  ["settings of the wrong type", 'UPDATE tenants SET settings = \'{"audit_strict":"no"}\' WHERE ?1 = ?1 AND id = ?2'],
];

describe("configuration that cannot be read", () => {
  it.each(corruptions)("PL-02: with %s every call is refused", async (_name, sql) => {
    await world.tenant.api("PATCH", `/clients/${client.id}`, { servers: ["up"] });
    expect((await ask(world.harness, `${origin}/mcp/up`, call({ name: "echo", arguments: {} }))).status).toBe(200);
    const tenantId = world.harness.events[0]?.tenant ?? "";
    const statement = env.DB.prepare(sql);
    await (sql.includes("?2") ? statement.bind(client.id, tenantId) : statement.bind(client.id)).run();
    await env.TENANT.getByName(tenantId).announce();
    world.clock.advance(2_000);
    const [calls, before] = [world.harness.seen.length, await dumpDatabase()];
    for (const init of [call({ name: "echo", arguments: {} }), { method: "GET" }, { method: "POST" }]) {
      const { status, headers, text } = await ask(world.harness, `${origin}/mcp/up`, init);
      expect([status, headers.get("retry-after")]).toEqual([503, "1"]);
      expect(JSON.parse(text)).toEqual({
        jsonrpc: "2.0",
        error: { code: -32603, message: "The configuration could not be checked. Try again." },
      });
    }
    expect((await world.tenant.api("GET", "/servers")).status).toBe(503);
    expect([world.harness.seen.length, await dumpDatabase()]).toEqual([calls, before]);
  });

  it.each([
    ["cut", "substr(credential, 1, 40)"],
    ["empty", "''"],
    ["text", "'organisation-token'"],
    ["that of another revision", "credential"],
  ])(
    "PL-02: with a sealed credential that is %s the call fails and nothing is sent without it",
    async (name, expression) => {
      await world.tenant.api("PATCH", `/clients/${client.id}`, { servers: ["up"] });
      const tenantId = world.harness.events[0]?.tenant ?? "";
      const revision = name === "that of another revision" ? "revision + 1" : "revision";
      await env.DB.prepare(`UPDATE servers SET credential = ${expression}, revision = ${revision} WHERE tenant_id = ?`)
        .bind(tenantId)
        .run();
      await env.TENANT.getByName(tenantId).announce();
      world.clock.advance(2_000);
      const { status, text } = await ask(world.harness, `${origin}/mcp/up`, call({ name: "echo", arguments: {} }));
      expect([status === 200 || status === 503, "error" in (JSON.parse(text) as object)]).toEqual([true, true]);
      expect([world.harness.seen.length, text.includes("organisation-token")]).toEqual([0, false]);
    },
  );
});
