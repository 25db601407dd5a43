/** Whether the tenant takes a client that no administrator registered, by its settings as they are now. */
import type { TenantSettings } from "../../tenant/index.ts";
import { isDocumentId, isTrustedHost, parseDocumentUrl } from "../clients/document-url.ts";

/** Pure. @param client_id of an access token */
export function isTakenClient(settings: TenantSettings, client_id: string): boolean {
  if (!isDocumentId(client_id)) return settings.registration.dynamic;
  const url = parseDocumentUrl(client_id);
  return url !== undefined && isTrustedHost(url.hostname, settings);
}
