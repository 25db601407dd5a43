/** Who calls, after admission. */

export interface Principal {
  /** Stable and unique in the tenant, for instance `client:{id}`; what sealed handles and sessions are bound to. */
  readonly id: string;
  readonly kind: "client" | "administrator" | "development";
  /** The agent as the audit log names it. */
  readonly agent: string;
  /** The token that was presented, where one was. */
  readonly token_id?: string;
  /** Milliseconds since the Unix epoch after which this admission no longer holds. */
  readonly expires_at?: number;
}
