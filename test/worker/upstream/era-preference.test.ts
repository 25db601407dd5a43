/** A server that speaks both eras is spoken to in its client's; the other one is tried on evidence only. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { legacyUpstream } from "../gateway/legacy-upstream.ts";
import { modernUpstream, result, type Upstream } from "../gateway/support.ts";
import { createHop, request, sentBy, textOf, type Hop } from "./upstream-support.ts";

let hop: Hop;

beforeEach(async () => {
  hop = await createHop();
});

const answer = (): { content: never[] } => ({ content: [] });
const legacy = legacyUpstream({ sessions: ["s1", "s2"] }, answer);
const modern = modernUpstream(answer);
const isModern: (headers: Headers) => boolean = (headers) => headers.get("mcp-protocol-version") === "2026-07-28";
const both: Upstream = (seen) => (isModern(seen.headers) ? modern(seen) : legacy(seen));
/** What the official SDK's server of 2026-07-28 says to a message without envelope. */
const modernOnly: Upstream = (seen) => {
  if (isModern(seen.headers)) return modern(seen);
  const error = { code: -32022, message: "no", data: { supported: ["2026-07-28"] } };
  return result(seen.message["id"] ?? null, { error }, 400);
};

const clients = {
  legacy: {},
  modern: { era: "modern", owner: "principal:agent" },
} as const;
const methods = (): unknown[] => hop.seen.map(({ message }) => message["method"]);

describe("F4: the era of a request", () => {
  it.each([
    ["modern", "both", both, ["server/discover", "tools/call"]],
    ["legacy", "both", both, ["initialize", "notifications/initialized", "tools/call"]],
    ["modern", "modern only", modernOnly, ["server/discover", "tools/call"]],
    ["legacy", "modern only", modernOnly, ["initialize", "server/discover", "tools/call"]],
    ["modern", "legacy only", legacy, ["server/discover", "initialize", "notifications/initialized", "tools/call"]],
    ["legacy", "legacy only", legacy, ["initialize", "notifications/initialized", "tools/call"]],
  ] as const)("F4: of a %s client to a server that speaks %s", async (client, _speaks, upstream, expected) => {
    hop.serve(upstream);
    const { answer: answered } = await request(hop, hop.context(clients[client]));
    expect(answered.ok).toBe(true);
    expect(methods()).toEqual(expected);
  });

  it("F4: is found for each era of clients", async () => {
    hop.serve(both);
    await request(hop, hop.context());
    await request(hop, hop.context(clients.modern));
    await request(hop, hop.context());
    const eras = sentBy(hop, "tools/call").map(({ headers }) => isModern(headers));
    expect(eras).toEqual([false, true, false]);
    expect(sentBy(hop, "initialize")).toHaveLength(1);
  });
});

describe("F4: evidence against a server of 2025", () => {
  it.each([
    ["400", () => new Response(null, { status: 400 })],
    ["404", () => new Response(null, { status: 404 })],
    ["405", () => new Response("no", { status: 405 })],
    ["415", () => new Response(null, { status: 415 })],
    ["-32601", (id: string) => result(id, { error: { code: -32601, message: "x" } })],
    ["-32601 with 404", (id: string) => result(id, { error: { code: -32601, message: "x" } }, 404)],
    ["-32022", (id: string) => result(id, { error: { code: -32022, message: "x" } }, 400)],
    ["-32602", (id: string) => result(id, { error: { code: -32602, message: "x" } }, 400)],
    ["a version of its own", (id: string) => result(id, { protocolVersion: "2026-07-28", capabilities: {} })],
  ] as const)("F4: is %s", async (_case, refuse) => {
    hop.serve((seen) =>
      seen.message["method"] === "initialize" ? refuse(String(seen.message["id"])) : modernOnly(seen),
    );
    expect((await request(hop, hop.context())).answer.ok).toBe(true);
    expect(methods()).toEqual(["initialize", "server/discover", "tools/call"]);
  });

  it.each([401, 403, 408, 429, 500, 502, 503])("F4: is not HTTP %i: nothing else is tried", async (status) => {
    hop.serve(() => new Response(null, { status }));
    expect(textOf(await request(hop, hop.context()))).toContain(`upstream_http_${status}`);
    expect(methods()).toEqual(["initialize"]);
  });
});

describe("F4: a verdict in KV", () => {
  const keyOf = (era: "modern" | "legacy"): string =>
    `era:2:${JSON.stringify([hop.context().tenant.id, hop.server.id, hop.server.revision, era, ""])}`;

  it("F4: is that of the client's era, with the transport", async () => {
    hop.serve(both);
    await request(hop, hop.context());
    expect(await env.CACHE.get(keyOf("legacy"), "json")).toMatchObject({ era: "legacy", transport: "streamable" });
    expect(await env.CACHE.get(keyOf("modern"))).toBeNull();
  });

  it("F4: is used by an isolate that has not asked the server itself", async () => {
    const verdict = { era: "modern", capabilities: {}, found_at: hop.ports.clock.now() };
    await env.CACHE.put(keyOf("legacy"), JSON.stringify(verdict));
    hop.serve(both);
    await request(hop, hop.context());
    expect(methods()).toEqual(["tools/call"]);
  });

  it.each([
    ["without transport", { era: "legacy", capabilities: {} }],
    ["of another era", { era: "stone", capabilities: {} }],
  ])("F4: %s is not used", async (_case, verdict) => {
    await env.CACHE.put(keyOf("legacy"), JSON.stringify({ ...verdict, found_at: hop.ports.clock.now() }));
    hop.serve(both);
    await request(hop, hop.context());
    expect(methods()).toEqual(["initialize", "notifications/initialized", "tools/call"]);
  });
});

describe("F4: a server that changed to 2026-07-28 only", () => {
  it("F4: is found out by a client of 2025 too, though its session was known", async () => {
    hop.serve(legacy);
    await request(hop, hop.context());
    hop.serve(modernOnly);
    await request(hop, hop.context());
    expect(sentBy(hop, "tools/call")).toHaveLength(2);
    const { answer: answered } = await request(hop, hop.context());
    expect(answered).toMatchObject({ ok: true, value: { era: "modern" } });
    expect(sentBy(hop, "tools/call")).toHaveLength(3);
  });
});
