/** The way to the `Connection` object of a connection. */
import type { Platform } from "../../platform.ts";
import type { Connection } from "./connection-object.ts";
import type { ConnectionKey } from "./types.ts";

/** What every question to connections needs. */
export interface StoreBase {
  readonly platform: Platform;
  readonly tenant: { readonly id: string };
}

/** Tenant ids have no colon. */
const objectName = (tenant: string, { user_id, target, account }: ConnectionKey): string =>
  `${tenant}:${JSON.stringify([user_id, target, account])}`;

/**
 * Asks the object, and once more where that fails: it may be moved at any time. What is asked may have happened twice then.
 * @returns undefined when it cannot be asked
 */
export async function askConnection<T>(
  { platform, tenant }: StoreBase,
  key: ConnectionKey,
  question: (object: DurableObjectStub<Connection>) => Promise<T>,
): Promise<T | undefined> {
  for (let tries = 0; tries < 2; tries += 1) {
    try {
      // After a failure a stub is of no more use.
      return await question(platform.bindings.CONNECTION.getByName(objectName(tenant.id, key)));
    } catch (cause) {
      platform.log("warn", "A connection object could not be asked", { tenant: tenant.id, target: key.target, cause });
    }
  }
  return undefined;
}
