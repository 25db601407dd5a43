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
