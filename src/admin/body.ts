/** The JSON of an admin request. */
import { failure, type Failure } from "../errors.ts";
import { err, ok, type Json, type Result } from "../ports.ts";
import { parseStrictJson } from "../protocol/index.ts";

/**
 * One JSON object with one meaning: fatal UTF-8, bounded depth, no duplicate keys. An empty body is an empty object, so that
 * routes whose members are all optional need none. The detail is fixed: a parser's own message quotes the text, which may
 * hold a secret.
 * @see RFC 8259 sections 4 and 8.1
 */
export function parseBody(bytes: Uint8Array): Result<Json, Failure> {
  if (bytes.byteLength === 0) return ok({});
  const parsed = parseStrictJson(bytes);
  if (parsed.ok) return parsed;
  const { reason } = parsed.error;
  return err(
    failure("parse_error", "The body must be one JSON object in UTF-8", reason === undefined ? {} : { reason }),
  );
}
