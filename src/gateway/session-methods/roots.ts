/**
 * The client's roots changed: every server that the session has reached asked for them, or may have.
 * @see MCP 2025-11-25 roots, "Root List Changes"
 */
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import { encodeNotification } from "../../protocol/index.ts";
import { tell } from "../../upstream/index.ts";
import { contextOf, type Exchange, type Permitted } from "../exchange.ts";
import { permittedServers } from "../permit.ts";
import type { Answer } from "../reply.ts";

/** When each session told its servers last: one notification of a client costs one request to each of them. */
const told = new BoundedMap<number>(limits.facts_count);

export async function tellRootsChanged(exchange: Exchange, permitted?: Permitted): Promise<Answer> {
  const servers = permitted === undefined ? permittedServers(exchange) : [permitted];
  exchange.platform.waitUntil(tellAll(exchange, servers));
  return { kind: "answer", status: 202, isHttp: true, body: undefined, outcome: { status: "ok" } };
}

/** @returns whether the session may tell its servers again */
export function mayTellRoots({ tenant, platform, session }: Exchange): boolean {
  if (session === undefined) return false;
  const key = JSON.stringify([tenant.id, session.client.owner]);
  const now = platform.ports.clock.now();
  const before = told.get(key);
  if (before !== undefined && before <= now && now - before < limits.sessionSetting_ms) return false;
  told.set(key, now);
  return true;
}

async function tellAll(exchange: Exchange, servers: readonly Permitted[]): Promise<void> {
  const context = contextOf(exchange);
  const notification = encodeNotification("notifications/roots/list_changed");
  await Promise.all(
    servers.map(async ({ server }) => {
      const upstream = exchange.session?.facts.upstreams.find(({ server_id }) => server_id === server.id);
      if (upstream?.revision !== server.revision) return;
      const sent = await tell(context, server, upstream, notification, { total_ms: limits.eraProbe_ms });
      if (!sent.ok) context.platform.log("info", "A notification did not reach the upstream", { server: server.slug });
    }),
  );
}
