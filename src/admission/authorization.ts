/** The `Authorization` of a caller that is for the upstream: what of it can be told without understanding it. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";

/** Also one that does not end, so that each is read once (RFC 9110 section 5.6.4). */
const quoted = /"(?:[^"\\]|\\.?)*(?:"|$)/g;

/**
 * Behind a comma a parameter of the same credentials may stand, `name=value`, but never the scheme of others. The header is none that
 * may be there twice, and which of two is meant, each reader would decide for itself.
 * @see RFC 9110 sections 5.3 and 11.4
 */
const another = /,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]+[^=\s,]/;

/** Visible ASCII with spaces between. @see RFC 9110 section 5.5 */
const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** @returns the header as it came, null for none; `bad_header` for one that is too long, two in one, or of other characters */
export function readAuthorization(headers: Headers): Result<string | null, Failure> {
  const value = headers.get("authorization");
  if (value === null || value === "") return ok(null);
  if (value.length > limits.foreignToken_chars) {
    return err(failure("bad_header", "The Authorization header is too long", { reason: "authorization_size" }));
  }
  if (!plain.test(value)) {
    const detail = "The Authorization header has characters other than visible ASCII";
    return err(failure("bad_header", detail, { reason: "authorization_characters" }));
  }
  if (another.test(value.replace(quoted, '""'))) {
    return err(failure("bad_header", "There are two Authorization headers", { reason: "authorization_ambiguous" }));
  }
  return ok(value);
}
