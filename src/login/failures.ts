/** Why a sign-in does not succeed. Stable: events, the log and the texts of the portal go by these words. */
export const signInFailures = [
  // --- before the provider
  "no_provider",
  "provider_unavailable",
  "provider_unreachable",
  "provider_misconfigured",
  "token_endpoint_changed",
  "too_many_sign_ins",
  "issuer_not_told",
  "return_too_long",
  // --- the way back
  "state_missing",
  "state_unknown",
  "state_expired",
  "state_used",
  "other_browser",
  "response_invalid",
  "issuer_missing",
  "issuer_mismatch",
  // --- what the provider says
  "access_denied",
  "login_required",
  "provider_error",
  "client_refused",
  "code_refused",
  "id_token_invalid",
  "nonce_mismatch",
  "authentication_too_old",
  "userinfo_mismatch",
  // --- who it is
  "domain_not_admitted",
  "not_admitted",
  "user_disabled",
  "too_many_users",
  // --- ourselves
  "unavailable",
] as const;

export type SignInFailure = (typeof signInFailures)[number];
