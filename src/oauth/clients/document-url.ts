/** Which client ids are URLs of metadata documents. @see draft-ietf-oauth-client-id-metadata-document section 3 */
import { limits } from "../../limits.ts";
import type { TenantSettings } from "../../tenant/index.ts";

/** By the scheme alone: the ids that are given out here never begin so. */
export const isDocumentId = (client_id: string): boolean => client_id.startsWith("https://");

const uriCharacters = /^[A-Za-z0-9\-._~:/?[\]!$&'()*+,;=%]+$/;

/**
 * The URL, if it is written exactly as a parser writes it: then there is no second spelling of the same client, and what is compared is
 * what is fetched. That leaves out dot segments (escaped ones as well), user names, upper-case hosts, default ports, tabs, backslashes
 * and `https:/x`. Which hosts and ports may be called is the egress rule's part.
 */
export function parseDocumentUrl(client_id: string): URL | undefined {
  if (client_id.length > limits.authorizationParameter_chars || !uriCharacters.test(client_id)) return undefined;
  const url = URL.parse(client_id);
  if (url === null || url.protocol !== "https:" || url.href !== client_id) return undefined;
  return url.pathname.length > 1 ? url : undefined;
}

/** Whether the tenant takes documents from this host: a listed domain, or what is below it label by label. */
export function isTrustedHost(hostname: string, { registration }: TenantSettings): boolean {
  switch (registration.documents) {
    case "any":
      return true;
    case "off":
      return false;
    case "domains":
      return registration.document_domains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`));
  }
}
