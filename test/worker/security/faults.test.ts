import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import { modernPost, type Harness, type Tenant } from "../gateway/support.ts";
import {
  ask,
  createWorld,
  dumpDatabase,
  echoUpstream,
  faultyDatabase,
  watched,
  type FaultyDatabase,
  type VirtualClock,
} from "./support.ts";

const origin = "https://a.gw.test";

/** What each binding does when it is used; by default what it always does. */
let faults: { KV?: () => unknown; TENANT?: () => unknown };
let database: FaultyDatabase;
let clock: VirtualClock;
let harness: Harness;
let tenant: Tenant;
let client: { id: string; token: string; token_id: string };
let serverId: string;

beforeEach(async () => {
  faults = {};
  database = faultyDatabase();
  const bindings = {
    CACHE: watched(env.CACHE, () => faults.KV?.()),
    TENANT: new Proxy(env.TENANT, {
      get(namespace, property) {
        const member: unknown = Reflect.get(namespace, property);
        if (property !== "getByName")
          return typeof member === "function" ? (member.bind(namespace) as unknown) : member;
        return (name: string) => {
          const stub = namespace.getByName(name);
          const use = async <T>(method: () => Promise<T>): Promise<T> =>
            ((await faults.TENANT?.()) as T | undefined) ?? method();
          return { version: () => use(async () => stub.version()), announce: () => use(async () => stub.announce()) };
        };
      },
    }),
    DB: database.DB,
  };
  ({ harness, clock, tenant } = await createWorld({ bindings }));
  harness.serve("up.upstream.test", echoUpstream());
  serverId = await tenant.addServer("up");
  client = await tenant.addClient(["up"]);
});

const post = (token = client.token): RequestInit =>
  modernPost("tools/call", { name: "echo", arguments: {} }, { token });
const call = async (token?: string): Promise<number> => (await ask(harness, `${origin}/mcp/up`, post(token))).status;

const refuse = (text: string) => (): Promise<never> => Promise.reject(new Error(text));

describe("the database on the way of people and OAuth", () => {
  const form = "application/x-www-form-urlencoded";
  const client_id = "3b9d5b0e-1111-4222-8333-444455556666";

  it.each([
    ["GET", `/oauth/authorize?client_id=${client_id}&redirect_uri=https%3A%2F%2Fa.test%2Fcb`, undefined, "text/html"],
    ["GET", "/login", undefined, "text/html"],
    ["GET", "/me", undefined, "text/html"],
    ["GET", "/oauth/jwks.json", undefined, "application/"],
    ["POST", "/oauth/register", `{"redirect_uris":["https://a.test/cb"]}`, "application/"],
    ["POST", "/oauth/token", `grant_type=refresh_token&client_id=${client_id}&refresh_token=x`, "application/json"],
  ])("FT-04: %s %s says that it cannot answer now, in the form of its readers", async (method, path, body, type) => {
    // The first makes the key, which changes the configuration; the second has the isolate read that.
    for (let times = 0; times < 2; times += 1) await ask(harness, `${origin}/oauth/jwks.json`);
    database.fault = "before";
    const response = await harness.fetch(origin + path, {
      method,
      headers: {
        cookie: `__Host-gatehouse=${"a".repeat(43)}`,
        ...(body === undefined ? {} : { "content-type": body.startsWith("{") ? "application/json" : form }),
      },
      ...(body === undefined ? {} : { body }),
    });
    expect([response.status, response.headers.get("content-type")]).toEqual([503, expect.stringContaining(type)]);
    // The reference of a page, and the name of its stylesheet, are hexadecimal and may hold the two characters by chance.
    const words = (await response.text()).replaceAll(/[0-9a-f-]{8,}/g, "");
    expect(words).not.toMatch(/D1|select|connection/i);
  });
});

describe("KV", () => {
  const stale: Readonly<Record<string, () => unknown>> = {
    "answers every key with a living token": () =>
      Promise.resolve({ live: true, client_id: client.id, kind: "client", servers: ["*"] }),
    "answers every key with nothing": () => Promise.resolve(null),
    "answers every key with a verdict of another server": () =>
      Promise.resolve({ era: "modern", capabilities: { tools: {} }, found_at: clock.now() }),
  };

  it.each(Object.keys(stale))("FT-01: that %s changes no decision", async (kind) => {
    expect(await call()).toBe(200);
    faults.KV = stale[kind] ?? refuse("no such fault");
    expect([await call(), await call("unknown")]).toEqual([200, 401]);
    await tenant.api("DELETE", `/clients/${client.id}/tokens/${client.token_id}`);
    expect(await call()).toBe(401);
    clock.advance(limits.snapshotFresh_ms);
    expect(await call()).toBe(401);
  });

  const broken: Readonly<Record<string, () => unknown>> = {
    "answers 429": refuse("KV PUT failed: 429 Too Many Requests"),
    "answers 500": refuse("KV GET failed: 500 Internal Server Error"),
    "refuses a life under a minute": refuse("KV PUT failed: 400 Invalid expiration_ttl of 1"),
    "throws at once": () => {
      throw new TypeError("The binding is gone.");
    },
    "answers with what is no JSON": () => Promise.resolve("\u0000"),
  };

  it.each(Object.keys(broken))("FT-02: that %s is not noticed by a caller", async (kind) => {
    faults.KV = broken[kind] ?? refuse("no such fault");
    expect([await call(), await call("unknown")]).toEqual([200, 401]);
  });

  it("FT-03: that is down for hours stops neither calls, lists nor administration", async () => {
    faults.KV = refuse("KV is down.");
    for (let hour = 0; hour < 3; hour += 1) {
      expect(await call()).toBe(200);
      expect(
        (await ask(harness, `${origin}/mcp`, modernPost("tools/list", {}, { token: client.token }))).text,
      ).toContain("up__echo");
      expect((await tenant.api("PATCH", `/clients/${client.id}`, { name: `hour ${hour}` })).status).toBe(200);
      clock.advance(3_600_000);
    }
  });

  it("FT-02: that never answers does not hold a call for ever", async () => {
    faults.KV = () => new Promise(() => undefined);
    const opened = harness.open(`${origin}/mcp/up`, post());
    // One read for the era of the server and one for its tools.
    for (const _read of ["era", "tools"]) {
      await clock.anew(limits.cacheRead_ms);
      clock.advance(limits.cacheRead_ms);
    }
    expect((await opened).response.status).toBe(200);
  });
});

const documented = [
  "D1_ERROR: Network connection lost.",
  "D1_ERROR: D1 DB reset because its code was updated.",
  "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
  "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
  "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
];

describe("D1", () => {
  it.each(documented)("FT-04: a cold snapshot is refused on: %s", async (message) => {
    Object.assign(database, { fault: "before", message });
    clock.advance(limits.snapshotLife_ms);
    const calls = harness.seen.length;
    const { status, text, headers } = await ask(harness, `${origin}/mcp/up`, post());
    expect([status, headers.get("retry-after"), text.includes("D1"), harness.seen.length]).toEqual([
      503,
      "1",
      false,
      calls,
    ]);
  });

  it.each(documented)("FT-04: a change is refused with 503 and can be repeated on: %s", async (message) => {
    expect(await call()).toBe(200);
    const before = await dumpDatabase();
    Object.assign(database, { fault: "before", message });
    const events = harness.events.length;
    const refused = await tenant.api("PATCH", `/clients/${client.id}`, { name: "changed" });
    const text = await refused.text();
    expect([refused.status, /D1|select|update/.test(text), (await dumpDatabase()) === before]).toEqual([
      503,
      false,
      true,
    ]);
    expect(harness.events.slice(events)).toMatchObject([
      { type: "admin.change", action: "client.update", outcome: "refused", reason: "database" },
    ]);
    database.fault = "none";
    expect((await tenant.api("PATCH", `/clients/${client.id}`, { name: "changed" })).status).toBe(200);
  });

  it("FT-04: a token whose commit is not known is never shown", async () => {
    expect(await call()).toBe(200);
    database.fault = "after";
    const headers = { "idempotency-key": "one" };
    const lost = await tenant.api("POST", `/clients/${client.id}/tokens`, { name: "lost" }, headers);
    expect([lost.status, (await lost.text()).includes("ghc_")]).toEqual([503, false]);
  });

  it("FT-06: that is down lets a warm snapshot serve while its version holds, and no longer than its life", async () => {
    expect(await call()).toBe(200);
    database.fault = "before";
    clock.advance(limits.snapshotFresh_ms);
    expect(await call()).toBe(200);
    clock.advance(limits.snapshotLife_ms);
    const calls = harness.seen.length;
    expect([await call(), harness.seen.length]).toEqual([503, calls]);
  });

  it("FT-06: that is down when a revocation is announced: refused within two seconds, never open", async () => {
    expect(await call()).toBe(200);
    await env.DB.prepare("UPDATE tokens SET revoked_at = 1 WHERE id = ?").bind(client.token_id).run();
    await env.TENANT.getByName(harness.events[0]?.tenant ?? "").announce();
    database.fault = "before";
    clock.advance(limits.snapshotFresh_ms);
    const calls = harness.seen.length;
    expect([await call(), harness.seen.length]).toEqual([503, calls]);
    database.fault = "none";
    expect(await call()).toBe(401);
  });

  it("FT-06: that is down for minutes leaves metadata and health to answer", async () => {
    database.fault = "before";
    clock.advance(300_000);
    expect((await ask(harness, `${origin}/.well-known/oauth-protected-resource`)).status).toBe(200);
    expect((await ask(harness, `${origin}/healthz`)).status).toBe(200);
    expect(await call("unknown")).toBe(503);
  });

  it("FT-06: that never answers is given up, and the request refused", async () => {
    expect(await call()).toBe(200);
    database.fault = "hang";
    clock.advance(limits.snapshotLife_ms);
    const opened = harness.open(`${origin}/mcp/up`, post());
    await clock.asleep(limits.snapshotCheck_ms);
    clock.advance(limits.snapshotCheck_ms);
    expect((await opened).response.status).toBe(503);
  });
});

describe("the Tenant object", () => {
  it.each(["overloaded", "Durable Object reset because its code was updated.", "broken.outputGateBroken"])(
    "FT-08: that fails (%s) lets a warm snapshot serve for two seconds and then refuses",
    async (message) => {
      expect(await call()).toBe(200);
      faults.TENANT = refuse(message);
      clock.advance(limits.snapshotFresh_ms - 1);
      expect(await call()).toBe(200);
      clock.advance(1);
      const calls = harness.seen.length;
      const { status, headers, text } = await ask(harness, `${origin}/mcp/up`, post());
      expect([status, headers.get("retry-after"), text.includes(message), harness.seen.length]).toEqual([
        503,
        "1",
        false,
        calls,
      ]);
      faults = {};
      expect(await call()).toBe(200);
    },
  );

  it("FT-08: that never answers is waited for half a second, then the request is refused", async () => {
    expect(await call()).toBe(200);
    faults.TENANT = () => new Promise(() => undefined);
    clock.advance(limits.snapshotFresh_ms);
    const opened = harness.open(`${origin}/mcp/up`, post());
    await clock.asleep(limits.snapshotCheck_ms);
    clock.advance(limits.snapshotCheck_ms);
    expect((await opened).response.status).toBe(503);
  });

  it("FT-08: that cannot announce a change makes its answer a refusal that says so", async () => {
    expect(await call()).toBe(200);
    faults.TENANT = refuse("overloaded");
    const refused = await tenant.api("DELETE", `/clients/${client.id}/tokens/${client.token_id}`);
    expect([refused.status, (await refused.text()).includes("stored but could not be announced")]).toEqual([503, true]);
    faults = {};
    // What was not announced is picked up with the next load.
    clock.advance(limits.snapshotLife_ms);
    expect(await call()).toBe(401);
  });
});

describe("the clock", () => {
  let asked_count: number;
  beforeEach(async () => {
    expect(await call()).toBe(200);
    asked_count = 0;
    faults.TENANT = () => void (asked_count += 1);
  });

  const revokeElsewhere = async (): Promise<void> => {
    await env.DB.prepare("UPDATE tokens SET revoked_at = 1 WHERE id = ?").bind(client.token_id).run();
    await env.TENANT.getByName(harness.events[0]?.tenant ?? "").announce();
  };

  it.each([-300_000, -86_400_000, -1, 86_400_000])(
    "FT-15: that jumps by %i ms hides no revocation",
    async (jump_ms) => {
      await revokeElsewhere();
      clock.jump(jump_ms);
      expect(await call()).toBe(401);
    },
  );

  it.each([-30_000, -86_400_000])(
    "FT-15: that jumps by %i ms is asked about once, not until it has caught up",
    async (jump_ms) => {
      clock.jump(jump_ms);
      for (let calls = 0; calls < 5; calls += 1) expect(await call()).toBe(200);
      expect(asked_count).toBe(1);
    },
  );

  it("FT-15: that jumps back keeps no snapshot for longer than its life", async () => {
    await env.DB.prepare("UPDATE servers SET enabled = 0 WHERE id = ?").bind(serverId).run();
    clock.jump(-86_400_000);
    expect(await call()).toBe(404);
  });

  it("FT-15: that jumps a year ahead lets no token live on", async () => {
    clock.jump(366 * 86_400_000);
    expect(await call()).toBe(401);
  });

  it("FT-15: that stands still serves, and a revocation made here holds at once", async () => {
    for (let calls = 0; calls < 5; calls += 1) expect(await call()).toBe(200);
    await tenant.api("DELETE", `/clients/${client.id}/tokens/${client.token_id}`);
    expect(await call()).toBe(401);
  });
});

describe("randomness", () => {
  it.each(["uuid", "bytes"] as const)("FT-16: without %s no token is issued and nothing changes", async (port) => {
    const random = { ...harness.ports.random, [port]: () => fail() };
    const broken = await createWorld();
    Object.assign(broken.harness.ports, { random });
    const made = await broken.tenant.addClient([]).catch((thrown: Error) => thrown.message);
    expect(made).toMatch(/50[03]/);
    expect(String(made)).not.toMatch(/gh[ac]_/);
  });

  it("FT-16: without ids for its events a call is refused and reaches no upstream", async () => {
    expect(await call()).toBe(200);
    const calls = harness.seen.length;
    Object.assign(harness.ports, { random: { ...harness.ports.random, uuid: () => fail() } });
    expect([(await call()) >= 500, harness.seen.length]).toEqual([true, calls]);
  });

  const fail = (): never => {
    throw new Error("No entropy.");
  };
});
