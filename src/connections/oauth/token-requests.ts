/** The requests to a token endpoint. Each is one exchange, bounded in time and bytes, and is never repeated here. */
import {
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  clientCredentialsGrantRequest,
  customFetch,
  genericTokenEndpointRequest,
  refreshTokenGrantRequest,
  type AuthorizationServer,
  type Client,
  type ClientAuth,
} from "oauth4webapi";
import { limits } from "../../limits.ts";
import { ok, type Result } from "../../ports.ts";
import { createLibraryFetch, type LibraryFetch } from "../../trust/index.ts";
import type { Base, Party, TokenFailure, TokenSet } from "../types.ts";
import { checkAudience } from "./audience.ts";
import { checkAnswer } from "./authorization-answer.ts";
import { clientAuthentication } from "./client-authentication.ts";
import { upstreamClients } from "./client.ts";
import { endpoint } from "./endpoints.ts";
import { unanswered, wrong } from "./failures.ts";
import { readTokenAnswer } from "./token-answer.ts";

export interface AuthorizationAnswer {
  /** Of the redirect URI that the browser called. */
  readonly parameters: URLSearchParams;
  /** As it was sent out, and PKCE's. */
  readonly state: string;
  readonly verifier: string;
  readonly redirect_uri: string;
}

/**
 * Turns what a person's browser brought back into tokens. The answer is checked before anything is sent.
 * @see RFC 6749 section 4.1.3; RFC 7636 section 4.5; RFC 8707 section 2.2; RFC 9207 section 2.4
 */
export async function redeem(
  base: Base,
  party: Party,
  { parameters, state, verifier, redirect_uri }: AuthorizationAnswer,
): Promise<Result<TokenSet, TokenFailure>> {
  const checked = checkAnswer(party, parameters, state);
  if (!checked.ok) return checked;
  const additionalParameters = withResource(party, {});
  const redeemed = await ask(base, party, ({ server, client, authentication, options }) =>
    authorizationCodeGrantRequest(server, client, authentication, checked.value, redirect_uri, verifier, {
      ...options,
      additionalParameters,
    }),
  );
  await doubtUnknown(base, party, redeemed);
  return redeemed;
}

/**
 * @param scope as it was granted, where less than all is wanted
 * @returns the new tokens, with the old refresh token when no new one comes back
 * @see RFC 6749 section 6
 */
export async function refresh(
  base: Base,
  party: Party,
  refresh_token: string,
  scope?: string,
): Promise<Result<TokenSet, TokenFailure>> {
  const additionalParameters = withResource(party, scope === undefined || scope === "" ? {} : { scope });
  const refreshed = await ask(base, party, ({ server, client, authentication, options }) =>
    refreshTokenGrantRequest(server, client, authentication, refresh_token, { ...options, additionalParameters }),
  );
  await doubtUnknown(base, party, refreshed);
  if (!refreshed.ok) return refreshed;
  const { tokens, scope: granted } = refreshed.value;
  return ok({ tokens: { ...tokens, refresh_token: tokens.refresh_token ?? refresh_token }, scope: granted });
}

/** @see RFC 6749 section 4.4 */
export async function clientCredentials(
  base: Base,
  party: Party,
  { scopes, audience }: { readonly scopes?: readonly string[] | undefined; readonly audience?: string | undefined },
): Promise<Result<TokenSet, TokenFailure>> {
  const parameters = withResource(party, {
    ...(scopes === undefined || scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(audience === undefined ? {} : { audience }),
  });
  return ask(base, party, ({ server, client, authentication, options }) =>
    clientCredentialsGrantRequest(server, client, authentication, parameters, options),
  );
}

export interface Exchange {
  readonly subject_token: string;
  /** `urn:ietf:params:oauth:token-type:…` */
  readonly subject_token_type: string;
  readonly audience?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
}

const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";

/** @see RFC 8693 section 2 */
export async function exchange(
  base: Base,
  party: Party,
  { subject_token, subject_token_type, audience, scopes }: Exchange,
): Promise<Result<TokenSet, TokenFailure>> {
  const parameters = withResource(party, {
    ...{ subject_token, subject_token_type },
    ...(scopes === undefined || scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(audience === undefined ? {} : { audience }),
  });
  return ask(
    base,
    party,
    ({ server, client, authentication, options }) =>
      genericTokenEndpointRequest(server, client, authentication, exchangeGrant, parameters, options),
    true,
  );
}

/** UP-08: the resource is in every request, unless an administrator says otherwise. */
function withResource({ resource }: Party, parameters: Record<string, string>): Record<string, string> {
  return resource === null ? parameters : { ...parameters, resource };
}

interface Prepared {
  readonly server: AuthorizationServer;
  readonly client: Client;
  readonly authentication: ClientAuth;
  readonly options: { [customFetch]: LibraryFetch["fetch"]; [allowInsecureRequests]: true };
}

async function ask(
  base: Base,
  party: Party,
  request: (prepared: Prepared) => Promise<Response>,
  isExchange = false,
): Promise<Result<TokenSet, TokenFailure>> {
  // As it is written: the library would repair it first.
  const token_endpoint = endpoint(base, party.token_endpoint);
  if (token_endpoint === undefined) return wrong("token_endpoint_not_allowed");
  const authentication = await clientAuthentication(base, party);
  if (!authentication.ok) return authentication;
  const network = createLibraryFetch(base.fetch, {
    answer_ms: limits.tokenAnswer_ms,
    answer_bytes: limits.tokenAnswer_bytes,
  });
  const asked_at = base.platform.ports.clock.now();
  let answer: Response;
  try {
    answer = await request({
      server: { issuer: party.issuer, token_endpoint },
      client: { client_id: party.client_id },
      authentication: authentication.value,
      options: { [customFetch]: network.fetch, [allowInsecureRequests]: true },
    });
  } catch (thrown) {
    const failed = network.failure();
    // Anything else is a bug: what others sent is read below.
    if (failed === undefined) throw thrown;
    return unanswered("token", failed);
  }
  const { status, headers } = answer;
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const read = readTokenAnswer({ status, headers, bytes, asked_at }, isExchange);
  if (read.ok) checkAudience(base, party, read.value);
  return read;
}

/** RFC 6749 section 5.2: it is not known, or may not do any more what it registered for. */
const unknown: ReadonlySet<string> = new Set(["invalid_client", "unauthorized_client"]);

/**
 * A client that registered itself registers again with the next link, beside what is connected: one such answer may be that of a replica
 * behind, or a lie, and logs nobody out (UP-16).
 */
async function doubtUnknown(base: Base, party: Party, answer: Result<TokenSet, TokenFailure>): Promise<void> {
  if (answer.ok || party.how !== "dynamic" || !unknown.has(answer.error.reason)) return;
  await upstreamClients(base).doubt(party.issuer, party.client_id);
}
