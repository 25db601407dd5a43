/** What clients read before they begin: where to ask for access, and what is spoken there. */
import type { Mode } from "../env.ts";
import type { Visit } from "../login/index.ts";
import type { JsonObject } from "../ports.ts";
import { foreignAlgorithms } from "../trust/index.ts";
import { ensureSigningKey } from "./keys/signing-key.ts";
import { requiredScope } from "./tokens/access-claims.ts";

const clientAuthentication = {
  methods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  algorithms: [...foreignAlgorithms],
};

/**
 * One document for both well-known names, since OpenID Connect clients probe the second; identity tokens are not issued.
 * @see RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3, RFC 9207 section 3
 */
export async function authorizationServerMetadata(visit: Visit): Promise<JsonObject> {
  const { origin } = visit.tenant;
  const { registration } = visit.snapshot.settings;
  // Whoever reads this asks for a token soon; by then every isolate should know the key.
  if (visit.snapshot.verificationKeys.size === 0) await ensureSigningKey(visit);
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/oauth/authorize`,
    token_endpoint: `${origin}/oauth/token`,
    revocation_endpoint: `${origin}/oauth/revoke`,
    jwks_uri: `${origin}/oauth/jwks.json`,
    ...(registration.dynamic ? { registration_endpoint: `${origin}/oauth/register` } : {}),
    scopes_supported: [requiredScope, "offline_access"],
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: [
      "authorization_code",
      "refresh_token",
      "client_credentials",
      "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: clientAuthentication.methods,
    token_endpoint_auth_signing_alg_values_supported: clientAuthentication.algorithms,
    revocation_endpoint_auth_methods_supported: clientAuthentication.methods,
    revocation_endpoint_auth_signing_alg_values_supported: clientAuthentication.algorithms,
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: registration.documents !== "off",
    authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
    prompt_values_supported: ["none", "login", "consent"],
    protected_resources: [`${origin}/mcp`],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256"],
  };
}

/**
 * The same for every well-formed server name, so it tells nothing about which servers exist.
 * @param path of the MCP endpoint, `/mcp` or `/mcp/{slug}`
 * @see RFC 9728 section 2; MCP 2026-07-28 authorization: `offline_access` does not belong here
 */
export function protectedResourceMetadata(mode: Mode, origin: string, path: string): JsonObject {
  return {
    resource: `${origin}${path}`,
    // Development mode asks nobody for a token, so there is no server that issues one.
    ...(mode === "development" ? {} : { authorization_servers: [origin], scopes_supported: [requiredScope] }),
    bearer_methods_supported: ["header"],
    resource_name: "Gatehouse",
  };
}
