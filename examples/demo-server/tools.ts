/** Tools that show, one each, what a 2026-07-28 server can do. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  acceptedContent,
  fromJsonSchema,
  inputRequired,
  type CallToolResult,
  type InputRequiredResult,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";

/** What the demo keeps between two rounds of `book_room`. It travels through the client, so it is signed. */
export interface Booking extends Record<string, unknown> {
  readonly room: string;
}

type Mint = (booking: Booking) => Promise<string>;

const text = (value: string): CallToolResult => ({ content: [{ type: "text", text: value }] });

function addSimple(server: McpServer): void {
  server.registerTool(
    "echo",
    { title: "Echo", description: "Says what it is told.", inputSchema: z.object({ message: z.string() }) },
    async ({ message }) => text(message),
  );
  server.registerTool(
    "add",
    {
      title: "Add",
      description: "Adds two numbers.",
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
    },
    async ({ a, b }) => ({ ...text(String(a + b)), structuredContent: { sum: a + b } }),
  );
}

/** Reports progress on the response stream, and stops when the client closes it: that is how 2026-07-28 cancels. */
async function countDown(seconds: number, context: ServerContext): Promise<CallToolResult> {
  const token = context.mcpReq._meta?.progressToken;
  for (let done = 0; done < seconds; done += 1) {
    if (token !== undefined) {
      await context.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken: token, progress: done, total: seconds, message: `${seconds - done} to go` },
      });
    }
    await sleep(1000, undefined, { signal: context.mcpReq.signal });
  }
  return text("Done.");
}

/** Asks before it acts. The call ends with a question; the client repeats it with the answer and the signed state. */
async function bookRoom(
  room: string,
  context: ServerContext,
  mint: Mint,
): Promise<CallToolResult | InputRequiredResult> {
  const answer = acceptedContent(
    context.mcpReq.inputResponses,
    "confirm",
    z.object({ people: z.int().min(1).max(20) }),
  );
  const booking = context.mcpReq.requestState<Booking>();
  if (answer !== undefined && booking?.room === room) return text(`Booked ${room} for ${answer.people}.`);
  return inputRequired({
    inputRequests: {
      confirm: inputRequired.elicit({
        message: `How many people will use ${room}?`,
        requestedSchema: {
          type: "object",
          properties: { people: { type: "integer", title: "People", minimum: 1, maximum: 20 } },
          required: ["people"],
        },
      }),
    },
    requestState: await mint({ room }),
  });
}

/** `region` travels in the header Mcp-Param-Region as well, so that a load balancer can route without reading the body. */
const regional = {
  type: "object",
  properties: { region: { type: "string", enum: ["eu", "us"], "x-mcp-header": "Region" } },
  required: ["region"],
} as const;

export function addTools(server: McpServer, mint: Mint): void {
  addSimple(server);
  server.registerTool(
    "count_down",
    {
      title: "Count down",
      description: "A long job: counts down second by second and reports progress.",
      inputSchema: z.object({ seconds: z.int().min(1).max(60).default(5) }),
    },
    async ({ seconds }, context) => await countDown(seconds, context),
  );
  server.registerTool(
    "book_room",
    {
      title: "Book a room",
      description: "Asks how many people come before it books.",
      inputSchema: z.object({ room: z.string().min(1).max(40) }),
    },
    async ({ room }, context) => await bookRoom(room, context, mint),
  );
  server.registerTool(
    "status",
    {
      title: "Status by region",
      description: "Says how a region is doing.",
      inputSchema: fromJsonSchema<{ region: string }>(regional),
    },
    async ({ region }) => text(`All is well in ${region}.`),
  );
}
