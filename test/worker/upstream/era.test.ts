/** Which era a server speaks: what is evidence, what is not, how long it holds, and that a mistake never runs a call twice. */
import { beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../src/limits.ts";
import type { JsonObject } from "../../../src/ports.ts";
import { legacyUpstream, notInitialized } from "../gateway/legacy-upstream.ts";
import {
  ask,
  createHarness,
  freshKeys,
  modernUpstream,
  responseEvents,
  result,
  sent,
  setUp,
  type Asked,
  type Harness,
  type Tenant,
  type Upstream,
} from "../gateway/support.ts";
import { VirtualClock } from "../gateway/virtual-clock.ts";

let harness: Harness;
let tenant: Tenant;
let token: string;
let clock: VirtualClock;
let serverId: string;

const json = { "content-type": "application/json" };
const serve = (upstream: Upstream): void => harness.serve("up.upstream.test", upstream);
const modern = modernUpstream(({ message }) => (message["method"] === "tools/list" ? { tools: [] } : { content: [] }));
const legacy = legacyUpstream({ sessions: ["s1", "s2", "s3"] }, () => ({ content: [] }));

const call = (): Promise<Asked> => ask(harness, `${tenant.origin}/mcp/up`, "tools/call", { name: "run" }, { token });
const counted = (method: string): number => sent(harness, method).length;
const lastReason = (): string | undefined => responseEvents(harness).at(-1)?.outcome.reason;

beforeEach(async () => {
  clock = new VirtualClock(Date.now());
  harness = createHarness({ ports: { clock }, bindings: { GATEHOUSE_KEYS: freshKeys() } });
  tenant = await setUp(harness);
  serverId = await tenant.addServer("up");
  ({ token } = await tenant.addClient([serverId]));
});

describe("a verdict", () => {
  it.each([
    ["modern", modern],
    ["legacy", legacy],
  ] as const)("F4: %s is found once and kept", async (_era, upstream) => {
    serve(upstream);
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect(counted("server/discover")).toBe(1);
    expect(counted("tools/call")).toBe(2);
  });

  it("F4: is asked for again when its time is over", async () => {
    serve(legacy);
    await call();
    clock.advance(limits.eraVerdict_ms);
    await call();
    expect(counted("server/discover")).toBe(2);
  });

  it("F4: is given up when the server's configuration changes", async () => {
    serve(modern);
    await call();
    await tenant.api("PATCH", `/servers/${serverId}`, { url: "https://up.upstream.test/other" });
    await call();
    expect(counted("server/discover")).toBe(2);
  });

  it.each([
    [-32020, { expected: "2026-07-28" }],
    [-32021, { requiredCapabilities: {} }],
    [-32022, { supported: ["2026-07-28", "2027-01-01"] }],
  ] as const)("F4: error %i means modern, whatever the status", async (code, data) => {
    serve((seen) => {
      if (seen.message["method"] !== "server/discover") return modern(seen);
      const error = { code, message: "no", data } as unknown as JsonObject;
      return result(seen.message["id"] ?? null, { error }, 400);
    });
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect(counted("initialize")).toBe(0);
  });

  it("F4: an error means modern for a moment only, since it does not say what the server offers", async () => {
    const error = { code: -32022, message: "no", data: { supported: ["2026-07-28"] } };
    serve((seen) =>
      seen.message["method"] === "server/discover" ? result(seen.message["id"] ?? null, { error }, 400) : modern(seen),
    );
    await call();
    clock.advance(limits.eraUndeclared_ms - 1);
    await call();
    expect(counted("server/discover")).toBe(1);
    clock.advance(1);
    await call();
    expect(counted("server/discover")).toBe(2);
  });

  it("F4: an error of 2026 that lists older revisions only means legacy", async () => {
    const error = { code: -32022, message: "no", data: { supported: ["2025-11-25"] } };
    serve(
      legacyUpstream({ probe: ({ message }) => result(message["id"] ?? null, { error }, 400) }, () => ({
        content: [],
      })),
    );
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect(counted("initialize")).toBe(1);
  });

  it.each([
    ["400 with the SDK's error", notInitialized],
    ["400 with text", () => new Response("Bad Request", { status: 400 })],
    ["404", () => new Response(null, { status: 404 })],
    ["405", () => new Response(null, { status: 405 })],
    [
      "200 with an unknown method",
      () => Response.json({ jsonrpc: "2.0", id: "?", error: { code: -32601, message: "x" } }),
    ],
    ["200 with garbage", () => new Response("}{", { headers: json })],
    ["200 with HTML", () => new Response("<p>", { headers: { "content-type": "text/html" } })],
    ["202", () => new Response(null, { status: 202 })],
    [
      "a discovery without 2026-07-28",
      () => Response.json({ jsonrpc: "2.0", id: "?", result: { supportedVersions: ["2031-01-01"] } }),
    ],
  ] as const)("F4: %s leads to initialize", async (_case, probe) => {
    serve(
      legacyUpstream(
        {
          probe: ({ message }) => {
            const response = probe();
            if (response.headers.get("content-type") !== "application/json") return response;
            return new Response(response.body && withId(response, message["id"] as string), response);
          },
        },
        () => ({ content: [] }),
      ),
    );
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect(counted("initialize")).toBe(1);
  });

  function withId(response: Response, id: string): ReadableStream | null {
    const replace = new TransformStream<string, string>({
      transform: (chunk, controller) => controller.enqueue(chunk.replace('"?"', JSON.stringify(id))),
    });
    return (
      response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(replace).pipeThrough(new TextEncoderStream()) ??
      null
    );
  }
});

describe("what is no evidence", () => {
  it.each([401, 403, 408, 429, 500, 502, 503])("F4: HTTP %i is not kept: the next call asks again", async (status) => {
    serve(() => new Response(null, { status }));
    const refused = await call();
    expect(refused).toMatchObject({ status: 200, message: { id: 1, error: { code: -32603 } } });
    expect(lastReason()).toBe(`upstream_http_${status}`);
    expect(counted("initialize")).toBe(0);
    serve(modern);
    expect((await call()).message).toMatchObject({ result: { content: [] } });
  });

  it("F4: silence is not kept, and ends at its deadline", async () => {
    serve(() => new Promise(() => undefined));
    const silent = call();
    await clock.asleep(limits.eraProbe_ms);
    await seenSomething();
    clock.advance(limits.eraProbe_ms);
    expect((await silent).message).toMatchObject({ error: { code: -32603 } });
    expect(counted("initialize")).toBe(0);
    serve(modern);
    expect((await call()).message).toMatchObject({ result: { content: [] } });
  });

  it("F4: a server that is neither is an error, and is asked again", async () => {
    serve(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
    expect((await call()).message).toMatchObject({ error: { code: -32603 } });
    await call();
    expect(counted("server/discover")).toBe(2);
    expect(counted("tools/call")).toBe(0);
  });

  async function seenSomething(): Promise<void> {
    while (harness.seen.length === 0) await scheduler.wait(0);
  }
});

describe("a server that changed its era", () => {
  it("F4: from legacy to modern only: the call is not repeated, the next one finds out", async () => {
    serve(legacy);
    await call();
    serve((seen) => {
      if (seen.headers.get("mcp-protocol-version") === "2026-07-28") return modern(seen);
      const error = { code: -32022, message: "no", data: { supported: ["2026-07-28"] } };
      return result(seen.message["id"] ?? null, { error }, 400);
    });
    expect((await call()).message).toMatchObject({ error: { code: -32603 } });
    expect(counted("tools/call")).toBe(2);
    expect((await call()).message).toMatchObject({ result: { content: [] } });
    expect(counted("tools/call")).toBe(3);
  });

  it.each([
    ["400 with the SDK's error", notInitialized],
    ["404", () => new Response(null, { status: 404 })],
    ["405", () => new Response(null, { status: 405 })],
  ] as const)(
    "F4: from modern to legacy, with %s: the call is not repeated, the next one finds out",
    async (_case, refuse) => {
      serve(modern);
      await call();
      serve((seen) => (seen.headers.get("mcp-protocol-version") === "2026-07-28" ? refuse() : legacy(seen)));
      expect((await call()).message).toMatchObject({ error: { code: expect.any(Number) } });
      expect(counted("tools/call")).toBe(2);
      expect((await call()).message).toMatchObject({ result: { content: [] } });
      expect(counted("tools/call")).toBe(3);
    },
  );
});
