/** Why an account is not connected. Stable: events, the log and the texts of the portal go by these words. */
export const linkRefusals = [
  // --- the link, and who opens it
  "link_unknown",
  "link_expired",
  "link_used",
  "link_not_yours",
  /** Also for a server that this person may not reach: both are the same to them. */
  "server_gone",
  "nothing_to_connect",
  "account_invalid",
  "too_many_accounts",
  "too_many_attempts",
  // --- before the provider
  /** The server itself, which says who its provider is. */
  "server_unreachable",
  "provider_unreachable",
  "provider_misconfigured",
  // --- the way back
  "response_invalid",
  "state_unknown",
  "state_expired",
  "state_used",
  /** Somebody else began this. */
  "other_person",
  "server_changed",
  /** The answer came to the address of another server: one provider sent the person on to another. */
  "other_callback",
  "access_denied",
  "provider_refused",
  // --- a key that was pasted
  "key_invalid",
  "key_refused",
  "key_unchecked",
  // --- ourselves
  "user_disabled",
  "vault_sealed",
  "unavailable",
] as const;

export type LinkRefusalReason = (typeof linkRefusals)[number];

export interface LinkRefusal {
  readonly reason: LinkRefusalReason;
  /** Why exactly: stable, and of nothing that somebody else wrote. For the log and the event, never for a page. */
  readonly because?: string;
  /** Slug of the server that it is about. */
  readonly server?: string;
  /** Path of ours from where the person can try again. */
  readonly retry?: string;
  /** Path of ours that they came from, where they began on the way to something else. */
  readonly return_to?: string;
}

export const refusal = (reason: LinkRefusalReason, retry?: string): LinkRefusal => ({
  reason,
  ...(retry === undefined ? {} : { retry }),
});
