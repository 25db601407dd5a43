/**
 * `logging/setLevel`: the level of a session, for all its servers, those that it reaches later too.
 * @see MCP 2025-11-25 logging, "Setting Log Level"
 */
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import { isObject } from "../../protocol/index.ts";
import { setLogLevel as storeLogLevel, type UpstreamSession } from "../../session/index.ts";
import { askUpstream } from "../../upstream/index.ts";
import { contextOf, type Exchange, type Permitted } from "../exchange.ts";
import { permittedServers } from "../permit.ts";
import { failed, type Reply } from "../reply.ts";
import { acknowledged } from "./pong.ts";

export async function setLogLevel(exchange: Exchange, permitted?: Permitted): Promise<Reply> {
  const { session, request, platform } = exchange;
  const { level } = request.params;
  if (session === undefined || typeof level !== "string") throw new Error("a check is missing");
  if (session.facts.log_level === level || !mayTell(exchange, level)) return acknowledged(exchange);
  const stored = await storeLogLevel(exchange, session.client.owner, level);
  if (!stored.ok) {
    told.delete(keyOf(exchange));
    return failed(stored.error, request.id);
  }
  const open = permitted === undefined ? permittedServers(exchange) : [permitted];
  await Promise.all(
    open.map(async (one) => {
      const upstream = session.facts.upstreams.find(({ server_id }) => server_id === one.server.id);
      if (upstream === undefined || !isObject(upstream.capabilities["logging"])) return;
      const reached = await tellLevel(exchange, one, upstream, level);
      if (!reached) platform.log("info", "A log level did not reach the upstream", { server: one.server.slug });
    }),
  );
  return acknowledged(exchange);
}

/** What each session set last, and when: the same level over and over costs its servers one request. */
const told = new BoundedMap<{ readonly level: string; readonly at: number }>(limits.facts_count);

const keyOf = ({ tenant, session }: Exchange): string => JSON.stringify([tenant.id, session?.client.owner]);

function mayTell(exchange: Exchange, level: string): boolean {
  const key = keyOf(exchange);
  const now = exchange.platform.ports.clock.now();
  const last = told.get(key);
  told.set(key, { level, at: now });
  return last?.level !== level || last.at > now || now - last.at >= limits.sessionSetting_ms;
}

async function tellLevel(
  exchange: Exchange,
  { server }: Permitted,
  { revision }: UpstreamSession,
  level: string,
): Promise<boolean> {
  if (server.revision !== revision) return true;
  const call = { method: "logging/setLevel", params: { level }, own: true, total_ms: limits.eraProbe_ms };
  const answered = await askUpstream(contextOf(exchange), server, call);
  return answered.ok && answered.value.response.kind === "result";
}
