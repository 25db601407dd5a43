/** What the browser brings back from the provider. */
import {
  AuthorizationResponseError,
  OperationProcessingError,
  UnsupportedOperationError,
  validateAuthResponse,
} from "oauth4webapi";
import { limits } from "../../limits.ts";
import { ok, type Result } from "../../ports.ts";
import type { Party, TokenFailure } from "../types.ts";
import { passing, wrong } from "./failures.ts";

/**
 * Judged before anything is sent. What an error says beyond its code is never shown or logged: anybody can write it.
 * @returns the parameters in the form that the library wants for the token request
 * @see RFC 6749 sections 4.1.2 and 10.12; RFC 9207 section 2.4; MCP 2026-07-28 authorization, "Authorization Response Validation"
 */
export function checkAnswer(
  party: Party,
  parameters: URLSearchParams,
  state: string,
): Result<URLSearchParams, TokenFailure> {
  const told = new URLSearchParams(parameters);
  const unfit = issuerDefect(party, told);
  if (unfit !== undefined) return wrong(unfit);
  const server = { issuer: party.issuer, authorization_response_iss_parameter_supported: party.names_issuer };
  let answer: URLSearchParams;
  try {
    answer = validateAuthResponse(server, { client_id: party.client_id }, told, state);
  } catch (thrown) {
    if (thrown instanceof AuthorizationResponseError) return refusal(thrown.error);
    if (thrown instanceof OperationProcessingError || thrown instanceof UnsupportedOperationError)
      return wrong("answer_invalid");
    throw thrown;
  }
  const [code = "", ...others] = answer.getAll("code");
  return code === "" || others.length > 0 || code.length > limits.foreignToken_chars
    ? wrong("answer_invalid")
    : ok(answer);
}

/**
 * Letter by letter: an issuer that only looks the same is another one. The library takes an empty name for none.
 * An issuer that is not known stands as its token endpoint (see `vendorParty`): then a name must at least be of the host that the browser
 * was at, and is not compared further.
 */
function issuerDefect(party: Party, told: URLSearchParams): string | undefined {
  const names = told.getAll("iss");
  const [name] = names;
  if (names.length > 1) return "answer_invalid";
  if (name === undefined) return party.names_issuer ? "issuer_missing" : undefined;
  if (party.issuer !== party.token_endpoint) return name === party.issuer ? undefined : "issuer_mismatch";
  const { origin } = new URL(party.authorization_endpoint ?? party.token_endpoint);
  if (URL.parse(name)?.origin !== origin) return "issuer_mismatch";
  told.delete("iss");
  return undefined;
}

/** @see RFC 6749 section 4.1.2.1 */
function refusal(error: string): Result<never, TokenFailure> {
  if (error === "access_denied") return wrong("access_denied");
  if (error === "server_error" || error === "temporarily_unavailable") return passing("authorization_unavailable");
  if (error === "invalid_scope") return wrong("authorization_scope");
  if (error === "unauthorized_client" || error === "invalid_client") return wrong("authorization_client");
  return wrong("authorization_refused");
}
