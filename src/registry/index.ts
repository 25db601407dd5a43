export {
  catalogsStore,
  serverStatusSchema,
  type CatalogName,
  type CatalogsStore,
  type ServerStatus,
  type StoredCatalog,
} from "./catalogs.ts";
export {
  authenticationSchema,
  credentialSchema,
  serverFromRow,
  slugSchema,
  timeoutSchema,
  type Authentication,
  type Credential,
  type Server,
} from "./server.ts";
export { serversRepository, type ServerChanges, type ServersRepository, type StoredServer } from "./servers.ts";
