/** Whether a redirect URI is one of those that a client registered. */

/** A redirect URI on the person's own machine. */
export interface LoopbackUri {
  readonly host: string;
  /** Path and query, or undefined where the text ends after host and port. */
  readonly rest: string | undefined;
  readonly hasPort: boolean;
}

const form = /^http:\/\/(?<host>localhost|127\.0\.0\.1|\[::1\])(?<port>:[0-9]{1,5})?(?<rest>[/?].*)?$/;

/** @returns undefined for every other URI */
export function parseLoopback(uri: string): LoopbackUri | undefined {
  const { host, port, rest } = form.exec(uri)?.groups ?? {};
  return host === undefined ? undefined : { host, rest, hasPort: port !== undefined };
}

/**
 * Equal as text. On loopback the port may differ, since a native app takes the one that it gets; nothing else may, and the three
 * names of loopback are three hosts.
 * @see OAuth 2.1 section 2.3.1, RFC 8252 section 7.3
 */
export function matchesRedirect(registered: string, asked: string): boolean {
  if (registered === asked) return true;
  const [one, other] = [parseLoopback(registered), parseLoopback(asked)];
  if (one === undefined || other === undefined) return false;
  return one.host === other.host && (one.rest ?? "/") === (other.rest ?? "/");
}

export const isRegisteredRedirect = (registered: readonly string[], asked: string): boolean =>
  registered.some((uri) => matchesRedirect(uri, asked));
