/** The organisation's credential on the wire to its server: in its place, nowhere else, and no longer than it is stored. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import {
  ask,
  createHarness,
  freshKeys,
  modernUpstream,
  responseEvents,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
  type Upstream,
} from "./support.ts";
import { VirtualClock } from "./virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let serverId: string;
let clock: VirtualClock;

const eras: readonly (readonly [string, Upstream])[] = [
  ["modern", modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools: [] } : { content: [] }))],
  ["legacy", legacyUpstream({ sessions: ["s1", "s2", "s3"] }, () => ({ content: [] }))],
];

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
});

async function register(authentication: JsonObject, credential?: JsonObject): Promise<void> {
  serverId = await tenant.addServer("up", { authentication, ...(credential === undefined ? {} : { credential }) });
  ({ token } = await tenant.addClient([serverId]));
}

const call = (): Promise<Asked> => ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
const bearer = (value: string): JsonObject => ({ type: "bearer", token: value });

describe.each(eras)("a %s server", (_era, upstream) => {
  beforeEach(() => harness.serve("up.upstream.test", upstream));

  const inHeaders: readonly (readonly [string, JsonObject, JsonObject, Record<string, string>])[] = [
    ["U4: a bearer token", { type: "bearer" }, bearer("canary-1"), { authorization: "Bearer canary-1" }],
    [
      "U5: basic authentication",
      { type: "basic", username: "häns" },
      { type: "basic", password: "pä:ss" },
      { authorization: `Basic ${new TextEncoder().encode("häns:pä:ss").toBase64()}` },
    ],
    [
      "U3: an API key in a header",
      { type: "api_key_header", header: "X-Api-Key" },
      { type: "api_key_header", key: "canary-2" },
      { "x-api-key": "canary-2" },
    ],
    [
      "U7: several fixed headers",
      { type: "headers", headers: ["X-One", "X-Two"] },
      { type: "headers", values: ["canary-3", "canary-4"] },
      { "x-one": "canary-3", "x-two": "canary-4" },
    ],
  ];

  it.each(inHeaders)("%s is on every request to it", async (_title, authentication, credential, expected) => {
    await register(authentication, credential);
    const answered = await call();
    expect(answered.message).toMatchObject({ result: { content: [] } });
    expect(harness.seen.length).toBeGreaterThan(1);
    for (const { headers } of harness.seen) expect(Object.fromEntries(headers)).toMatchObject(expected);
    expect(answered.text + JSON.stringify([...answered.headers])).not.toContain("canary");
  });

  it("U3: an API key in the query is on every request to it", async () => {
    await register({ type: "api_key_query", parameter: "key" }, { type: "api_key_query", key: "a&b=c" });
    await call();
    for (const { url } of harness.seen) expect(new URL(url).searchParams.get("key")).toBe("a&b=c");
    expect(JSON.stringify(harness.events)).not.toContain("a&b=c");
  });

  it("U4: the caller's own token is never on the wire", async () => {
    await register(bearerAuthentication, bearer("canary-1"));
    await call();
    for (const { headers, url, text } of harness.seen) {
      expect(JSON.stringify([[...headers], url, text])).not.toContain(token);
    }
  });
});

const bearerAuthentication: JsonObject = { type: "bearer" };

describe("a credential that is not there", () => {
  beforeEach(() => harness.serve("up.upstream.test", eras[0]?.[1] ?? (() => new Response())));

  it("U4: the server is not called without it", async () => {
    await register(bearerAuthentication);
    expect(await call()).toMatchObject({ status: 200, message: { error: { code: -32603 } } });
    expect(harness.seen).toEqual([]);
    expect(responseEvents(harness).at(-1)?.outcome.reason).toBe("credential_missing");
  });

  it("U4: a change of URL drops it, so that no other host ever gets it", async () => {
    await register(bearerAuthentication, bearer("canary-1"));
    await call();
    harness.serve("evil.test", eras[0]?.[1] ?? (() => new Response()));
    await tenant.api("PATCH", `/servers/${serverId}`, { url: "https://evil.test/mcp" });
    await call();
    expect(harness.seen.filter(({ url }) => url.includes("evil.test"))).toEqual([]);
  });

  it("U12: a new one is used at the next call", async () => {
    await register(bearerAuthentication, bearer("canary-1"));
    await call();
    await tenant.api("PATCH", `/servers/${serverId}`, { credential: bearer("canary-2") });
    await call();
    expect(sent(harness, "tools/call").map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer canary-1",
      "Bearer canary-2",
    ]);
  });

  it("U12: one that is kept in memory is opened again after its time", async () => {
    await register(bearerAuthentication, bearer("canary-1"));
    await call();
    clock.advance(limits.credentialCache_ms);
    await call();
    expect(sent(harness, "tools/call").map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer canary-1",
      "Bearer canary-1",
    ]);
  });

  it("UP-18: a server that refuses it gets one request, and the log no secret", async () => {
    await register(bearerAuthentication, bearer("canary-1"));
    harness.serve("up.upstream.test", () => new Response("canary-body", { status: 401 }));
    const answered = await call();
    expect(answered).toMatchObject({ status: 200, message: { error: { code: -32603 } } });
    expect(harness.seen).toHaveLength(1);
    expect(answered.text + JSON.stringify(harness.events)).not.toContain("canary");
  });
});
