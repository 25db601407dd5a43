/** What a provider publishes about itself, checked against what is configured. */
import * as z from "zod";
import { openDatabase } from "../db/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { discover } from "../trust/index.ts";
import type { SignInFailure } from "./failures.ts";
import { knownOf } from "./provider-kinds.ts";
import { providersRepository, type StoredProvider } from "./providers.ts";
import type { Visit } from "./visit.ts";

const endpoint = z.url({ protocol: /^https?$/ }).max(2_048);

/** @see OpenID Connect Discovery 1.0 section 3, RFC 9207 section 3 */
const metadataSchema = z.object({
  authorization_endpoint: endpoint,
  token_endpoint: endpoint,
  jwks_uri: endpoint,
  userinfo_endpoint: endpoint.optional(),
  /** Nobody is kept from signing in by one that is no URL. */
  revocation_endpoint: endpoint.optional().catch(undefined),
  scopes_supported: z.array(z.string()).optional(),
  token_endpoint_auth_methods_supported: z.array(z.string()).optional(),
  id_token_signing_alg_values_supported: z.array(z.string()).optional(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

export type ProviderMetadata = z.infer<typeof metadataSchema> & {
  readonly issuer: string;
  /** Algorithms of ID tokens: ours, of which the provider uses some. */
  readonly algorithms: readonly string[];
};

/** What asking a provider needs of a visit. */
export type ProviderVisit = Pick<Visit, "platform" | "tenant" | "vault" | "fetch" | "source">;

/**
 * The provider's metadata, fetched once for all who ask.
 * @returns `provider_unreachable` when it may work later; `provider_misconfigured` when the document is not that of this issuer or
 *   not usable
 */
export async function discoverProvider(
  visit: ProviderVisit,
  provider: Pick<StoredProvider, "id" | "kind" | "issuer" | "options">,
): Promise<Result<ProviderMetadata, SignInFailure>> {
  const discovered = await discover(visit, provider.issuer);
  if (!discovered.ok) return unusable(visit, provider, discovered.error.reason, discovered.error.transient);
  const parsed = metadataSchema.safeParse(discovered.value.json);
  if (!parsed.success) return unusable(visit, provider, "discovery_form");
  const metadata = parsed.data;
  const endpoints = [
    ...[metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri],
    ...[metadata.userinfo_endpoint, metadata.revocation_endpoint].filter((url) => url !== undefined),
  ];
  if (provider.issuer.startsWith("https:") && endpoints.some((url) => !url.startsWith("https:"))) {
    return unusable(visit, provider, "discovery_downgrade");
  }
  const trusted = provider.options.signing_algorithms ?? knownOf(provider.kind).algorithms;
  // Section 3 makes RS256 mandatory, so a document that lists nothing means it.
  const offered = metadata.id_token_signing_alg_values_supported ?? ["RS256"];
  const algorithms = trusted.filter((algorithm) => offered.includes(algorithm));
  if (algorithms.length === 0) return unusable(visit, provider, "discovery_algorithms");
  return ok({ ...metadata, issuer: provider.issuer, algorithms });
}

/**
 * The same, with the token endpoint at the origin where it was when the administrator configured the provider: the client secret
 * goes to no other, whatever the document says today.
 */
export async function discoverPinned(
  visit: ProviderVisit,
  provider: StoredProvider,
): Promise<Result<ProviderMetadata, SignInFailure>> {
  const discovered = await discoverProvider(visit, provider);
  if (!discovered.ok) return discovered;
  const { origin } = new URL(discovered.value.token_endpoint);
  let kept: string | null | undefined = provider.token_endpoint_origin;
  if (kept === null) {
    const providers = providersRepository(openDatabase(visit.platform.bindings.DB), visit.tenant.id);
    kept = await providers.pinTokenEndpoint(provider.id, provider.revision, origin);
  }
  if (kept === origin) return discovered;
  visit.platform.log("error", "The token endpoint of an identity provider has moved to another origin", {
    tenant: visit.tenant.id,
    provider: provider.id,
  });
  return err("token_endpoint_changed");
}

function unusable(visit: ProviderVisit, { id }: Pick<StoredProvider, "id">, reason: string, transient = false) {
  const fields = { tenant: visit.tenant.id, provider: id, reason };
  visit.platform.log("warn", "The metadata of an identity provider cannot be used", fields);
  return err<SignInFailure>(transient ? "provider_unreachable" : "provider_misconfigured");
}
