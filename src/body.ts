/** A request body: bytes under a cap and a deadline, whatever Content-Length claims. workerd never times one out. */
import { failure, type Failure } from "./errors.ts";
import { limits } from "./limits.ts";
import { err, ok, type Clock, type Result } from "./ports.ts";

/**
 * The type that a page of another origin cannot send without a preflight.
 * @see Fetch standard, "CORS-safelisted request-header"
 */
export function isJson(contentType: string | null): boolean {
  return /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i.test(contentType ?? "");
}

/** Reads at most one chunk past `bytes_max`, and gives up after `limits.bodyRead_ms`. */
export async function readBody(
  request: Request,
  bytes_max: number,
  clock: Clock,
): Promise<Result<Uint8Array<ArrayBuffer>, Failure>> {
  const tooLarge = failure("payload_too_large", `The body may have ${bytes_max} bytes`, { reason: "body_size" });
  if (request.body === null) return ok(new Uint8Array());
  if (Number(request.headers.get("content-length") ?? 0) > bytes_max) return err(tooLarge);
  const reader = request.body.getReader();
  const finished = new AbortController();
  const collected = collect(reader, bytes_max, tooLarge);
  const late = clock.sleep(limits.bodyRead_ms, finished.signal).then(() => err(failure("body_timeout")));
  const body = await Promise.race([collected, late]);
  finished.abort();
  // What is left is not wanted; whether the client hears of it changes nothing here.
  if (!body.ok) reader.cancel().catch(() => undefined);
  return body;
}

async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bytes_max: number,
  tooLarge: Failure,
): Promise<Result<Uint8Array<ArrayBuffer>, Failure>> {
  const chunks: Uint8Array[] = [];
  let length_bytes = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length_bytes += next.value.byteLength;
      if (length_bytes > bytes_max) return err(tooLarge);
      chunks.push(next.value);
    }
  } catch {
    return err(failure("invalid_request", "The body could not be read", { reason: "body_aborted" }));
  }
  const body = new Uint8Array(length_bytes);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return ok(body);
}
