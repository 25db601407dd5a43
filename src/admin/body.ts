/** The body of an admin request: bytes under a cap and a deadline, then strict JSON. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Clock, type Json, type Result } from "../ports.ts";
import { parseStrictJson } from "../protocol/index.ts";

const tooLarge = failure("payload_too_large", `The body may have ${limits.adminBody_bytes} bytes`);
const tooLate = failure("body_timeout");

/**
 * The type a page of another origin cannot send without a preflight, which is never granted.
 * @see Fetch standard, "CORS-safelisted request-header"
 */
export function isJson(contentType: string | null): boolean {
  return /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i.test(contentType ?? "");
}

/**
 * Reads at most one chunk past `limits.adminBody_bytes`, whatever Content-Length claims, and gives up after
 * `limits.bodyRead_ms`: workerd never times a request body out.
 */
export async function readBody(request: Request, clock: Clock): Promise<Result<Uint8Array<ArrayBuffer>, Failure>> {
  if (request.body === null) return ok(new Uint8Array());
  if (Number(request.headers.get("content-length") ?? 0) > limits.adminBody_bytes) return err(tooLarge);
  const reader = request.body.getReader();
  const finished = new AbortController();
  const deadline = clock.sleep(limits.bodyRead_ms, finished.signal).then(() => tooLate);
  try {
    const read = await Promise.race([collect(reader), deadline]);
    if (read instanceof Uint8Array) return ok(read);
    // The rest is not wanted. Whether the client hears of it changes nothing here.
    reader.cancel().catch(() => undefined);
    return err(read);
  } finally {
    finished.abort();
  }
}

async function collect(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array<ArrayBuffer> | Failure> {
  const chunks: Uint8Array[] = [];
  let length_bytes = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length_bytes += next.value.byteLength;
      if (length_bytes > limits.adminBody_bytes) return tooLarge;
      chunks.push(next.value);
    }
  } catch {
    return failure("invalid_request", "The body could not be read", { reason: "body_aborted" });
  }
  const body = new Uint8Array(length_bytes);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

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
