/**
 * URIs on the aggregate endpoint: `gatehouse://{slug}/{uri}`, the server's own URI untouched behind the prefix, RFC 6570
 * expressions included. `ui://…` becomes `ui://gatehouse/{slug}/…`, because hosts of MCP Apps insist on the scheme.
 * @see MCP Apps extension, "UI Resource Format"
 */
import type { Named } from "./names.ts";

const scheme = "gatehouse://";
const ui = "ui://";
const uiScheme = "ui://gatehouse/";

export const prefixUri = (slug: string, uri: string): string =>
  uri.startsWith(ui) ? `${uiScheme}${slug}/${uri.slice(ui.length)}` : `${scheme}${slug}/${uri}`;

/**
 * The inverse of `prefixUri`. It takes `gatehouse://{slug}/ui://…` as well: that is what a client makes of a template whose
 * scheme is an expression.
 * @returns undefined when the URI is not one of the aggregate endpoint's
 */
export function parseUri(prefixed: string): Named | undefined {
  if (prefixed.startsWith(uiScheme)) return split(prefixed, uiScheme.length, ui);
  return prefixed.startsWith(scheme) ? split(prefixed, scheme.length, "") : undefined;
}

function split(prefixed: string, from: number, ownPrefix: string): Named | undefined {
  const at = prefixed.indexOf("/", from);
  return at <= from ? undefined : { slug: prefixed.slice(from, at), name: ownPrefix + prefixed.slice(at + 1) };
}
