/** What a server declares, cut to what Gatehouse relays of it to a client of the other era or of the same. */
import type { Json, JsonObject } from "../../ports.ts";
import { isObject, TASKS_EXTENSION, TASKS_VERSION, type ClientRequest, type Era } from "../../protocol/index.ts";
import type { Verdict } from "../../upstream/index.ts";

/** Capabilities that both eras know. */
const relayed = ["tools", "prompts", "resources", "completions", "logging"] as const;
/** MCP Apps is metadata only, so it needs no translation. */
const uiExtension = "io.modelcontextprotocol/ui";
/** Members that are promises of notifications. */
const watched: readonly string[] = ["listChanged", "subscribe"];

/** A server's capabilities, as the endpoint can honour them for a client of this revision. */
export function honoured(verdict: Verdict, { era, version }: Pick<ClientRequest, "era" | "version">): JsonObject {
  const { capabilities } = verdict;
  const declared: JsonObject = {};
  for (const name of relayed) {
    const capability = capabilities[name];
    if (isObject(capability)) declared[name] = withPromises(capability, verdict, era);
  }
  if (version === TASKS_VERSION && verdict.era === "legacy" && isObject(capabilities["tasks"])) {
    declared["tasks"] = capabilities["tasks"];
  }
  const extensions = extensionsOf(capabilities["extensions"], verdict.era, era);
  if (Object.keys(extensions).length > 0) declared["extensions"] = extensions;
  return declared;
}

/** Servers of 2024-11-05 cannot be watched. Across the eras only members that both know mean the same. */
function withPromises(capability: JsonObject, verdict: Verdict, era: Era): JsonObject {
  const kept = Object.entries(capability).filter(([name]) =>
    watched.includes(name) ? isWatchable(verdict) : verdict.era === era,
  );
  return Object.fromEntries(kept);
}

const isWatchable = (verdict: Verdict): boolean => verdict.era === "modern" || verdict.transport === "streamable";

/** The tasks extension is of 2026-07-28; clients of 2025 are told of extensions by servers of their era only. */
function extensionsOf(extensions: Json | undefined, from: Era, to: Era): JsonObject {
  if (!isObject(extensions) || (to === "legacy" && from === "modern")) return {};
  const names = from === "modern" ? [TASKS_EXTENSION, uiExtension] : [uiExtension];
  return Object.fromEntries(Object.entries(extensions).filter(([name]) => names.includes(name)));
}

/** Union of two capability objects; a flag holds when either has it. */
export function mergeCapabilities(left: JsonObject, right: JsonObject): JsonObject {
  const union: JsonObject = { ...left };
  for (const [name, value] of Object.entries(right)) {
    const known = union[name];
    union[name] = isObject(known) && isObject(value) ? mergeCapabilities(known, value) : known === true ? true : value;
  }
  return union;
}
