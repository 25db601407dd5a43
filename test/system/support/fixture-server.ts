/**
 * The conforming upstream of the conformance runs and the tests: every kind of thing that a server can offer, with the names
 * that the official suite asks for, in 2026-07-28, in the 2025 revisions with sessions, or in both on one URL.
 */
import { randomBytes } from "node:crypto";
import {
  createMcpHandler,
  createRequestStateCodec,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  McpServer,
  originValidationResponse,
  type RequestStateCodec,
  type ServerNotifier,
} from "@modelcontextprotocol/server";
import { serve, type Served } from "../../../scripts/lib/serve.ts";
import { addAsking } from "./fixture/asking.ts";
import { addInputRequired } from "./fixture/input-required.ts";
import { addPrompts } from "./fixture/prompts.ts";
import { addResources } from "./fixture/resources.ts";
import { addSessionTools } from "./fixture/session-tools.ts";
import { createSessions } from "./fixture/sessions.ts";
import { addTaskTool, taskCapability } from "./fixture/tasks.ts";
import { addTools } from "./fixture/tools.ts";

/** What a tool leaves in `requestState` between two rounds. Integrity-protected, since it comes back through the client. */
export interface RoundState extends Record<string, unknown> {
  readonly tool: string;
  readonly round: number;
  readonly name?: string;
}

/** "modern" is 2026-07-28, "legacy" the revisions before it. */
export type Eras = "modern" | "legacy" | "both";

export interface FixtureOptions {
  /** "both" without it. */
  readonly eras?: Eras;
  /** 0, the default, takes a free one. */
  readonly port?: number;
}

export interface Fixture extends Served {
  /** Tells whoever listens, in both eras, that something changed. */
  readonly notify: ServerNotifier;
  /** How many sessions of the 2025 revisions are open. */
  sessions(): number;
}

const path = "/mcp";

function createServer(states: RequestStateCodec<RoundState>, notify: ServerNotifier): McpServer {
  const server = new McpServer(
    { name: "gatehouse-conformance-fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
        // The SDK leaves it out of what it declares in 2026-07-28, which has no such tasks.
        tasks: taskCapability,
      },
      // Runs before the handlers: changed or foreign state is refused with -32602.
      requestState: { verify: states.verify },
    },
  );
  addTools(server, notify);
  addSessionTools(server);
  addTaskTool(server);
  addAsking(server);
  addInputRequired(server, states.mint);
  addPrompts(server);
  addResources(server);
  return server;
}

function createFixture(eras: Eras): Omit<Fixture, "url"> & { fetch(request: Request): Promise<Response> } {
  const states = createRequestStateCodec<RoundState>({ key: randomBytes(32) });
  const create = (): McpServer => createServer(states, notify);
  const modern = createMcpHandler(create, { legacy: "reject" });
  const legacy = createSessions(create);
  const notify: ServerNotifier = {
    toolsChanged: () => [modern, legacy].forEach((era) => era.notify.toolsChanged()),
    promptsChanged: () => [modern, legacy].forEach((era) => era.notify.promptsChanged()),
    resourcesChanged: () => [modern, legacy].forEach((era) => era.notify.resourcesChanged()),
    resourceUpdated: (uri) => [modern, legacy].forEach((era) => era.notify.resourceUpdated(uri)),
  };
  return {
    notify,
    sessions: () => legacy.count(),
    async fetch(request) {
      const isLegacy = eras === "legacy" || (eras === "both" && (await isLegacyRequest(request)));
      return await (isLegacy ? legacy.fetch(request) : modern.fetch(request));
    },
    async close() {
      await modern.close();
      await legacy.close();
    },
  };
}

/** Starts the fixture on loopback. Its MCP endpoint is the URL that it returns. */
export async function startFixture({ eras = "both", port = 0 }: FixtureOptions = {}): Promise<Fixture> {
  const fixture = createFixture(eras);
  const served = await serve((request) => {
    const refused =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins());
    if (refused !== undefined) return refused;
    if (new URL(request.url).pathname !== path) return new Response("Not found", { status: 404 });
    return fixture.fetch(request);
  }, port);
  return {
    url: new URL(path, served.url),
    notify: fixture.notify,
    sessions: () => fixture.sessions(),
    async close() {
      await fixture.close();
      await served.close();
    },
  };
}
