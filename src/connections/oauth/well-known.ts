/** Where metadata stands. */

/** Without a slash at the end; empty for the root. */
const pathOf = ({ pathname }: URL): string => pathname.replace(/\/+$/, "");

/**
 * Of a protected resource: the inserted path first, then the root.
 * @see RFC 9728 section 3.1; MCP 2026-07-28 authorization, "Protected Resource Metadata Discovery Requirements"
 */
export function resourceMetadataUrls(resource: string): readonly string[] {
  const url = new URL(resource);
  const root = `${url.origin}/.well-known/oauth-protected-resource`;
  const path = pathOf(url);
  return path === "" && url.search === "" ? [root] : [`${root}${path}${url.search}`, root];
}

/**
 * Of an authorization server, in the order in which MCP asks for them. For an issuer with a path the root is never asked: it speaks
 * for another issuer.
 * @see RFC 8414 sections 3 and 5; OpenID Connect Discovery 1.0 section 4; MCP 2026-07-28 authorization server discovery
 */
export function serverMetadataUrls(issuer: URL): readonly string[] {
  const path = pathOf(issuer);
  const at = `${issuer.origin}/.well-known`;
  if (path === "") return [`${at}/oauth-authorization-server`, `${at}/openid-configuration`];
  return [
    `${at}/oauth-authorization-server${path}`,
    `${at}/openid-configuration${path}`,
    `${issuer.origin}${path}/.well-known/openid-configuration`,
  ];
}

/** The same URL, one with and one without the slash at its end: both stand for one document. */
export const isSameIssuer = (one: string, other: string): boolean =>
  one.replace(/\/$/, "") === other.replace(/\/$/, "");
