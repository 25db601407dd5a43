/** From the parameters of `/oauth/authorize` to a request that a person may decide on. */
import { openDatabase } from "../../db/index.ts";
import type { Visit } from "../../login/index.ts";
import { limits } from "../../limits.ts";
import { err, ok, type Result } from "../../ports.ts";
import { noteAgent } from "../agents/index.ts";
import { resolveClient } from "../clients/index.ts";
import { isRegisteredRedirect, isTrustedRedirect, parseLoopback, trustedRedirects } from "../redirects/index.ts";
import type { StopReason } from "../stop.ts";
import type { AuthorizationCheck, OAuthClient, Stop } from "../types.ts";
import { answerRedirect } from "./answer.ts";
import { echoedState, refusalOf, requestOf } from "./checks.ts";
import { blockAuthorization } from "./stop.ts";

/**
 * Who asks and where the answer goes come first: while either is in doubt nothing is sent anywhere, and the person reads why. All that
 * comes after is answered to the client.
 * @see OAuth 2.1 section 4.1.2.1
 */
export async function checkAuthorization(visit: Visit, parameters: URLSearchParams): Promise<AuthorizationCheck> {
  const named = onlyOne(parameters, "client_id", "request_invalid");
  const aimed = onlyOne(parameters, "redirect_uri", "redirect_uri_missing");
  const [client_id, redirect_uri] = [named.ok ? named.value : undefined, aimed.ok ? aimed.value : undefined];
  if (client_id === undefined || redirect_uri === undefined) {
    const reason = named.ok ? (aimed.ok ? "request_invalid" : aimed.error) : named.error;
    visit.countUnknown(reason);
    return { kind: "stopped", stop: { reason, client_id } };
  }
  const admitted = await admitClient(visit, client_id, redirect_uri);
  if (!admitted.ok) return { kind: "stopped", stop: admitted.error };

  const client = admitted.value;
  const asked = { parameters, client, origin: visit.tenant.origin };
  const refusal = refusalOf(asked);
  if (refusal !== undefined) {
    const { error, description } = refusal;
    const answerable = { redirect_uri, state: echoedState(parameters) };
    return { kind: "refused", location: answerRedirect(visit, answerable, { error, error_description: description }) };
  }
  const { clock, random } = visit.platform.ports;
  await noteAgent(visit, { client });
  return { kind: "request", request: requestOf(asked, redirect_uri, random.uuid(), clock.now()), client };
}

/** Two values of one of these could be read as either. */
function onlyOne(parameters: URLSearchParams, name: string, absent: StopReason): Result<string, StopReason> {
  const [value, ...more] = parameters.getAll(name);
  if (more.length > 0) return err("request_ambiguous");
  if (value === undefined || value === "") return err(absent);
  return value.length > limits.authorizationParameter_chars ? err("request_invalid") : ok(value);
}

/**
 * The client, when it is known, and the redirect URI is one of its own and trusted by the tenant. Asked at the start and again when the
 * person has decided: meanwhile each of the three may have ended.
 */
export async function admitClient(
  visit: Visit,
  client_id: string,
  redirect_uri: string,
): Promise<Result<OAuthClient, Stop>> {
  const found = await resolveClient(visit, client_id);
  if (!found.ok) return err(await refuseClient(visit, client_id, found.error.stop));
  const client = found.value;
  if (!isRegisteredRedirect(client.redirect_uris, redirect_uri)) {
    return err(await blockAuthorization(visit, { reason: "redirect_uri_not_registered", client, redirect_uri }));
  }
  const { platform, tenant, snapshot } = visit;
  const isLoopback = parseLoopback(redirect_uri) !== undefined;
  const isForbidden = isLoopback && client.kind === "document" && !snapshot.settings.registration.document_loopback;
  const trusted = await trustedRedirects(openDatabase(platform.bindings.DB), tenant.id).all();
  const blocked = (reason: StopReason) => blockAuthorization(visit, { reason, client, redirect_uri });
  if (isForbidden) return err(await blocked("redirect_uri_loopback"));
  return isTrustedRedirect(redirect_uri, trusted) ? ok(client) : err(await blocked("redirect_uri_untrusted"));
}

/** Ids that nobody knows are counted; what the tenant's own rules turn away is told to its administrator. */
async function refuseClient(visit: Visit, client_id: string, reason: StopReason): Promise<Stop> {
  if (reason === "client_blocked" || reason === "client_domain_untrusted") {
    const name = URL.parse(client_id)?.hostname ?? client_id;
    return blockAuthorization(visit, { reason, client: { id: client_id, kind: "unknown", name } });
  }
  visit.countUnknown(reason);
  return { reason, client_id };
}
