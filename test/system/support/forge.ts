/** A small MCP server of both eras whose answers depend on whose token came: each account has data of its own. */
import { createMcpHandler, McpServer, type CallToolResult, type McpRequestContext } from "@modelcontextprotocol/server";
import * as z from "zod";

const text = (value: string): CallToolResult => ({ content: [{ type: "text", text: value }] });

/** Open pull requests by account. */
export const pullRequests: Readonly<Record<string, string>> = {
  "octo-ada": "#7 Analytical engine: add a loop",
  "octo-ben": "#12 Brochure: more colours",
};

export interface Forge {
  /** Notes in order, each with who wrote it. */
  readonly notes: readonly { readonly subject: string; readonly note: string }[];
  fetch(request: Request, subject: string, scopes: readonly string[]): Promise<Response>;
  close(): Promise<void>;
}

export function createForge(): Forge {
  const notes: { subject: string; note: string }[] = [];
  const handler = createMcpHandler(({ authInfo }: McpRequestContext) => {
    const subject = authInfo?.clientId ?? "";
    const server = new McpServer({ name: "forge", version: "1.0.0" });
    server.registerTool("whoami", { description: "Says whose account this is.", inputSchema: z.object({}) }, async () =>
      text(subject),
    );
    server.registerTool(
      "list_pull_requests",
      { description: "Lists your open pull requests.", inputSchema: z.object({}) },
      async () => text(pullRequests[subject] ?? "none"),
    );
    server.registerTool(
      "write_note",
      { description: "Writes a note.", inputSchema: z.object({ note: z.string() }) },
      async ({ note }) => {
        notes.push({ subject, note });
        return text(`${subject} wrote ${note}`);
      },
    );
    return server;
  });
  return {
    notes,
    fetch: (request, subject, scopes) =>
      handler.fetch(request, { authInfo: { token: "", clientId: subject, scopes: [...scopes] } }),
    close: () => handler.close(),
  };
}
