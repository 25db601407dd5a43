/** The clients of a tenant, and how they say who they are. */
export { authenticateClient } from "./authenticate.ts";
export { cleanName } from "./client-name.ts";
export { parseDocumentUrl } from "./document-url.ts";
export { dynamicClients, type DynamicClient, type DynamicMetadata } from "./dynamic.ts";
export { findClient, resolveClient, type ClientRefusal } from "./find-client.ts";
export { readMetadata, type MetadataProblem, type SelfDescription, type Taken } from "./metadata.ts";
export { holdsPublicKeysOnly } from "./public-keys.ts";
export { registrationMetadataSchema, type RegistrationMetadata } from "./registration.ts";
export { mintClientSecret, type MintedSecret } from "./secrets.ts";
