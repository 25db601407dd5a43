/**
 * Providers that answer at one address are told apart by `iss`. Without it a provider that people are sent to could send them on to
 * another, and the code of that one would be taken to the first; a client secret does not help, since the code can be brought back here.
 * A provider with a callback of its own needs no `iss`: its answers come to no other address.
 * @see RFC 9700 section 4.4.2, RFC 9207
 */
import { discoverProvider, type ProviderMetadata } from "./discovery.ts";
import type { StoredProvider } from "./providers.ts";
import type { Visit } from "./visit.ts";

export const namesIssuer = ({ authorization_response_iss_parameter_supported: named }: ProviderMetadata): boolean =>
  named === true;

/** Where the provider's answers come to: what is registered there. */
export function callbackPath({ id, options }: Pick<StoredProvider, "id" | "options">): string {
  return options.own_callback ? `/login/callback/${id}` : "/login/callback";
}

/**
 * Whether an answer of another provider could pass for one of this.
 * @param enabled all at which people of the tenant can sign in
 */
export async function invitesMixUp(
  visit: Visit,
  provider: StoredProvider,
  metadata: ProviderMetadata,
  enabled: readonly StoredProvider[],
): Promise<boolean> {
  if (namesIssuer(metadata)) return false;
  const path = callbackPath(provider);
  const beside = enabled.filter((one) => one.id !== provider.id && callbackPath(one) === path);
  const asked = await Promise.all(
    beside.map(async (one) => {
      const told = await discoverProvider(visit, one);
      return told.ok && namesIssuer(told.value) ? [] : [one.id];
    }),
  );
  const exposed = asked.flat();
  if (exposed.length === 0) return false;
  visit.platform.log(
    "error",
    "The answers of identity providers cannot be told apart: set options.own_callback of all but one of them",
    { tenant: visit.tenant.id, provider: provider.id, exposed },
  );
  return true;
}
