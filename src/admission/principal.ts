/** Who calls, after admission. */
import type { AgentAuthentication } from "../registry/index.ts";

export interface Principal {
  /**
   * Stable and unique in the tenant: `client:{id}`, or `user:{user id}:{hash of the client id}`; what sealed handles and sessions
   * are bound to. It outlives tokens, so that a refresh interrupts nothing. Guests of a passthrough server: all who are
   * anonymous are one, `anonymous:{server id}`; those with a JWT are `passthrough:{server id}:{hash of issuer and subject}`.
   */
  readonly id: string;
  readonly kind: "client" | "user" | "administrator" | "development" | "anonymous" | "passthrough";
  /** The agent as the audit log names it: the client id, `anonymous:{slug}` or `passthrough:{slug}`. */
  readonly agent: string;
  /** The person for whom the agent calls. */
  readonly user?: PrincipalUser;
  /** The token of ours that was presented, where one was: its row. */
  readonly token_id?: string;
  /** The access token that was presented, where one was. */
  readonly access?: AccessTokenFacts;
  /** Milliseconds since the Unix epoch after which this admission no longer holds. */
  readonly expires_at?: number;
  /** Of a call to a passthrough server. */
  readonly passthrough?: Passthrough;
  /**
   * Keyed digest of what the caller brings along for that server. What belongs to one holder (a session with the server, a list of
   * what it offers) must not be used for another, though both may be the same principal. Absent where nothing is brought.
   */
  readonly holder?: string;
  /** Of the JWT that the caller brought, as its issuer names whom it is for; not one of our people. */
  readonly subject?: string;
}

export interface Passthrough {
  readonly server_id: string;
  readonly slug: string;
  /** The header as it came, for this one request to this one server. Never compared, stored or logged. */
  readonly authorization: string | null;
  /** The rule under which the caller was admitted. */
  readonly rule: AgentAuthentication;
}

export interface PrincipalUser {
  readonly id: string;
  readonly email?: string;
  /** Whether the identity provider vouches for the address. Without it, it is good for the log only. */
  readonly email_verified: boolean;
  /** Those groups of the person that the tenant's rules name. */
  readonly groups: ReadonlySet<string>;
  /** Ids of the servers that the person chose for this client. */
  readonly chosen: ReadonlySet<string>;
}

export interface AccessTokenFacts {
  /** Absent for tokens that no person granted. */
  readonly grant_id?: string;
  /** Milliseconds since the Unix epoch; what revocations are compared with. */
  readonly issued_at: number;
  readonly kid: string;
  /** Whether an administrator registered the client when the token was issued. */
  readonly registered: boolean;
}
