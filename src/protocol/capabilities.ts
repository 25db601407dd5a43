/** What a server may ask of a client in the middle of a request, and whether the client said that it can. */
import type { Json, JsonObject } from "../ports.ts";
import { isObject, member } from "./json.ts";

/** Stands for an input request that is none of the protocol's three. */
export const UNKNOWN_INPUT_REQUEST = "unknown";

/**
 * What the client would need and did not declare. Empty: the requests may go on to the client.
 * @param inputRequests of an `InputRequiredResult` or of a task
 * @returns some of `elicitation.form`, `elicitation.url`, `sampling`, `sampling.tools`, `roots`, each once; and `unknown`
 *   for a map or a request that is not valid, which no client may get
 * @see MCP 2026-07-28 multi round-trip requests, "Server Requirements (Basic Workflow)"
 */
export function missingCapabilities(inputRequests: Json, clientCapabilities: JsonObject): string[] {
  if (!isObject(inputRequests)) return [UNKNOWN_INPUT_REQUEST];
  const needed = new Set(Object.values(inputRequests).flatMap(neededBy));
  return [...needed].filter((capability) => !isDeclared(capability, clientCapabilities));
}

function neededBy(request: Json): string[] {
  if (!isObject(request)) return [UNKNOWN_INPUT_REQUEST];
  const params = member(request, "params") ?? {};
  if (!isObject(params)) return [UNKNOWN_INPUT_REQUEST];
  switch (member(request, "method")) {
    case "elicitation/create":
      return [elicitationMode(params)];
    case "sampling/createMessage":
      return Object.hasOwn(params, "tools") || Object.hasOwn(params, "toolChoice") ? ["sampling.tools"] : ["sampling"];
    case "roots/list":
      return ["roots"];
    default:
      return [UNKNOWN_INPUT_REQUEST];
  }
}

/** @see MCP 2026-07-28 elicitation, "Capabilities": without a mode it is a form */
function elicitationMode(params: JsonObject): string {
  const mode = member(params, "mode") ?? "form";
  return mode === "form" || mode === "url" ? `elicitation.${mode}` : UNKNOWN_INPUT_REQUEST;
}

function isDeclared(capability: string, declared: JsonObject): boolean {
  // A client may declare whatever it likes, this word included.
  if (capability === UNKNOWN_INPUT_REQUEST) return false;
  const [feature = "", part] = capability.split(".");
  const value = member(declared, feature);
  if (!isObject(value)) return false;
  if (part === undefined || isObject(member(value, part))) return true;
  // An empty object means forms, as before there were modes.
  return capability === "elicitation.form" && Object.keys(value).length === 0;
}
