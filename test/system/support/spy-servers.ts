/** Scripts for the spy upstream: a modern server, and a legacy one with sessions. */
import { randomUUID } from "node:crypto";
import type { Recorded, RpcRequest, Script, SpyAnswer } from "./spy-upstream.ts";

type Json = Readonly<Record<string, unknown>>;

export interface SpyTool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema?: Json;
  /** More members of the definition, to see that they survive. */
  readonly [member: string]: unknown;
}

export interface ServerScript {
  readonly tools?: readonly SpyTool[];
  /** The whole `result` of a tools/call; by default one text block with the name of the tool. */
  readonly call?: (name: string, input: unknown, request: Recorded) => Json | Promise<Json>;
  /** Answers in place of the above, by JSON-RPC method. Undefined falls through. */
  readonly on?: Readonly<Record<string, (message: RpcRequest, request: Recorded) => SpyAnswer | Promise<SpyAnswer>>>;
  /** More capabilities than `tools`. */
  readonly capabilities?: Json;
}

const definition = (tool: SpyTool): Json => ({
  description: `The tool ${tool.name}`,
  inputSchema: { type: "object" },
  ...tool,
});

const answerOf = (message: RpcRequest, result: Json): SpyAnswer => ({
  body: { jsonrpc: "2.0", id: message.id, result },
});

export const rpcError = (message: RpcRequest, status: number, code: number, text: string): SpyAnswer => ({
  status,
  body: { jsonrpc: "2.0", id: message.id, error: { code, message: text } },
});

/** Server-sent events, one for each message. */
export async function* events(...messages: readonly Json[]): AsyncGenerator<string> {
  for (const message of messages) yield `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

async function callResult(script: ServerScript, message: RpcRequest, request: Recorded): Promise<Json> {
  const name = String(message.params?.["name"]);
  return (
    (await script.call?.(name, message.params?.["arguments"], request)) ?? { content: [{ type: "text", text: name }] }
  );
}

/** A 2026-07-28 server without sessions. */
export function modernServer(script: ServerScript = {}): Script {
  return async (request) => {
    if (request.method !== "POST") return { status: 405 };
    const message = request.json();
    const own = await script.on?.[message.method ?? ""]?.(message, request);
    if (own !== undefined) return own;
    const cached = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
    switch (message.method) {
      case "server/discover":
        return answerOf(message, {
          ...cached,
          supportedVersions: ["2026-07-28"],
          capabilities: { tools: {}, ...script.capabilities },
          _meta: { "io.modelcontextprotocol/serverInfo": { name: "spy", version: "1.0.0" } },
        });
      case "tools/list":
        return answerOf(message, { ...cached, tools: (script.tools ?? []).map(definition) });
      case "tools/call":
        return answerOf(message, { resultType: "complete", ...(await callResult(script, message, request)) });
      default:
        return message.id === undefined ? { status: 202 } : rpcError(message, 404, -32601, "Method not found");
    }
  };
}

/** A 2025-11-25 server with sessions; it knows nothing of later revisions. */
export function legacyServer(script: ServerScript = {}): Script {
  const sessions = new Set<string>();
  return async (request) => {
    const [session] = request.values("mcp-session-id");
    if (request.method === "DELETE" && session !== undefined) return { status: sessions.delete(session) ? 200 : 404 };
    if (request.method !== "POST") return { status: 405 };
    const message = request.json();
    const own = await script.on?.[message.method ?? ""]?.(message, request);
    if (own !== undefined) return own;
    if (message.method === "initialize") {
      const id = randomUUID();
      sessions.add(id);
      const result = {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {}, ...script.capabilities },
        serverInfo: { name: "spy", version: "1.0.0" },
      };
      return { ...answerOf(message, result), headers: { "mcp-session-id": id } };
    }
    if (session === undefined) return rpcError(message, 400, -32000, "Bad Request: session id required");
    if (!sessions.has(session)) return rpcError(message, 404, -32001, "Session not found");
    if (message.id === undefined) return { status: 202 };
    if (message.method === "tools/list") return answerOf(message, { tools: (script.tools ?? []).map(definition) });
    if (message.method === "tools/call") return answerOf(message, await callResult(script, message, request));
    if (message.method === "ping") return answerOf(message, {});
    return rpcError(message, 200, -32601, "Method not found");
  };
}
