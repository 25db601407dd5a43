/** What a client presents to say who it is, at the token and the revocation endpoint. Pure; nothing is verified here. */
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import type { ClientAuthentication } from "../types.ts";
import { assertedClientId } from "./client-assertion.ts";

export interface PresentedCredentials {
  readonly client_id: string;
  readonly method: ClientAuthentication;
  /** For the two methods with a secret. */
  readonly secret: string | undefined;
}

/** The scheme is case-insensitive, the rest is one token68. @see RFC 7617 section 2, RFC 9110 section 11.1 */
const basic = /^basic +([A-Za-z0-9+/]+=*)$/i;

export const usesBasic = (headers: Headers): boolean => /^basic(?: |$)/i.test(headers.get("authorization") ?? "");

/**
 * Exactly one method: a request that uses two could be read as either.
 * @returns the stable reason when there is none, or more than one, or what there is cannot be read
 * @see RFC 6749 section 2.3, RFC 7521 section 4.2
 */
export function readCredentials(headers: Headers, parameters: URLSearchParams): Result<PresentedCredentials, string> {
  const repeated = ["client_id", "client_secret", "client_assertion", "client_assertion_type"].some(
    (name) => parameters.getAll(name).length > 1,
  );
  if (repeated) return err("client_parameter_repeated");
  const authorization = headers.get("authorization");
  const named = parameters.get("client_id") ?? undefined;
  const secret = parameters.get("client_secret") ?? undefined;
  const asserts = parameters.has("client_assertion") || parameters.has("client_assertion_type");
  const methods_count = [authorization !== null, secret !== undefined, asserts].filter(Boolean).length;
  if (methods_count > 1) return err("client_methods_many");
  if (authorization !== null) return readBasic(authorization, named);
  if (asserts) return presented(named ?? assertedClientId(parameters), "private_key_jwt");
  return secret === undefined ? presented(named, "none") : presented(named, "client_secret_post", secret);
}

function presented(
  client_id: string | undefined,
  method: ClientAuthentication,
  secret?: string,
): Result<PresentedCredentials, string> {
  return client_id === undefined || client_id === "" ? err("client_id_missing") : ok({ client_id, method, secret });
}

/** Both parts are form-encoded before they are joined. @see RFC 6749 section 2.3.1 */
function readBasic(authorization: string, named: string | undefined): Result<PresentedCredentials, string> {
  const encoded = authorization.length > limits.bearer_chars ? undefined : basic.exec(authorization)?.[1];
  const pair = encoded === undefined ? undefined : utf8Of(encoded);
  const colon = pair?.indexOf(":") ?? -1;
  if (pair === undefined || colon < 0) return err("client_basic_malformed");
  const [client_id, secret] = [formDecoded(pair.slice(0, colon)), formDecoded(pair.slice(colon + 1))];
  if (client_id === undefined || secret === undefined) return err("client_basic_malformed");
  if (named !== undefined && named !== client_id) return err("client_id_differs");
  return presented(client_id, "client_secret_basic", secret);
}

function utf8Of(encoded: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.fromBase64(encoded));
  } catch {
    return undefined;
  }
}

function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}
