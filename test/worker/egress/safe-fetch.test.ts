import { describe, expect, it } from "vitest";
import {
  arrivedThroughGatehouse,
  createConnectionBudget,
  Excuse,
  createSafeFetch,
  type SafeRequest,
} from "../../../src/egress/index.ts";
import { limits } from "../../../src/limits.ts";
import { bytes, policy, request, settle, upstream, Wire } from "./fakes.ts";
import { refusedUrls } from "./refused-urls.ts";

const answering = (...responses: Response[]): Wire => {
  const left = [...responses];
  return new Wire(async () => left.shift() ?? new Response("unexpected"));
};

const redirect = (location: string, status = 302): Response => new Response(null, { status, headers: { location } });

async function outcome(wire: Wire, asked: SafeRequest): Promise<unknown> {
  const answer = await createSafeFetch(wire.ports, policy)(asked);
  if (!answer.ok) return { code: answer.error.code, reason: answer.error.reason };
  const text = await answer.value.text();
  return text.ok ? text.value : { code: text.error.code, reason: text.error.reason };
}

/** Each way in which the program calls somebody, as a request that this purpose would make. */
const purposes: readonly (readonly [purpose: string, more: Partial<SafeRequest>])[] = [
  ["MCP with OAuth code", { method: "POST", body: "{}", headers: new Headers({ authorization: "Bearer hunter2" }) }],
  [
    "MCP with client credentials",
    { method: "POST", body: "{}", headers: new Headers({ authorization: "Bearer m2m" }) },
  ],
  ["MCP with an API key header", { method: "POST", body: "{}", headers: new Headers({ "x-api-key": "hunter2" }) }],
  ["MCP with Basic", { method: "POST", body: "{}", headers: new Headers({ authorization: "Basic aHVudGVyMg==" }) }],
  ["MCP with passthrough", { method: "POST", body: "{}", headers: new Headers({ "x-user-token": "hunter2" }) }],
  ["MCP session end", { method: "DELETE" }],
  ["token exchange", { method: "POST", body: "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange" }],
  ["discovery of metadata", { redirects: "same-origin" }],
  ["JWKS", { body_bytes: 512 * 1024, total_ms: 5_000 }],
  ["SIEM sink", { method: "POST", body: "[]", headers: new Headers({ authorization: "Splunk hunter2" }) }],
];

describe("SS-16: one guard for every purpose", () => {
  it.each(purposes)("SS-21: %s calls none of the refused addresses", async (_purpose, more) => {
    const wire = answering();
    const safeFetch = createSafeFetch(wire.ports, policy);
    for (const [, url] of refusedUrls) {
      const answer = await safeFetch(request({ ...more, url }));
      expect(!answer.ok && answer.error.code).toBe("not_allowed_upstream");
    }
    expect(wire.requests).toEqual([]);
    expect(wire.clock.timers_count).toBe(0);
  });

  it.each(purposes)("SS-16: %s reaches a public address with its own headers", async (_purpose, more) => {
    const wire = answering(new Response("fine"));
    expect(await outcome(wire, request(more))).toBe("fine");
    const [sent] = wire.requests;
    expect(sent?.url).toBe("https://mcp.example.com/mcp");
    expect(sent?.redirect).toBe("manual");
    for (const [name, value] of more.headers ?? []) expect(sent?.headers.get(name)).toBe(value);
    expect(await sent?.text()).toBe(more.body ?? "");
  });

  it("SS-20: a URL in a header does not change where the request goes", async () => {
    const wire = answering(new Response("fine"));
    const headers = new Headers({
      "x-atlassian-jira-url": "https://evil.example.net",
      "mcp-param-host": "evil.example.net",
    });
    await outcome(wire, request({ headers }));
    expect(wire.requests.map((sent) => new URL(sent.url).host)).toEqual(["mcp.example.com"]);
  });
});

describe("SS-08: redirects", () => {
  it.each([301, 302, 303, 307, 308, 300, 304])("SS-08: %s is a failure by default", async (status) => {
    const wire = answering(new Response(null, { status, headers: { location: "/next" } }));
    expect(await outcome(wire, request())).toMatchObject({ code: "upstream_invalid" });
    expect(wire.requests).toHaveLength(1);
    expect(wire.clock.timers_count).toBe(0);
  });

  it("SS-08: a hop within the origin is followed where that is asked for", async () => {
    const wire = answering(redirect("/next#part"), new Response("there"));
    expect(await outcome(wire, request({ redirects: "same-origin" }))).toBe("there");
    expect(wire.requests.map((sent) => sent.url)).toEqual([
      "https://mcp.example.com/mcp",
      "https://mcp.example.com/next",
    ]);
  });

  it.each([
    ["another host", "https://evil.example.net/", "redirect_to_other_origin"],
    ["a private address", "https://169.254.169.254/", "redirect_to_other_origin"],
    ["http", "http://mcp.example.com/mcp", "redirect_to_other_origin"],
    ["another port", "https://mcp.example.com:8443/", "redirect_to_other_origin"],
    ["a file", "file:///etc/passwd", "redirect_to_other_origin"],
    ["userinfo", "https://u:p@mcp.example.com/", "url_userinfo"],
    ["a URL that is too long", `/${"a".repeat(3_000)}`, "url_too_long"],
    ["no URL", "https://", "redirect_without_location"],
  ])("SS-08: a hop to %s is refused", async (_what, location, reason) => {
    const wire = answering(redirect(location), new Response("there"));
    expect(await outcome(wire, request({ redirects: "same-origin" }))).toMatchObject({ reason });
    expect(wire.requests).toHaveLength(1);
  });

  it("SS-08: a loop ends after the allowed hops", async () => {
    const wire = new Wire(async () => redirect("/mcp"));
    expect(await outcome(wire, request({ redirects: "same-origin" }))).toEqual({
      code: "upstream_invalid",
      reason: "redirect_limit",
    });
    expect(wire.requests).toHaveLength(1 + limits.redirectHops_count);
  });

  it.each([301, 302, 303])("SS-08: %s does not turn a POST into a GET", async (status) => {
    const wire = answering(redirect("/next", status), new Response("there"));
    expect(await outcome(wire, request({ method: "POST", body: "{}", redirects: "same-origin" }))).toMatchObject({
      reason: "redirect_changes_method",
    });
    expect(wire.requests).toHaveLength(1);
  });

  it.each([307, 308])("SS-08: %s repeats a POST with its body", async (status) => {
    const wire = answering(redirect("/next", status), new Response("there"));
    expect(await outcome(wire, request({ method: "POST", body: "{}", redirects: "same-origin" }))).toBe("there");
    expect(await wire.requests[1]?.text()).toBe("{}");
  });

  it("SS-08: the body of a hop is given up before the next", async () => {
    const hop = upstream(() => bytes(10));
    const wire = answering(
      new Response(hop.stream, { status: 302, headers: { location: "/next" } }),
      new Response("there"),
    );
    await outcome(wire, request({ redirects: "same-origin" }));
    expect(hop.cancelled).toBe(true);
  });

  it.each(["authorization", "x-api-key", "x-user-token", "private-token"])(
    "SS-22: a request with %s follows no redirect, not even within the origin",
    async (name) => {
      const wire = answering(redirect("/next", 307), new Response("there"));
      expect(
        await outcome(wire, request({ redirects: "same-origin", headers: new Headers({ [name]: "hunter2" }) })),
      ).toEqual({
        code: "upstream_invalid",
        reason: "redirect_with_credential",
      });
      expect(wire.requests).toHaveLength(1);
    },
  );

  it("SS-22: a key in the query does not reach another origin", async () => {
    const wire = answering(redirect("https://evil.example.net/"), new Response("there"));
    await outcome(wire, request({ url: "https://mcp.example.com/mcp?key=hunter2", redirects: "same-origin" }));
    expect(wire.requests).toHaveLength(1);
  });
});

describe("SS-10: loops", () => {
  it("SS-10: the gateway knows its own request", async () => {
    const wire = answering(new Response("fine"));
    await outcome(wire, request());
    expect(arrivedThroughGatehouse(wire.requests[0]?.headers ?? new Headers())).toBe(true);
  });

  it.each([
    ["1.1 gatehouse", true],
    ["1.0 fred, 1.1 gatehouse (edge), 2 proxy.example", true],
    ["HTTP/1.1 GateHouse", true],
    ["2 proxy.example,1.1 gatehouse", true],
    ["1.1 gatehouse.example.com", false],
    ["1.1 my-gatehouse", false],
    ["1.1 proxy (gatehouse)", false],
    ["gatehouse", false],
  ])("SS-10: Via %s, through a gateway: %s", (via, expected) => {
    expect(arrivedThroughGatehouse(new Headers({ via }))).toBe(expected);
  });

  it("SS-10: a request without Via did not come through a gateway", () => {
    expect(arrivedThroughGatehouse(new Headers())).toBe(false);
  });
});

describe("SS-11: headers that must not be on the wire", () => {
  it.each([
    "Host",
    "Connection",
    "Keep-Alive",
    "TE",
    "Transfer-Encoding",
    "Upgrade",
    "Content-Length",
    "Accept-Encoding",
    "Cookie",
    "Origin",
    "Forwarded",
    "Via",
    "CF-Connecting-IP",
    "X-Forwarded-For",
    "X-Real-IP",
    "Proxy-Authorization",
    "Sec-Fetch-Site",
  ])("SS-11: %s is a bug of the caller", async (name) => {
    const wire = answering();
    const asked = createSafeFetch(wire.ports, policy)(request({ headers: new Headers({ [name]: "hunter2" }) }));
    await expect(asked).rejects.toThrow(name.toLowerCase());
    await expect(asked).rejects.not.toThrow("hunter2");
    expect(wire.requests).toEqual([]);
  });
});

describe("FT-17: a network that fails", () => {
  it.each([
    ["a reset before the first byte", "ECONNRESET"],
    ["a TLS error", "TLS handshake failed for https://mcp.example.com/mcp?key=hunter2"],
    ["a name that does not resolve", "DNS lookup failed: mcp.example.com"],
  ])("FT-17: %s is upstream_unreachable and says nothing of the URL", async (_what, message) => {
    const wire = new Wire(async () => Promise.reject(new TypeError(message)));
    const answer = await createSafeFetch(
      wire.ports,
      policy,
    )(request({ url: "https://mcp.example.com/mcp?key=hunter2" }));
    expect(answer).toEqual({ ok: false, error: { code: "upstream_unreachable", reason: "network_error" } });
    expect(wire.clock.timers_count).toBe(0);
    expect(wire.requests).toHaveLength(1);
  });

  it("FT-17: a reset in the middle of the body is upstream_unreachable", async () => {
    const body = upstream((pull) => (pull < 3 ? bytes(10) : "reset"));
    expect(await outcome(answering(new Response(body.stream)), request())).toEqual({
      code: "upstream_unreachable",
      reason: "connection_lost",
    });
  });

  it("FT-17: a reset of a body with a length is upstream_unreachable", async () => {
    const body = upstream((pull) => (pull < 3 ? bytes(10) : "reset"));
    const response = new Response(body.stream, { headers: { "content-length": "100" } });
    expect(await outcome(answering(response), request())).toEqual({
      code: "upstream_unreachable",
      reason: "connection_lost",
    });
  });

  it.each([200, 201, 400, 401, 404, 429, 500, 503])(
    "FT-17: %s is an answer, for the caller to judge",
    async (status) => {
      const wire = answering(new Response("text", { status, headers: { "retry-after": "3" } }));
      const answer = await createSafeFetch(wire.ports, policy)(request());
      expect(answer.ok && answer.value.status).toBe(status);
      expect(answer.ok && answer.value.headers.get("retry-after")).toBe("3");
    },
  );

  it.each([204, 205])("FT-17: %s has no body and holds nothing", async (status) => {
    const wire = answering(new Response(null, { status }));
    const answer = await createSafeFetch(wire.ports, policy)(request());
    expect(answer.ok && answer.value.body).toBe(null);
    expect(answer.ok && (await answer.value.text())).toEqual({ ok: true, value: "" });
    expect(wire.clock.timers_count).toBe(0);
  });

  it("FT-17: a switch of protocols is upstream_invalid", async () => {
    const [socket] = Object.values(new WebSocketPair());
    const wire = answering(new Response(null, { status: 101, webSocket: socket ?? null }));
    expect(await outcome(wire, request())).toEqual({ code: "upstream_invalid", reason: "informational_status" });
  });

  it.each([
    ["in one chunk", [0x61, 0xff]],
    ["cut in a character", [0x61, 0xe2, 0x82]],
  ])("FT-17: a text that is not UTF-8, %s, is upstream_invalid", async (_what, octets) => {
    expect(await outcome(answering(new Response(new Uint8Array(octets))), request())).toMatchObject({
      code: "upstream_invalid",
    });
  });

  it("FT-17: a text that is not UTF-8 is refused although its length is announced", async () => {
    const response = new Response(new Uint8Array([0xff]), { headers: { "content-length": "1" } });
    expect(await outcome(answering(response), request())).toMatchObject({ reason: "response_not_utf8" });
  });

  it("FT-17: characters that are split between chunks arrive whole", async () => {
    const octets = new TextEncoder().encode("a€😀z");
    const body = upstream((pull) => (pull <= octets.length ? octets.slice(pull - 1, pull) : "end"));
    expect(await outcome(answering(new Response(body.stream)), request())).toBe("a€😀z");
  });

  it("FT-17: the media type comes without parameters and in lower case", async () => {
    const wire = answering(new Response("{}", { headers: { "content-type": "Application/JSON ; charset=utf-8" } }));
    const answer = await createSafeFetch(wire.ports, policy)(request());
    expect(answer.ok && answer.value.contentType).toBe("application/json");
  });
});

describe("RX-01: a connection is held until the response headers are there", () => {
  it("RX-01: so that streams that stay open hold none", async () => {
    const wire = new Wire(async () => new Response(upstream(() => "silence").stream));
    const safeFetch = createSafeFetch(wire.ports, policy, createConnectionBudget(1));
    for (let stream = 0; stream < 10; stream += 1) expect((await safeFetch(request())).ok).toBe(true);
    expect(wire.requests).toHaveLength(10);
  });

  it("RX-01: and not given to another before", async () => {
    const answers: (() => void)[] = [];
    const wire = new Wire(
      () => new Promise((resolve) => answers.push(() => resolve(new Response(upstream(() => "silence").stream)))),
    );
    const safeFetch = createSafeFetch(wire.ports, policy, createConnectionBudget(1));
    const both = [safeFetch(request()), safeFetch(request())];
    await settle();
    expect(wire.requests).toHaveLength(1);
    answers[0]?.();
    await settle();
    expect(wire.requests).toHaveLength(2);
    answers[1]?.();
    expect((await Promise.all(both)).map(({ ok }) => ok)).toEqual([true, true]);
  });

  it("RX-01: over all hops of a redirect", async () => {
    const answers: ((response: Response) => void)[] = [];
    const wire = new Wire(() => new Promise((resolve) => answers.push(resolve)));
    const safeFetch = createSafeFetch(wire.ports, policy, createConnectionBudget(1));
    const first = safeFetch(request({ redirects: "same-origin" }));
    void safeFetch(request({ url: "https://mcp.example.com/second" }));
    await settle();
    answers[0]?.(new Response(null, { status: 307, headers: { location: "/there" } }));
    await settle();
    expect(wire.requests.map(({ url }) => url)).toEqual([
      "https://mcp.example.com/mcp",
      "https://mcp.example.com/there",
    ]);
    answers[1]?.(new Response("{}"));
    expect((await first).ok).toBe(true);
  });

  it("RX-01: until the network has failed", async () => {
    const wire = new Wire(async () => Promise.reject(new Error("reset")));
    const safeFetch = createSafeFetch(wire.ports, policy, createConnectionBudget(1));
    await Promise.all([safeFetch(request()), safeFetch(request())]);
    expect(wire.requests).toHaveLength(2);
  });

  it("RX-01: until a caller that leaves at the moment of its grant has given it on", async () => {
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    const wire = new Wire(async () => {
      await answer;
      return new Response(upstream(() => "silence").stream);
    });
    const safeFetch = createSafeFetch(wire.ports, policy, createConnectionBudget(1));
    const first = safeFetch(request());
    const caller = new AbortController();
    const second = safeFetch(request({ signal: caller.signal }));
    const third = safeFetch(request());
    await settle();
    resolve();
    caller.abort();
    expect((await first).ok).toBe(true);
    expect(await second).toMatchObject({ error: { code: "cancelled" } });
    expect((await third).ok).toBe(true);
    expect(wire.requests).toHaveLength(2);
  });

  it("RX-01: a request that never gets a connection fails at its deadline and is not sent", async () => {
    const wire = new Wire(() => new Promise(() => undefined));
    const safeFetch = createSafeFetch(wire.ports, policy, createConnectionBudget(1));
    void safeFetch(request({ idle_ms: 60_000, total_ms: 60_000 }));
    const second = safeFetch(request({ idle_ms: 1_000, total_ms: 5_000 }));
    await wire.clock.advance(5_000);
    expect(await second).toMatchObject({ error: { code: "upstream_timeout", reason: "total_timeout" } });
    expect(wire.requests).toHaveLength(1);
  });
});

describe("RX-08: silence of an upstream that waits for us", () => {
  const silent = async (excuse: Excuse): Promise<{ wire: Wire; text: Promise<unknown> }> => {
    const wire = new Wire(async () => new Response(upstream(() => "silence").stream));
    const answer = await createSafeFetch(wire.ports, policy)(request({ idle_ms: 1_000, total_ms: 10_000, excuse }));
    if (!answer.ok) throw new Error("no answer");
    return { wire, text: answer.value.text() };
  };

  it("RX-08: does not count", async () => {
    const excuse = new Excuse();
    const { wire, text } = await silent(excuse);
    excuse.begin(wire.clock);
    await wire.clock.advance(9_999);
    expect(await Promise.race([text, "still open"])).toBe("still open");
  });

  it("RX-08: counts from when we are done, in full", async () => {
    const excuse = new Excuse();
    const { wire, text } = await silent(excuse);
    await wire.clock.advance(900);
    const done = excuse.begin(wire.clock);
    await wire.clock.advance(3_600);
    done();
    await wire.clock.advance(999);
    expect(await Promise.race([text, "still open"])).toBe("still open");
    await wire.clock.advance(1);
    expect(await text).toMatchObject({ error: { reason: "idle_timeout" } });
  });

  it("RX-08: does not count while one of two waits goes on", async () => {
    const excuse = new Excuse();
    const { wire, text } = await silent(excuse);
    const [first] = [excuse.begin(wire.clock), excuse.begin(wire.clock)];
    first();
    first();
    await wire.clock.advance(5_000);
    expect(await Promise.race([text, "still open"])).toBe("still open");
  });

  it("RX-08: never outlasts the total", async () => {
    const excuse = new Excuse();
    const { wire, text } = await silent(excuse);
    excuse.begin(wire.clock);
    await wire.clock.advance(10_000);
    expect(await text).toMatchObject({ error: { reason: "total_timeout" } });
  });
});
