/** What the organisation sees of an application: the calls in the log, and its entry in the inventory. */
import { expect } from "vitest";
import * as z from "zod";
import { listed, type Site } from "./site.ts";

const called = z.object({
  actor: z.object({
    user: z.string(),
    user_email: z.string(),
    agent: z.string(),
    grant: z.string(),
    client_name: z.string().optional(),
  }),
  target: z.object({ endpoint: z.string(), server: z.string(), name: z.string() }),
  decision: z.object({ effect: z.string() }),
});

/** The request events of one client's tool calls, once the queue has delivered them. */
export async function callsOf(site: Site, client_id: string): Promise<z.output<typeof called>[]> {
  const path = `/events?type=mcp.request&method=tools/call&agent=${encodeURIComponent(client_id)}`;
  const find = () => listed(site, path, called);
  await expect.poll(find, { timeout: 15_000 }).not.toHaveLength(0);
  return find();
}

const agent = z.looseObject({
  id: z.string(),
  key: z.string(),
  kind: z.string(),
  name: z.string(),
  owner: z.object({ email: z.string() }).nullable(),
  blocked_at: z.number().nullable(),
});
const uses = z.object({ uses: z.array(z.object({ server: z.string(), name: z.string(), calls: z.number() })) });

export async function inventoryOf(
  site: Site,
  client_id: string,
): Promise<z.output<typeof agent> & z.output<typeof uses>> {
  const find = async () => (await listed(site, "/agents?limit=200", agent)).find(({ id }) => id === client_id);
  await expect.poll(find).toBeDefined();
  const found = agent.parse(await find());
  const read = async () => uses.parse((await site.gatehouse.api("GET", `/agents/${found.key}`)).body);
  await expect.poll(async () => (await read()).uses, { timeout: 15_000 }).not.toHaveLength(0);
  return { ...found, ...(await read()) };
}

/** Client ids in the inventory, the one that was seen last first. */
export const agentIds = async (site: Site): Promise<string[]> =>
  (await listed(site, "/agents?limit=200", agent)).map(({ id }) => id);
