/** Us as the client of an identity provider, for what is asked of it after a sign-in. */
import { openDatabase } from "../db/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { discoverPinned, type ProviderMetadata, type ProviderVisit } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { knownOf } from "./provider-kinds.ts";
import { openProviderSecret, providersRepository, type StoredProvider } from "./providers.ts";

export interface ProviderClient {
  readonly issuer: string;
  /** Where discovery says it is today, at the origin that was pinned. */
  readonly token_endpoint: string;
  readonly revocation_endpoint?: string;
  readonly client_id: string;
  readonly client_authentication: "none" | "client_secret_basic" | "client_secret_post";
  readonly client_secret?: string;
  readonly enabled: boolean;
}

export async function providerClient(
  visit: ProviderVisit,
  issuer: string,
): Promise<Result<ProviderClient, SignInFailure>> {
  const { platform, tenant, vault } = visit;
  const provider = await providersRepository(openDatabase(platform.bindings.DB), tenant.id).byIssuer(issuer);
  if (provider === undefined) return err("provider_unavailable");
  const metadata = await discoverPinned(visit, provider);
  if (!metadata.ok) return metadata;
  const secret = await openProviderSecret(vault, tenant.id, provider);
  if (!secret.ok) return err("unavailable");
  const { token_endpoint, revocation_endpoint } = metadata.value;
  return ok({
    ...{ issuer, token_endpoint, client_id: provider.client_id, enabled: provider.enabled },
    ...(revocation_endpoint === undefined ? {} : { revocation_endpoint }),
    ...(secret.value === undefined ? {} : { client_secret: secret.value }),
    client_authentication: secret.value === undefined ? "none" : clientAuthentication(provider, metadata.value),
  });
}

/**
 * How the client secret is sent. Where nothing is said, Basic is what every provider takes.
 * @see OpenID Connect Core 1.0 section 9
 */
export function clientAuthentication(
  { kind, options }: StoredProvider,
  { token_endpoint_auth_methods_supported: methods }: ProviderMetadata,
): "client_secret_basic" | "client_secret_post" {
  const preferred = knownOf(kind).authentication;
  const other = preferred === "client_secret_basic" ? "client_secret_post" : "client_secret_basic";
  const takesOther = methods !== undefined && !methods.includes(preferred) && methods.includes(other);
  return options.client_authentication ?? (takesOther ? other : preferred);
}
