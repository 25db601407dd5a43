/** A scripted server of the 2025 revisions, and the shapes in which real ones answer. */
import type { Json, JsonObject } from "../../../src/ports.ts";
import { sse, type Seen, type Upstream } from "./support.ts";

export interface LegacyOptions {
  readonly version?: "2024-11-05" | "2025-03-26" | "2025-06-18" | "2025-11-25";
  /** Session ids in the order in which they are given out; without any the server keeps none. */
  readonly sessions?: readonly string[];
  readonly stream?: boolean;
  /** All but tools, if not said: those would be listed before a call, in a session of their own. */
  readonly capabilities?: JsonObject;
  readonly instructions?: string;
  /** How it answers `server/discover`, which it does not know. */
  readonly probe?: (seen: Seen) => Response;
  /** How it answers GET; without it, 405. */
  readonly listen?: (seen: Seen) => Response | Promise<Response>;
}

/** What a server of 2025 does with a request that it cannot place: the answer of the official SDK. */
export const notInitialized = (): Response =>
  Response.json(
    { jsonrpc: "2.0", id: null, error: { code: -32000, message: "Bad Request: Server not initialized" } },
    { status: 400 },
  );

/** JSON-RPC messages for one POST: notifications and requests first, the answer last. */
export type LegacyAnswer = JsonObject | readonly JsonObject[] | Response;

/**
 * @param answer gives the result, or with an `error` member the error, of each request but the handshake; or messages that
 *   are sent as they are; or the whole response
 */
export function legacyUpstream(
  options: LegacyOptions,
  answer: (seen: Seen) => LegacyAnswer | Promise<LegacyAnswer>,
): Upstream {
  const { version = "2025-11-25", stream = false } = options;
  let opened = 0;
  const send = (message: Json, headers: Record<string, string> = {}): Response => {
    const response = stream ? sse(message) : Response.json(message);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };
  return async (seen) => {
    const { id, method } = seen.message;
    if (seen.method === "GET") return options.listen?.(seen) ?? new Response(null, { status: 405 });
    if (seen.method === "DELETE") return new Response(null, { status: 200 });
    if (method === "server/discover") return (options.probe ?? notInitialized)(seen);
    if (method === "initialize") {
      const session = options.sessions?.[opened];
      opened += 1;
      const capabilities = options.capabilities ?? {
        prompts: {},
        resources: {},
        completions: {},
        logging: {},
      };
      const { instructions } = options;
      const result: JsonObject = { protocolVersion: version, capabilities, serverInfo: { name: "old", version: "1" } };
      if (instructions !== undefined) result["instructions"] = instructions;
      return send(
        { jsonrpc: "2.0", id: id ?? null, result },
        session === undefined ? {} : { "mcp-session-id": session },
      );
    }
    if (id === undefined || method === undefined) return new Response(null, { status: 202 });
    if (method === "logging/setLevel" || method === "resources/subscribe")
      return send({ jsonrpc: "2.0", id, result: {} });
    const answered = await answer(seen);
    if (answered instanceof Response) return answered;
    if (Array.isArray(answered)) return sse(...(answered as Json[]));
    const { error, ...result } = answered as JsonObject;
    return send(error === undefined ? { jsonrpc: "2.0", id, result } : { jsonrpc: "2.0", id, error });
  };
}
