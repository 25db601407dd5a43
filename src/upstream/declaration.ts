/** What an upstream says of itself, cut to what is used: it is kept for each principal, and an upstream may say megabytes. */
import { limits } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";
import { isObject } from "../protocol/index.ts";

export interface Declaration {
  readonly capabilities: JsonObject;
  readonly instructions: string | undefined;
}

const used = ["tools", "prompts", "resources", "completions", "logging", "tasks", "extensions"];

/** A capability whose details are too long is kept as bare fact. */
export function readDeclaration(capabilities: Json | undefined, instructions: Json | undefined): Declaration {
  const kept: JsonObject = {};
  for (const name of used) {
    const capability = isObject(capabilities) ? capabilities[name] : undefined;
    if (!isObject(capability)) continue;
    kept[name] = JSON.stringify(capability).length <= limits.declaration_chars ? capability : {};
  }
  return {
    capabilities: kept,
    instructions:
      typeof instructions === "string" ? instructions.slice(0, limits.declaration_chars).toWellFormed() : undefined,
  };
}
