/** Who asks for what others publish. A visit is one. */
import type { SafeFetch } from "../egress/index.ts";
import type { Platform } from "../platform.ts";

export interface Inquirer {
  readonly platform: Platform;
  readonly tenant: { readonly id: string };
  readonly fetch: SafeFetch;
  /** Where the question comes from: what strangers make us fetch is counted by it. */
  readonly source: { readonly network: string };
}
