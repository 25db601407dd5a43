/** The tokens of a sign-in, kept sealed as the connection `idp`: for servers that want the caller's own token. */
import { connectionStore, type ConnectionKey, type Tokens } from "../vault/index.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { StoredProvider } from "./providers.ts";
import type { Redeemed } from "./redeem.ts";
import type { Visit } from "./visit.ts";

/** Each person has one, of the sign-in that was last. */
export const idpKey = (user_id: string): ConnectionKey => ({ user_id, target: "idp", account: "default" });

interface From {
  readonly provider: StoredProvider;
  readonly metadata: ProviderMetadata;
}

/** A sign-in succeeds without it. While the vault is sealed nothing is stored. */
export async function keepTokens(
  visit: Visit,
  user_id: string,
  from: From,
  { credential, scope }: Redeemed,
): Promise<void> {
  const { platform, tenant, snapshot } = visit;
  if (snapshot.settings.vault_sealed) return;
  const { provider, metadata } = from;
  const kept = await connectionStore(visit).put(idpKey(user_id), {
    credential: { ...(await formerRefreshToken(visit, user_id, from)), ...credential },
    issuer: provider.issuer,
    token_endpoint: metadata.token_endpoint,
    revocation_endpoint: metadata.revocation_endpoint ?? null,
    client_id: provider.client_id,
    ...{ scope, asked_scope: null, fit: "", step_ups: 0 },
  });
  if (kept !== "stored") {
    const fields = { tenant: tenant.id, user: user_id, reason: kept };
    platform.log("warn", "The tokens of a sign-in could not be kept", fields);
  }
}

/** Google gives one at the first sign-in only, and it is good for those that follow. */
async function formerRefreshToken(
  visit: Visit,
  user_id: string,
  { provider, metadata }: From,
): Promise<Pick<Tokens, "refresh_token">> {
  const store = connectionStore(visit);
  const row = await store.find(idpKey(user_id));
  const isOfSame =
    row?.state === "linked" &&
    row.issuer === provider.issuer &&
    row.client_id === provider.client_id &&
    row.token_endpoint === metadata.token_endpoint;
  const former = isOfSame ? await store.open(row) : undefined;
  if (former?.ok !== true || former.value.kind !== "tokens") return {};
  const { refresh_token } = former.value;
  return refresh_token === undefined ? {} : { refresh_token };
}
