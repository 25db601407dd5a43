/** How each kind of token is had anew at its authorization server. */
import {
  clientCredentials,
  exchange,
  headerParty,
  idpToken,
  knownParty,
  leaseLost,
  refresh,
  registrationGone,
  serviceParty,
  type Party,
  type Renew,
  type TokenFailure,
  type TokenSet,
} from "../connections/index.ts";
import type { Failure } from "../errors.ts";
import { err, ok, type Result } from "../ports.ts";
import type { ClientCredentialsAuthentication, ClientSecret, OutboundHeader, Server } from "../registry/index.ts";
import type { OutboundContext } from "./context.ts";

type Renewed = Awaited<ReturnType<Renew>>;

export type Exchanged = Extract<OutboundHeader, { source: "on_behalf_of" }>;
export type ServiceToken = Extract<OutboundHeader, { source: "service_token" }>;

function renewed(party: Party, got: Result<TokenSet, TokenFailure>): Renewed {
  if (!got.ok) return got;
  const { issuer, token_endpoint, client_id, revocation_endpoint } = party;
  const from = { issuer, token_endpoint, client_id };
  return ok({ ...got.value, ...from, ...(revocation_endpoint === undefined ? {} : { revocation_endpoint }) });
}

/** @see RFC 6749 section 6 */
export function byRefreshToken(context: OutboundContext, server: Server): Renew {
  return async (held, stillHeld) => {
    if (held?.credential.kind !== "tokens" || held.credential.refresh_token === undefined) {
      return err({ kind: "dead", reason: "no_refresh_token" });
    }
    const { refresh_token } = held.credential;
    const party = await knownParty(context, server, held);
    if (!party.ok) return party.error.reason === "client_gone" ? err(gone) : party;
    if (!(await stillHeld())) return err(leaseLost);
    const got = await refresh(context, party.value, refresh_token);
    return !got.ok && isUnknown(party.value, got.error) ? err(gone) : renewed(party.value, got);
  };
}

/** A new link registers anew. A client that an administrator set is theirs to mend: no link would help. */
const gone: TokenFailure = { kind: "wrong", reason: registrationGone };

const isUnknown = ({ how }: Party, { reason }: TokenFailure): boolean =>
  how === "dynamic" && (reason === "invalid_client" || reason === "unauthorized_client");

/** @see RFC 6749 section 4.4 */
export function byClientCredentials(
  context: OutboundContext,
  server: Server,
  { scopes, audience }: ClientCredentialsAuthentication,
): Renew {
  return async () => {
    const party = await serviceParty(context, server);
    if (!party.ok) return party;
    return renewed(party.value, await clientCredentials(context, party.value, { scopes, audience }));
  };
}

/** @see RFC 6749 section 4.4 */
export function byServiceToken(context: OutboundContext, recipe: ServiceToken, secret: ClientSecret): Renew {
  const party = headerParty(recipe, secret);
  const { scopes, audience } = recipe;
  return async () => renewed(party, await clientCredentials(context, party, { scopes, audience }));
}

/** There is no token of the person's sign-in to exchange. */
export const noSubject = "sign_in_token";

const tokenTypes = {
  access_token: "urn:ietf:params:oauth:token-type:access_token",
  id_token: "urn:ietf:params:oauth:token-type:id_token",
} as const;

/**
 * @param user_id whose token is exchanged
 * @param blocked is told why there is no token to exchange
 * @see RFC 8693 section 2.1
 */
export function byExchange(
  context: OutboundContext,
  recipe: Exchanged,
  secret: ClientSecret,
  user_id: string,
  blocked: (failed: Failure) => void,
): Renew {
  const party = headerParty(recipe, secret);
  const { audience, scopes, subject_token } = recipe;
  return async () => {
    const subject = await idpToken(context, user_id, subject_token);
    if (!subject.ok) {
      blocked(subject.error);
      return err({ kind: "passing", reason: noSubject });
    }
    const asked = { subject_token: subject.value, subject_token_type: tokenTypes[subject_token], audience, scopes };
    return renewed(party, await exchange(context, party, asked));
  };
}
