/**
 * Redirect URLs that a tenant trusts. An entry is one of
 * - `https://app.example/callback`: exactly this URL;
 * - `cursor://anysphere.cursor-mcp/oauth/callback`: exactly this URL of an app;
 * - `http://127.0.0.1/callback`: this path on any port of this loopback host;
 * - `http://localhost`: every path and port of this loopback host.
 * An https entry without a path is that URL and no other, not the whole host: where a site has an open redirect, everything on it would
 * do. Any local program can listen on a loopback port, so an entry with a port would promise more than it holds.
 */
import { err, ok, type Result } from "../../ports.ts";
import { parseLoopback } from "./match.ts";
import { redirectProblem } from "./redirect-uri.ts";

/** Takes an entry as it is written or not at all. @returns the entry, or a public sentence that says what to write */
export function parseTrustedRedirect(text: string): Result<string, string> {
  const problem = redirectProblem(text);
  if (problem !== undefined) return err(`${problem.sentence}.`);
  const loopback = parseLoopback(text);
  if (loopback?.hasPort === true) {
    return err(`Loopback addresses are trusted on every port: write ${trustedEntryFor(text)}.`);
  }
  return ok(text);
}

/** The narrowest entry that covers a redirect URI: what an administrator adds to let it through. */
export function trustedEntryFor(uri: string): string {
  const loopback = parseLoopback(uri);
  return loopback === undefined ? uri : `http://${loopback.host}${loopback.rest ?? "/"}`;
}

/** Whether one entry covers the URI. */
export function coversRedirect(entry: string, uri: string): boolean {
  if (redirectProblem(uri) !== undefined) return false;
  const [trusted, asked] = [parseLoopback(entry), parseLoopback(uri)];
  if (trusted === undefined || asked === undefined) return entry === uri;
  if (trusted.host !== asked.host || trusted.hasPort) return false;
  return trusted.rest === undefined || trusted.rest === (asked.rest ?? "/");
}

/** Whether a code may be sent there. Pure. @param entries of the tenant */
export function isTrustedRedirect(uri: string, entries: readonly string[]): boolean {
  return entries.some((entry) => coversRedirect(entry, uri));
}
