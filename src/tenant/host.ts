/** Hostname to tenant: exact, before any storage is touched, and never reflected from anything but the request's own Host. */
import type { Configuration } from "../env.ts";

export interface TenantHost {
  readonly id: string;
  /** Canonical origin: the issuer, the base of every resource identifier and link. */
  readonly origin: string;
}

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "127.0.0.1" || hostname === "[::1]";

/**
 * The URL of a request, if its Host is written as it is read. workerd puts the header before the target as it came, so the
 * parser may find another host or path in it than routing does: `x@a.test`, `a.test#x`, `a.test/x?`, a tab in the middle.
 * @param text `request.url`
 */
export function parseRequestUrl(text: string, headers: Headers): URL | undefined {
  const url = URL.parse(text);
  const written = /^https?:\/\/([^/]*)/.exec(text)?.[1];
  if (url === null || written === undefined) return undefined;
  const port = url.protocol === "https:" ? /:443$/ : /:80$/;
  const isExact = (host: string): boolean => host.toLowerCase().replace(port, "") === url.host;
  return isExact(written) && isExact(headers.get("host") ?? written) ? url : undefined;
}

/**
 * @param url of the request; workerd builds it from the Host header
 * @returns undefined for an unknown host, a port where none belongs, plain http from afar, or a non-loopback host in
 *   development mode
 */
export function resolveTenant(url: URL, configuration: Configuration): TenantHost | undefined {
  const { hostname } = url;
  if (isLoopback(hostname)) {
    // Development answers the bare addresses as well: that is what a newcomer types.
    const isAddress = hostname === "127.0.0.1" || hostname === "[::1]";
    const named = isAddress && configuration.mode === "development" ? "localhost" : hostname;
    const id = configuration.hosts.get(named);
    return id === undefined ? undefined : { id, origin: url.origin };
  }
  if (configuration.mode === "development" || url.port !== "" || url.protocol !== "https:") return undefined;
  const id = configuration.hosts.get(hostname);
  return id === undefined ? undefined : { id, origin: url.origin };
}
