/**
 * The whole Worker with real D1, KV, Durable Objects and Queue, and scripted upstreams in place of the network: the one port
 * that a test replaces here.
 */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createApp } from "../../../src/app.ts";
import type { AuditEvent } from "../../../src/audit/index.ts";
import type { Json, JsonObject, Ports } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";

export const MODERN = "2026-07-28";
export const setupSecret = "set-up-secret-of-the-tests-0123456789";

/** A request as an upstream saw it. */
export interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly text: string;
  readonly message: JsonObject;
  /** Aborts when the gateway gives the request up. */
  readonly signal: AbortSignal;
}

export type Upstream = (seen: Seen) => Response | Promise<Response>;

export interface Harness {
  readonly ports: Ports;
  /** Everything that left the Worker, in order. */
  readonly seen: Seen[];
  /** Events handed over, in order. Their durability is the Queue's; this is a copy taken on the way. */
  readonly events: AuditEvent[];
  /** Answers requests to `https://{host}/…`. */
  serve(host: string, upstream: Upstream): void;
  /** A request to the Worker. Resolves with the whole answer; what runs behind the answer is awaited as well. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** The same, but the body of the answer is left to the test to read, and `settle` to call afterwards. */
  open(url: string, init?: RequestInit): Promise<{ response: Response; settle(): Promise<void> }>;
}

export interface HarnessOptions {
  /** Over the bindings of the test Worker, for instance a `Proxy` that fails. */
  readonly bindings?: Partial<Env> & Record<string, unknown>;
  readonly ports?: Partial<Ports>;
}

export function createHarness(options: HarnessOptions = {}): Harness {
  const upstreams = new Map<string, Upstream>();
  const seen: Seen[] = [];
  const events: AuditEvent[] = [];
  const ports: Ports = {
    ...systemPorts,
    async network(request) {
      const text = await request.text();
      const { hostname } = new URL(request.url);
      const entry: Seen = {
        url: request.url,
        method: request.method,
        headers: request.headers,
        text,
        message: text === "" ? {} : (JSON.parse(text) as JsonObject),
        signal: request.signal,
      };
      seen.push(entry);
      const upstream = upstreams.get(hostname);
      if (upstream === undefined) throw new TypeError("connection refused");
      return upstream(entry);
    },
    ...options.ports,
  };
  const audit = new Proxy(env.AUDIT, {
    get(queue, property) {
      if (property !== "send") return Reflect.get(queue, property) as unknown;
      return async (event: AuditEvent) => {
        await queue.send(event);
        events.push(event);
      };
    },
  });
  // Tenant ids of its own keep each test apart from all others: the tenant leads every key.
  const own = crypto.randomUUID().slice(0, 8);
  const tenants = `a-${own}=a.gw.test b-${own}=b.gw.test l-${own}=localhost`;
  const bindings = { ...env, AUDIT: audit, GATEHOUSE_TENANTS: tenants, ...options.bindings } as Env;
  const app = createApp(ports);

  async function open(url: string, init?: RequestInit): Promise<{ response: Response; settle(): Promise<void> }> {
    const context = createExecutionContext();
    const response = await app.fetch(new Request(url, init), bindings, context);
    return { response, settle: () => waitOnExecutionContext(context) };
  }
  return {
    ports,
    seen,
    events,
    serve: (host, upstream) => void upstreams.set(host, upstream),
    open,
    async fetch(url, init) {
      const { response, settle } = await open(url, init);
      const body = response.body === null ? null : await response.arrayBuffer();
      await settle();
      return new Response(body, response);
    },
  };
}

/** The `_meta` that every modern request carries. */
export const meta = (capabilities: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  "io.modelcontextprotocol/protocolVersion": MODERN,
  "io.modelcontextprotocol/clientInfo": { name: "test-client", version: "1.0.0" },
  "io.modelcontextprotocol/clientCapabilities": capabilities,
  ...more,
});

/** A right 2026-07-28 POST, to take apart in a test. */
export function modernPost(
  method: string,
  params: JsonObject = {},
  more: { headers?: Record<string, string>; token?: string; id?: string | number; signal?: AbortSignal } = {},
): RequestInit {
  const name = params["name"] ?? params["uri"] ?? params["taskId"];
  return {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": MODERN,
      "mcp-method": method,
      ...(typeof name === "string" ? { "mcp-name": name } : {}),
      ...(more.token === undefined ? {} : { authorization: `Bearer ${more.token}` }),
      ...more.headers,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: more.id ?? 1, method, params: { _meta: meta(), ...params } }),
    ...(more.signal === undefined ? {} : { signal: more.signal }),
  };
}

/** A scripted modern server: `answer` gives the result of each method; discovery and an empty tool list come of themselves. */
export function modernUpstream(
  answer: (seen: Seen) => JsonObject | Response | Promise<JsonObject | Response>,
): Upstream {
  return async (seen) => {
    const { id, method } = seen.message;
    if (method === "server/discover") {
      const capabilities = { tools: { listChanged: true }, resources: {}, prompts: {}, completions: {} };
      return result(id ?? null, { supportedVersions: [MODERN], capabilities, ttlMs: 0, cacheScope: "private" });
    }
    const answered = await answer(seen);
    if (answered instanceof Response) return answered;
    return result(id ?? null, answered);
  };
}

/** A JSON-RPC result, or with an `error` member an error, as a JSON response. */
export function result(id: Json, value: JsonObject, status = 200): Response {
  const message =
    "error" in value
      ? { jsonrpc: "2.0", id, error: value["error"] }
      : { jsonrpc: "2.0", id, result: { resultType: "complete", ...value } };
  return Response.json(message, { status });
}

/** An event stream of these messages. */
export function sse(...messages: Json[]): Response {
  const text = messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join("");
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

export interface Tenant {
  readonly origin: string;
  readonly administrator: string;
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Registers a server at `https://{slug}.upstream.test/mcp` and returns its id. */
  addServer(slug: string, more?: JsonObject): Promise<string>;
  /** A client that may use these servers, with a token. */
  addClient(servers: readonly string[]): Promise<{ id: string; token: string; token_id: string }>;
}

/** A tenant of the test Worker, set up: `https://a.gw.test` or `https://b.gw.test`. */
export async function setUp(harness: Harness, origin = "https://a.gw.test"): Promise<Tenant> {
  const json = { "content-type": "application/json" };
  const made = await harness.fetch(`${origin}/api/v1/setup`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ secret: setupSecret }),
  });
  if (made.status !== 201) throw new Error(`set-up failed: ${made.status} ${await made.text()}`);
  const { token } = (await made.json()) as { token: { token: string } };
  const api: Tenant["api"] = (method, path, body, headers) =>
    harness.fetch(`${origin}/api/v1${path}`, {
      method,
      headers: { ...json, authorization: `Bearer ${token.token}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const create = async (path: string, body: unknown): Promise<Record<string, string>> => {
    const response = await api("POST", path, body);
    if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  return {
    origin,
    administrator: token.token,
    api,
    async addServer(slug, more) {
      const server = await create("/servers", { slug, url: `https://${slug}.upstream.test/mcp`, ...more });
      return server["id"] ?? "";
    },
    async addClient(servers) {
      const client = await create("/clients", { name: "agent", servers });
      const issued = await create(`/clients/${client["id"]}/tokens`, {});
      return { id: client["id"] ?? "", token: issued["token"] ?? "", token_id: issued["id"] ?? "" };
    },
  };
}

/** An answer of the gateway, read. */
export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON-RPC response: the body, or the last event of the stream. */
  readonly message: JsonObject;
  /** Every event of a stream, in order; empty for a JSON answer. */
  readonly messages: readonly JsonObject[];
}

/** Sends a 2026-07-28 request to `path` and reads the whole answer. */
export async function ask(
  harness: Harness,
  url: string,
  method: string,
  params: JsonObject = {},
  more: Parameters<typeof modernPost>[2] = {},
): Promise<Asked> {
  return read(await harness.fetch(url, modernPost(method, params, more)));
}

export async function read(response: Response): Promise<Asked> {
  const text = await response.text();
  const streamed = response.headers.get("content-type") === "text/event-stream";
  const messages = streamed ? eventsOf(text) : [];
  const message = streamed ? (messages.at(-1) ?? {}) : text === "" ? {} : (JSON.parse(text) as JsonObject);
  return { status: response.status, headers: response.headers, text, message, messages };
}

/** The data of each event; comments, and events without data, are left out. */
export function eventsOf(text: string): JsonObject[] {
  return text.split("\n\n").flatMap((event) => {
    const data = /^data: (?<json>.+)$/m.exec(event)?.groups?.["json"];
    return data === undefined ? [] : [JSON.parse(data) as JsonObject];
  });
}

/** Waits until something is there: what happens behind an answer has no event to wait for. */
export async function eventually<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

type EventOf<T extends AuditEvent["type"]> = Extract<AuditEvent, { type: T }>;

const ofType =
  <T extends AuditEvent["type"]>(type: T) =>
  (event: AuditEvent): event is EventOf<T> =>
    event.type === type;

export const requestEvents = (harness: Harness): EventOf<"mcp.request">[] =>
  harness.events.filter(ofType("mcp.request"));
export const responseEvents = (harness: Harness): EventOf<"mcp.response">[] =>
  harness.events.filter(ofType("mcp.response"));

/** Methods that upstreams saw, without the handshakes of the gateway itself. */
const handshake: ReadonlySet<unknown> = new Set(["server/discover", "initialize", "notifications/initialized"]);
export const calls = (harness: Harness): Seen[] =>
  harness.seen.filter(({ message }) => !handshake.has(message["method"]));

/** Messages of one method, in the order in which they left the Worker. */
export const sent = (harness: Harness, method: string): Seen[] =>
  harness.seen.filter(({ message }) => message["method"] === method);

export const objectAt = (value: Json | undefined, member: string): JsonObject => {
  const inner = typeof value === "object" && value !== null && !Array.isArray(value) ? value[member] : undefined;
  if (typeof inner !== "object" || inner === null || Array.isArray(inner)) throw new Error(`no object at ${member}`);
  return inner;
};

/** Keys of its own, so that the vault of this harness has the ports of this harness. */
export function freshKeys(): string {
  return `test:${crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true })}`;
}
