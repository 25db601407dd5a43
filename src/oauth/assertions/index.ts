/** What signed assertions are good for at the token endpoint. */
export { clientCredentialsGrant } from "./client-credentials.ts";
export { jwtBearerGrant } from "./jwt-bearer.ts";
