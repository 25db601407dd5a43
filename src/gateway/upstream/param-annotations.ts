/** The `x-mcp-header` annotations of a tool, as Gatehouse reads them of an upstream. */
import type { Json } from "../../ports.ts";
import { readParamHeaders, type ParamHeader } from "../../protocol/index.ts";

/** @returns undefined when an annotation is not valid: then the tool is left out, alone */
export function mirroredParameters(inputSchema: Json): readonly ParamHeader[] | undefined {
  const declared = readParamHeaders(inputSchema);
  return declared.ok ? declared.value : undefined;
}
