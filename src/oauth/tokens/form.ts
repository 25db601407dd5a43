/** The body of a request to the token or the revocation endpoint. */
import { readBody } from "../../body.ts";
import { limits } from "../../limits.ts";
import type { Visit } from "../../login/index.ts";
import { err, ok, type Result } from "../../ports.ts";
import { oauthError, uncached, type OAuthError } from "../oauth-error.ts";

const formType = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

const invalid = (description: string, reason: string): Result<never, OAuthError> =>
  err(oauthError("invalid_request", description, reason));

/** The answer to every method but POST. @see RFC 6749 section 3.2, RFC 9110 section 15.5.6 */
export function refuseMethod({ method }: Request): Response | undefined {
  if (method === "POST") return undefined;
  const body = { error: "invalid_request", error_description: "The method must be POST" };
  return Response.json(body, { status: 405, headers: { ...uncached, allow: "POST" } });
}

/**
 * Parameters come from the body alone, and each of them once; one without a value counts as left out.
 * @see RFC 6749 section 3.2, appendix B
 */
export async function readForm(visit: Visit, request: Request): Promise<Result<URLSearchParams, OAuthError>> {
  const { headers } = request;
  if (!formType.test(headers.get("content-type") ?? "") || headers.has("content-encoding")) {
    return invalid("The content type must be application/x-www-form-urlencoded", "content_type");
  }
  const body = await readBody(request, limits.tokenBody_bytes, visit.platform.ports.clock);
  if (!body.ok) return invalid("The body could not be read", body.error.reason ?? body.error.code);
  const text = utf8(body.value);
  if (text === undefined) return invalid("The body is not UTF-8", "body_encoding");
  const read = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(text)) {
    if (read.has(name)) return invalid("A parameter is there more than once", "parameter_repeated");
    read.append(name, value);
  }
  for (const [name, value] of [...read]) if (value === "") read.delete(name);
  return ok(read);
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
