/**
 * A process: the fastest honest MCP servers behind the gateway, one of 2026-07-28 and one of 2025-11-25 that keeps sessions.
 * They check what reaches them, since a gateway that loses a header or the credential would otherwise look fast.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { answerWith } from "./peer.ts";

export interface UpstreamStart {
  /** The credential that every request must carry. */
  readonly token: string;
}

export interface UpstreamStarted {
  readonly port: number;
}

/** Where the servers are. */
export const upstreamPaths = {
  modern: "/mcp",
  legacy: "/legacy",
  /** The modern one, each of whose answers takes `delay_ms`. */
  delayed: "/delayed",
} as const;

export const delay_ms = 20;

const modernVersion = "2026-07-28";
const legacyVersion = "2025-11-25";
const tools_count = 20;

const content = (text: string): object => ({ content: [{ type: "text", text }] });
const small = content("s".repeat(64));
const large = content("l".repeat(64 * 1024));

const tools = {
  tools: Array.from({ length: tools_count }, (_, at) => ({
    name: at === 0 ? "small" : at === 1 ? "large" : `tool_${at}`,
    title: `Tool ${at}`,
    description: `Answers with a text of fixed size. ${"It does nothing else. ".repeat(8)}`,
    inputSchema: {
      type: "object",
      properties: { query: { type: "string", description: "Any text" }, limit: { type: "integer" } },
      required: ["query"],
    },
  })),
};

const described = { capabilities: { tools: {} }, serverInfo: { name: "gatehouse-bench-upstream", version: "1.0.0" } };

/** Results as JSON, made once. */
interface Results {
  readonly small: string;
  readonly large: string;
  readonly tools: string;
  /** Of `server/discover`, or of `initialize`. */
  readonly described: string;
}

const complete = { resultType: "complete" };

const modernResults: Results = {
  small: JSON.stringify({ ...complete, ...small }),
  large: JSON.stringify({ ...complete, ...large }),
  // Longer than a run, so that no list is asked for again in the middle of it.
  tools: JSON.stringify({ ...complete, ttlMs: 600_000, cacheScope: "private", ...tools }),
  described: JSON.stringify({ ...complete, supportedVersions: [modernVersion], ...described }),
};

const legacyResults: Results = {
  small: JSON.stringify(small),
  large: JSON.stringify(large),
  tools: JSON.stringify(tools),
  described: JSON.stringify({ protocolVersion: legacyVersion, ...described }),
};

interface Rpc {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: {
    readonly name?: unknown;
    readonly arguments?: { readonly query?: unknown };
    readonly _meta?: object;
  };
}

interface Seen {
  readonly headers: IncomingMessage["headers"];
  readonly message: Rpc;
}

/** What is sent back: a result, nothing for a notification, or what is wrong with the request. */
type Found = { result: string; session?: string } | { accepted: true } | { wrong: string; status?: number };

function checkEnvelope({ headers, message }: Seen, token: string): string | undefined {
  if (headers.authorization !== `Bearer ${token}`) return "authorization";
  if (headers["content-type"] !== "application/json") return "content-type";
  return message.jsonrpc === "2.0" ? undefined : "envelope";
}

const isId = (id: unknown): boolean => typeof id === "number" || typeof id === "string";

function called({ params }: Rpc, results: Results): Found {
  if (typeof params?.arguments?.query !== "string") return { wrong: "arguments" };
  return { result: params.name === "large" ? results.large : results.small };
}

function modern({ headers, message }: Seen): Found {
  const { method, params, id } = message;
  const meta = (params?._meta ?? {}) as Record<string, unknown>;
  if (headers["mcp-protocol-version"] !== modernVersion) return { wrong: "mcp-protocol-version" };
  if (headers["mcp-method"] !== method) return { wrong: "mcp-method" };
  if (meta["io.modelcontextprotocol/protocolVersion"] !== modernVersion) return { wrong: "_meta" };
  if (!isId(id)) return { wrong: "id" };
  if (method === "server/discover") return { result: modernResults.described };
  if (method === "tools/list") return { result: modernResults.tools };
  if (method !== "tools/call" || headers["mcp-name"] !== params?.name) return { wrong: "mcp-name" };
  return called(message, modernResults);
}

const sessions = new Set<string>();

function legacy({ headers, message }: Seen): Found {
  const { method, id } = message;
  if (method === "initialize") {
    const session = randomUUID();
    sessions.add(session);
    return { result: legacyResults.described, session };
  }
  const session = headers["mcp-session-id"];
  if (session === undefined) return { wrong: "mcp-session-id" };
  if (typeof session !== "string" || !sessions.has(session)) return { wrong: "session", status: 404 };
  if (headers["mcp-protocol-version"] !== legacyVersion) return { wrong: "mcp-protocol-version" };
  if (id === undefined) return { accepted: true };
  if (!isId(id)) return { wrong: "id" };
  if (method === "tools/list") return { result: legacyResults.tools };
  return method === "tools/call" ? called(message, legacyResults) : { wrong: "method" };
}

const servers: ReadonlyMap<string | undefined, (seen: Seen) => Found> = new Map([
  [upstreamPaths.modern, modern],
  [upstreamPaths.delayed, modern],
  [upstreamPaths.legacy, legacy],
]);

function answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string, token: string): void {
  const serve = servers.get(incoming.url);
  if (incoming.method === "DELETE") return void outgoing.writeHead(200).end();
  if (incoming.method !== "POST" || serve === undefined) return void outgoing.writeHead(405).end();
  const message = JSON.parse(body) as Rpc;
  const seen = { headers: incoming.headers, message };
  const unfit = checkEnvelope(seen, token);
  const found: Found = unfit === undefined ? serve(seen) : { wrong: unfit };
  if ("accepted" in found) return void outgoing.writeHead(202, { "content-length": 0 }).end();
  const [status, member] =
    "wrong" in found
      ? [found.status ?? 400, `"error":{"code":-32600,"message":"The benchmark's upstream refuses: ${found.wrong}"}`]
      : [200, `"result":${found.result}`];
  const text = `{"jsonrpc":"2.0","id":${JSON.stringify(message.id ?? null)},${member}}`;
  outgoing.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...("session" in found ? { "mcp-session-id": found.session } : {}),
  });
  outgoing.end(text);
}

async function start({ token }: UpstreamStart): Promise<UpstreamStarted> {
  // Idle connections stay open for the whole run: a reconnect would be counted as the gateway's latency.
  const server = createServer({ keepAliveTimeout: 600_000 }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const reply = (): void => answer(incoming, outgoing, Buffer.concat(chunks).toString("utf8"), token);
      if (incoming.url === upstreamPaths.delayed) setTimeout(reply, delay_ms);
      else reply();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0 };
}

// Also imported for its paths.
if (import.meta.main) answerWith<UpstreamStart, UpstreamStarted>(start);
