/** The four lists of MCP, and how their items are known on the aggregate endpoint. */
import type { ServerStatus } from "../../registry/index.ts";
import { exposedName } from "./names.ts";
import { prefixUri } from "./uris.ts";

export type ListMethod = "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list";

export interface ListKind {
  readonly method: ListMethod;
  /** The member of the result that holds the items. */
  readonly member: string;
  readonly capability: string;
  /** The member of an item that carries its name or URI. */
  readonly key: string;
  /** What its items are counted as in the status of a server. */
  readonly counted: keyof ServerStatus["counts"];
  /** The name or URI on the aggregate. */
  readonly expose: (slug: string, key: string) => string | Promise<string>;
}

export const kinds: Readonly<Record<ListMethod, ListKind>> = {
  "tools/list": {
    method: "tools/list",
    member: "tools",
    capability: "tools",
    key: "name",
    counted: "tools",
    expose: (slug, name) => exposedName(slug, "tool", name),
  },
  "prompts/list": {
    method: "prompts/list",
    member: "prompts",
    capability: "prompts",
    key: "name",
    counted: "prompts",
    expose: (slug, name) => exposedName(slug, "prompt", name),
  },
  "resources/list": {
    method: "resources/list",
    member: "resources",
    capability: "resources",
    key: "uri",
    counted: "resources",
    expose: prefixUri,
  },
  "resources/templates/list": {
    method: "resources/templates/list",
    member: "resourceTemplates",
    capability: "resources",
    key: "uriTemplate",
    counted: "templates",
    expose: prefixUri,
  },
};

export const kindOf = (method: string): ListKind | undefined =>
  Object.hasOwn(kinds, method) ? kinds[method as ListMethod] : undefined;
