/** Where the answer of an authorization goes, in words for the person who decides. */

export type Destination =
  /** `host` as the browser compares it: a name in other letters is shown encoded, so that look-alikes show. */
  | { readonly kind: "site"; readonly host: string }
  | { readonly kind: "loopback"; readonly host: string }
  | { readonly kind: "app"; readonly scheme: string; readonly uri: string };

/** @param redirect_uri one that passed the checks of the authorization endpoint */
export function destinationOf(redirect_uri: string): Destination {
  const url = URL.parse(redirect_uri);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return { kind: "app", scheme: redirect_uri.slice(0, redirect_uri.indexOf(":") + 1), uri: redirect_uri };
  }
  const isLoopback = url.hostname === "localhost" || url.hostname === "[::1]" || url.hostname.startsWith("127.");
  return isLoopback ? { kind: "loopback", host: url.host } : { kind: "site", host: url.host };
}
