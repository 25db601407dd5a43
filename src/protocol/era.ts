/**
 * Which of the two eras a request belongs to. The body decides; a malformed claim to the modern era gets the modern era's
 * errors, since falling back would let an attacker choose the weaker checks. A session id says nothing: the modern era
 * ignores it.
 */
import type { Era } from "./client-request.ts";
import { isObject, member } from "./json.ts";
import type { RpcMessage } from "./message.ts";
import type { Posted } from "./posted.ts";

export const MODERN_VERSION = "2026-07-28";
/** What is spoken to upstream servers. Newest first. */
export const LEGACY_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/** What clients may speak: those with the streamable HTTP transport. Newest first. */
export const LEGACY_CLIENT_VERSIONS: readonly string[] = ["2025-11-25", "2025-06-18", "2025-03-26"];

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

/** The one revision that has tasks without being asked for an extension. */
export const TASKS_VERSION = "2025-11-25";
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

const claimKeys = [META.protocolVersion, META.clientInfo, META.clientCapabilities];
const knownLegacy: ReadonlySet<string> = new Set(LEGACY_VERSIONS);

/**
 * Batches and answers are legacy, unless a message of the batch, or the header, claims otherwise.
 * @see MCP 2026-07-28 versioning, "Backward Compatibility with Initialization-Based Versions"
 */
export function classifyPosted(posted: Posted, headers: Headers): Era {
  switch (posted.kind) {
    case "message":
      if (claimsModern(posted.message)) return "modern";
      return posted.message.method === "initialize" ? "legacy" : classifyBodiless(headers);
    case "response":
      return classifyBodiless(headers);
    case "batch": {
      const claims = posted.items.some(
        (item) => item.ok && item.value.kind === "message" && claimsModern(item.value.message),
      );
      return claims ? "modern" : classifyBodiless(headers);
    }
  }
}

/** For GET and DELETE, which the modern era has not. */
export function classifyBodiless(headers: Headers): Era {
  const version = headers.get("mcp-protocol-version");
  return version === null || knownLegacy.has(version) ? "legacy" : "modern";
}

function claimsModern({ params }: RpcMessage): boolean {
  const meta = params === undefined ? undefined : member(params, "_meta");
  return isObject(meta) && claimKeys.some((key) => Object.hasOwn(meta, key));
}
