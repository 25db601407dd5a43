/** When a server said, or showed, that what is known of its lists no longer holds. Known to this isolate only. */
import { BoundedMap } from "../../bounded-map.ts";
import { limits } from "../../limits.ts";
import type { Server } from "../../registry/index.ts";
import { markDiverged, readFacts } from "../../session/index.ts";
import type { UpstreamContext } from "../../upstream/index.ts";
import type { ListMethod } from "./kinds.ts";

const changes = new BoundedMap<number>(limits.catalogs_count);
/** When a session was last marked: a flood of notifications must not become one of requests to its object. */
const marks = new BoundedMap<number>(limits.catalogs_count);

const announced: ReadonlyMap<string, readonly ListMethod[]> = new Map([
  ["notifications/tools/list_changed", ["tools/list"]],
  ["notifications/prompts/list_changed", ["prompts/list"]],
  ["notifications/resources/list_changed", ["resources/list", "resources/templates/list"]],
]);

const keyOf = (context: UpstreamContext, server: Server, method: ListMethod): string =>
  JSON.stringify([context.tenant.id, server.id, server.revision, method]);

/** From now on what is stored of this list is served only where the server cannot be asked. */
export function forgetCatalog(context: UpstreamContext, server: Server, method: ListMethod): void {
  changes.set(keyOf(context, server, method), context.platform.ports.clock.now());
}

/** @param fetched_at when the question was sent: one sent in the millisecond of the news was answered after the change */
export function hasChanged(context: UpstreamContext, server: Server, method: ListMethod, fetched_at: number): boolean {
  const changed_at = changes.get(keyOf(context, server, method));
  return changed_at !== undefined && fetched_at < changed_at;
}

/**
 * A server announced that a list changed. In a session with a server of 2025 the change may be of that session alone, which from
 * then on is asked for itself.
 * @param notification the method of the notification; others change nothing
 */
export async function noteListChanged(context: UpstreamContext, server: Server, notification: string): Promise<void> {
  const methods = announced.get(notification);
  if (methods === undefined) return;
  for (const method of methods) forgetCatalog(context, server, method);
  await markSession(context, server);
}

async function markSession(context: UpstreamContext, server: Server): Promise<void> {
  const { owner, platform, tenant } = context;
  if (owner === undefined) return;
  const now = platform.ports.clock.now();
  const key = JSON.stringify([tenant.id, owner, server.id]);
  const marked_at = marks.get(key);
  if (marked_at !== undefined && marked_at <= now && now - marked_at < limits.divergedMark_ms) return;
  const facts = await readFacts(context, owner);
  const session = facts.ok ? facts.value.upstreams.find(({ server_id }) => server_id === server.id) : undefined;
  if (session === undefined || session.diverged) return;
  marks.set(key, now);
  const marked = await markDiverged(context, owner, server.id);
  if (!marked.ok) platform.log("warn", "A session could not be marked as diverged", { server: server.id });
}

/** Servers whose sessions with this owner no longer have the list that everybody has. Asks at most once. */
export function divergedServers(context: UpstreamContext): () => Promise<ReadonlySet<string>> {
  let known: Promise<ReadonlySet<string>> | undefined;
  const read = async (): Promise<ReadonlySet<string>> => {
    const facts = context.owner === undefined ? undefined : await readFacts(context, context.owner);
    // Without facts the list that everybody has is the best guess; no right depends on it.
    const upstreams = facts?.ok === true ? facts.value.upstreams : [];
    return new Set(upstreams.filter(({ diverged }) => diverged).map(({ server_id }) => server_id));
  };
  return () => (known ??= read());
}
