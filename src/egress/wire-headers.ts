/** Which request headers may stand on the wire to an upstream, and the mark by which a gateway knows its own requests. */

/**
 * Framing and hop-by-hop fields (RFC 9110 section 7.6.1), fields that the platform sets, and fields that speak of the caller.
 * `outbound/` builds its headers from an allow-list, so one of these is a defect there: removing it would hide it.
 */
const forbidden =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|content-encoding|accept-encoding|cookie2?|set-cookie|origin|referer|forwarded|via|expect|date|true-client-ip|x-real-ip|proxy-.*|sec-.*|cf-.*|x-forwarded-.*)$/;

/** @throws when a header is not allowed on the wire: a bug of the caller */
export function assertWireHeaders(headers: Headers): void {
  for (const name of headers.keys()) {
    if (forbidden.test(name)) throw new Error(`The request header ${name} must not be set for an upstream.`);
  }
}

/**
 * Headers that are known to hold no credential. Any other may be one (a server may call its key as it likes), and a credential
 * never follows a redirect: the platform itself drops no more than `Authorization` on the way to another origin.
 */
const harmless: ReadonlySet<string> = new Set([
  "accept",
  "accept-language",
  "content-type",
  "mcp-protocol-version",
  "traceparent",
  "tracestate",
  "user-agent",
]);

export function mayHoldCredential(headers: Headers): boolean {
  for (const name of headers.keys()) if (!harmless.has(name)) return true;
  return false;
}

/** @see RFC 9110 section 7.6.3 */
export const viaHeader = "1.1 gatehouse";

/**
 * Whether an inbound request comes from a gateway, this one or another. Such a request is refused: a server entry that points
 * back to a gateway would otherwise multiply every call until a platform limit ends it.
 * @see RFC 9110 section 7.6.3
 */
export function arrivedThroughGatehouse(headers: Headers): boolean {
  const via = headers.get("via");
  return via !== null && /(?:^|,)[ \t]*[^ \t,]+[ \t]+gatehouse(?=[ \t,(]|$)/i.test(via);
}
