/** A JWT before anything in it is believed: its form, its header and its claims. Pure. */
import { base64url } from "jose";
import * as z from "zod";
import { limits } from "../limits.ts";
import { err, ok, type JsonObject, type Result } from "../ports.ts";
import { readJson } from "./json.ts";

export interface JwtHeader {
  readonly alg: string;
  /** Opaque: compared, and used for nothing else. */
  readonly kid: string | undefined;
  /** Lower case, without `application/`. */
  readonly typ: string | undefined;
}

export interface UnverifiedJwt {
  readonly header: JwtHeader;
  readonly claims: JsonObject;
}

/** Compact form of a signed token; five segments would be an encrypted one. */
const compact = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

const headerSchema = z.object({
  alg: z.string().min(1).max(limits.jwtName_chars),
  kid: z.string().min(1).max(limits.jwtKeyId_chars).optional(),
  typ: z.string().min(1).max(limits.jwtName_chars).optional(),
});

/**
 * Where keys come from is never the token's word: `jwk`, `jku`, `x5u` and `x5c` are not read. Extensions that we do not know would
 * change what the signature means, and we know none.
 * @see RFC 7515 sections 3.1, 4.1 and 4.1.11; RFC 7797; RFC 8725 sections 3.5 and 3.11
 */
export function readJwt(text: string): Result<UnverifiedJwt, string> {
  if (text.length > limits.jwt_chars) return err("jwt_too_long");
  const [, first, second, third] = compact.exec(text) ?? [];
  if (first === undefined || second === undefined || third === undefined) return err("jwt_form");
  const header = readSegment(first);
  const claims = readSegment(second);
  if (!header.ok || !claims.ok || bytesOf(third) === undefined) return err("jwt_encoding");
  if (Object.hasOwn(header.value, "crit") || Object.hasOwn(header.value, "b64")) return err("jwt_crit");
  const parsed = headerSchema.safeParse(header.value);
  if (!parsed.success) return err("jwt_header");
  const { alg, kid, typ } = parsed.data;
  return ok({ header: { alg, kid, typ: typ?.toLowerCase().replace(/^application\//, "") }, claims: claims.value });
}

function readSegment(segment: string): Result<JsonObject, undefined> {
  const bytes = bytesOf(segment);
  const read = bytes === undefined ? undefined : readJson(bytes);
  return read?.ok === true ? read : err(undefined);
}

/** The spare bits of the last character would be a second spelling of the same bytes. */
function bytesOf(segment: string): Uint8Array | undefined {
  if (segment.length % 4 === 1) return undefined;
  const bytes = base64url.decode(segment);
  return base64url.encode(bytes) === segment ? bytes : undefined;
}
