/** A passthrough server from end to end: sessions, the caller's headers on the way there, and the server's on the way back. */
import { beforeAll, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import {
  call,
  createPassthroughWorld,
  passthrough,
  pathOf,
  reached,
  type PassthroughWorld,
} from "../admission/passthrough-support.ts";
import { ask, challengeOf, expectRefused } from "../security/support.ts";
import { LegacyClient } from "./legacy-client.ts";
import { legacyUpstream } from "./legacy-upstream.ts";
import { modernUpstream, requestEvents, result, sse, type Seen } from "./support.ts";

let world: PassthroughWorld;
let client: { id: string; token: string };

beforeAll(async () => {
  world = await createPassthroughWorld();
  await world.add("open", passthrough({ anonymous: "allow" }));
  await world.add("narrow", {
    ...passthrough({ anonymous: "allow" }),
    inbound_headers: { forward: ["x-tenant", "X_Trace-*"], restrict: ["x-trace-secret*"] },
  });
  await world.add("strict", {
    ...passthrough({ anonymous: "allow" }),
    inbound_headers: { forward: null, restrict: ["x-internal-*"] },
  });
  await world.add("usual", { inbound_headers: { forward: ["x-tenant", "authorization", "cookie"], restrict: [] } });
  client = await world.tenant.addClient(["open", "usual"]);
});

/** The call that the upstream of this server saw. */
async function relayed(slug: string, headers: Record<string, string>): Promise<Seen> {
  const { status, text } = await ask(world.harness, pathOf(slug), call(headers));
  const seen = reached(world, slug).at(-1);
  if (status !== 200 || seen?.message["method"] !== "tools/call") throw new Error(`${status} ${text}`);
  return seen;
}

/** Headers of the caller's among those that the upstream saw. */
const own = ({ headers }: Seen): string[] =>
  [...headers.keys()].filter(
    (name) => !["accept", "content-type", "user-agent", "via"].includes(name) && !name.startsWith("mcp-"),
  );

describe("the caller's headers on the way to a passthrough server", () => {
  const hostile = {
    ...{
      cookie: "a=b",
      "x-forwarded-for": "127.0.0.1",
      "x-real-ip": "127.0.0.1",
      forwarded: "for=1",
      "cf-connecting-ip": "127.0.0.1",
    },
    ...{
      "x-user-id": "root",
      "x-auth-request-email": "root@a.test",
      remote_user: "root",
      x_forwarded_user: "root",
      "x-gatehouse-principal": "root",
    },
    ...{
      "proxy-authorization": "Basic eDp5",
      te: "trailers",
      connection: "x-hop",
      "x-hop": "1",
      "last-event-id": "7",
      "mcp-session-id": "stolen",
    },
    ...{
      origin: "https://a.gw.test",
      referer: "https://a.test",
      "sec-fetch-mode": "cors",
      "accept-language": "de",
      range: "bytes=0-1",
      "user-agent": "c/1",
    },
    ...{
      traceparent: "00-1-1-00",
      "x-http-method-override": "DELETE",
      "x-original-url": "/admin",
      "content-encoding_": "gzip",
    },
  };

  it("HD-01, HD-03, HD-04, HD-12: of those that are never forwarded nothing arrives", async () => {
    const seen = await relayed("open", { ...hostile, authorization: "Bearer mine", "x-tenant": "acme" });
    expect(own(seen).sort()).toEqual(["authorization", "x-tenant"]);
    expect(seen.headers.get("user-agent")).toMatch(/^Gatehouse\//);
    expect(JSON.stringify([...seen.headers])).not.toMatch(/root|127\.0\.0\.1|evil/);
  });

  it("A8, HD-10: of those that a pattern restricts nothing arrives, however they are spelled", async () => {
    const headers = {
      "x-internal-a": "1",
      "X-INTERNAL-B": "2",
      x_internal_c: "3",
      "x-internalb": "4",
      "xx-internal-a": "5",
    };
    expect(own(await relayed("strict", headers)).sort()).toEqual(["x-internalb", "xx-internal-a"]);
  });

  it("A8: only those arrive that a pattern forwards, where one does", async () => {
    const headers = {
      "x-tenant": "acme",
      "x-trace-id": "1",
      "x-trace-secret-a": "2",
      "x-other": "3",
      authorization: "Bearer mine",
    };
    expect(own(await relayed("narrow", headers)).sort()).toEqual(["authorization", "x-tenant", "x-trace-id"]);
  });

  it("A8: to other servers go those that a rule names, and never Authorization and Cookie", async () => {
    const headers = { authorization: `Bearer ${client.token}`, cookie: "a=b", "x-tenant": "acme", "x-other": "1" };
    const seen = await relayed("usual", headers);
    expect([own(seen), seen.headers.get("x-tenant")]).toEqual([["x-tenant"], "acme"]);
  });

  it("HD-06: the token for Gatehouse arrives nowhere", async () => {
    for (const slug of ["open", "usual"]) {
      const seen = await relayed(slug, { "x-gatehouse-token": client.token, x_gatehouse_token: client.token });
      expect(JSON.stringify([...seen.headers])).not.toContain(client.token);
    }
  });

  const tooMany = Object.fromEntries(
    Array.from({ length: limits.forwardedHeaders_count + 1 }, (_, at) => [`x-h${at}`, "v"]),
  );
  it.each<[string, Record<string, string>]>([
    ["too many", tooMany],
    ["too long", { "x-a": "v".repeat(limits.forwardedHeaders_chars) }],
    ["of other characters", { "x-a": "caf\u00e9" }],
    ["alike", { "x-tenant": "1", x_tenant: "2" }],
  ])("HD-14, HD-02: when they are %s, the call is refused and nothing arrives", async (_title, headers) => {
    const before = reached(world, "open").length;
    const { status, text } = await ask(world.harness, pathOf("open"), call(headers));
    expect([status < 500, text.includes('"error"'), reached(world, "open").length]).toEqual([true, true, before]);
  });
});

describe("headers of a passthrough server on the way back", () => {
  // prettier-ignore
  const answered = {
    "set-cookie": "session=upstream; Path=/", location: "https://evil.test", "www-authenticate": 'Bearer realm="upstream"', refresh: "0; url=https://evil.test",
    "access-control-allow-origin": "*", "access-control-allow-credentials": "true", "strict-transport-security": "max-age=0", "clear-site-data": '"*"',
    "content-security-policy": "default-src *", "mcp-session-id": "upstream-session", "x-upstream": "1", "proxy-authenticate": "Basic", "content-disposition": "attachment",
  };
  const dress = (response: Response): Response => {
    for (const [name, value] of Object.entries(answered)) response.headers.set(name, value);
    return response;
  };
  const answers: Readonly<Record<string, (seen: Seen) => Response>> = {
    "a JSON answer": ({ message }) => dress(result(message["id"] ?? null, { content: [] })),
    "an event stream": ({ message }) =>
      dress(sse({ jsonrpc: "2.0", id: message["id"] ?? null, result: { resultType: "complete", content: [] } })),
    "a JSON-RPC error": ({ message }) =>
      dress(result(message["id"] ?? null, { error: { code: -32602, message: "no" } })),
    "a 401": () => dress(new Response(null, { status: 401 })),
    "a 403": () => dress(new Response(null, { status: 403 })),
    "a 500": () => dress(new Response("no", { status: 500 })),
    "a redirect": () => dress(new Response(null, { status: 307 })),
  };

  it.each(Object.keys(answers))("HD-13: of %s none arrives", async (kind) => {
    world.harness.serve(
      "open.upstream.test",
      modernUpstream((seen) => answers[kind]?.(seen) ?? new Response(null)),
    );
    const { status, headers, text } = await ask(world.harness, pathOf("open"), call({ authorization: "Bearer mine" }));
    expect(Object.keys(answered).filter((name) => headers.has(name))).toEqual([]);
    expect([status, /evil|upstream-session/.test(text)]).toEqual([200, false]);
  });
});

describe("a session of 2025 at a passthrough server", () => {
  const begin = (slug: string, headers: Record<string, string> = {}) =>
    LegacyClient.begin(world.harness, pathOf(slug), { token: "unused", headers: { authorization: "", ...headers } });
  const echo = { name: "echo", arguments: {} };

  beforeAll(async () => {
    await world.add("old", passthrough({ anonymous: "allow" }));
    world.harness.serve(
      "old.upstream.test",
      legacyUpstream({ sessions: Array.from({ length: 20 }, (_, at) => `s${at}`) }, () => ({ content: [] })),
    );
    await world.add("oldest", passthrough());
  });

  it("A6: is had by anonymous callers, and ends for good", async () => {
    const anonymous = await begin("open");
    expect((await anonymous.request("ping")).status).toBe(200);
    expect(requestEvents(world.harness).at(-1)?.actor).toMatchObject({ agent: "anonymous:open" });
    expect([await anonymous.delete(), await anonymous.delete()]).toEqual([204, 404]);
  });

  it("VT-16, A6: is none for somebody who is known, nor theirs one for anonymous callers", async () => {
    const anonymous = await begin("old");
    const known = await LegacyClient.begin(world.harness, pathOf("open"), {
      token: "unused",
      headers: { authorization: "", "x-gatehouse-token": client.token },
    });
    const [one, other] = [anonymous.session, known.session];
    Object.assign(known, { session: one });
    expect((await known.request("tools/call", echo)).status).toBe(404);
    const guest = await begin("open");
    Object.assign(guest, { session: other });
    expect((await guest.request("tools/call", echo)).status).toBe(404);
  });

  /** Pairs of a session with the server and the Authorization that came with it. */
  const sessionsOf = (before: number): string[] => {
    const seen = reached(world, "old")
      .slice(before)
      .filter(({ headers }) => headers.has("mcp-session-id"));
    return [...new Set(seen.map(({ headers }) => `${headers.get("mcp-session-id")} ${headers.get("authorization")}`))];
  };

  it("A6: is one caller's: with another Authorization it is not found, and the server sees nothing", async () => {
    const one = await begin("old", { authorization: "Bearer one" });
    expect((await one.request("tools/call", echo)).status).toBe(200);
    const other = await begin("old", { authorization: "Bearer other" });
    const before = reached(world, "old").length;
    Object.assign(other, { session: one.session });
    const [called, ended] = [await other.request("tools/call", echo), await other.delete()];
    expect([called.status, ended, reached(world, "old").length]).toEqual([404, 404, before]);
    expect((await one.request("tools/call", echo)).status).toBe(200);
  });

  it("A6: with the server is one for one value of Authorization, also for clients that have none with us", async () => {
    const before = reached(world, "old").length;
    for (const authorization of ["Bearer a", "Bearer b", "Bearer a", "Bearer b", ""])
      expect((await ask(world.harness, pathOf("old"), call({ authorization }))).status).toBe(200);
    const pairs = sessionsOf(before);
    expect([pairs.length, new Set(pairs.map((pair) => pair.split(" ")[0])).size]).toEqual([3, 3]);
  });

  it("F8: is not even begun where anonymous callers are kept out", async () => {
    const init = new LegacyClient(world.harness, pathOf("oldest"), { token: "unused", headers: { authorization: "" } });
    await expectRefused(world.harness, pathOf("oldest"), init.init("POST", init.message("initialize", {})), {
      status: 401,
      challenge: challengeOf("https://a.gw.test", "/mcp/oldest"),
      event: ["auth.failed", "no_credential"],
    });
  });
});
