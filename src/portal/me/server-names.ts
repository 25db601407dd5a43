/** Servers as people know them. */
import type { Snapshot } from "../../tenant/index.ts";

/** @returns the names of those that exist, in the order of every list */
export function serverNames(snapshot: Snapshot, ids: readonly string[]): readonly string[] {
  const asked = new Set(ids);
  return [...snapshot.servers.values()]
    .filter(({ id }) => asked.has(id))
    .map(({ name, slug }) => (name === "" ? slug : name));
}
