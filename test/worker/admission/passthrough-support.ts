/** A tenant with passthrough servers. */
import { env } from "cloudflare:workers";
import type { JsonObject } from "../../../src/ports.ts";
import { modernPost, type Seen } from "../gateway/support.ts";
import { createWorld, echoUpstream, type World } from "../security/support.ts";

export const origin = "https://a.gw.test";
export const pathOf = (slug: string): string => `${origin}/mcp/${slug}`;

export interface PassthroughWorld extends World {
  /** Adds a server whose row has these columns, and returns its id. */
  add(slug: string, columns: Readonly<Record<string, JsonObject>>, more?: JsonObject): Promise<string>;
  /** Changes columns of its row. */
  change(id: string, columns: Readonly<Record<string, JsonObject>>): Promise<void>;
}

export async function createPassthroughWorld(...options: Parameters<typeof createWorld>): Promise<PassthroughWorld> {
  const world = await createWorld(...options);
  const { harness, tenant } = world;
  async function change(id: string, columns: Readonly<Record<string, JsonObject>>): Promise<void> {
    for (const [name, value] of Object.entries(columns)) {
      await env.DB.prepare(`UPDATE servers SET ${name} = ?1 WHERE id = ?2`).bind(JSON.stringify(value), id).run();
    }
    // A change through the API makes every isolate look again.
    const touched = await tenant.api("PATCH", `/servers/${id}`, {
      timeout_ms: 10_000 + Math.floor(Math.random() * 9_000),
    });
    if (touched.status !== 200) throw new Error(await touched.text());
  }
  return {
    ...world,
    change,
    async add(slug, columns, more) {
      harness.serve(`${slug}.upstream.test`, echoUpstream());
      const id = await tenant.addServer(slug, more);
      await change(id, columns);
      return id;
    },
  };
}

export const passthrough = (more: JsonObject = {}): { agent_authentication: JsonObject } => ({
  agent_authentication: { type: "passthrough", ...more },
});

/** A call with these headers and no others of the caller's. */
export const call = (headers: Record<string, string> = {}): RequestInit =>
  modernPost("tools/call", { name: "echo", arguments: { a: 1 } }, { headers });

/** Requests that reached the upstream of this server. */
export const reached = ({ harness }: World, slug: string): Seen[] =>
  harness.seen.filter(({ url }) => new URL(url).hostname === `${slug}.upstream.test`);
