/** The resources that tokens of a tenant are for: its aggregate endpoint, and that of each well-formed server name, known or not. */
import { slugSchema } from "../registry/index.ts";

/** The aggregate without a slug. @see RFC 8707 section 2: an absolute URI without fragment */
export function resourceOf(origin: string, slug?: string): string {
  return slug === undefined ? `${origin}/mcp` : `${origin}/mcp/${slug}`;
}

export interface Resource {
  /** Undefined for the aggregate. */
  readonly slug: string | undefined;
}

/**
 * Compared as text, since clients and servers compare an audience so. Whether a server of that name exists is not asked: the answer
 * would tell.
 * @param text as a client sends it
 * @returns undefined for what is no resource of this tenant
 */
export function parseResource(origin: string, text: string): Resource | undefined {
  if (text === resourceOf(origin)) return { slug: undefined };
  const slug = slugSchema.safeParse(text.slice(resourceOf(origin).length + 1));
  return slug.success && text === resourceOf(origin, slug.data) ? { slug: slug.data } : undefined;
}
