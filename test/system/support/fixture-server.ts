/**
 * The conforming upstream of the conformance runs: a 2026-07-28 server with the tools, prompts and resources that the
 * official suite asks for by name.
 */
import { randomBytes } from "node:crypto";
import {
  createMcpHandler,
  createRequestStateCodec,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  McpServer,
  originValidationResponse,
  type McpHttpHandler,
} from "@modelcontextprotocol/server";
import { serve, type Served } from "../../../scripts/lib/serve.ts";
import { addInputRequired } from "./fixture/input-required.ts";
import { addPrompts } from "./fixture/prompts.ts";
import { addResources } from "./fixture/resources.ts";
import { addTools } from "./fixture/tools.ts";

/** What a tool leaves in `requestState` between two rounds. Integrity-protected, since it comes back through the client. */
export interface RoundState extends Record<string, unknown> {
  readonly tool: string;
  readonly round: number;
  readonly name?: string;
}

const path = "/mcp";

function createFixture(): McpHttpHandler {
  const states = createRequestStateCodec<RoundState>({ key: randomBytes(32) });
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: "gatehouse-conformance-fixture", version: "1.0.0" },
      {
        capabilities: {
          tools: { listChanged: true },
          prompts: { listChanged: true },
          resources: { listChanged: true, subscribe: true },
          completions: {},
        },
        // Runs before the handlers: changed or foreign state is refused with -32602.
        requestState: { verify: states.verify },
      },
    );
    addTools(server, () => handler.notify);
    addInputRequired(server, states.mint);
    addPrompts(server);
    addResources(server);
    return server;
  });
  return handler;
}

/** Starts the fixture on loopback. Its MCP endpoint is the URL that it returns. */
export async function startFixture(port = 0): Promise<Served> {
  const handler = createFixture();
  const served = await serve((request) => {
    const refused =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins());
    if (refused !== undefined) return refused;
    if (new URL(request.url).pathname !== path) return new Response("Not found", { status: 404 });
    return handler.fetch(request);
  }, port);
  return {
    url: new URL(path, served.url),
    async close() {
      await handler.close();
      await served.close();
    },
  };
}
