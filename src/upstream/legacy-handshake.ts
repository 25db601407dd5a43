/** `initialize` and `notifications/initialized`: the same over both transports of the 2025 revisions and before. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import { encodeRequest, LEGACY_VERSIONS, type RpcResponse } from "../protocol/index.ts";
import type { UpstreamContext } from "./call.ts";
import { readDeclaration, type Declaration } from "./declaration.ts";

export interface Negotiated extends Declaration {
  readonly version: string;
}

const offered = "2025-11-25";

/** Revisions that a server may choose; there are some that choose the first one over the transport of later ones. */
const spoken: ReadonlySet<string> = new Set(LEGACY_VERSIONS);

/** @see MCP 2025-11-25 lifecycle, "Initialization" */
export function initializeRequest(context: UpstreamContext, id: string): string {
  const { capabilities, info } = context.client;
  return encodeRequest(id, "initialize", { protocolVersion: offered, capabilities, clientInfo: info });
}

/**
 * @returns what was agreed on; `upstream_refused` with reason `initialize_refused`, or `upstream_invalid` for a revision that
 *   nobody offered
 * @see MCP 2025-11-25 lifecycle, "Version Negotiation"
 */
export function readInitialized(answer: RpcResponse): Result<Negotiated, Failure> {
  if (answer.kind === "error") return err(failure("upstream_refused", undefined, { reason: "initialize_refused" }));
  const { protocolVersion: version, capabilities, instructions } = answer.result;
  if (typeof version !== "string" || !spoken.has(version)) {
    return err(failure("upstream_invalid", undefined, { reason: "protocol_version" }));
  }
  return ok({ version, ...readDeclaration(capabilities, instructions) });
}

/** Batches exist in this revision only. */
export const hasBatches = (version: string): boolean => version === "2025-03-26";
