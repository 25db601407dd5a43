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

/** When each session told its servers last, or will: one notification of a client costs one request to each of them. */
const told = new BoundedMap<number>(limits.facts_count);

export async function tellRootsChanged(exchange: Exchange, permitted?: Permitted): Promise<Answer> {
  const servers = permitted === undefined ? permittedServers(exchange) : [permitted];
  exchange.platform.waitUntil(tellAll(exchange, servers));
  return { kind: "answer", status: 202, isHttp: true, body: undefined, outcome: { status: "ok" } };
}

/**
 * The first change is told at once, all those within `limits.sessionSetting_ms` after it as one at the end of that time: the last
 * change is never lost.
 * @returns milliseconds to wait; undefined when what waits already covers this change too
 */
export function rootsWait_ms({ tenant, platform, session }: Exchange): number | undefined {
  const key = JSON.stringify([tenant.id, session?.client.owner]);
  const now = platform.ports.clock.now();
  const last = told.get(key);
  const age_ms = last === undefined ? Infinity : now - last;
  // A clock that went back makes the age negative by more than any wait.
  if (age_ms < 0 && -age_ms <= limits.sessionSetting_ms) return undefined;
  const wait_ms = age_ms < 0 ? 0 : Math.max(0, limits.sessionSetting_ms - age_ms);
  told.set(key, now + wait_ms);
  return wait_ms;
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
