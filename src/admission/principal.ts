/** Who calls, after admission. */

export interface Principal {
  /**
   * Stable and unique in the tenant: `client:{id}`, or `user:{user id}:{hash of the client id}`; what sealed handles and sessions
   * are bound to. It outlives tokens, so that a refresh interrupts nothing.
   */
  readonly id: string;
  readonly kind: "client" | "user" | "administrator" | "development";
  /** The agent as the audit log names it: the client id. */
  readonly agent: string;
  /** The person for whom the agent calls. */
  readonly user?: PrincipalUser;
  /** The token of ours that was presented, where one was: its row. */
  readonly token_id?: string;
  /** The access token that was presented, where one was. */
  readonly access?: AccessTokenFacts;
  /** Milliseconds since the Unix epoch after which this admission no longer holds. */
  readonly expires_at?: number;
}

export interface PrincipalUser {
  readonly id: string;
  readonly email?: string;
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
