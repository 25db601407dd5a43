/** The caller's own headers on the way to a server. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";
import { canonicalHeader, goingOn, type HeaderRules } from "../registry/index.ts";

const refused = (detail: string, reason: string): Result<never, Failure> =>
  err(failure("bad_header", detail, { reason }));

/** Visible ASCII, spaces and tabs: what every server reads in one way. @see RFC 9110 section 5.5 on obs-text */
const plain = /^[\t\x20-\x7e]*$/;

/**
 * What goes on of these headers. `Authorization` is never among it: where it is the caller's own, it is added as authentication is.
 * Refused and not left out is what cannot go on as it is: a server could decide something else without it.
 * @param set names of the headers that Gatehouse sets by itself; these win, however they are spelled
 * @returns `bad_header` for a value with other characters, for two names that servers may take for one, and past the bounds
 */
export function forwardedHeaders(
  server: HeaderRules,
  inbound: Headers,
  set: Iterable<string>,
): Result<readonly (readonly [name: string, value: string])[], Failure> {
  const own = new Set([...set].map(canonicalHeader));
  const forwarded = goingOn(server, inbound).filter(([name]) => !own.has(canonicalHeader(name)));
  if (forwarded.length > limits.forwardedHeaders_count) {
    return refused(`More than ${limits.forwardedHeaders_count} headers would go on to the server`, "headers_count");
  }
  const size_chars = forwarded.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (size_chars > limits.forwardedHeaders_chars) {
    return refused(`More than ${limits.forwardedHeaders_chars} characters of headers would go on`, "headers_size");
  }
  if (new Set(forwarded.map(([name]) => canonicalHeader(name))).size !== forwarded.length) {
    return refused("Two headers that go on to the server differ in - and _ only", "headers_alike");
  }
  if (!forwarded.every(([, value]) => plain.test(value))) {
    return refused("A header that goes on to the server has characters other than visible ASCII", "header_characters");
  }
  return ok(forwarded);
}
