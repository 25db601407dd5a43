/** The one request for a document. */
import { EgressAbort, type SafeFetch, type SafeRequest, type SafeResponse } from "../egress/index.ts";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { documentLife } from "./document-life.ts";
import type { DocumentKind } from "./document-kind.ts";
import type { DocumentFailure } from "./documents.ts";
import { readJson } from "./json.ts";

export interface PublishedDocument {
  readonly json: JsonObject;
  /** The same as text, which will read the same again. */
  readonly text: string;
  readonly life_ms: number;
}

const cap_bytes: Readonly<Record<DocumentKind, number>> = {
  client_metadata: limits.clientDocument_bytes,
  client_keys: limits.discoveryDocument_bytes,
  discovery: limits.discoveryDocument_bytes,
  jwks: limits.discoveryDocument_bytes,
};

/** GET, no redirect, five seconds in all, capped in decoded bytes. */
export const documentRequest = (url: string, cap_bytes: number): SafeRequest => ({
  url,
  method: "GET",
  headers: new Headers({ accept: "application/json" }),
  redirects: "refuse",
  idle_ms: limits.documentFetch_ms,
  total_ms: limits.documentFetch_ms,
  body_bytes: cap_bytes,
  stream_bytes: cap_bytes,
});

/** @see RFC 6839 section 3.1 on the suffix */
const jsonForm = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json$/;

export const isJsonType = (contentType: string): boolean => jsonForm.test(contentType);

const refused = (reason: string, transient = false): Result<never, DocumentFailure> => err({ reason, transient });

/** As `documentRequest`, and nothing but JSON. */
export async function requestDocument(
  fetch: SafeFetch,
  url: string,
  kind: DocumentKind,
): Promise<Result<PublishedDocument, DocumentFailure>> {
  const answered = await fetch(documentRequest(url, cap_bytes[kind]));
  if (!answered.ok) return err(documentFailure(answered.error));
  const response = answered.value;
  const unfit = misfit(response);
  if (unfit !== undefined) {
    await response.discard();
    return err(unfit);
  }
  const bytes = await readBytes(response);
  if (!bytes.ok) return bytes;
  const json = readJson(bytes.value);
  if (!json.ok) return refused(`document_${json.error}`);
  return ok({ json: json.value, text: JSON.stringify(json.value), life_ms: documentLife(response.headers) });
}

/** Of the host, and over once it is up again: the rest are documents that are wrong. */
export const transientCodes: ReadonlySet<Failure["code"]> = new Set([
  "upstream_unreachable",
  "upstream_timeout",
  "cancelled",
]);

export function documentFailure({ code, reason }: Failure): DocumentFailure {
  return { reason: `document_${reason ?? code}`, transient: transientCodes.has(code) };
}

/** Statuses after which the same request may succeed later. */
export const isTransientStatus = (status: number): boolean => status >= 500 || status === 429 || status === 408;

function misfit({ status, contentType }: SafeResponse): DocumentFailure | undefined {
  if (status !== 200) {
    return { reason: "document_status", transient: isTransientStatus(status) };
  }
  return isJsonType(contentType) ? undefined : { reason: "document_type", transient: false };
}

/** As bytes, since a byte order mark is gone from the text. */
async function readBytes({ body }: SafeResponse): Promise<Result<Uint8Array, DocumentFailure>> {
  if (body === null) return refused("document_empty");
  const chunks: Uint8Array[] = [];
  let length_bytes = 0;
  try {
    const reader = body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      length_bytes += next.value.byteLength;
    }
  } catch (thrown) {
    if (thrown instanceof EgressAbort) return err(documentFailure(thrown.failure));
    throw thrown;
  }
  const bytes = new Uint8Array(length_bytes);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return ok(bytes);
}
