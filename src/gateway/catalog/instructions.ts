/**
 * The instructions of several servers as one text. It is text of strangers for a model: each stands under the name of its server,
 * and none can crowd the others out.
 */
import { limits } from "../../limits.ts";
import type { Server } from "../../registry/index.ts";

const marker = "\n[cut]";

/** @returns undefined when no server has any */
export function mergeInstructions(
  parts: readonly { readonly server: Pick<Server, "slug" | "name">; readonly instructions: string | undefined }[],
): string | undefined {
  const sections = parts.flatMap(({ server, instructions = "" }) => {
    const text = clean(cut(instructions.trim(), limits.instructionsPerServer_chars)).trim();
    const heading = `# ${clean(server.name).replaceAll(/[\n\t]/g, " ")} (${server.slug}__*)`;
    return text === "" ? [] : [`${heading}\n\n${quote(text)}`];
  });
  return sections.length === 0 ? undefined : cut(sections.join("\n\n"), limits.instructions_chars);
}

/** Control and format characters can hide text from the people who read it: tags, directions, widths. */
const clean = (text: string): string => text.replaceAll(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");

/**
 * What stands in a quote is no heading of ours, however it is written, so that no server speaks in the name of another.
 * @see CommonMark 0.31 section 5.1
 */
const quote = (text: string): string => text.replaceAll(/^/gm, "> ");

/** At most `chars_max` with the marker; no surrogate pair is split. */
function cut(text: string, chars_max: number): string {
  if (text.length <= chars_max) return text;
  return text.slice(0, chars_max - marker.length).replace(/[\uD800-\uDBFF]$/, "") + marker;
}
