/** The credential that a request presents: exactly one. */
import { failure, type Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { err, ok, type Result } from "../ports.ts";

/** RFC 6750 section 2.1: `Bearer` and a b64token; the scheme is case-insensitive. */
const bearer = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/** One credential of a scheme that is never taken here; with a comma it may hide a second header. */
const basic = /^basic(?: [^,]*)?$/i;

const malformed = err(failure("invalid_token", undefined, { reason: "token_malformed" }));

/** @returns the token of a header that is one bearer credential and nothing else */
export const bearerToken = (value: string): string | undefined =>
  value.length > limits.bearer_chars ? undefined : bearer.exec(value)?.[1];

/**
 * @returns the token; `undefined` when no bearer credential is presented at all; a failure when what is presented is
 *   malformed or ambiguous (two headers arrive joined by a comma)
 * @see RFC 6750 section 2.1
 */
export function readBearer(headers: Headers): Result<string | undefined, Failure> {
  const value = headers.get("authorization");
  if (value === null || value.trim() === "" || basic.test(value)) return ok(undefined);
  const token = bearerToken(value);
  return token === undefined ? malformed : ok(token);
}

export const gatewayTokenHeader = "x-gatehouse-token";

/**
 * What an MCP endpoint takes as the caller's credential. A token in `X-Gatehouse-Token` is meant for Gatehouse and nobody else, so it
 * goes before `Authorization`; whatever is in it is never passed over, or a script that lost its token would go on as somebody else.
 * The same on every endpoint: otherwise the answer would tell which servers take a caller's own credential.
 */
export function readPresented(headers: Headers): Result<string | undefined, Failure> {
  const value = headers.get(gatewayTokenHeader);
  if (value === null) return readBearer(headers);
  const token = bearerToken(/^bearer(?: |$)/i.test(value) ? value : `Bearer ${value}`);
  return token === undefined ? malformed : ok(token);
}
