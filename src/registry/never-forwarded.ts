/** Headers of callers that go on to no server, whatever its configuration says. */
import { fits, readPattern } from "./header-pattern.ts";

// prettier-ignore
const never = [
  // --- of one hop, and of the form of this message (RFC 9110 sections 7.6.1 and 8, RFC 9112)
  "connection", "keep-alive", "proxy-*", "te", "trailer*", "transfer-encoding", "upgrade", "http2-settings", "expect", "max-forwards",
  "early-data", "content-*", "accept*", "range", "if-*", "date",
  // --- credentials for Gatehouse and of browsers; where `Authorization` is the caller's own it goes its own way
  "authorization", "cookie*", "set-cookie*", "dpop", "x-gatehouse-*",
  // --- where the request comes from, and which way it took
  "host", "origin", "referer", "from", "user-agent", "sec-*", "via", "forwarded", "x-forwarded-*", "x-real-ip", "x-client-ip",
  "x-cluster-client-ip", "true-client-ip", "fastly-client-ip", "client-ip", "cf-*", "cdn-loop",
  // --- the protocol's own, and the trace that it carries
  "mcp-*", "last-event-id", "traceparent", "tracestate",
  // --- who somebody is, in the word of a proxy that servers trust
  "x-user", "x-user-*", "x-auth-*", "x-authenticated-*", "x-remote-*", "remote-*", "x-webauth-*", "x-consumer-*", "x-credential-*", "x-client-cert*",
  "x-ssl-client-*", "ssl-client-*", "x-ms-client-principal*", "x-ms-token-*", "x-goog-authenticated-*", "x-goog-iap-*", "x-amzn-oidc-*",
  "impersonate-*",
  // --- another address or method than the one that was decided on
  "x-original-*", "x-rewrite-*", "x-http-method*", "x-method-override",
] as const;

const patterns = never.map(readPattern);

/** @param name in canonical form */
export const isNeverForwarded = (name: string): boolean => patterns.some((pattern) => fits(pattern, name));

/**
 * Whether every name that the pattern fits is one of these, as far as its beginning tells.
 * @param text of a pattern
 */
export function fitsOnlyNever(text: string): boolean {
  const { head, tail } = readPattern(text);
  if (tail === undefined) return isNeverForwarded(head);
  return patterns.some((known) => known.tail === "" && known.middle.length === 0 && head.startsWith(known.head));
}
