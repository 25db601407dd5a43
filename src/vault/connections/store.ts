/**
 * Credentials for other systems, in D1: sealed, each bound to its row, its person and the issuer that it is for. The `Connection` object
 * of each knows its newest revision.
 */
import { connectionChanging } from "./changing.ts";
import { connectionPutting } from "./putting.ts";
import { connectionReading } from "./reading.ts";
import type { ConnectionStoreBase } from "./store-base.ts";

export type ConnectionStore = ReturnType<typeof connectionStore>;

/** Every statement carries the tenant, since there is no method without it. */
export function connectionStore(base: ConnectionStoreBase) {
  return { ...connectionReading(base), ...connectionPutting(base), ...connectionChanging(base) };
}
