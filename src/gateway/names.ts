/**
 * The names of the aggregate endpoint: `{slug}__{name}` for tools and prompts, `gatehouse://{slug}/{uri}` for resources.
 * Both are prefixes, so the mapping is a bijection: a slug has no underscore and no slash, and what follows is the
 * upstream's own name or URI, untouched (RFC 6570 expressions included).
 */
const separator = "__";
const scheme = "gatehouse://";

export interface Named {
  readonly slug: string;
  readonly name: string;
}

export const prefixName = (slug: string, name: string): string => slug + separator + name;

/** @returns undefined when the name has no prefix */
export function parseName(prefixed: string): Named | undefined {
  const at = prefixed.indexOf(separator);
  return at <= 0 ? undefined : { slug: prefixed.slice(0, at), name: prefixed.slice(at + separator.length) };
}

export const prefixUri = (slug: string, uri: string): string => `${scheme}${slug}/${uri}`;

/** @returns undefined when the URI is not one of the aggregate endpoint's */
export function parseUri(prefixed: string): Named | undefined {
  if (!prefixed.startsWith(scheme)) return undefined;
  const at = prefixed.indexOf("/", scheme.length);
  return at <= scheme.length ? undefined : { slug: prefixed.slice(scheme.length, at), name: prefixed.slice(at + 1) };
}
