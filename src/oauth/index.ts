export { registrationMetadataSchema, type RegistrationMetadata } from "./clients/registration.ts";
export { Grant } from "./grants/grant-object.ts";
