/**
 * What installed clients of the 2025 revisions send, header by header: from the wire (mcp-remote, Inspector, the SDK that Claude
 * Code and Cursor are built on), from their sources (VS Code, Codex, Python SDK) and from traces in their issue trackers, as of
 * autumn 2026. Host, credential and session are left to who sends it.
 */
import type { Lines } from "../security/world.ts";

export interface InstalledClient {
  readonly name: string;
  /** With each POST. */
  readonly post: Lines;
  /** With the GET for the stream of the session. */
  readonly stream: Lines;
  /** Id and params of `initialize`, as they stand in the body. */
  readonly opening: readonly [id: number, params: Readonly<Record<string, unknown>>];
  /** What Gatehouse negotiates. */
  readonly version: string;
  /** Whether it sends `MCP-Protocol-Version` once that is known. */
  readonly namesVersion: boolean;
  /** `params` of a list without cursor; undefined for none. */
  readonly listParams: Readonly<Record<string, unknown>> | undefined;
}

const json: Lines = [
  ["content-type", "application/json"],
  ["accept", "application/json, text/event-stream"],
];
/** What Node adds. */
const node: Lines = [
  ["accept-language", "*"],
  ["sec-fetch-mode", "cors"],
  ["user-agent", "node"],
  ["accept-encoding", "gzip, deflate"],
];

export const installedClients: readonly InstalledClient[] = [
  {
    name: "Claude Code",
    post: [...json, ...node],
    stream: [["Accept", "text/event-stream"], ...node],
    opening: [
      0,
      {
        protocolVersion: "2025-11-25",
        capabilities: { roots: {} },
        clientInfo: { name: "claude-code", version: "2.0.73" },
      },
    ],
    version: "2025-11-25",
    namesVersion: true,
    listParams: undefined,
  },
  {
    // Names the revision in the body of `initialize` only (anthropics/claude-ai-mcp#70).
    name: "the connector of Claude",
    post: json,
    stream: [["accept", "text/event-stream"]],
    opening: [
      0,
      { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "claude-ai", version: "0.1.0" } },
    ],
    version: "2025-11-25",
    namesVersion: false,
    listParams: {},
  },
  {
    // Declares server features, and as booleans.
    name: "Cursor",
    post: [...json, ...node],
    stream: [["Accept", "text/event-stream"], ...node],
    opening: [
      0,
      {
        protocolVersion: "2025-03-26",
        capabilities: {
          tools: true,
          prompts: false,
          resources: false,
          logging: false,
          roots: { listChanged: false },
        },
        clientInfo: { name: "cursor-vscode", version: "1.0.0" },
      },
    ],
    version: "2025-03-26",
    namesVersion: true,
    listParams: undefined,
  },
  {
    name: "VS Code",
    post: [
      ["Content-Type", "application/json"],
      ["Accept", "text/event-stream, application/json"],
    ],
    stream: [["Accept", "text/event-stream"]],
    opening: [
      1,
      {
        protocolVersion: "2025-11-25",
        capabilities: {
          roots: { listChanged: true },
          sampling: {},
          elicitation: { form: {}, url: {} },
          tasks: {
            list: {},
            cancel: {},
            requests: { sampling: { createMessage: {} }, elicitation: { create: {} } },
          },
          extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
        },
        clientInfo: { name: "Visual Studio Code", version: "1.132.0" },
      },
    ],
    version: "2025-11-25",
    namesVersion: false,
    listParams: {},
  },
  {
    name: "Codex",
    post: [
      ["accept", "text/event-stream, application/json"],
      ["content-type", "application/json"],
    ],
    stream: [["accept", "text/event-stream, application/json"]],
    opening: [
      0,
      {
        protocolVersion: "2025-06-18",
        capabilities: { elicitation: { form: {}, url: {} } },
        clientInfo: { name: "codex-mcp-client", title: "Codex", version: "0.154.0" },
      },
    ],
    version: "2025-06-18",
    namesVersion: true,
    listParams: undefined,
  },
  {
    // Sends a header of 2026-07-28 with messages of 2025.
    name: "mcp-remote",
    post: [...json, ["Mcp-Method", "initialize"], ...node],
    stream: [["accept", "text/event-stream"], ...node],
    opening: [
      0,
      {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "claude-ai (via mcp-remote 0.15.1)", version: "0.1.0" },
      },
    ],
    version: "2025-06-18",
    namesVersion: true,
    listParams: {},
  },
  {
    name: "the Inspector",
    post: [...json, ...node],
    stream: [["accept", "text/event-stream"], ...node],
    opening: [
      0,
      {
        protocolVersion: "2025-11-25",
        capabilities: {
          roots: { listChanged: true },
          extensions: { "io.modelcontextprotocol/tasks": {}, "io.modelcontextprotocol/skills": {} },
        },
        clientInfo: { name: "inspector-cli", version: "2.12.0" },
      },
    ],
    version: "2025-11-25",
    namesVersion: true,
    listParams: undefined,
  },
  {
    // Sends a content type with GET.
    name: "the Python SDK",
    post: [
      ["accept", "application/json, text/event-stream"],
      ["content-type", "application/json"],
      ["accept-encoding", "gzip, deflate"],
      ["user-agent", "python-httpx/0.28.1"],
    ],
    stream: [
      ["accept", "application/json, text/event-stream"],
      ["content-type", "application/json"],
      ["cache-control", "no-store"],
    ],
    opening: [0, { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "mcp", version: "0.1.0" } }],
    version: "2025-11-25",
    namesVersion: true,
    listParams: undefined,
  },
];
