/** Whether what was allowed when a request began is allowed now: asked for as long as it runs. */
import { stillAdmitted } from "../admission/index.ts";
import { limits } from "../limits.ts";
import { currentSnapshot, type Snapshot } from "../tenant/index.ts";
import type { Exchange } from "./exchange.ts";
import { decideServer } from "./permit.ts";

export interface ServerName {
  readonly id: string;
  readonly slug: string;
}

/** Whether the principal may use, now, the server that had this slug when a stream of it was kept. */
export async function mayUse(exchange: Exchange, slug: string): Promise<boolean> {
  const snapshot = await standing(exchange, []);
  return snapshot !== undefined && decideServer({ ...exchange, snapshot }, slug).permitted !== undefined;
}

/**
 * @param servers that the request reaches
 * @returns the snapshot on which the principal, and each of the servers, still stands as it did; undefined when one does not,
 *   or when that cannot be known
 */
export async function standing(exchange: Exchange, servers: readonly ServerName[]): Promise<Snapshot | undefined> {
  const { platform, tenant, principal } = exchange;
  const snapshot = await currentSnapshot(platform, tenant.id, limits.streamSnapshot_ms);
  if (!snapshot.ok || !stillAdmitted(principal, snapshot.value, platform.ports.clock.now())) return undefined;
  const subject = { ...exchange, snapshot: snapshot.value };
  const stands = servers.every(({ id, slug }) => decideServer(subject, slug).permitted?.server.id === id);
  return stands ? snapshot.value : undefined;
}
