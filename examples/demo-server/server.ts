/** A small MCP server of revision 2026-07-28. `PORT=9100 node examples/demo-server/server.ts` serves http://127.0.0.1:9100/mcp. */
import { randomBytes } from "node:crypto";
import { createMcpHandler, createRequestStateCodec, McpServer } from "@modelcontextprotocol/server";
import { serve } from "../../scripts/lib/serve.ts";
import { addContent } from "./content.ts";
import { addTools, type Booking } from "./tools.ts";

const states = createRequestStateCodec<Booking>({ key: randomBytes(32) });

// Each request gets a server of its own: the revision has no sessions, and nothing is shared but this function.
const handler = createMcpHandler(() => {
  const server = new McpServer(
    { name: "gatehouse-demo", version: "1.0.0" },
    {
      instructions: "A demo. Try echo, add, count_down, book_room and status.",
      requestState: { verify: states.verify },
    },
  );
  addTools(server, states.mint);
  addContent(server);
  return server;
});

const { url } = await serve(
  (request) => {
    if (new URL(request.url).pathname !== "/mcp") return new Response("Not found", { status: 404 });
    return handler.fetch(request);
  },
  Number(process.env["PORT"] ?? 9100),
);

process.stdout.write(`MCP server at ${new URL("/mcp", url).href}\n`);
