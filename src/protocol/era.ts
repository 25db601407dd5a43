/**
 * Which of the two eras a message belongs to. The body decides; a malformed claim to the modern era gets the modern era's
 * errors, since falling back would let an attacker choose the weaker checks.
 */
import { isObject, member } from "./json.ts";
import type { RpcMessage } from "./message.ts";

export const MODERN_VERSION = "2026-07-28";
/** Newest first. */
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/**
 * Reserved keys of `_meta`.
 * @see MCP 2026-07-28 basic, "_meta"
 */
export const META = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  logLevel: "io.modelcontextprotocol/logLevel",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
  progressToken: "progressToken",
} as const;

export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

const claimKeys = [META.protocolVersion, META.clientInfo, META.clientCapabilities];
const legacyVersions: ReadonlySet<string> = new Set(LEGACY_VERSIONS);

/**
 * @see MCP 2026-07-28 versioning, "Backward Compatibility with Initialization-Based Versions"
 */
export function classifyEra(message: RpcMessage, headers: Headers): "modern" | "legacy" {
  const meta = message.params === undefined ? undefined : member(message.params, "_meta");
  if (isObject(meta) && claimKeys.some((key) => Object.hasOwn(meta, key))) return "modern";
  if (message.method === "initialize") return "legacy";
  const version = headers.get("mcp-protocol-version");
  return version === null || legacyVersions.has(version) ? "legacy" : "modern";
}
