/** What the parts of the store share. */
import { and, eq, sql, type SQL } from "drizzle-orm";
import { connections } from "../../db/index.ts";
import type { Platform } from "../../platform.ts";
import type { Vault } from "../vault.ts";
import { enabledUser } from "./rows.ts";
import type { ConnectionFacts, ConnectionKey } from "./types.ts";

export interface ConnectionStoreBase {
  readonly platform: Platform;
  readonly tenant: { readonly id: string };
  readonly vault: Vault;
}

/** The row as it was read, or none. */
export const byRow = (tenant: string, { id, revision }: Pick<ConnectionFacts, "id" | "revision">): SQL | undefined =>
  and(eq(connections.tenant_id, tenant), eq(connections.id, id), eq(connections.revision, revision));

/** A person who may sign in, the organisation, and the one person of development mode. */
export function mayHave({ platform, tenant }: ConnectionStoreBase, { user_id }: Pick<ConnectionKey, "user_id">): SQL {
  const { mode } = platform.configuration;
  const isNobody = user_id === "" || (mode === "development" && user_id === "development");
  return isNobody ? sql`true` : enabledUser(tenant.id, user_id);
}
