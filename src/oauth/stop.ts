/** Reasons for which an authorization ends on a page of ours. Each has its text in `portal/`. */
export const stopReasons = [
  "client_unknown",
  "client_blocked",
  "client_document_invalid",
  "client_domain_untrusted",
  "redirect_uri_missing",
  "redirect_uri_not_registered",
  "redirect_uri_untrusted",
  "redirect_uri_loopback",
  "request_ambiguous",
  "request_expired",
  "request_invalid",
  "request_used",
  "other_browser",
  "too_many_grants",
  "too_many_requests",
  "unavailable",
] as const;

export type StopReason = (typeof stopReasons)[number];
