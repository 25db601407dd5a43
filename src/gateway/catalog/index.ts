export type { Catalog } from "./build.ts";
export { catalogOf, knownCatalog } from "./catalogs.ts";
export { forgetCatalog, noteListChanged } from "./changes.ts";
export { describeAggregate, describeServer, discoverAggregate, discoverServer, serverInfo } from "./discover.ts";
export { keepListable } from "./listable.ts";
export { listAggregate, outcomesKey } from "./lists.ts";
export { resolveName } from "./resolve.ts";
export { parseUri, prefixUri } from "./uris.ts";
