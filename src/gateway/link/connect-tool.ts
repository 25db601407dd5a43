/**
 * A server whose tools nobody can list for a person, because that person has not connected an account yet, is not left out without
 * a word: one tool stands for it, and calling that leads to the account.
 * @see docs/decisions/0013-connect-tool.md
 */
import { serverName } from "../../connections/index.ts";
import type { JsonObject } from "../../ports.ts";
import type { Server } from "../../registry/index.ts";

export const connectToolName = "connect_account";

/** By the server's own names, as the transparent endpoint lists it. */
export function connectTool(server: Pick<Server, "name" | "slug">): JsonObject {
  const name = serverName(server);
  return {
    name: connectToolName,
    title: `Connect your ${name} account`,
    description:
      `${name} is used with an account of the person, which is not connected yet, or must be connected again. ` +
      "Call this to get a link that the person opens. After that, list the tools again: they are those of the account.",
    inputSchema: { type: "object", properties: {} },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  };
}
