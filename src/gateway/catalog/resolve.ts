/** From a name on the aggregate endpoint back to the server and its own name. */
import { contextOf, type Exchange } from "../exchange.ts";
import { decideServer } from "../permit.ts";
import { catalogOf, peekCatalog } from "./catalogs.ts";
import type { ListMethod } from "./kinds.ts";
import { isShortForm, parseName, type Named, type NamedKind } from "./names.ts";

const listOf: Readonly<Record<NamedKind, ListMethod>> = { tool: "tools/list", prompt: "prompts/list" };

/**
 * The prefixed name is taken as it is. Only what has the form of a short one is looked up in the server's list, and means
 * nothing unless it stands there. Whether the caller may use the server is for the caller of this to decide: of a server that
 * he may not use nothing is looked up.
 * @returns undefined for what names nothing, and for what is kept out of the list (P5)
 */
export async function resolveName(exchange: Exchange, kind: NamedKind, prefixed: string): Promise<Named | undefined> {
  const named = parseName(prefixed);
  if (named === undefined || named.name === "") return undefined;
  const { permitted } = decideServer(exchange, named.slug);
  if (permitted === undefined) return named;
  const { server } = permitted;
  const context = contextOf(exchange);
  if (!isShortForm(prefixed)) {
    const known = await peekCatalog(context, server, listOf[kind]);
    return known?.refused.has(named.name) === true ? undefined : named;
  }
  const catalog = await catalogOf(context, server, listOf[kind]);
  const entry = catalog.ok ? catalog.value.byExposed.get(prefixed) : undefined;
  return entry === undefined ? undefined : { slug: named.slug, name: entry.original };
}
