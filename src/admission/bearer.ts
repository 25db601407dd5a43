/** The credential that a request presents: exactly one, in the Authorization header. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";

/** RFC 6750 section 2.1: `Bearer` and a b64token; the scheme is case-insensitive. */
const bearer = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/** One credential of a scheme that is never taken here; with a comma it may hide a second header. */
const basic = /^basic(?: [^,]*)?$/i;

/**
 * @returns the token; `undefined` when no bearer credential is presented at all; a failure when what is presented is
 *   malformed or ambiguous (two headers arrive joined by a comma)
 * @see RFC 6750 section 2.1
 */
export function readBearer(headers: Headers): Result<string | undefined, Failure> {
  const value = headers.get("authorization");
  if (value === null || value.trim() === "" || basic.test(value)) return ok(undefined);
  const token = value.length > limits.bearer_chars ? undefined : bearer.exec(value)?.[1];
  return token === undefined ? err(failure("invalid_token", undefined, { reason: "token_malformed" })) : ok(token);
}
