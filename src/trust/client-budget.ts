/**
 * What strangers may make us fetch. A network pays first, so that one alone can neither spend what a host may be asked nor what the
 * tenant may ask; a client whose document is kept pays nothing of this.
 */
import { openDatabase } from "../db/index.ts";
import { limits } from "../limits.ts";
import { countAttempt } from "./attempts.ts";
import type { Inquirer } from "./inquirer.ts";

const perNetwork = {
  purpose: "client_documents_network",
  count_max: limits.documentsPerNetwork_count,
  window_ms: limits.documentsPerNetwork_ms,
};
const perHost = {
  purpose: "client_documents_host",
  count_max: limits.documentsPerHost_count,
  window_ms: limits.documentsPerHost_ms,
};
const perTenant = {
  purpose: "client_documents",
  count_max: limits.documentsPerTenant_count,
  window_ms: limits.documentsPerTenant_ms,
};

/** @returns the stable reason when it must not happen */
export async function payFetch({ platform, tenant, source }: Inquirer, host: string): Promise<string | undefined> {
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  if (!(await countAttempt(database, tenant.id, perNetwork, source.network, now))) return "document_network_budget";
  if (!(await countAttempt(database, tenant.id, perHost, host, now))) return "document_host_budget";
  return (await countAttempt(database, tenant.id, perTenant, "", now)) ? undefined : "document_tenant_budget";
}
