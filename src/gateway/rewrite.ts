/**
 * What the aggregate endpoint changes in answers: resource URIs get their server's prefix wherever they appear. Each function
 * changes its argument in place and tells whether it did, so that an untouched answer keeps its bytes.
 */
import type { Json, JsonObject } from "../ports.ts";
import { isObject } from "../protocol/index.ts";
import { prefixUri } from "./catalog/index.ts";

function prefixMember(holder: Json | undefined, member: string, slug: string): boolean {
  if (!isObject(holder) || typeof holder[member] !== "string") return false;
  holder[member] = prefixUri(slug, holder[member]);
  return true;
}

/** A content block: `resource_link` names a URI, `resource` embeds one. */
function prefixBlock(block: Json | undefined, slug: string): boolean {
  if (!isObject(block)) return false;
  if (block["type"] === "resource_link") return prefixMember(block, "uri", slug);
  return block["type"] === "resource" && prefixMember(block["resource"], "uri", slug);
}

const each = (list: Json | undefined, change: (item: Json) => boolean): boolean =>
  Array.isArray(list) && list.map(change).some(Boolean);

/**
 * The messages of `sampling/createMessage`: what a tool gave may be among them.
 * @see MCP 2025-11-25 sampling, "Tool Result Content"
 */
export function prefixSampling(params: JsonObject, slug: string): boolean {
  const blocks = (content: Json | undefined): Json[] => (Array.isArray(content) ? content : [content ?? null]);
  const prefixed = (block: Json): boolean =>
    isObject(block) && block["type"] === "tool_result"
      ? each(block["content"], (inner) => prefixBlock(inner, slug))
      : prefixBlock(block, slug);
  return each(
    params["messages"],
    (message) => isObject(message) && blocks(message["content"]).map(prefixed).some(Boolean),
  );
}

/** The result of `tools/call`, `prompts/get` or `resources/read`. */
export function prefixResult(result: JsonObject, slug: string): boolean {
  const changes = [
    each(result["content"], (block) => prefixBlock(block, slug)),
    each(result["messages"], (message) => isObject(message) && prefixBlock(message["content"], slug)),
    each(result["contents"], (contents) => prefixMember(contents, "uri", slug)),
  ];
  return changes.some(Boolean);
}
