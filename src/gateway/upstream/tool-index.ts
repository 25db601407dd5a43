/**
 * What Gatehouse must know of a tool before it can be its client: the `x-mcp-header` parameters, which it checks on the way
 * in and sends on the way out. Kept in memory for each server and principal.
 */
import { BoundedMap } from "../../bounded-map.ts";
import type { Failure } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { ok, type Json, type Result } from "../../ports.ts";
import { readParamHeaders, type ParamHeader } from "../../protocol/index.ts";
import type { Target, UpstreamContext } from "./call.ts";
import { ownMeta } from "./modern.ts";
import { askAllPages } from "./request.ts";

export interface ToolIndex {
  /** By tool name its mirrored parameters; tools without any are absent, and null are those that must not be called. */
  readonly mirrored: ReadonlyMap<string, readonly ParamHeader[] | null>;
  /** Whether it holds all tools: only then does an absent one declare nothing. */
  readonly complete: boolean;
}

const indexes = new BoundedMap<{ readonly index: ToolIndex; readonly until: number }>(limits.toolIndexes_count);

const keyOf = (context: UpstreamContext, server: Target): string =>
  JSON.stringify([context.tenant.id, server.id, server.revision, context.principal.id]);

export async function toolIndex(context: UpstreamContext, server: Target): Promise<Result<ToolIndex, Failure>> {
  const key = keyOf(context, server);
  const now = context.platform.ports.clock.now();
  const known = indexes.get(key);
  if (known !== undefined && known.until > now && known.until - now <= limits.toolIndex_ms) return ok(known.index);
  const listed = await askAllPages(context, server, "tools/list", "tools", ownMeta, limits.listPerUpstream_ms);
  if (!listed.ok) return listed;
  const mirrored = new Map<string, readonly ParamHeader[] | null>();
  for (const tool of listed.value.items) {
    const declared = mirroredParameters(tool["inputSchema"] ?? null) ?? null;
    if (typeof tool["name"] === "string" && declared?.length !== 0) mirrored.set(tool["name"], declared);
  }
  const index = { mirrored, complete: !listed.value.truncated };
  indexes.set(key, { index, until: now + limits.toolIndex_ms });
  return ok(index);
}

export function forgetToolIndex(context: UpstreamContext, server: Target): void {
  indexes.delete(keyOf(context, server));
}

/** @returns undefined when an annotation is not valid: then the tool is left out, alone */
export function mirroredParameters(inputSchema: Json): readonly ParamHeader[] | undefined {
  const declared = readParamHeaders(inputSchema);
  return declared.ok ? declared.value : undefined;
}
