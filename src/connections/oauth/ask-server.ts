/** Asks a server what it wants, with a harmless request that has no credential: links begin in a browser, where no challenge is at hand. */
import { limits } from "../../limits.ts";
import { implementation } from "../../platform.ts";
import type { Server } from "../../registry/index.ts";
import type { Base, Challenge } from "../types.ts";
import { parseChallenge } from "./challenge.ts";

const revision = "2026-07-28";
const method = "tools/list";

/** Not `initialize`, which many servers answer to anybody. */
const question = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method,
  params: {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": revision,
      "io.modelcontextprotocol/clientInfo": implementation,
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  },
});

/**
 * @returns undefined when the server asks for nothing, or does not answer: then its well-known places tell
 * @see MCP 2026-07-28 authorization, "Authorization Flow Steps"
 */
export async function challengeOf({ fetch }: Pick<Base, "fetch">, { url }: Server): Promise<Challenge | undefined> {
  const answered = await fetch({
    url,
    method: "POST",
    headers: new Headers({
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": revision,
      "mcp-method": method,
    }),
    body: question,
    redirects: "refuse",
    idle_ms: limits.documentFetch_ms,
    total_ms: limits.documentFetch_ms,
    body_bytes: limits.discoveryDocument_bytes,
    stream_bytes: limits.discoveryDocument_bytes,
  });
  if (!answered.ok) return undefined;
  const { status, headers } = answered.value;
  await answered.value.discard();
  return status === 401 || status === 403 ? parseChallenge(headers) : undefined;
}
