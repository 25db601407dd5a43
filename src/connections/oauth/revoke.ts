/** Tells a provider that a token is not needed any more. */
import { allowInsecureRequests, customFetch, revocationRequest } from "oauth4webapi";
import { limits } from "../../limits.ts";
import { createLibraryFetch } from "../../trust/index.ts";
import type { Base, Party } from "../types.ts";
import { clientAuthentication } from "./client-authentication.ts";
import { endpoint } from "./endpoints.ts";

/**
 * @returns true when the provider took it, which it also does for a token that it does not know; false when it could not be told, or
 *   has no place to be told at
 * @see RFC 7009 section 2
 */
export async function revoke(
  base: Base,
  party: Party,
  token: string,
  hint: "access_token" | "refresh_token",
): Promise<boolean> {
  const { issuer, client_id } = party;
  const revocation_endpoint = endpoint(base, party.revocation_endpoint ?? "");
  if (revocation_endpoint === undefined) return false;
  const authentication = await clientAuthentication(base, party);
  if (!authentication.ok) return false;
  const network = createLibraryFetch(base.fetch, {
    answer_ms: limits.tokenAnswer_ms,
    answer_bytes: limits.tokenAnswer_bytes,
  });
  try {
    const answer = await revocationRequest(
      { issuer, revocation_endpoint },
      { client_id },
      authentication.value,
      token,
      {
        [customFetch]: network.fetch,
        [allowInsecureRequests]: true,
        additionalParameters: { token_type_hint: hint },
      },
    );
    return answer.status >= 200 && answer.status < 300;
  } catch (thrown) {
    if (network.failure() === undefined) throw thrown;
    return false;
  }
}
