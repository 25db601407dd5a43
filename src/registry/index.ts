export {
  catalogsStore,
  serverStatusSchema,
  type CatalogName,
  type CatalogsStore,
  type ServerStatus,
  type StoredCatalog,
} from "./catalogs.ts";
export { agentAuthenticationSchema, type AgentAuthentication } from "./agent-authentication.ts";
export {
  authenticationSchema,
  clientAuthenticationSchema,
  credentialSchema,
  isPersonal,
  secretValueSchema,
  type Authentication,
  type ClientAuthentication,
  type ClientCredentialsAuthentication,
  type ClientSecret,
  type Credential,
  type OAuthAuthentication,
} from "./authentication.ts";
export { canonicalHeader, headerNameSchema } from "./header-name.ts";
export {
  goingOn,
  headerPatternSchema,
  inboundHeadersProblem,
  inboundHeadersSchema,
  type HeaderRules,
  type InboundHeaders,
} from "./inbound-headers.ts";
export { fillTemplate, placeholders, placeholdersOf, unknownPlaceholder, type Placeholder } from "./header-template.ts";
export {
  headerSecretSchema,
  headerSecretsSchema,
  headersSet,
  outboundHeadersSchema,
  takesSecret,
  type HeaderSecret,
  type HeaderSecrets,
  type OutboundHeader,
} from "./outbound-headers.ts";
export { addressOf, placeOfCredential, placeOfHeader } from "./secret-places.ts";
export {
  headerSecretFor,
  isGivenFor,
  readSealedCredential,
  readSealedHeaders,
  textOfCredential,
  textOfHeaderSecrets,
  type SealedCredential,
  type SealedHeaders,
} from "./sealed-secrets.ts";
export { serverFromRow, slugSchema, timeoutSchema, type Server } from "./server.ts";
export { serversRepository, type ServerChanges, type ServersRepository, type StoredServer } from "./servers.ts";
