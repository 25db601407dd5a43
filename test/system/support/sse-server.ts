/**
 * A server of the oldest transport, by the SDK of its time: a stream that a GET opens, and a second URL for messages, which
 * the stream's first event names.
 * @see MCP 2024-11-05, transports, "HTTP with SSE"
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import * as z from "zod";
import type { Served } from "../../../scripts/lib/serve.ts";

export interface SseServer extends Served {
  /** How many streams are open. */
  streams(): number;
}

const streamPath = "/sse";
const messagePath = "/messages";

function createMcpServer(): McpServer {
  const server = new McpServer({ name: "gatehouse-sse-fixture", version: "1.0.0" });
  server.registerTool(
    "echo",
    { description: "Says what it was told", inputSchema: { message: z.string() } },
    async ({ message }) => ({ content: [{ type: "text", text: `Echo: ${message}` }] }),
  );
  server.registerResource("note", "note://one", { mimeType: "text/plain" }, async (uri) => ({
    contents: [{ uri: uri.href, mimeType: "text/plain", text: "A note." }],
  }));
  return server;
}

/** Starts it on loopback. The URL that it returns is that of the stream; a POST to it gets 404, by which clients know it. */
export async function startSseServer(): Promise<SseServer> {
  const transports = new Map<string, SSEServerTransport>();

  const open = async (response: ServerResponse): Promise<void> => {
    const transport = new SSEServerTransport(messagePath, response);
    transports.set(transport.sessionId, transport);
    response.once("close", () => transports.delete(transport.sessionId));
    await createMcpServer().connect(transport);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "GET" && pathname === streamPath) return await open(response);
    const transport = transports.get(searchParams.get("sessionId") ?? "");
    if (request.method === "POST" && pathname === messagePath && transport !== undefined) {
      return await transport.handlePostMessage(request, response);
    }
    response.writeHead(404).end("Not found");
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: new URL(`http://127.0.0.1:${port}${streamPath}`),
    streams: () => transports.size,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
