/** Which headers are Gatehouse's own on the way to a server: a caller's of the same name is not sent. */
import { headersSet, type Server } from "../registry/index.ts";

/** By server object: those of a snapshot are immutable, and a change makes new ones. */
const known = new WeakMap<Server, ReadonlySet<string>>();

/** Canonical names (`canonicalHeader`), whether or not this caller gets a value there: what is absent must not be faked. */
export function namesSet(server: Server): ReadonlySet<string> {
  const names = known.get(server) ?? new Set(headersSet(server));
  known.set(server, names);
  return names;
}
