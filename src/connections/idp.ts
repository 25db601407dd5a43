/** The caller's own tokens of their sign-in, kept alive like any other with the identity provider's client. */
import type { Failure } from "../errors.ts";
import { idpKey, providerClient, type ProviderClient } from "../login/index.ts";
import { err, ok, type Result } from "../ports.ts";
import { peekJwt } from "../trust/index.ts";
import type { StoredConnection } from "../vault/index.ts";
import { noToken } from "./hold.ts";
import { liveCredential } from "./live.ts";
import { refresh } from "./oauth/index.ts";
import type { Base, LiveCredential, Party, TokenFailure } from "./types.ts";
import { leaseLost, type Renew } from "./work.ts";

/**
 * @returns failures as those of `liveCredential`; `link_needed` means to sign in again. `upstream_credential` with reason
 *   `no_id_token` when the provider gives none that is still good
 */
export async function idpToken(
  base: Base,
  user_id: string,
  which: "access_token" | "id_token",
): Promise<Result<string, Failure>> {
  const renew = byIdentityProvider(base);
  const live = await liveCredential(base, idpKey(user_id), { renew });
  if (!live.ok) return live;
  const token = tokenOf(live.value, which);
  if (token !== undefined && (which === "access_token" || isGood(base, token))) return ok(token);
  // ID tokens have an end of their own, which may come before that of the access token.
  const renewed = await liveCredential(base, idpKey(user_id), { renew, rejected: live.value, rejectedHere: true });
  const other = renewed.ok ? tokenOf(renewed.value, which) : undefined;
  return other !== undefined && isGood(base, other) ? ok(other) : err(noToken("no_id_token"));
}

function tokenOf({ credential }: LiveCredential, which: "access_token" | "id_token"): string | undefined {
  return credential.kind === "tokens" ? credential[which] : undefined;
}

/** Only its end is looked at: it was verified at the sign-in, or came from the token endpoint itself. */
function isGood({ platform }: Base, id_token: string): boolean {
  const { exp } = peekJwt(id_token)?.unverified ?? {};
  return typeof exp === "number" && platform.ports.clock.now() < exp * 1000;
}

function byIdentityProvider(base: Base): Renew {
  return async (held, stillHeld) => {
    if (held?.credential.kind !== "tokens" || held.credential.refresh_token === undefined) {
      return err({ kind: "dead", reason: "no_refresh_token" });
    }
    const party = await idpParty(base, held);
    if (!party.ok) return party;
    if (!party.value.enabled) return err({ kind: "wrong", reason: "provider_unavailable" });
    if (!(await stillHeld())) return err(leaseLost);
    const got = await refresh(base, party.value, held.credential.refresh_token);
    if (!got.ok) return got;
    const { issuer, token_endpoint, client_id } = held;
    return ok({ ...got.value, issuer, token_endpoint, client_id });
  };
}

/** The provider as the connection was made with it. Its secret goes to that token endpoint only. */
export async function idpParty(
  base: Base,
  held: Pick<StoredConnection, "issuer" | "token_endpoint" | "client_id">,
): Promise<Result<IdentityParty, TokenFailure>> {
  const client = await providerClient(base, held.issuer);
  if (!client.ok) {
    const kind = client.error === "provider_unreachable" ? "passing" : "wrong";
    return err({ kind, reason: client.error });
  }
  const { client_id, token_endpoint } = client.value;
  if (client_id !== held.client_id) return err({ kind: "wrong", reason: "client_changed" });
  if (token_endpoint !== held.token_endpoint) return err({ kind: "wrong", reason: "token_endpoint_changed" });
  return ok(partyOf(client.value));
}

/** Tokens of a provider that was disabled can still be revoked. */
interface IdentityParty extends Party {
  readonly enabled: boolean;
}

function partyOf(client: ProviderClient): IdentityParty {
  const { issuer, token_endpoint, revocation_endpoint, client_id, client_authentication, client_secret } = client;
  return {
    enabled: client.enabled,
    ...{ issuer, token_endpoint, client_id, client_authentication },
    ...(revocation_endpoint === undefined ? {} : { revocation_endpoint }),
    secret: client_secret === undefined ? {} : { client_secret },
    ...{ names_issuer: false, resource: null, how: "configured" },
  };
}
