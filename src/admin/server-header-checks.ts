/** Whether the secrets of additional headers fit their recipes. */
import type { Failure } from "../errors.ts";
import {
  canonicalHeader,
  placeholders,
  placeholdersOf,
  takesSecret,
  unknownPlaceholder,
  type HeaderSecret,
  type OutboundHeader,
} from "../registry/index.ts";
import { checkClientSecret } from "./server-credential-checks.ts";
import type { ServerWish } from "./server-wish.ts";
import { invalidField } from "./validation.ts";

export function checkHeaderSecrets({
  outbound_headers,
  header_secrets,
  agent_authentication,
}: ServerWish): Failure | undefined {
  const seen = new Set<string>();
  for (const [name, secret] of Object.entries(header_secrets)) {
    const path = `header_secrets.${name}`;
    const canonical = canonicalHeader(name);
    if (seen.has(canonical)) return invalidField(path, "is given twice");
    seen.add(canonical);
    const recipe = outbound_headers.find((header) => canonicalHeader(header.name) === canonical);
    if (secret === null) continue;
    if (recipe === undefined || !takesSecret(recipe)) {
      return invalidField(path, "outbound_headers has no header of this name that takes a secret");
    }
    const misfit = checkSecret(path, recipe, secret, agent_authentication.type === "machine");
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

function checkSecret(
  path: string,
  recipe: OutboundHeader,
  secret: HeaderSecret,
  isForMachines: boolean,
): Failure | undefined {
  const { value, ...client } = secret;
  if (recipe.source !== "custom") {
    if (value !== undefined) return invalidField(`${path}.value`, "belongs to a custom header");
    const how = "client_authentication" in recipe ? recipe.client_authentication : undefined;
    return checkClientSecret(path, client, how);
  }
  if (value === undefined) return invalidField(`${path}.value`, "is needed for a custom header");
  if (Object.keys(client).length > 0) return invalidField(path, "a custom header takes a value and nothing else");
  if (unknownPlaceholder(value) !== undefined) {
    const known = placeholders.map((name) => `{{${name}}}`).join(", ");
    return invalidField(`${path}.value`, `holds braces that stand for nothing; known are ${known}`);
  }
  if (isForMachines && [...placeholdersOf(value)].some((name) => name.startsWith("user."))) {
    return invalidField(`${path}.value`, "names the user, and agent_authentication machine takes no people");
  }
  return undefined;
}
