/**
 * All providers answer at one address. Which of them an answer comes from is told by `iss`; without it a provider that people are sent
 * to could send them on to another, and the code of that one would be taken to the first.
 * @see RFC 9700 section 4.4, RFC 9207
 */
import { discoverProvider, type ProviderMetadata } from "./discovery.ts";
import type { StoredProvider } from "./providers.ts";
import type { Visit } from "./visit.ts";

export const namesIssuer = ({ authorization_response_iss_parameter_supported: named }: ProviderMetadata): boolean =>
  named === true;

/**
 * Whether people could be sent on from this provider to one whose code is worth something to whoever gets it: a code for a client
 * without secret, in an answer that does not say whose it is.
 * @param enabled all at which people of the tenant can sign in
 */
export async function invitesMixUp(
  visit: Visit,
  provider: StoredProvider,
  metadata: ProviderMetadata,
  enabled: readonly StoredProvider[],
): Promise<boolean> {
  if (enabled.length < 2 || namesIssuer(metadata)) return false;
  const open = enabled.filter(({ credential }) => credential === null);
  const asked = await Promise.all(
    open.map(async (one) => {
      const told = one.id === provider.id ? undefined : await discoverProvider(visit, one);
      return told?.ok === true && namesIssuer(told.value) ? [] : [one.id];
    }),
  );
  const exposed = asked.flat();
  if (exposed.length === 0) return false;
  visit.platform.log(
    "error",
    "The answers of identity providers cannot be told apart: give the clients of the exposed ones a secret, or disable them",
    { tenant: visit.tenant.id, provider: provider.id, exposed },
  );
  return true;
}
