/** One question for a credential: whose it is, what it must be good for, and how there is another. */
import type { Result } from "../ports.ts";
import type { Server } from "../registry/index.ts";
import type { ConnectionKey, ConnectionStore, StoredConnection } from "../vault/index.ts";
import type { Base, LiveCredential, TokenFailure, TokenSet } from "./types.ts";

/** Where a token came from. */
export interface RenewedTokens extends TokenSet {
  readonly issuer: string;
  readonly token_endpoint: string;
  readonly client_id: string;
  readonly revocation_endpoint?: string;
}

/**
 * Asks the provider. What it leaves out (refresh token, scope) stays as it was.
 * @param stillHeld to be asked right before a refresh token is sent: what had to be looked up first may have outlasted the lease, and
 *   two who send it would both lose the grant (RFC 9700 section 4.14.2). `false`: nothing may be sent; what is returned does not matter
 */
export type Renew = (
  held: StoredConnection | undefined,
  stillHeld: () => Promise<boolean>,
) => Promise<Result<RenewedTokens, TokenFailure>>;

/** Of who may not send any more: somebody else renews by now. */
export const leaseLost: TokenFailure = { kind: "passing", reason: "token_lease_lost" };

export interface How {
  /** Undefined for what nobody can renew, such as a pasted key. */
  readonly renew?: Renew;
  /** For tokens that Gatehouse gets by itself: where there is none that will do, `renew` makes one. */
  readonly creates?: boolean;
  /** What of the configuration it must have been made for; left out: that does not matter. See `fitOf`. */
  readonly fit?: string;
  /** In place of it, where one is made for several servers: the one that it is to go to now. See `fitOfCredential`. */
  readonly goesTo?: Pick<Server, "url">;
  /** The server refused this one: it is renewed before its time, at most once in `limits.forcedRenewal_ms`. */
  readonly rejected?: LiveCredential;
  /** No server has seen `rejected`: Gatehouse itself found that it will not do, so nothing is said of it to those who look at it. */
  readonly rejectedHere?: true;
}

export interface Work {
  readonly base: Base;
  readonly store: ConnectionStore;
  readonly key: ConnectionKey;
  readonly how: How;
}
