/**
 * A process: the fastest honest MCP server of 2026-07-28 behind the gateway. It checks what reaches it, since a gateway that
 * loses a header or the credential would otherwise look fast.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { answerWith } from "./peer.ts";

export interface UpstreamStart {
  /** The credential that every request must carry. */
  readonly token: string;
}

export interface UpstreamStarted {
  readonly port: number;
}

const version = "2026-07-28";
const tools_count = 20;

const small = JSON.stringify({
  resultType: "complete",
  content: [{ type: "text", text: "s".repeat(64) }],
});
const large = JSON.stringify({
  resultType: "complete",
  content: [{ type: "text", text: "l".repeat(64 * 1024) }],
});

const tools = JSON.stringify({
  resultType: "complete",
  ttlMs: 60_000,
  cacheScope: "private",
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
});

const discovered = JSON.stringify({
  resultType: "complete",
  supportedVersions: [version],
  capabilities: { tools: {} },
  serverInfo: { name: "gatehouse-bench-upstream", version: "1.0.0" },
});

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

/** @returns the text of the result, or what is wrong with the request */
function resultOf(incoming: IncomingMessage, message: Rpc, token: string): { result: string } | { wrong: string } {
  const { headers } = incoming;
  const { method, params } = message;
  const meta = (params?._meta ?? {}) as Record<string, unknown>;
  if (headers.authorization !== `Bearer ${token}`) return { wrong: "authorization" };
  if (headers["content-type"] !== "application/json") return { wrong: "content-type" };
  if (headers["mcp-protocol-version"] !== version) return { wrong: "mcp-protocol-version" };
  if (headers["mcp-method"] !== method) return { wrong: "mcp-method" };
  if (meta["io.modelcontextprotocol/protocolVersion"] !== version) return { wrong: "_meta" };
  if (message.jsonrpc !== "2.0" || (typeof message.id !== "number" && typeof message.id !== "string")) {
    return { wrong: "envelope" };
  }
  if (method === "server/discover") return { result: discovered };
  if (method === "tools/list") return { result: tools };
  if (method !== "tools/call" || headers["mcp-name"] !== params?.name) return { wrong: "mcp-name" };
  if (typeof params?.arguments?.query !== "string") return { wrong: "arguments" };
  return { result: params.name === "large" ? large : small };
}

function answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string, token: string): void {
  const message = JSON.parse(body) as Rpc;
  const found = resultOf(incoming, message, token);
  const wrong = "wrong" in found;
  const member = wrong
    ? `"error":{"code":-32600,"message":"The benchmark's upstream refuses: ${found.wrong}"}`
    : `"result":${found.result}`;
  const text = `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},${member}}`;
  outgoing.writeHead(wrong ? 400 : 200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  outgoing.end(text);
}

answerWith<UpstreamStart, UpstreamStarted>(async ({ token }) => {
  // Idle connections stay open for the whole run: a reconnect would be counted as the gateway's latency.
  const server = createServer({ keepAliveTimeout: 600_000 }, (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => answer(incoming, outgoing, Buffer.concat(chunks).toString("utf8"), token));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0 };
});
