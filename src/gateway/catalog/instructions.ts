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
  const sections = parts.flatMap(({ server, instructions }) => {
    const text = clean(instructions ?? "").trim();
    const heading = `# ${clean(server.name).replaceAll(/[\n\t]/g, " ")} (${server.slug}__*)`;
    return text === "" ? [] : [`${heading}\n\n${cut(text, limits.instructionsPerServer_chars)}`];
  });
  return sections.length === 0 ? undefined : cut(sections.join("\n\n"), limits.instructions_chars);
}

/**
 * Control and format characters can hide text from the people who read it: tags, directions, widths. A line that looks like
 * one of our headings is indented, so that no server speaks in the name of another.
 */
const clean = (text: string): string =>
  text.replaceAll(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").replaceAll(/^(?=#.*\(\S+__\*\)\s*$)/gmu, " ");

/** At most `chars_max` with the marker; no surrogate pair is split. */
function cut(text: string, chars_max: number): string {
  if (text.length <= chars_max) return text;
  return text.slice(0, chars_max - marker.length).replace(/[\uD800-\uDBFF]$/, "") + marker;
}
