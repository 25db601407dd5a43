/** The certified library, told to use our network, our clock and our keys. */
import * as client from "openid-client";
import type { Failure } from "../errors.ts";
import { limits } from "../limits.ts";
import { implementation } from "../platform.ts";
import { err, ok, type Result } from "../ports.ts";
import type { ProviderMetadata } from "./discovery.ts";
import type { SignInFailure } from "./failures.ts";
import { callbackPath } from "./mix-up.ts";
import { knownOf } from "./provider-kinds.ts";
import { openProviderSecret, type StoredProvider } from "./providers.ts";
import type { Visit } from "./visit.ts";

export interface RelyingParty {
  readonly configuration: client.Configuration;
  /** What went wrong on the network, if that was it. */
  networkFailure(): Failure | undefined;
}

/**
 * The library judges times by the system's clock. Ours is a port, so times are judged in `trust/` and here, and the library gets a
 * tolerance that makes it indifferent (about thirty years).
 */
const anyTime_s = 1_000_000_000;

export const redirectUri = (visit: Visit, provider: StoredProvider): string =>
  `${visit.tenant.origin}${callbackPath(provider)}`;

export async function openRelyingParty(
  visit: Visit,
  provider: StoredProvider,
  metadata: ProviderMetadata,
): Promise<Result<RelyingParty, SignInFailure>> {
  const secret = await openProviderSecret(visit.vault, visit.tenant.id, provider);
  if (!secret.ok) {
    const fields = { tenant: visit.tenant.id, provider: provider.id, reason: secret.error.reason };
    visit.platform.log("error", "The client secret of an identity provider cannot be opened", fields);
    return err("unavailable");
  }
  const server: client.ServerMetadata = {
    issuer: metadata.issuer,
    authorization_endpoint: metadata.authorization_endpoint,
    token_endpoint: metadata.token_endpoint,
    jwks_uri: metadata.jwks_uri,
    ...(metadata.userinfo_endpoint === undefined ? {} : { userinfo_endpoint: metadata.userinfo_endpoint }),
    authorization_response_iss_parameter_supported: metadata.authorization_response_iss_parameter_supported ?? false,
    id_token_signing_alg_values_supported: [...metadata.algorithms],
  };
  const configuration = new client.Configuration(
    server,
    provider.client_id,
    { [client.clockTolerance]: anyTime_s },
    authentication(secret.value, provider, metadata),
  );
  // Which addresses may be called, and whether without TLS, is decided in `egress/`, as for every other request.
  client.allowInsecureRequests(configuration);
  configuration.timeout = 0;
  let failed: Failure | undefined;
  configuration[client.customFetch] = async (url, options) => {
    const answer = await send(visit, url, options);
    if (answer.ok) return answer.value;
    failed = answer.error;
    throw new Error("The provider could not be asked.");
  };
  return ok({ configuration, networkFailure: () => failed });
}

/** Where nothing is said, Basic is what every provider takes. @see OpenID Connect Core 1.0 section 9 */
function authentication(
  secret: string | undefined,
  { kind, options }: StoredProvider,
  { token_endpoint_auth_methods_supported: methods }: ProviderMetadata,
): client.ClientAuth {
  if (secret === undefined) return client.None();
  const preferred = knownOf(kind).authentication;
  const other = preferred === "client_secret_basic" ? "client_secret_post" : "client_secret_basic";
  const takesOther = methods !== undefined && !methods.includes(preferred) && methods.includes(other);
  const method = options.client_authentication ?? (takesOther ? other : preferred);
  return method === "client_secret_post" ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
}

/** Only JSON comes back: of a userinfo answer as JWT the library would check no signature. */
async function send(
  visit: Visit,
  url: string,
  { method, headers, body }: client.CustomFetchOptions,
): Promise<Result<Response, Failure>> {
  const wire = new Headers(headers);
  wire.set("user-agent", `Gatehouse/${implementation.version}`);
  const answer = await visit.fetch({
    url,
    method: method === "POST" ? "POST" : "GET",
    headers: wire,
    ...(body === undefined || body === null ? {} : { body: String(body) }),
    // Codes, secrets and tokens follow no redirect.
    redirects: "refuse",
    idle_ms: limits.providerAnswer_ms,
    total_ms: limits.providerAnswer_ms,
    body_bytes: limits.providerAnswer_bytes,
    stream_bytes: limits.providerAnswer_bytes,
  });
  if (!answer.ok) return answer;
  const { status, contentType } = answer.value;
  const text = await answer.value.text();
  if (!text.ok) return text;
  const isJson = contentType === "application/json";
  const shown = isJson && status !== 204 && status !== 205 ? text.value : null;
  return ok(new Response(shown, { status, headers: { "content-type": isJson ? "application/json" : "text/plain" } }));
}
