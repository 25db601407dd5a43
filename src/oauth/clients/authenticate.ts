/** Who calls the token or the revocation endpoint. */
import { openDatabase } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import { countAttempt, isHeldOff, type AttemptRule } from "../../trust/index.ts";
import { oauthError, type OAuthError } from "../oauth-error.ts";
import type { OAuthClient } from "../types.ts";
import { verifyClientAssertion } from "./client-assertion.ts";
import { readCredentials, usesBasic, type PresentedCredentials } from "./credentials.ts";
import { dynamicClients } from "./dynamic.ts";
import { resolveClient, type ClientRefusal } from "./find-client.ts";
import { isClientSecret } from "./secrets.ts";

const failures: AttemptRule = {
  purpose: "client_authentication",
  count_max: limits.clientFailures_count,
  window_ms: limits.clientFailures_ms,
};

/**
 * The client, when it authenticates by exactly one method and that is its own. An unknown client, a wrong secret and a wrong method get
 * the same answer for about the same work, so that ids cannot be found out. A client that registered itself lives on by this.
 * @returns `invalid_client`; `slow_down` for a client that failed too often from this network; `temporarily_unavailable` when its
 *   document or keys cannot be had now
 * @see RFC 6749 sections 2.3 and 5.2
 */
export async function authenticateClient(
  visit: Visit,
  headers: Headers,
  parameters: URLSearchParams,
): Promise<Result<OAuthClient, OAuthError>> {
  const presented = readCredentials(headers, parameters);
  if (!presented.ok) {
    visit.countUnknown("client_authentication");
    return err(invalidClient(headers, presented.error));
  }
  const { platform, tenant, source } = visit;
  const database = openDatabase(platform.bindings.DB);
  const now = platform.ports.clock.now();
  const who = JSON.stringify([presented.value.client_id, source.network]);
  if (await isHeldOff(database, tenant.id, failures, who, now)) return err(tooManyFailures);
  const verified = await verify(visit, presented.value, headers, parameters);
  if (verified.ok) {
    if (verified.value.kind === "dynamic") await dynamicClients(database, tenant.id).extend(verified.value.id, now);
    return verified;
  }
  if (verified.error.error !== "invalid_client") return verified;
  // Of parallel guesses each is counted, and those past the maximum learn nothing.
  const isWithin = await countAttempt(database, tenant.id, failures, who, now);
  visit.countUnknown("client_authentication");
  return isWithin ? verified : err(tooManyFailures);
}

const tooManyFailures = oauthError(
  "slow_down",
  "This client failed to authenticate too often: try again later",
  "client_held_off",
  { "retry-after": String(limits.clientFailures_ms / 1_000) },
);

function invalidClient(headers: Headers, reason: string): OAuthError {
  const challenge = usesBasic(headers) ? { "www-authenticate": 'Basic realm="Gatehouse"' } : undefined;
  return oauthError("invalid_client", "The client could not be authenticated", reason, challenge);
}

async function verify(
  visit: Visit,
  { client_id, method, secret }: PresentedCredentials,
  headers: Headers,
  parameters: URLSearchParams,
): Promise<Result<OAuthClient, OAuthError>> {
  const found = await resolveClient(visit, client_id);
  const isSecretRight = secret === undefined || (await isClientSecret(visit, client_id, secret));
  if (!found.ok) return err(unavailable(found.error) ?? invalidClient(headers, found.error.reason));
  const client = found.value;
  if (client.authentication !== method) return err(invalidClient(headers, "client_method"));
  if (!isSecretRight) return err(invalidClient(headers, "client_secret"));
  if (method !== "private_key_jwt") return ok(client);
  const asserted = await verifyClientAssertion(visit, client, parameters);
  return asserted.ok ? ok(client) : asserted;
}

/** Of a client that is known by its document nobody can say anything while that cannot be had. */
function unavailable({ stop, reason }: ClientRefusal): OAuthError | undefined {
  if (stop !== "unavailable" && stop !== "too_many_requests") return undefined;
  return oauthError("temporarily_unavailable", "The client's metadata document cannot be fetched now", reason, {
    "retry-after": "10",
  });
}
