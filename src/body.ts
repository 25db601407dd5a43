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
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) > bytes_max) return err(tooLarge);
  // HTTP frames a body by its announced length: then the platform reads it in one go, at half the cost.
  const reading =
    announced === null ? openReader(request.body, bytes_max, tooLarge) : readAtOnce(request, bytes_max, tooLarge);
  const late = clock.sleep(limits.bodyRead_ms).then(() => err(failure("body_timeout")));
  const body = await Promise.race([reading.bytes, late]);
  if (!body.ok) reading.abandon();
  return body;
}

interface Reading {
  readonly bytes: Promise<Result<Uint8Array<ArrayBuffer>, Failure>>;
  /** What is left is not wanted; whether the client hears of it changes nothing here. */
  abandon(): void;
}

const aborted = failure("invalid_request", "The body could not be read", { reason: "body_aborted" });

function readAtOnce(request: Request, bytes_max: number, tooLarge: Failure): Reading {
  const read = async (): Promise<Result<Uint8Array<ArrayBuffer>, Failure>> => {
    try {
      const bytes = new Uint8Array(await request.arrayBuffer());
      return bytes.byteLength > bytes_max ? err(tooLarge) : ok(bytes);
    } catch {
      return err(aborted);
    }
  };
  return { bytes: read(), abandon: () => undefined };
}

function openReader(stream: ReadableStream<Uint8Array>, bytes_max: number, tooLarge: Failure): Reading {
  const reader = stream.getReader();
  return {
    bytes: collect(reader, bytes_max, tooLarge),
    abandon: () => void reader.cancel().catch(() => undefined),
  };
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
    return err(aborted);
  }
  const body = new Uint8Array(length_bytes);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return ok(body);
}
