/** One request of a person or of an OAuth client, with what answering it needs. Made in `app.ts`. */
import type { Recorder } from "../audit/index.ts";
import type { SafeFetch } from "../egress/index.ts";
import type { Platform } from "../platform.ts";
import type { Snapshot, TenantHost } from "../tenant/index.ts";
import type { Vault } from "../vault/index.ts";

export interface Visit {
  readonly platform: Platform;
  readonly tenant: TenantHost;
  readonly snapshot: Snapshot;
  readonly vault: Vault;
  readonly fetch: SafeFetch;
  readonly recorder: Recorder;
  /** Country and network of the caller, as the platform sees them. */
  readonly source: { readonly country?: string; readonly network: string };
  /** Counts a failure of somebody whom nobody knows; never an event each. @param reason stable, from a fixed set */
  countUnknown(reason: string): void;
}
