/** The hop to an upstream on its own: an invocation as `upstream/` sees it, and a scripted server in place of the network. */
import { env } from "cloudflare:workers";
import { createRecorder } from "../../../src/audit/index.ts";
import { createConnectionBudget, createSafeFetch } from "../../../src/egress/index.ts";
import { parseConfiguration } from "../../../src/env.ts";
import type { Failure } from "../../../src/errors.ts";
import type { Target, UpstreamAsk, UpstreamCall, UpstreamContext } from "../../../src/upstream/call.ts";
import { requestUpstream, type UpstreamAnswer, type UpstreamMessage } from "../../../src/upstream/index.ts";
import { limits } from "../../../src/limits.ts";
import type { JsonObject, Ports, Result } from "../../../src/ports.ts";
import { systemPorts } from "../../../src/system-ports.ts";
import { defaultSettings, type Snapshot } from "../../../src/tenant/index.ts";
import { createVault } from "../../../src/vault/index.ts";
import type { Seen, Upstream } from "../gateway/support.ts";

export interface Hop {
  readonly ports: Ports;
  readonly server: Target;
  /** Everything that left, in order. */
  readonly seen: Seen[];
  /** Messages of the log. */
  readonly logged: string[];
  serve(upstream: Upstream): void;
  /** A request of a client: of 2025-11-25 with a session, unless said otherwise. */
  context(more?: Partial<UpstreamContext>): UpstreamContext;
  /** Waits for what runs behind the answer. */
  settle(): Promise<void>;
}

export const clientCapabilities = { sampling: {}, elicitation: {}, roots: {} };

/** A client session of its own. */
export const newOwner = (): string => `session:${crypto.randomUUID().replaceAll("-", "").slice(0, 22)}`;

export async function createHop(more: Partial<Ports> = {}): Promise<Hop> {
  let upstream: Upstream = () => new Response(null, { status: 503 });
  const seen: Seen[] = [];
  const logged: string[] = [];
  const behind: Promise<unknown>[] = [];
  const ports: Ports = {
    ...systemPorts,
    async network(request) {
      const text = await request.text();
      const { url, method, headers, signal } = request;
      const message = text === "" ? {} : (JSON.parse(text) as JsonObject);
      const entry: Seen = { url, method, headers, text, message, signal };
      seen.push(entry);
      return upstream(entry);
    },
    ...more,
  };
  const configuration = parseConfiguration(env);
  const vault = await createVault(`test:${btoa("k".repeat(32)).replace("=", "")}`, ports);
  if (!configuration.ok || !vault.ok) throw new Error("the test's own configuration is not valid");
  const tenant = `t-${crypto.randomUUID().slice(0, 8)}`;
  const owner = newOwner();
  const server: Target = {
    id: crypto.randomUUID(),
    slug: "up",
    name: "up",
    url: "https://up.upstream.test/mcp",
    enabled: true,
    timeout_ms: limits.upstreamIdle_ms,
    authentication: { type: "none" },
    credential: null,
    outbound_headers: [],
    header_secrets: null,
    authentication_revision: 1,
    agent_authentication: { type: "any" },
    inbound_headers: { forward: null, restrict: [] },
    revision: 1,
    access: { everyone: false, groups: [] },
  };
  return {
    ports,
    server,
    seen,
    logged,
    serve: (made) => void (upstream = made),
    context: (given) => ({
      platform: {
        configuration: configuration.value,
        ports,
        bindings: env,
        waitUntil: (promise) => void behind.push(promise),
        log: (_level, message) => void logged.push(message),
      },
      tenant: { id: tenant, origin: `https://${tenant}.gw.test` },
      snapshot: snapshotOf(tenant, server),
      vault: vault.value,
      recorder: createRecorder({ queue: env.AUDIT, outbox: env.OUTBOX, clock: ports.clock }),
      source: { network: "192.0.2.0/24" },
      caller: { agent: "test", mayUseOrganisation: true, inbound: new Headers() },
      used: new Set(),
      fetch: createSafeFetch(ports, { mode: "enterprise", origins: new Set() }, createConnectionBudget(5)),
      signal: new AbortController().signal,
      id: 7,
      era: "legacy",
      owner,
      client: { info: { name: "gatehouse", version: "0.1.0" }, capabilities: clientCapabilities },
      ...given,
    }),
    async settle() {
      while (behind.length > 0) await Promise.all(behind.splice(0));
    },
  };
}

function snapshotOf(tenant: string, server: Target): Snapshot {
  return {
    ...{ tenant, version: 1, loaded_at: 0, initialised: true, settings: defaultSettings },
    ...{ servers: new Map([[server.slug, server]]), clients: new Map(), tokens: new Map(), tokensById: new Map() },
    ...{ verificationKeys: new Map(), revocations: new Map(), revokedBefore: 0 },
  };
}

export interface Read {
  readonly messages: UpstreamMessage[];
  readonly answer: Result<UpstreamAnswer, Failure>;
}

export const callOf = (more: Partial<UpstreamCall> = {}): UpstreamCall => ({
  method: "tools/call",
  params: { name: "run" },
  name: "run",
  total_ms: limits.upstreamTotal_ms,
  ...more,
});

/** Reads a request to its answer. @param onAsk answers what the server asks, while the call goes on */
export async function request(
  hop: Hop,
  context: UpstreamContext,
  call: UpstreamCall = callOf(),
  onAsk: (ask: UpstreamAsk) => unknown = () => undefined,
): Promise<Read> {
  const reply = requestUpstream(context, hop.server, call);
  const messages: UpstreamMessage[] = [];
  let next = await reply.next();
  for (; next.done !== true; next = await reply.next()) {
    messages.push(next.value);
    if (next.value.kind === "ask") await onAsk(next.value);
  }
  await hop.settle();
  return { messages, answer: next.value };
}

/** The messages of one method, or the HTTP requests of one, in the order in which they left. */
export const sentBy = (hop: Hop, name: string): Seen[] =>
  hop.seen.filter(({ message, method }) => message["method"] === name || method === name);

/** The answer that went to a server's own request. */
export const replyTo = (hop: Hop, id: string | number): Seen[] =>
  hop.seen.filter(({ message }) => message["id"] === id && message["method"] === undefined);

/** The event stream of these texts, as they are. */
export const events = (...texts: string[]): Response =>
  new Response(texts.join(""), { headers: { "content-type": "text/event-stream" } });

export const textOf = ({ answer }: Read): string =>
  answer.ok ? JSON.stringify(answer.value.response) : `${answer.error.code} ${answer.error.reason ?? ""}`;
